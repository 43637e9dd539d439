//! Workers: silence is not death.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Violation;

/// A worker that answered a probe is not declared dead for it.
#[derive(Debug, Default)]
pub struct Workers {
    answered: BTreeMap<String, Duration>,
    dead: BTreeMap<String, bool>,
}

/// Who answered this short a time before is alive to all who asked.
const FRESH: Duration = Duration::from_millis(1_000);

impl Workers {
    /// A worker's program answered a probe, and the answer was not lost on its way.
    pub fn answered(&mut self, worker: &str, at: Duration) {
        self.answered.insert(worker.to_owned(), at);
    }

    /// What a leader holds of a worker after a step.
    pub fn seen(&mut self, worker: &str, dead: bool, at: Duration) -> Result<(), Violation> {
        let before = self.dead.insert(worker.to_owned(), dead).unwrap_or(false);
        let fresh = self.answered.get(worker).is_some_and(|answered| at - *answered < FRESH);
        if dead && !before && fresh {
            return Err(format!("worker {worker} answered a probe at {:?} and was declared dead at {at:?}", self.answered[worker]));
        }
        Ok(())
    }
}
