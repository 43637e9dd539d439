//! Numbering tasks, and dealing them to executors.

use std::ops::Range;

use super::Component;
use crate::TaskId;

/// Tasks with consecutive ids, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tasks {
    first: u16,
    last: u16,
}

impl Tasks {
    /// The tasks of each component of a valid topology, from 1 on.
    pub(super) fn number(components: &[Component]) -> Vec<Self> {
        let mut before = 0;
        components
            .iter()
            .map(|component| {
                let first = before + 1;
                before += component.tasks;
                Self::between(first, before)
            })
            .collect()
    }

    fn between(first: u32, last: u32) -> Self {
        const TOO_MANY: &str = "a valid topology has at most 65,535 tasks";
        Self { first: u16::try_from(first).expect(TOO_MANY), last: u16::try_from(last).expect(TOO_MANY) }
    }

    /// Those at these positions, of which there must be one.
    pub(super) fn slice(self, positions: Range<u32>) -> Self {
        let first = u32::from(self.first);
        Self::between(first + positions.start, first + positions.end - 1)
    }

    /// The lowest.
    pub const fn first(self) -> TaskId {
        TaskId::new(self.first)
    }

    /// The highest.
    pub const fn last(self) -> TaskId {
        TaskId::new(self.last)
    }

    /// How many there are; never 0.
    pub const fn count(self) -> u16 {
        self.last - self.first + 1
    }

    /// Whether a task is one of them.
    pub fn contains(self, task: TaskId) -> bool {
        (self.first()..=self.last()).contains(&task)
    }

    /// The task at a position.
    pub fn get(self, position: u16) -> Option<TaskId> {
        (position < self.count()).then(|| TaskId::new(self.first + position))
    }

    /// The position of a task.
    pub fn position(self, task: TaskId) -> Option<u16> {
        self.contains(task).then(|| task.get() - self.first)
    }

    /// The tasks, lowest first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = TaskId> + Clone {
        (self.first..=self.last).map(TaskId::new)
    }
}

/// The positions of the tasks that an executor runs, when tasks are dealt to executors in runs whose lengths differ by one
/// at most, longer ones first. `executors` must not be 0, nor `executor` reach it.
pub fn deal(tasks: u32, executors: u32, executor: u32) -> Range<u32> {
    let (share, longer) = (tasks / executors, tasks % executors);
    let start = |executor: u32| executor * share + executor.min(longer);
    start(executor)..start(executor + 1)
}

/// The executor that [`deal`] gives a task to, by the task's position. `position` must be below `tasks`.
pub fn dealt_to(tasks: u32, executors: u32, position: u32) -> u32 {
    let (share, longer) = (tasks / executors, tasks % executors);
    let in_longer = longer * (share + 1);
    if position < in_longer { position / (share + 1) } else { longer + (position - in_longer) / share }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_executors_run_the_odd_tasks() {
        let dealt: Vec<_> = (0..3).map(|executor| deal(8, 3, executor)).collect();
        assert_eq!(dealt, [0..3, 3..6, 6..8]);
    }

    #[test]
    fn as_many_executors_as_tasks_run_one_each() {
        assert!((0..65_535).all(|executor| deal(65_535, 65_535, executor) == (executor..executor + 1)));
    }

    #[test]
    fn positions_and_tasks_are_the_same_thing_seen_twice() {
        let tasks = Tasks { first: 3, last: 5 };
        assert_eq!(tasks.count(), 3);
        assert_eq!(tasks.iter().map(TaskId::get).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!((tasks.get(0), tasks.get(2), tasks.get(3)), (Some(tasks.first()), Some(tasks.last()), None));
        assert_eq!((tasks.position(TaskId::new(4)), tasks.position(TaskId::new(6))), (Some(1), None));
        assert!(!tasks.contains(TaskId::new(2)));
    }

    proptest! {
        #[test]
        fn dealing_leaves_no_task_out_and_is_even(tasks in 1u32..65_536, executors in 1u32..200) {
            let executors = executors.min(tasks);
            let mut next = 0;
            for executor in 0..executors {
                let dealt = deal(tasks, executors, executor);
                prop_assert_eq!(dealt.start, next);
                prop_assert!(dealt.len() == (tasks / executors) as usize || dealt.len() == tasks.div_ceil(executors) as usize);
                for position in [dealt.start, dealt.end - 1] {
                    prop_assert_eq!(dealt_to(tasks, executors, position), executor);
                }
                next = dealt.end;
            }
            prop_assert_eq!(next, tasks);
        }
    }
}
