//! How a slot is run.

use std::sync::Arc;
use std::time::Duration;

use squall_types::Timestamp;

use super::start::StartError;
use crate::inbox::Bound;
use crate::tap::Tap;

/// How a slot is run. The defaults use all cores of the machine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Cores to deal executors to.
    pub cores: usize,
    /// Everything runs on the thread that starts the slot, blocking components inline: for simulated time. A spout that always
    /// has more is then called once a millisecond, so that time can move.
    pub one_thread: bool,
    /// What edge ids and hash maps are seeded with; `None` draws it from the machine.
    pub seed: Option<u64>,
    /// What the wall clock shows at the start; `None` reads it from the machine.
    pub epoch: Option<Timestamp>,
    /// How much each inbox takes.
    pub bound: Bound,
    /// Rows on edges that close cycles, over all, above which spouts wait.
    pub feedback_limit: usize,
    /// A component that holds its core for longer than this is named in the log.
    pub stuck_after: Duration,
    /// Sees every row and every root; `None` costs nothing.
    pub tap: Option<Arc<dyn Tap>>,
}

impl Options {
    /// The cores that lanes are dealt to.
    pub(super) fn lane_cores(&self) -> usize {
        if self.one_thread { 1 } else { self.cores }
    }

    /// The seed, drawn if none is given.
    pub(super) fn seed(&self) -> Result<u64, StartError> {
        self.seed.map_or_else(|| getrandom::u64().map_err(StartError::NoRandomness), Ok)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            one_thread: false,
            seed: None,
            epoch: None,
            bound: Bound::DEFAULT,
            feedback_limit: 65_536,
            stuck_after: Duration::from_millis(50),
            tap: None,
        }
    }
}
