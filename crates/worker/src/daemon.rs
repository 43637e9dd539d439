//! The loop that owns the worker's decisions: takes what happens, and sees to what is to be done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use squall_daemon::http::Readiness;
use squall_daemon::{Clock, Random, chain};
use squall_proto::v1;
use squall_types::cluster::{BlobId, ClusterId, SlotIncarnation, WorkerName};
use squall_types::codes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::config::WorkerConfig;
use crate::core::{Concern, Core, Effect, Event, NotStarted, Orders, Patience, State};
use crate::error::WorkerError;
use crate::link::{Heard, Said};
use crate::metrics::{Kind, Metrics};
use crate::packages::Packages;
use crate::slots::{self, Handle, Place};
use crate::store::Store;
use crate::wire::{self, Reach};

/// Events that wait.
pub(crate) const EVENTS: usize = 1_024;
/// How often packages are looked through.
const COLLECT: Duration = Duration::from_secs(60);
/// How long processes may take to end when the worker leaves.
const LEAVING: Duration = Duration::from_secs(8);

/// What a worker is made of.
pub(crate) struct Parts {
    pub config: WorkerConfig,
    pub name: WorkerName,
    /// Where its daemon listens, as others reach it.
    pub address: String,
    pub reach: Reach,
    pub capacity: v1::Resources,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub store: Arc<Store>,
    pub packages: Packages,
    pub metrics: Metrics,
    pub readiness: watch::Sender<Readiness>,
    pub said: watch::Sender<Arc<Said>>,
    pub heard: mpsc::Receiver<Heard>,
    pub leave: CancellationToken,
}

/// The loop's state.
pub(crate) struct Daemon {
    parts: Parts,
    core: Core,
    began: Instant,
    slots: BTreeMap<u16, Handle>,
    events: (mpsc::Sender<Event>, mpsc::Receiver<Event>),
    tasks: JoinSet<()>,
    /// Why what is to be remembered couldn't be written.
    unwritten: Option<String>,
    linked: bool,
}

impl Daemon {
    /// Reads what is remembered, and looks into each slot's folder.
    pub(crate) fn new(parts: Parts) -> Result<Self, WorkerError> {
        let (memory, folders) = (parts.store.read()?, parts.store.slots()?);
        let now_ms = parts.clock.now().get();
        let core = Core::new(Patience::DEFAULT, Duration::ZERO, now_ms, memory, folders.iter().copied().collect());
        let mut daemon = Self {
            parts,
            core,
            began: Instant::now(),
            slots: BTreeMap::new(),
            events: mpsc::channel(EVENTS),
            tasks: JoinSet::new(),
            unwritten: None,
            linked: false,
        };
        // A worker that can't write what it is can't begin a new life.
        let written = daemon.parts.store.write(daemon.core.memory());
        written.map_err(WorkerError::disk(&daemon.parts.config.data_dir))?;
        daemon.core.take_dirty();
        for number in folders {
            let (handle, work) = slots::adopt(daemon.place(number));
            daemon.slots.insert(number, handle);
            daemon.tasks.spawn(work);
        }
        daemon.publish();
        Ok(daemon)
    }

    /// Works until the worker has left, or is dropped.
    pub(crate) async fn run(mut self) -> Result<(), WorkerError> {
        let mut ticks = interval(Patience::DEFAULT.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut collects = interval(COLLECT);
        let leave = self.parts.leave.clone();
        let mut leave_by = None;
        loop {
            let event = tokio::select! {
                biased;
                () = leave.cancelled(), if leave_by.is_none() => {
                    leave_by = Some(Instant::now() + LEAVING);
                    Some(Event::Leave)
                }
                Some(event) = self.events.1.recv() => Some(event),
                Some(heard) = self.parts.heard.recv() => self.hear(heard),
                Some(ended) = self.tasks.join_next() => {
                    if ended.is_err() {
                        return Err(WorkerError::Part { part: "what sees to a slot", panicked: true });
                    }
                    None
                }
                _ = ticks.tick() => Some(Event::Tick),
                _ = collects.tick() => {
                    self.collect();
                    None
                }
            };
            if let Some(event) = event {
                self.handle(event).await;
            }
            if leave_by.is_some_and(|by| self.core.is_empty() || Instant::now() >= by) {
                return Ok(());
            }
        }
    }

    fn hear(&mut self, heard: Heard) -> Option<Event> {
        match heard {
            Heard::Welcome { masters } => {
                self.core.met_masters(masters);
                self.linked = true;
                self.parts.metrics.linked.set(1);
                self.parts.readiness.send_replace(Readiness::Ready);
                None
            }
            Heard::Desired(desired) => Some(Event::Desired(desired)),
            Heard::Lost(why) => {
                self.linked = false;
                self.parts.metrics.linked.set(0);
                let reason = format!("{}: no master is heard; the last: {why}", codes::NO_MASTER_HEARD);
                self.parts.readiness.send_replace(Readiness::NotReady { reason });
                None
            }
        }
    }

    async fn handle(&mut self, event: Event) {
        if let Event::Found { number, found: None } = &event {
            self.slots.remove(number);
        }
        if let Event::Exited { number, incarnation, exit } = &event {
            self.parts.metrics.failures.inc();
            tracing::info!("slot {number}, life {incarnation}: {}", exit.how);
            self.slots.remove(number);
        }
        let effects = self.core.handle(self.began.elapsed(), self.parts.random.number(), event);
        // What is about to be done must not be done twice by whoever comes after this daemon.
        self.remember().await;
        for effect in effects {
            self.carry_out(effect).await;
        }
        self.publish();
    }

    async fn remember(&mut self) {
        if !self.core.take_dirty() {
            return;
        }
        let (store, memory) = (self.parts.store.clone(), self.core.memory().clone());
        let written = tokio::task::spawn_blocking(move || store.write(&memory)).await;
        match written.map_err(std::io::Error::other).flatten() {
            Ok(()) => self.unwritten = None,
            Err(error) => {
                self.core.not_written();
                let why = format!("what this worker obeys can't be written: {}", chain(&error));
                if self.unwritten.replace(why.clone()).is_none() {
                    tracing::error!(code = %codes::WORKER_DISK, "{why}");
                }
            }
        }
    }

    async fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Fetch(package) => self.fetch(package),
            Effect::Start { number, incarnation, package } => self.start(number, incarnation, package).await,
            Effect::Order { number, orders } => self.order(number, &orders),
            Effect::Stop { number, drain } => {
                if let Some(handle) = self.slots.get(&number) {
                    handle.stop(drain);
                }
            }
            Effect::Kill { number } => {
                tracing::warn!("slot {number} is killed");
                if let Some(handle) = self.slots.get(&number) {
                    handle.kill();
                }
            }
        }
    }

    fn fetch(&mut self, package: BlobId) {
        let (packages, events) = (self.parts.packages.clone(), self.events.0.clone());
        let masters = crate::core::Masters::new(self.configured(), self.core.memory().masters.clone()).all();
        self.tasks.spawn(async move {
            let fetched = packages.fetch(package, masters).await;
            let result = fetched.map_err(|error| error.to_string());
            let _ = events.send(Event::Fetched { package, result }).await;
        });
    }

    fn configured(&self) -> Vec<String> {
        self.parts.config.masters.iter().map(ToString::to_string).collect()
    }

    async fn start(&mut self, number: u16, incarnation: SlotIncarnation, package: BlobId) {
        let place = self.place(number);
        let made = std::fs::create_dir_all(&place.folder).map_err(|error| NotStarted::System(error.to_string()));
        let program = match made {
            Ok(()) => {
                let program = self.parts.packages.program(package).await;
                program.map_err(|error| NotStarted::Package(error.to_string()))
            }
            Err(error) => Err(error),
        };
        match program {
            Ok(program) => {
                self.parts.metrics.starts.inc();
                let (handle, work) = slots::start(place, incarnation, program);
                self.slots.insert(number, handle);
                self.tasks.spawn(work);
            }
            Err(error) => {
                let event = Event::Started { number, incarnation, result: Err(error) };
                let events = self.events.0.clone();
                self.tasks.spawn(async move { drop(events.send(event).await) });
            }
        }
    }

    fn place(&self, number: u16) -> Place {
        let wanted = &self.parts.config.slots.environment;
        let environment = wanted.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect();
        Place { number, folder: self.parts.store.slot(number), environment, events: self.events.0.clone() }
    }

    fn order(&self, number: u16, orders: &Orders) {
        let Parts { name, reach, config, .. } = &self.parts;
        if let Some(handle) = self.slots.get(&number) {
            handle.order(wire::orders(name, number, orders, reach, &config.slots));
        }
    }

    /// Says how everything is now.
    fn publish(&self) {
        let Parts { name, address, config, capacity, said, metrics, .. } = &self.parts;
        let (memory, reports) = (self.core.memory(), self.core.reports(self.began.elapsed()));
        for (kind, state) in [
            ("waiting", State::Waiting),
            ("starting", State::Starting),
            ("running", State::Running),
            ("stopping", State::Stopping),
            ("kept", State::Kept),
        ] {
            let count = reports.iter().filter(|report| report.state == state).count();
            metrics.slots.get_or_create(&Kind { kind }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        metrics.revision.set(i64::try_from(memory.age.revision.get()).unwrap_or(i64::MAX));
        let hello = v1::Hello {
            name: name.to_string(),
            incarnation: memory.incarnation.get(),
            cluster_id: memory.cluster.as_ref().map_or_else(String::new, ClusterId::to_string),
            zone: config.zone.clone(),
            tags: config.tags.clone(),
            address: address.clone(),
            slots: config.slots.count,
            capacity: Some(*capacity),
            epoch: memory.age.epoch.get(),
            revision: memory.age.revision.get(),
            reports: reports.iter().map(wire::report).collect(),
            witnessed: Vec::new(),
        };
        let unwritten = self.unwritten.iter().map(|cause| Concern {
            code: codes::WORKER_DISK,
            cause: cause.clone(),
            next_step: "make room on the disk of the worker's data directory".to_owned(),
        });
        let concerns = self.core.concerns().into_iter().chain(unwritten);
        let new = Said { hello, concerns: concerns.map(|it| wire::concern(name, &it)).collect() };
        said.send_if_modified(|said| {
            let changed = **said != new;
            if changed {
                *said = Arc::new(new);
            }
            changed
        });
    }

    fn collect(&self) {
        match self.parts.packages.collect(&self.core.packages(), Instant::now()) {
            Ok((packages, bytes)) => {
                self.parts.metrics.packages.set(i64::try_from(packages).unwrap_or(i64::MAX));
                self.parts.metrics.package_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
            Err(error) => tracing::warn!(error = chain(&error), "packages can't be looked through"),
        }
    }
}
