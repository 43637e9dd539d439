//! Running a topology in this process, from its start to its books.

mod control;
mod error;
mod outcome;
mod stops;

use std::time::Duration;

use squall_runtime::metrics::Snapshot;
use squall_runtime::{Options, Program};

pub use error::RunError;
pub(crate) use outcome::Grouped;
pub use outcome::{Cause, Outcome};
pub use stops::Stopper;

/// The figures of a running topology, as its display is given them.
#[derive(Debug)]
pub struct Progress<'a> {
    /// All figures.
    pub snapshot: &'a Snapshot,
    /// How long it has been running.
    pub running_for: Duration,
    /// Spouts have stopped, and what is in flight finishes.
    pub draining: bool,
}

type Show<'a> = Box<dyn FnMut(&Progress<'_>) + Send + 'a>;

/// Runs a program on this machine until it ends by itself, its time is up, or it is told to stop: by Ctrl-C, SIGTERM, or a
/// [`Stopper`]. Then it is drained: spouts stop, and what is in flight has until the drain's timeout to finish. Told a second
/// time, it ends at once.
///
/// The thread that calls [`run`](Self::run) does nothing but watch, so signals, deadlines and the display work whatever a
/// component does.
#[must_use = "a runner does nothing until `run` is called"]
pub struct Runner<'a> {
    program: Program,
    options: Options,
    drain_timeout: Duration,
    run_for: Option<Duration>,
    signals: bool,
    stopper: Stopper,
    display: Option<(Duration, Show<'a>)>,
}

impl<'a> Runner<'a> {
    /// How long a drain may take unless [`drain_timeout`](Self::drain_timeout) says otherwise.
    pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

    /// Runs this program.
    pub fn new(program: Program) -> Self {
        Self {
            program,
            options: Options::default(),
            drain_timeout: Self::DRAIN_TIMEOUT,
            run_for: None,
            signals: true,
            stopper: Stopper::default(),
            display: None,
        }
    }

    /// How the slot is run: cores, bounds.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// How long what is in flight may take to finish once spouts have stopped.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// Drains the topology after so long.
    pub fn run_for(mut self, time: Duration) -> Self {
        self.run_for = Some(time);
        self
    }

    /// Leaves Ctrl-C and SIGTERM to the caller.
    pub fn without_signals(mut self) -> Self {
        self.signals = false;
        self
    }

    /// Calls `show` with the figures every so often, also while the topology drains. The last figures are in the [`Outcome`].
    ///
    /// `show` runs on the thread that watches: while it does, nothing else is seen.
    pub fn every(mut self, every: Duration, show: impl FnMut(&Progress<'_>) + Send + 'a) -> Self {
        self.display = Some((every, Box::new(show)));
        self
    }

    /// Something that stops the run, from any thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Runs the program to its end. Blocks; within a tokio runtime it must have a thread of its own.
    ///
    /// # Errors
    /// It couldn't be started, or was stopped before it had. However it ends after that is an [`Outcome`].
    pub fn run(self) -> Result<Outcome, RunError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::NoRuntime)?;
        runtime.block_on(self.control())
    }
}
