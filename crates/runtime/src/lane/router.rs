//! Routers: from a row to the receiving task, as an index into the consumer's tasks.

use squall_engine::groups::{KeyGroups, PartialKey};
use squall_engine::hash::key_hash;
use squall_engine::shuffle::Dealer;
use squall_types::{KeyGroup, TaskId, Value};

/// An author's own grouping.
pub trait CustomGrouping: Send {
    /// Called once, with the tasks that rows can go to.
    fn prepare(&mut self, tasks: &[TaskId]) {
        let _ = tasks;
    }

    /// Chooses the receivers of a row, as indices into `prepare`'s tasks, by pushing them to `chosen` (empty at the call).
    /// None means that nobody gets the row; an index past the last task fails the row's tree, and is
    /// counted as an error of the task that emitted it.
    fn choose(&mut self, values: &[Value], chosen: &mut Vec<usize>);
}

/// How an edge finds a row's receiver.
pub enum Router {
    /// By load, in runs.
    Shuffle(Dealer),
    /// By key group.
    Fields {
        /// Where the key's fields stand in the row.
        positions: Box<[u16]>,
        /// Which task owns which group.
        groups: KeyGroups,
    },
    /// By the less used of a key's two groups.
    PartialKey {
        /// Where the key's fields stand in the row.
        positions: Box<[u16]>,
        /// The two choices.
        choice: PartialKey,
    },
    /// To all tasks.
    All,
    /// To the first task.
    Global,
    /// To the task that the emitter named.
    Direct,
    /// As the author says.
    Custom(Box<dyn CustomGrouping>),
}

impl Router {
    /// Whether rows carry a key group.
    pub fn is_keyed(&self) -> bool {
        matches!(self, Self::Fields { .. } | Self::PartialKey { .. })
    }

    /// Who owns which key group, where rows carry one.
    pub fn groups(&self) -> Option<&KeyGroups> {
        match self {
            Self::Fields { groups, .. } => Some(groups),
            Self::PartialKey { choice, .. } => Some(choice.groups()),
            _ => None,
        }
    }

    /// The one task that a keyed row goes to, with its group.
    #[inline]
    pub fn keyed(&mut self, row: &[Value]) -> Option<(u16, KeyGroup)> {
        match self {
            Self::Fields { positions, groups } => {
                let group = groups.group_of(key_hash(row, positions));
                Some((groups.task_of(group), group))
            }
            Self::PartialKey { positions, choice } => {
                let group = choice.pick(key_hash(row, positions));
                Some((choice.groups().task_of(group), group))
            }
            _ => None,
        }
    }
}
