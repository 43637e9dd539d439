//! A slot: one process's part of a topology, from its start to its end. Today a topology runs in one slot.

mod assemble;
mod inject;
mod lanes;
mod life;
mod options;
mod program;
mod registry;
mod start;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use squall_engine::plan::{Plan, local_edges};
use squall_types::{ComponentId, TaskId};
use tokio::sync::{mpsc, watch};

pub(crate) use inject::advance;
pub use inject::{Fault, Injector, Instead};
pub use options::Options;
pub use program::{Code, GroupingFactory, Program};
pub use start::StartError;

use crate::clock::Clock;
use crate::lane::{Control, Phase, Signpost};
use crate::metrics::Snapshot;
use assemble::{Assembler, Starting};
use lanes::Lanes;
use life::Life;
pub(crate) use life::SpoutLife;
use registry::Registry;
use threads::Threads;

/// A running topology.
pub struct Slot {
    control: Arc<Control>,
    registry: Arc<Registry>,
    threads: Threads,
    clock: Clock,
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
    /// Prepares all components, opens the spouts and lets them run.
    ///
    /// # Errors
    /// A component can't be prepared, or the system refuses a thread.
    pub async fn start(program: &Program, options: &Options) -> Result<Self, StartError> {
        crate::panics::install();
        let clock = options.epoch.map_or_else(Clock::system, Clock::starting_at);
        let seed = match options.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(StartError::NoRandomness)?,
        };
        let control = Arc::new(Control::new(options.feedback_limit));
        let topology = &program.topology;
        let plan = Plan::new(topology, if options.one_thread { 1 } else { options.cores });
        let local: Arc<[bool]> = local_edges(topology, None).into();
        let mut lanes = Lanes::default();
        let made = lanes.add(topology, &plan, &local, options.bound);
        let signpost = Arc::new(Signpost::new(lanes.ways(topology, local, lanes.ledgers())));
        let assembler = Assembler::new(program, options, clock, control.clone(), signpost, Life::alone(seed));
        let (prepared, mut reports) = mpsc::channel(made.len().max(1));
        let (running, ends) = watch::channel(());
        let registry = Arc::new(assembler.registry());
        let mut assembled = Vec::new();
        for (lane, entry) in assembler.assemble(&made, &Starting { prepared, running: ends })? {
            registry.add(entry);
            assembled.push(lane);
        }
        let threads = if options.one_thread {
            Threads::here(assembled)
        } else {
            Threads::spawn(assembled, options.cores, &registry, options.stuck_after, running)?
        };
        let slot = Self { control, registry, threads, clock };
        for _ in 0..made.len() {
            let report = reports.recv().await.unwrap_or(Err(StartError::LaneEnded));
            if let Err(error) = report {
                slot.control.set_phase(Phase::Stopping);
                return Err(error);
            }
        }
        slot.control.set_phase(Phase::Active);
        Ok(slot)
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
            let now = self.registry.rest().filter(|_| self.registry.pending() == 0);
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
    }
}
