//! How a slot is run.

use std::time::Duration;

use squall_types::Timestamp;

use crate::inbox::Bound;

/// How a slot is run. The defaults use all cores of the machine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Cores to deal executors to.
    pub cores: usize,
    /// Everything runs on the thread that starts the slot, blocking components inline: for simulated time.
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
        }
    }
}
