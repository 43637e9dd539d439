//! A master's place in the simulation: the shipped master on a simulated network, clock and disk.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use squall_control::{Assignment, Fate, State, What};
use squall_master::config::MasterConfig;
use squall_master::{BoxFuture, Clock, Connection, Env, Incoming, Network, Node, Observer, Random, Secured};
use squall_raft::Role;
use squall_tests::Rng;
use squall_types::cluster::{Revision, TopologyName, UnixMillis};

use crate::clients::address;
use crate::invariants::{Placed, Seen};
use crate::net::Breaks;
use crate::network;
use crate::scenario::Scenario;

/// Where masters listen.
const PORT: u16 = 7400;

/// One master's place, whatever lives there. Its clones are the same place.
#[derive(Clone)]
pub struct Site {
    place: usize,
    masters: usize,
    breaks: Breaks,
    lives: Arc<AtomicU64>,
    dice: Arc<Dice>,
    now: Arc<Mutex<Now>>,
    packages: Arc<tempfile::TempDir>,
}

/// What lives there now.
#[derive(Default)]
struct Now {
    observer: Option<Observer>,
    applied: Option<Applied>,
    stopped: Option<String>,
}

impl Site {
    /// The place with this number.
    pub fn new(place: usize, scenario: &Scenario, breaks: Breaks) -> Self {
        let rng = Rng::new(scenario.seed).fork(100 + place as u64);
        Self {
            place,
            masters: scenario.masters,
            breaks,
            lives: Arc::default(),
            dice: Arc::new(Dice(Mutex::new(rng))),
            now: Arc::default(),
            packages: Arc::new(tempfile::tempdir().expect("there is room for a folder")),
        }
    }

    /// Its number.
    pub const fn place(&self) -> usize {
        self.place
    }

    /// The master's program.
    ///
    /// # Errors
    /// None: one that stops by itself is seen by [`Site::stopped`].
    pub async fn run(self) -> turmoil::Result {
        self.lives.fetch_add(1, Ordering::Relaxed);
        let (clock, random) = (Arc::new(SimulatedClock), self.dice.clone());
        let network = Arc::new(SimulatedNetwork(self.breaks.clone()));
        let env = Env { clock, random, network };
        let ended = match Node::start(self.config(), Secured::plain(), env).await {
            Ok(node) => {
                self.lock().observer = Some(node.observer());
                node.ended().await
            }
            Err(error) => Err(error),
        };
        self.lock().stopped = Some(ended.map_or_else(|error| chain(&error), |()| "it was asked to".to_owned()));
        Ok(())
    }

    /// Why it has ended by itself, if it has.
    pub fn stopped(&self) -> Option<String> {
        self.lock().stopped.clone()
    }

    /// It dies, and with it what it had not synced.
    pub fn crash(&self) {
        *self.lock() = Now::default();
    }

    /// Its disk is lost.
    ///
    /// # Panics
    /// If the system doesn't let it go.
    pub fn wipe(&self) {
        for entry in std::fs::read_dir(self.packages.path()).expect("it is there").flatten() {
            std::fs::remove_dir_all(entry.path()).expect("it is ours");
        }
    }

    /// What it shows of itself, while it runs and has a cluster.
    pub fn seen(&self) -> Option<Seen> {
        let mut now = self.lock();
        let Now { observer, applied, .. } = &mut *now;
        observer.as_ref()?.look(|status, state| {
            let revision = state.revision().get();
            if applied.as_ref().is_none_or(|applied| applied.revision != revision) {
                *applied = Some(Applied::of(state, applied.take()));
            }
            let Applied { digest, ref assignments, ref dead, .. } = *applied.as_ref().expect("just made");
            Seen {
                master: self.place,
                life: self.lives.load(Ordering::Relaxed),
                raft_id: status.id.get(),
                term: status.term.get(),
                leads: status.role == Role::Leader,
                commit: status.commit.get(),
                applied: revision,
                digest,
                assignments: assignments.clone(),
                dead: dead.iter().cloned().collect(),
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self) -> MasterConfig {
        let mut config = MasterConfig::new(self.packages.path());
        let host = |place: usize| address(place).parse().expect("a host and a port");
        config.name = Some(network::master(self.place).parse().expect("a letter and a digit"));
        config.listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        config.advertise = Some(host(self.place));
        config.masters = (0..self.masters).map(host).collect();
        config.http.listen = None;
        config.insecure = true;
        config
    }
}

/// What is shown of a state; made anew when it has changed.
struct Applied {
    revision: u64,
    digest: u64,
    assignments: BTreeMap<String, Placed>,
    dead: BTreeSet<String>,
}

impl Applied {
    fn of(state: &State, before: Option<Self>) -> Self {
        let (from, mut dead) = before.map_or((0, BTreeSet::new()), |before| (before.revision + 1, before.dead));
        // What is kept of events begins later than that after a snapshot; who is dead is learnt from then on.
        for event in state.events_since(Revision::new(from)).into_iter().flatten() {
            if let What::WorkerFate { name, fate } = &event.what {
                match fate {
                    Fate::Dead { .. } => dead.insert(name.to_string()),
                    Fate::CutOff | Fate::Back | Fate::Left => dead.remove(name.as_str()),
                };
            }
        }
        Self { revision: state.revision().get(), digest: state.digest(), assignments: assignments(state), dead }
    }
}

fn assignments(state: &State) -> BTreeMap<String, Placed> {
    let assigned = state.topologies().values().filter_map(|topology| Some((topology.name(), topology.assignment()?)));
    let placed = |(name, assignment): (&TopologyName, &Arc<Assignment>)| {
        let (version, parent) = (assignment.version.get(), assignment.parent.get());
        let content = crate::trace::hash(format!("{assignment:?}").as_bytes());
        (name.to_string(), Placed { version, parent, content })
    };
    assigned.map(placed).collect()
}

/// An error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

struct SimulatedClock;

impl Clock for SimulatedClock {
    fn now(&self) -> UnixMillis {
        crate::clients::now()
    }
}

/// A place's chance: drawn on over all lives, so that no two draw the same.
struct Dice(Mutex<Rng>);

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}

struct SimulatedNetwork(Breaks);

impl Network for SimulatedNetwork {
    fn bind(&self, at: SocketAddr) -> BoxFuture<std::io::Result<(SocketAddr, Incoming)>> {
        let breaks = self.0.clone();
        Box::pin(async move {
            let incoming = breaks.listen(at.port()).await?;
            let from = |stream: crate::net::Stream| {
                let peer = stream.peer();
                (Box::new(stream) as Connection, peer)
            };
            Ok((at, Box::pin(incoming.map(move |stream| stream.map(from))) as Incoming))
        })
    }

    fn connect(&self, to: String) -> BoxFuture<std::io::Result<Connection>> {
        let breaks = self.0.clone();
        Box::pin(async move { Ok(Box::new(breaks.connect(&to).await?) as Connection) })
    }
}
