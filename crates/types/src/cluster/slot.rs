//! Places, and what runs in them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::WorkerName;
use crate::TaskId;

/// A place on a worker that holds one process of one topology.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotId {
    /// The worker whose place it is.
    pub worker: WorkerName,
    /// Its number among the worker's places, from 0.
    pub number: u16,
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.worker, self.number)
    }
}

/// An executor within its topology: it runs the tasks `first` to `last` of one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExecutorId {
    /// The lowest of its tasks.
    pub first: TaskId,
    /// The highest of its tasks.
    pub last: TaskId,
}

impl ExecutorId {
    /// The tasks that it runs, rising.
    pub fn tasks(self) -> impl Iterator<Item = TaskId> {
        (self.first.get()..=self.last.get()).map(TaskId::new)
    }
}

/// As Storm writes it: `[3 5]`.
impl fmt::Display for ExecutorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} {}]", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_executors_are_written_as_operators_know_them() {
        let slot = SlotId { worker: "node-1".parse().unwrap(), number: 2 };
        assert_eq!(slot.to_string(), "node-1/2");
        let executor = ExecutorId { first: TaskId::new(3), last: TaskId::new(5) };
        assert_eq!(executor.to_string(), "[3 5]");
        assert_eq!(executor.tasks().map(TaskId::get).collect::<Vec<_>>(), [3, 4, 5]);
    }
}
