//! A master's place in the simulation: the shipped daemon on a simulated network, clock and disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use squall_control::State;
use squall_control::plan::Standing;
use squall_master::config::MasterConfig;
use squall_master::{Node, Secured};
use squall_raft::Role;
use squall_tests::Rng;
use squall_types::cluster::Revision;

use crate::invariants::{Fresh, Seen};
use crate::net::Breaks;
use crate::network;
use crate::plant::Plant;
use crate::scenario::Scenario;
use crate::shelf::Shelf;
use crate::surroundings::{Machine, Watch};

/// Where masters listen.
pub const PORT: u16 = 7400;
/// The whole state is hashed once in so many revisions, for it takes as long as all else; and whenever it comes to rest.
const HASHED: u64 = 8;

/// One master's place, whatever lives there. Its clones are the same place.
#[derive(Clone)]
pub struct Site {
    place: usize,
    masters: usize,
    plant: Plant,
    machine: Machine,
    now: Arc<Mutex<Now>>,
}

/// What lives there now.
struct Now {
    life: u64,
    dice: Rng,
    running: Option<Arc<Node>>,
    /// Up to where its state was looked at.
    looked: Revision,
    stopped: Option<String>,
}

impl Site {
    /// The places of all masters, with empty disks.
    pub fn all(scenario: &Scenario, breaks: &Breaks, plant: Plant) -> Vec<Self> {
        let dice = Rng::new(scenario.seed).fork(100);
        let new = |place: usize| {
            let dice = dice.fork(place as u64);
            let machine = Machine {
                breaks: breaks.clone(),
                watch: Watch::default(),
                log: crate::disk::Platter::default(),
                packages: Shelf::new(dice.fork(1)),
            };
            let now = Now { life: 0, dice, running: None, looked: Revision::ZERO, stopped: None };
            Self { place, masters: scenario.masters, plant, machine, now: Arc::new(Mutex::new(now)) }
        };
        (0..scenario.masters).map(new).collect()
    }

    /// Its number.
    pub const fn place(&self) -> usize {
        self.place
    }

    /// What it lives on.
    pub const fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The life of the disk that is there now.
    pub fn disk(&self) -> Option<u64> {
        self.machine.log.id()
    }

    /// The master's program.
    ///
    /// # Errors
    /// Never: one that stops by itself is seen by [`Site::stopped`].
    pub async fn run(self) -> turmoil::Result {
        let dice = {
            let mut now = self.lock();
            (now.life, now.looked) = (now.life + 1, Revision::ZERO);
            let life = now.life;
            now.dice.fork(1_000 + life)
        };
        let started = Node::start(self.config(), Secured::plain(), self.machine.env(&dice, self.plant)).await;
        let ended = match started {
            Ok(node) => {
                let node = Arc::new(node);
                self.lock().running = Some(node.clone());
                node.over().await;
                self.lock().running = None;
                match Arc::into_inner(node) {
                    Some(node) => node.ended().await,
                    None => Ok(()),
                }
            }
            Err(error) => Err(error),
        };
        self.lock().stopped = Some(ended.map_or_else(|error| chain(&error), |()| "it was asked to".to_owned()));
        Ok(())
    }

    fn config(&self) -> MasterConfig {
        let mut config = MasterConfig::new("/var/lib/squall");
        let address = |place: usize| network::address(&network::master(place), PORT);
        config.name = network::master(self.place).parse().ok();
        config.listen = ([0, 0, 0, 0], PORT).into();
        config.advertise = address(self.place).parse().ok();
        config.masters = (0..self.masters).filter_map(|place| address(place).parse().ok()).collect();
        config.http.listen = None;
        config.insecure = true;
        config
    }

    /// Why it has ended by itself, if it has.
    pub fn stopped(&self) -> Option<String> {
        self.lock().stopped.clone()
    }

    /// It dies, and with it what it had not synced.
    pub fn crash(&self) {
        let mut now = self.lock();
        (now.running, now.stopped) = (None, None);
        self.machine.crash();
    }

    /// Its disks are lost.
    pub fn wipe(&self) {
        self.machine.wipe();
    }

    /// What it shows of itself, while it runs and has a cluster; all but what is fresh.
    pub fn glance(&self) -> Option<Seen> {
        let now = self.lock();
        let node = now.running.clone()?;
        let status = node.log()?;
        Some(Seen {
            master: self.place,
            life: now.life,
            cluster: status.cluster.get(),
            raft_id: status.id.get(),
            term: status.term.get(),
            leads: status.role == Role::Leader,
            commit: status.commit.get(),
            applied: status.applied.get(),
            voters: status.members.voters().map(|member| member.id.get()).collect(),
            workers: node.workers(),
            fresh: None,
        })
    }

    /// The same, with what is new in its state since this was asked last.
    pub fn seen(&self) -> Option<Seen> {
        let seen = self.glance()?;
        let fresh = self.read(|state| {
            let looked = std::mem::replace(&mut self.lock().looked, state.revision());
            (looked != state.revision()).then(|| fresh(state, looked))
        });
        Some(Seen { fresh: fresh.flatten(), ..seen })
    }

    /// Its term, while it runs and has a cluster.
    pub fn term(&self) -> Option<u64> {
        let node = self.lock().running.clone()?;
        node.log().map(|status| status.term.get())
    }

    /// Reads its state, while it runs and has a cluster.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Option<T> {
        let node = self.lock().running.clone()?;
        node.read(read)
    }

    /// Whether it leads, and finds all these workers in order.
    pub fn finds_open(&self, workers: usize) -> bool {
        let node = self.lock().running.clone();
        let standings = node.and_then(|node| node.workers()).unwrap_or_default();
        standings.len() == workers && standings.values().all(|it| matches!(it, Standing::Open | Standing::Quarantined))
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is new in a state since it was looked at.
fn fresh(state: &State, looked: Revision) -> Fresh {
    let revision = state.revision().get();
    let events = state.events_since(looked.next()).map(|events| events.cloned().collect());
    let assignment =
        |topology: &squall_control::Deployed| topology.assignment().map(|it| (topology.name().clone(), it.clone()));
    Fresh {
        revision,
        digest: revision.is_multiple_of(HASHED).then(|| state.digest()),
        events: events.unwrap_or_default(),
        assignments: state.topologies().values().filter_map(assignment).collect(),
        packages: state.blobs().iter().map(|(id, blob)| (*id, blob.held_by.clone())).collect(),
    }
}

/// An error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}
