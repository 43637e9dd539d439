//! Workers that run nothing: they say hello and beat, obey, answer probes and make them, as the protocol wants it.

mod link;
mod pulse;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use squall_proto::v1;
use squall_tests::Rng;
use squall_types::cluster::WorkerName;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic_health::pb::health_server::HealthServer;

use self::link::Link;
use self::pulse::Pulse;
use crate::invariants::Told;
use crate::net::Breaks;
use crate::network;
use crate::scenario::Scenario;

/// Where a worker's daemon is probed, and where its slots are.
const DAEMON: u16 = 7500;
const SLOTS: u16 = 7501;

/// What workers know of masters beside the protocol: in which term somebody leads whose leadership nobody else claims.
pub type Reigns = watch::Receiver<Option<u64>>;

/// One worker's place. Its clones are the same place.
#[derive(Clone)]
pub struct Hand {
    number: usize,
    masters: usize,
    breaks: Breaks,
    reigns: Reigns,
    now: Arc<Mutex<Now>>,
    /// Whether its daemon answers; its slots do as long as the machine runs.
    daemon: watch::Sender<bool>,
}

/// What lives there, and what outlives it.
struct Now {
    dice: Rng,
    incarnation: u64,
    cluster: String,
    desired: v1::DesiredState,
    told: Vec<Told>,
}

impl Hand {
    /// All workers of a scenario.
    pub fn all(scenario: &Scenario, breaks: &Breaks, reigns: &Reigns) -> Vec<Self> {
        let dice = Rng::new(scenario.seed).fork(200);
        let new = |number: usize| Self {
            number,
            masters: scenario.masters,
            breaks: breaks.clone(),
            reigns: reigns.clone(),
            now: Arc::new(Mutex::new(Now {
                dice: dice.fork(number as u64),
                incarnation: 0,
                cluster: String::new(),
                desired: v1::DesiredState::default(),
                told: Vec::new(),
            })),
            daemon: watch::Sender::new(true),
        };
        (0..scenario.workers).map(new).collect()
    }

    /// Its name.
    pub fn name(&self) -> WorkerName {
        self.host().parse().expect("a letter and a digit")
    }

    /// Its host's name.
    pub fn host(&self) -> String {
        network::worker(self.number)
    }

    /// The worker's program.
    ///
    /// # Errors
    /// If it can't listen.
    pub async fn run(self) -> turmoil::Result {
        let always = watch::Sender::new(true);
        self.answer(DAEMON, self.daemon.subscribe()).await?;
        self.answer(SLOTS, always.subscribe()).await?;
        let mut daemon = self.daemon.subscribe();
        loop {
            // Its receiver is here, so its sender is.
            let _ = daemon.wait_for(|runs| *runs).await;
            let link = self.link();
            tokio::select! {
                () = link.keep() => {}
                _ = daemon.wait_for(|runs| !*runs) => {}
            }
        }
    }

    fn link(&self) -> Link {
        let mut now = self.lock();
        now.incarnation += 1;
        let incarnation = now.incarnation;
        let dice = now.dice.fork(incarnation);
        Link::new(self.clone(), incarnation, self.masters, dice)
    }

    async fn answer(&self, port: u16, runs: watch::Receiver<bool>) -> turmoil::Result {
        let server = Server::builder().add_service(HealthServer::new(Pulse(runs)));
        tokio::spawn(server.serve_with_incoming(self.breaks.listen(port).await?));
        Ok(())
    }

    /// Its daemon hangs, or works again: with a new life.
    pub fn hang(&self, hangs: bool) {
        self.daemon.send_replace(!hangs);
    }

    /// Which leaders it has told of whom since this was asked last.
    pub fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.lock().told)
    }

    /// The slots that it is to run, as it was told last, each with its topology and the assignment's version.
    pub fn runs(&self) -> BTreeMap<u32, (String, u64)> {
        let now = self.lock();
        let slots = now.desired.slots.iter();
        slots.map(|slot| (slot.number, (slot.topology.clone(), slot.assignment_version))).collect()
    }

    /// What it says when it comes.
    fn hello(&self, incarnation: u64) -> v1::Hello {
        let now = self.lock();
        v1::Hello {
            name: self.host(),
            incarnation,
            cluster_id: now.cluster.clone(),
            address: network::address(&self.host(), DAEMON),
            slots: 4,
            capacity: Some(v1::Resources { cpu_percent: 800, memory_mib: 8_192 }),
            epoch: now.desired.epoch,
            revision: now.desired.revision,
            reports: self.reports(&now),
            ..v1::Hello::default()
        }
    }

    fn beat(&self, number: u64) -> v1::Heartbeat {
        let now = self.lock();
        let v1::DesiredState { epoch, revision, .. } = now.desired;
        v1::Heartbeat { number, epoch, revision, reports: self.reports(&now), ..v1::Heartbeat::default() }
    }

    fn reports(&self, now: &Now) -> Vec<v1::SlotReport> {
        let report = |slot: &v1::DesiredSlot| v1::SlotReport {
            number: slot.number,
            topology: slot.topology.clone(),
            assignment_version: slot.assignment_version,
            incarnation: 1,
            state: v1::SlotState::Running.into(),
            address: network::address(&self.host(), SLOTS),
            ..v1::SlotReport::default()
        };
        now.desired.slots.iter().map(report).collect()
    }

    /// Does what it is told, unless that is older than what it does.
    fn obey(&self, desired: v1::DesiredState) {
        let mut now = self.lock();
        let order = |it: &v1::DesiredState| (it.epoch, it.revision);
        if order(&desired) >= order(&now.desired) {
            now.desired = desired;
        }
    }

    fn belongs(&self, cluster: String) {
        self.lock().cluster = cluster;
    }

    fn tell(&self, told: Told) {
        self.lock().told.push(told);
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long it takes until nothing is heard.
const SILENCE: Duration = Duration::from_millis(1_500);
