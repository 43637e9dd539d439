//! A slot: one process's part of a topology, from its start to its end. A topology runs in one slot, or in several that have each other as
//! peers.

mod assemble;
mod inject;
mod lanes;
mod life;
mod options;
mod peers;
mod program;
mod registry;
mod start;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use squall_engine::plan::{Plan, local_edges};
use squall_types::cluster::Placement;
use squall_types::{ComponentId, TaskId};
use tokio::sync::{mpsc, watch};

pub(crate) use inject::advance;
pub use inject::{Fault, Injector, Instead};
pub use options::Options;
pub use peers::{Membership, Traffic};
pub use program::{Code, GroupingFactory, Program};
pub use start::StartError;

use crate::clock::Clock;
use crate::lane::{Control, Phase, Signpost};
use crate::metrics::Snapshot;
use crate::transport::Acceptor;
use assemble::{Assembler, Starting};
use lanes::Lanes;
use life::Life;
pub(crate) use life::SpoutLife;
use peers::{Common, Peers};
use registry::Registry;
use threads::Threads;

/// A running topology.
pub struct Slot {
    control: Arc<Control>,
    registry: Arc<Registry>,
    threads: Threads,
    clock: Clock,
    peers: Option<Peers>,
}

/// A slot at a moment: whether a topology of several slots rests is seen by two looks at each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Nothing is under way in this slot, and nothing waits to leave it.
    pub rests: bool,
    /// Roots that are pending here.
    pub pending: u64,
    /// Changes with everything that has moved.
    pub moved: u64,
    /// What has crossed to other slots.
    pub traffic: Traffic,
}

impl Look {
    /// Whether a topology rested between two looks at all of its slots: nothing was under way in any, nor between them.
    pub fn at_rest(before: &[Self], after: &[Self]) -> bool {
        let rested = |looks: &[Self]| looks.iter().all(|look| look.rests && look.pending == 0);
        let sent: u64 = after.iter().map(|look| look.traffic.parcels_sent).sum();
        let received: u64 = after.iter().map(|look| look.traffic.parcels_received).sum();
        rested(before) && before == after && sent == received
    }
}

/// How a topology ended: what became of the tracked roots, and what held it up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Rows that spouts emitted.
    pub emitted: u64,
    /// Roots acked.
    pub acked: u64,
    /// Roots that a bolt failed.
    pub failed: u64,
    /// Roots that timed out.
    pub timed_out: u64,
    /// Roots lost with a task.
    pub lost: u64,
    /// Roots of those that failed, timed out or were lost which no spout emits again.
    pub given_up: u64,
    /// Roots still pending.
    pub left: u64,
    /// Time was up, or nobody waited, before everything in flight was done. Without tracking this alone tells.
    pub cut_short: bool,
    /// Components that were still at work when time was up: their threads couldn't be ended.
    pub hung: Vec<ComponentId>,
}

impl Books {
    /// What became of the roots up to a snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        let spouts = snapshot.spouts();
        Self {
            emitted: spouts.emitted,
            acked: spouts.acked,
            failed: spouts.failed,
            timed_out: spouts.timed_out,
            lost: spouts.lost,
            given_up: spouts.given_up,
            left: spouts.pending,
            cut_short: false,
            hung: Vec::new(),
        }
    }

    /// Whether everything that was in flight was done: nothing is left behind, not even a thread.
    pub fn is_whole(&self) -> bool {
        !self.cut_short && self.left == 0 && self.hung.is_empty()
    }
}

/// Reads a running slot's figures.
#[derive(Clone)]
pub struct Monitor {
    registry: Arc<Registry>,
}

impl Monitor {
    /// All figures as they are now.
    pub fn snapshot(&self) -> Snapshot {
        self.registry.snapshot()
    }
}

impl Slot {
    /// Prepares all components, opens the spouts and lets them run: the whole topology, in this process.
    ///
    /// # Errors
    /// A component can't be prepared, or the system refuses a thread.
    pub async fn start(program: &Program, options: &Options) -> Result<Self, StartError> {
        let topology = &program.topology;
        let plan = Plan::new(topology, if options.one_thread { 1 } else { options.cores });
        let local = local_edges(topology, None).into();
        let seed = seed_of(options)?;
        let making = Making::new(program, options, &plan, local, Life::alone(seed));
        let (registry, threads) = making.run(options).await?;
        Ok(Self { control: making.control, registry, threads, clock: making.clock, peers: None })
    }

    /// As [`start`](Self::start), but runs only the executors that this slot has, and reaches the others in their slots. Others reach this
    /// one by its [`acceptor`](Self::acceptor).
    ///
    /// # Errors
    /// A component can't be prepared, or the system refuses a thread.
    pub async fn join(program: &Program, options: &Options, membership: Membership) -> Result<Self, StartError> {
        let (topology, placement) = (&program.topology, &membership.placement);
        let local: Arc<[bool]> = local_edges(topology, Some(placement)).into();
        let executors = placement.slots.get(&membership.own).map(|peer| peer.executors.clone()).unwrap_or_default();
        let cores = if options.one_thread { 1 } else { options.cores };
        let plan = Plan::for_slot(topology, cores, &executors, &local);
        let Membership { own, incarnation, .. } = &membership;
        let life = Life::among_others(seed_of(options)?, own, *incarnation, placement.version);
        let making = Making::new(program, options, &plan, local, life);
        let (registry, threads) = making.run(options).await?;
        let Making { clock, control, signpost, lanes, .. } = making;
        let shared = (control.clone(), signpost);
        let common = Common::new(topology.clone(), options.bound, clock, shared, lanes, membership.fence());
        let peers = Peers::meet(Arc::new(common), membership.transport);
        Ok(Self { control, registry, threads, clock, peers: Some(peers) })
    }

    /// What lets other slots of the topology in: for the transport. None in a slot that is alone.
    pub fn acceptor(&self) -> Option<Arc<dyn Acceptor>> {
        self.peers.as_ref().map(Peers::door)
    }

    /// Takes a newer placement, or one of the same version that knows more of addresses and lives.
    pub fn apply(&self, placement: Placement) {
        let Some(peers) = &self.peers else { return };
        if peers.common.teach(|fence| fence.learn(placement)) {
            peers.look_again();
        }
    }

    /// Where each bolt's batches are handed over within a lane, on so many cores: the chained components.
    pub fn chained(program: &Program, cores: usize) -> Vec<ComponentId> {
        let plan = Plan::new(&program.topology, cores);
        let components = program.topology.components().iter().enumerate();
        components.filter(|(index, _)| plan.is_chained(*index)).map(|(_, component)| component.id.clone()).collect()
    }

    /// Lets spouts emit again.
    pub fn activate(&self) {
        self.control.set_phase(Phase::Active);
    }

    /// Has spouts pause; what is in flight goes on.
    pub fn deactivate(&self) {
        self.control.set_phase(Phase::Inactive);
    }

    /// Ends all spouts here; what is in flight goes on. In a topology of several slots this comes first in all of them, then all rest, and
    /// then they are [drained](Self::drain).
    pub fn end_spouts(&self) {
        self.control.set_phase(Phase::Draining);
    }

    /// Looks whether the slot rests.
    pub fn look(&self) -> Look {
        let traffic = self.traffic();
        let moved = self.moved();
        Look { rests: moved.is_some(), pending: self.registry.pending(), moved: moved.unwrap_or_default(), traffic }
    }

    /// What has crossed to other slots, and come from them.
    pub fn traffic(&self) -> Traffic {
        self.peers.as_ref().map(|peers| peers.common.counts.read()).unwrap_or_default()
    }

    /// A number that changes with everything that moves; none while something is under way.
    fn moved(&self) -> Option<u64> {
        let outside = self.peers.as_ref().map_or(Some(0), |peers| peers.common.rest())?;
        Some(self.registry.rest()?.wrapping_add(outside))
    }

    /// All figures as they are now.
    pub fn metrics(&self) -> Snapshot {
        self.registry.snapshot()
    }

    /// Something to read the figures with, elsewhere.
    pub fn monitor(&self) -> Monitor {
        Monitor { registry: self.registry.clone() }
    }

    /// The tasks of a component; none if there is no such component.
    pub fn tasks_of(&self, component: &str) -> Vec<TaskId> {
        self.registry.tasks_of(component)
    }

    /// Kills a task as if it had panicked between two rows: its instance is dropped with the tokens that it holds, which fails
    /// their tuples; a spout's pending roots are lost; a new instance starts. Keyed state stays.
    pub fn kill_task(&self, task: TaskId) {
        self.control.kill(task);
    }

    /// The slot's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Returns once every spout is done and nothing is in flight or pending.
    pub async fn ended(&self) {
        self.control.spouts_ended().await;
        self.at_rest().await;
    }

    /// Waits until nothing is under way. Lanes are looked at twice: if all rest and nobody has sent anything in between,
    /// nothing was under way in between either.
    async fn at_rest(&self) {
        const LOOK: Duration = Duration::from_millis(1);
        let mut before = None;
        loop {
            let now = self.moved().filter(|_| self.registry.pending() == 0);
            if now.is_some() && now == before {
                return;
            }
            before = now;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends the topology: spouts stop, what is in flight finishes unless the deadline passes first, components are cleaned up.
    pub async fn drain(self, deadline: Duration) -> Books {
        self.control.set_phase(Phase::Draining);
        let finished = tokio::time::timeout(deadline, self.at_rest()).await.is_ok();
        self.stop(finished).await
    }

    /// Ends the topology at once.
    pub async fn kill(self) -> Books {
        self.stop(false).await
    }

    async fn stop(mut self, finished: bool) -> Books {
        const GRACE: Duration = Duration::from_millis(500);
        self.control.set_phase(Phase::Stopping);
        // Nobody waits for a receiver that hangs.
        self.registry.close();
        self.peers.iter_mut().for_each(Peers::end);
        let mut ended = self.threads.end(GRACE).await;
        // Once nothing is in flight, a spout that blocks in `next` is left to the process's end; a bolt may need time to clean up.
        if !ended && finished && !self.registry.running_bolts().is_empty() {
            ended = self.threads.end(GRACE * 9).await;
        }
        // Lanes have written their last figures by now.
        let mut books = Books { cut_short: !finished, ..self.books() };
        if !ended {
            books.hung = if finished { self.registry.running_bolts() } else { self.registry.running() };
        }
        books
    }

    /// What became of the roots so far.
    pub fn books(&self) -> Books {
        Books::of(&self.registry.snapshot())
    }
}

impl Drop for Slot {
    /// A slot that is dropped is ended at once; nobody waits for its threads.
    fn drop(&mut self) {
        self.control.set_phase(Phase::Stopping);
        self.registry.close();
        self.peers.iter_mut().for_each(Peers::end);
    }
}

/// What a random seed is made of where none is given.
fn seed_of(options: &Options) -> Result<u64, StartError> {
    options.seed.map_or_else(|| getrandom::u64().map_err(StartError::NoRandomness), Ok)
}

/// A slot that is being made.
struct Making {
    clock: Clock,
    control: Arc<Control>,
    signpost: Arc<Signpost>,
    lanes: Lanes,
    assembler: Assembler,
}

impl Making {
    fn new(program: &Program, options: &Options, plan: &Plan, local: Arc<[bool]>, life: Life) -> Self {
        crate::panics::install();
        let clock = options.epoch.map_or_else(Clock::system, Clock::starting_at);
        let control = Arc::new(Control::new(options.feedback_limit));
        let topology = &program.topology;
        let mut lanes = Lanes::default();
        lanes.add(topology, plan, &local, options.bound);
        let signpost = Arc::new(Signpost::new(lanes.ways(topology, local, lanes.ledgers())));
        let assembler = Assembler::new(program, options, clock, control.clone(), signpost.clone(), life);
        Self { clock, control, signpost, lanes, assembler }
    }

    /// Makes all lanes and their threads, and lets them run once all are ready.
    async fn run(&self, options: &Options) -> Result<(Arc<Registry>, Threads), StartError> {
        let made: Vec<_> = self.lanes.iter().cloned().collect();
        let (prepared, mut reports) = mpsc::channel(made.len().max(1));
        let (running, ends) = watch::channel(());
        let registry = Arc::new(self.assembler.registry());
        let mut assembled = Vec::new();
        for (lane, entry) in self.assembler.assemble(&made, &Starting { prepared, running: ends })? {
            registry.add(entry);
            assembled.push(lane);
        }
        let threads = if options.one_thread {
            Threads::here(assembled)
        } else {
            Threads::spawn(assembled, options.cores, &registry, options.stuck_after, running)?
        };
        for _ in 0..made.len() {
            let report = reports.recv().await.unwrap_or(Err(StartError::LaneEnded));
            if let Err(error) = report {
                self.control.set_phase(Phase::Stopping);
                registry.close();
                return Err(error);
            }
        }
        self.control.set_phase(Phase::Active);
        Ok((registry, threads))
    }
}
