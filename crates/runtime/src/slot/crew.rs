//! What works in a slot: its lanes, and the threads that drive them. More may come while it runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::assemble::{Assembler, Starting};
use super::lanes::LocalLane;
use super::life::Life;
use super::options::Options;
use super::program::Program;
use super::registry::Registry;
use super::start::StartError;
use super::threads::Threads;
use crate::clock::Clock;
use crate::lane::{Control, Phase, Signpost, Ways};

/// Everything that works in a slot.
pub struct Crew {
    pub clock: Clock,
    pub control: Arc<Control>,
    pub signpost: Arc<Signpost>,
    pub registry: Arc<Registry>,
    assembler: Assembler,
    threads: Threads,
}

impl Crew {
    /// Threads without lanes. Lanes find tasks by these ways at first.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn new(program: &Program, options: &Options, ways: Ways) -> Result<Self, StartError> {
        crate::panics::install();
        let clock = options.epoch.map_or_else(Clock::system, Clock::starting_at);
        let control = Arc::new(Control::new(options.feedback_limit));
        let signpost = Arc::new(Signpost::new(ways));
        let assembler = Assembler::new(program, options, clock, control.clone(), signpost.clone());
        let registry = Arc::new(assembler.registry());
        let (running, _) = watch::channel(());
        let threads = if options.one_thread {
            Threads::here(running)
        } else {
            Threads::spawn(options.cores, &registry, options.stuck_after, running)?
        };
        Ok(Self { clock, control, signpost, registry, assembler, threads })
    }

    /// Has lanes made and driven; returns once all are ready.
    ///
    /// # Errors
    /// A component can't be prepared, or the system refuses a thread: the whole slot ends.
    pub async fn add(&mut self, lanes: &[Arc<LocalLane>], life: Life) -> Result<(), StartError> {
        let added = self.try_add(lanes, life).await;
        if added.is_err() {
            self.stop();
        }
        added
    }

    async fn try_add(&mut self, lanes: &[Arc<LocalLane>], life: Life) -> Result<(), StartError> {
        let (prepared, mut reports) = mpsc::channel(lanes.len().max(1));
        let starting = Starting { prepared, running: self.threads.running(), life };
        let mut assembled = Vec::new();
        for (lane, entry) in self.assembler.assemble(lanes, &starting)? {
            self.registry.add(entry);
            assembled.push(lane);
        }
        drop(starting);
        self.threads.add(assembled)?;
        for _ in 0..lanes.len() {
            reports.recv().await.unwrap_or(Err(StartError::LaneEnded))?;
        }
        Ok(())
    }

    /// Has all lanes end. Nobody waits for a receiver that hangs.
    pub fn stop(&self) {
        self.control.set_phase(Phase::Stopping);
        self.registry.close();
    }

    /// Waits for all to end, but no longer than this. Says whether they did.
    pub async fn end(&mut self, grace: Duration) -> bool {
        self.threads.end(grace).await
    }
}
