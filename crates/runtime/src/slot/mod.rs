//! A slot: one process's part of a topology, from its start to its end. A topology runs in one slot, or in several that have each other as
//! peers.

mod assemble;
mod crew;
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

pub(crate) use inject::advance;
pub use inject::{Fault, Injector, Instead};
pub(crate) use life::SpoutLife;
pub use options::Options;
pub use peers::{Membership, Traffic};
pub use program::{Code, GroupingFactory, Program};
pub use start::StartError;

use crate::clock::Clock;
use crate::lane::Phase;
use crate::metrics::Snapshot;
use crate::transport::Acceptor;
use crew::Crew;
use lanes::Lanes;
use life::Life;
use peers::{Common, Peers};
use registry::Registry;

/// A running topology.
pub struct Slot {
    crew: Crew,
    peers: Option<Peers>,
}

/// What a slot made of a placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It holds.
    Now,
    /// The slot knows a newer one.
    Older,
    /// The slot is alone: it has no peers.
    Alone,
    /// Executors that run here are elsewhere in it. A slot lets none go while it runs: it is to be ended, and started with what it keeps.
    StartAnew,
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
        let plan = Plan::new(topology, options.lane_cores());
        let local: Arc<[bool]> = local_edges(topology, None).into();
        let mut lanes = Lanes::default();
        let made = lanes.add(topology, &plan, &local, options.bound);
        let mut crew = Crew::new(program, options, lanes.ways(topology, local, lanes.ledgers()))?;
        crew.add(&made, Life::alone(options.seed()?)).await?;
        crew.control.set_phase(Phase::Active);
        Ok(Self { crew, peers: None })
    }

    /// As [`start`](Self::start), but runs only the executors that this slot has, and reaches the others in their slots. Others reach this
    /// one by its [`acceptor`](Self::acceptor).
    ///
    /// # Errors
    /// A component can't be prepared, or the system refuses a thread.
    pub async fn join(program: &Program, options: &Options, membership: Membership) -> Result<Self, StartError> {
        let seed = options.seed()?;
        let (topology, placement) = (&program.topology, &membership.placement);
        let local: Arc<[bool]> = local_edges(topology, Some(placement)).into();
        let plan = Plan::for_slot(topology, options.lane_cores(), &membership.executors(placement), &local);
        let mut lanes = Lanes::default();
        let made = lanes.add(topology, &plan, &local, options.bound);
        let mut crew = Crew::new(program, options, lanes.ways(topology, local, lanes.ledgers()))?;
        let life = membership.life(seed, placement.version);
        let shared = (crew.control.clone(), crew.signpost.clone());
        let common = Common::new(topology.clone(), options.bound, crew.clock, shared, lanes, membership.fence());
        let peers = Peers::meet(Arc::new(common), membership, options, seed).await;
        crew.add(&made, life).await?;
        crew.control.set_phase(Phase::Active);
        Ok(Self { crew, peers: Some(peers) })
    }

    /// What lets other slots of the topology in: for the transport. None in a slot that is alone.
    pub fn acceptor(&self) -> Option<Arc<dyn Acceptor>> {
        self.peers.as_ref().map(Peers::door)
    }

    /// Takes a newer placement, or one of the same version that knows more of addresses and lives: starts the executors that this slot has
    /// got, in lanes of their own, and sends what is for others to where they are now. Lanes that run are not touched.
    ///
    /// # Errors
    /// A component can't be prepared, or the system refuses a thread: the slot has ended.
    pub async fn apply(&mut self, placement: Placement) -> Result<Applied, StartError> {
        let Some(peers) = &self.peers else { return Ok(Applied::Alone) };
        match peers.prepare(&placement) {
            Err(otherwise) => return Ok(otherwise),
            Ok(None) => peers.take(placement, None).await,
            Ok(Some((made, lanes, life))) => {
                // Before they run: what they emit, and what is acked of it, finds its way.
                peers.take(placement, Some(lanes)).await;
                self.crew.add(&made, life).await?;
            }
        }
        Ok(Applied::Now)
    }

    /// Where each bolt's batches are handed over within a lane, on so many cores: the chained components.
    pub fn chained(program: &Program, cores: usize) -> Vec<ComponentId> {
        let plan = Plan::new(&program.topology, cores);
        let components = program.topology.components().iter().enumerate();
        components.filter(|(index, _)| plan.is_chained(*index)).map(|(_, component)| component.id.clone()).collect()
    }

    /// Lets spouts emit again.
    pub fn activate(&self) {
        self.crew.control.set_phase(Phase::Active);
    }

    /// Has spouts pause; what is in flight goes on.
    pub fn deactivate(&self) {
        self.crew.control.set_phase(Phase::Inactive);
    }

    /// Ends all spouts here; what is in flight goes on. In a topology of several slots this comes first in all of them, then all rest, and
    /// then they are [drained](Self::drain).
    pub fn end_spouts(&self) {
        self.crew.control.set_phase(Phase::Draining);
    }

    /// Looks whether the slot rests.
    pub fn look(&self) -> Look {
        let traffic = self.traffic();
        let moved = self.moved();
        Look {
            rests: moved.is_some(),
            pending: self.crew.registry.pending(),
            moved: moved.unwrap_or_default(),
            traffic,
        }
    }

    /// What has crossed to other slots, and come from them.
    pub fn traffic(&self) -> Traffic {
        self.peers.as_ref().map(|peers| peers.common.counts.read()).unwrap_or_default()
    }

    /// A number that changes with everything that moves; none while something is under way.
    fn moved(&self) -> Option<u64> {
        let outside = self.peers.as_ref().map_or(Some(0), |peers| peers.common.rest())?;
        Some(self.crew.registry.rest()?.wrapping_add(outside))
    }

    /// All figures as they are now.
    pub fn metrics(&self) -> Snapshot {
        self.crew.registry.snapshot()
    }

    /// Something to read the figures with, elsewhere.
    pub fn monitor(&self) -> Monitor {
        Monitor { registry: self.crew.registry.clone() }
    }

    /// The tasks of a component; none if there is no such component.
    pub fn tasks_of(&self, component: &str) -> Vec<TaskId> {
        self.crew.registry.tasks_of(component)
    }

    /// Kills a task as if it had panicked between two rows: its instance is dropped with the tokens that it holds, which fails
    /// their tuples; a spout's pending roots are lost; a new instance starts. Keyed state stays.
    pub fn kill_task(&self, task: TaskId) {
        self.crew.control.kill(task);
    }

    /// The slot's clock.
    pub fn clock(&self) -> Clock {
        self.crew.clock
    }

    /// Returns once every spout is done and nothing is in flight or pending.
    pub async fn ended(&self) {
        self.crew.control.spouts_ended().await;
        self.at_rest().await;
    }

    /// Waits until nothing is under way. Lanes are looked at twice: if all rest and nobody has sent anything in between,
    /// nothing was under way in between either.
    async fn at_rest(&self) {
        const LOOK: Duration = Duration::from_millis(1);
        let mut before = None;
        loop {
            let now = self.moved().filter(|_| self.crew.registry.pending() == 0);
            if now.is_some() && now == before {
                return;
            }
            before = now;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends the topology: spouts stop, what is in flight finishes unless the deadline passes first, components are cleaned up.
    pub async fn drain(self, deadline: Duration) -> Books {
        self.crew.control.set_phase(Phase::Draining);
        let finished = tokio::time::timeout(deadline, self.at_rest()).await.is_ok();
        self.stop(finished).await
    }

    /// Ends the topology at once.
    pub async fn kill(self) -> Books {
        self.stop(false).await
    }

    async fn stop(mut self, finished: bool) -> Books {
        const GRACE: Duration = Duration::from_millis(500);
        self.crew.stop();
        self.peers.iter_mut().for_each(Peers::end);
        let mut ended = self.crew.end(GRACE).await;
        // Once nothing is in flight, a spout that blocks in `next` is left to the process's end; a bolt may need time to clean up.
        if !ended && finished && !self.crew.registry.running_bolts().is_empty() {
            ended = self.crew.end(GRACE * 9).await;
        }
        // Lanes have written their last figures by now.
        let mut books = Books { cut_short: !finished, ..self.books() };
        if !ended {
            let registry = &self.crew.registry;
            books.hung = if finished { registry.running_bolts() } else { registry.running() };
        }
        books
    }

    /// What became of the roots so far.
    pub fn books(&self) -> Books {
        Books::of(&self.crew.registry.snapshot())
    }
}

impl Drop for Slot {
    /// A slot that is dropped is ended at once; nobody waits for its threads.
    fn drop(&mut self) {
        self.crew.stop();
        self.peers.iter_mut().for_each(Peers::end);
    }
}
