//! Where a topology's executors are, as a slot is told it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AssignmentVersion, ExecutorId, SlotId, SlotIncarnation};
use crate::TaskId;

/// All slots of one topology. A version's executors never change; addresses and incarnations become known, and renew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The assignment that this is.
    pub version: AssignmentVersion,
    /// The topology's slots, the one included that is told.
    pub slots: BTreeMap<SlotId, Peer>,
}

/// A slot, as others of its topology know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// What it runs.
    pub executors: BTreeSet<ExecutorId>,
    /// Its worker's zone; empty if it has none.
    pub zone: String,
    /// Which life of it is the latest that is known of.
    pub incarnation: Option<SlotIncarnation>,
    /// Host and port at which its process takes tuples, once that is known.
    pub address: Option<String>,
}

impl Placement {
    /// The slot that runs a task, if one does.
    pub fn slot_of(&self, task: TaskId) -> Option<&SlotId> {
        self.slots.iter().find(|(_, peer)| peer.runs(task)).map(|(slot, _)| slot)
    }

    /// Whether a slot runs all of these tasks.
    pub fn owns(&self, slot: &SlotId, tasks: impl IntoIterator<Item = TaskId>) -> bool {
        self.slots.get(slot).is_some_and(|peer| tasks.into_iter().all(|task| peer.runs(task)))
    }
}

impl Peer {
    /// Whether it runs a task.
    pub fn runs(&self, task: TaskId) -> bool {
        // Executors are ranges of tasks that don't overlap, so the last that begins no later is the one.
        let upto = ExecutorId { first: task, last: TaskId::new(TaskId::MAX) };
        self.executors.range(..=upto).next_back().is_some_and(|executor| executor.last >= task)
    }

    /// The tasks that it runs, rising.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.executors.iter().flat_map(|executor| executor.tasks())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn executor(first: u16, last: u16) -> ExecutorId {
        ExecutorId { first: TaskId::new(first), last: TaskId::new(last) }
    }

    fn slot(number: u16) -> SlotId {
        SlotId { worker: "w".parse().unwrap(), number }
    }

    #[test]
    fn a_task_is_found_in_the_slot_that_runs_its_executor_and_nowhere_else() {
        let peer =
            |executors: &[ExecutorId]| Peer { executors: executors.iter().copied().collect(), ..Peer::default() };
        let slots = [(slot(0), peer(&[executor(1, 2), executor(6, 6)])), (slot(1), peer(&[executor(4, 5)]))];
        let placement = Placement { version: AssignmentVersion::new(1), slots: slots.into() };
        let found: Vec<Option<u16>> =
            (0..=7).map(|task| placement.slot_of(TaskId::new(task)).map(|slot| slot.number)).collect();
        assert_eq!(found, [None, Some(0), Some(0), None, Some(1), Some(1), Some(0), None]);
        assert!(placement.owns(&slot(0), [1, 2, 6].map(TaskId::new)));
        assert!(!placement.owns(&slot(0), [1, 4].map(TaskId::new)));
        assert!(!placement.owns(&slot(2), [1].map(TaskId::new)));
    }

    #[test]
    fn a_slot_without_executors_runs_nothing_and_one_that_is_not_named_owns_nothing() {
        let slots = [(slot(0), Peer::default())].into();
        let placement = Placement { version: AssignmentVersion::new(1), slots };
        assert_eq!(placement.slot_of(TaskId::new(1)), None);
        assert!(placement.owns(&slot(0), []), "of nothing, everybody owns all");
        assert!(!placement.owns(&slot(1), []), "but who isn't there");
    }

    #[test]
    fn a_placement_is_read_back_from_what_is_written_of_it() {
        let peer = Peer {
            executors: [executor(1, 2), executor(6, 6)].into(),
            zone: "east".to_owned(),
            incarnation: Some(SlotIncarnation::new(4)),
            address: Some("10.0.0.1:7001".to_owned()),
        };
        let slots = [(slot(0), peer), (slot(3), Peer::default())].into();
        let placement = Placement { version: AssignmentVersion::new(9), slots };
        let bytes = postcard::to_allocvec(&placement).unwrap();
        assert_eq!(postcard::from_bytes::<Placement>(&bytes).unwrap(), placement);
    }

    proptest! {
        /// Against a list of who runs what.
        #[test]
        fn each_task_is_found_where_it_was_put(
            executors in prop::collection::vec((0..3u16, 1..4u16, 0..3u16), 0..12),
        ) {
            let (mut next, mut owners) = (1, Vec::new());
            let mut slots = BTreeMap::<SlotId, Peer>::new();
            for (gap, tasks, owner) in executors {
                let first = next + gap;
                next = first + tasks;
                slots.entry(slot(owner)).or_default().executors.insert(executor(first, next - 1));
                owners.extend((first..next).map(|task| (TaskId::new(task), slot(owner))));
            }
            let placement = Placement { version: AssignmentVersion::new(1), slots };
            for task in (0..=next).map(TaskId::new) {
                let owner = owners.iter().find(|(of, _)| *of == task).map(|(_, owner)| owner);
                prop_assert_eq!(placement.slot_of(task), owner);
                for number in 0..3 {
                    prop_assert_eq!(placement.owns(&slot(number), [task]), owner == Some(&slot(number)));
                }
            }
            let tasks: usize = placement.slots.values().map(|peer| peer.tasks().count()).sum();
            prop_assert_eq!(tasks, owners.len());
        }
    }
}
