//! Watching a slot row by row: what the test kit captures with.

use std::fmt::Debug;
use std::sync::Arc;

use squall_engine::ledger::Outcome;
use squall_types::{Schema, TaskId, Value};

/// Sees every row that is emitted and every root that settles, on the thread where it happens.
///
/// Rows that a failed call had withdrawn aren't seen. Times are nanoseconds of the slot's clock.
pub trait Tap: Debug + Send + Sync {
    /// A task has emitted a row, which is about to be routed.
    fn emitted(&self, task: TaskId, schema: &Arc<Schema>, values: &[Value], at_ns: u64);

    /// A tracked root of a spout task, opened at `emitted_ns`, has ended.
    fn settled(&self, task: TaskId, outcome: Outcome, emitted_ns: u64) {
        let _ = (task, outcome, emitted_ns);
    }
}
