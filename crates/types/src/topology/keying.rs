//! Whether a component may keep state by key.

use super::problem::Subscription;
use super::{Checked, Component, Fields, Grouping, Input};
use crate::{Code, ComponentId, codes};

/// How a component's rows are keyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keying {
    /// All inputs by fields grouping, with this many fields: a key's rows all come to one task.
    Keyed {
        /// Fields of a key.
        fields: usize,
    },
    /// All inputs by partial-key grouping, with this many fields: a key's rows come to two tasks.
    PartialKeyed {
        /// Fields of a key.
        fields: usize,
    },
    /// Not all inputs in the same way.
    No(NotKeyed),
}

/// Why a component may not keep state by key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKeyed {
    /// It takes no rows.
    #[error("spout {component:?} takes no rows, so it has no key to keep state by")]
    Spout {
        /// The spout.
        component: ComponentId,
    },
    /// An input is not keyed.
    #[error("{at} by {grouping} grouping, which has no key")]
    NoKey {
        /// The input.
        at: Subscription,
        /// The grouping's name.
        grouping: &'static str,
    },
    /// An input is keyed in another way than the first.
    #[error(
        "{at} by {grouping} grouping with {fields} field(s), but its \
         first input by {first_grouping} grouping with {first_fields}"
    )]
    Unlike {
        /// The input.
        at: Subscription,
        /// The grouping's name.
        grouping: &'static str,
        /// Fields of its key.
        fields: usize,
        /// The name of the first input's grouping.
        first_grouping: &'static str,
        /// Fields of the first input's key.
        first_fields: usize,
    },
}

impl NotKeyed {
    /// The code of the error that keyed state in such a component is.
    pub fn code(&self) -> Code {
        codes::NOT_KEYED_ALIKE
    }

    /// What to do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Spout { .. } => "keep the state in a bolt after it, or without a key",
            Self::NoKey { .. } => "group this input by fields as well, or keep the state without a key",
            Self::Unlike { .. } => "group all inputs in the same way, with as many fields",
        }
    }
}

impl Checked {
    /// How a component's rows are keyed, by all its inputs.
    ///
    /// # Panics
    /// If there is no such component.
    pub fn keying(&self, component: usize) -> Keying {
        let component = self.component(component);
        let Some(first) = component.inputs.first() else {
            return Keying::No(NotKeyed::Spout { component: component.id.clone() });
        };
        if let Some(reason) = component.inputs.iter().find_map(|input| unlike(component, first, input)) {
            return Keying::No(reason);
        }
        let fields = first.grouping.key().map_or(0, Fields::len);
        match first.grouping {
            Grouping::PartialKey(_) => Keying::PartialKeyed { fields },
            _ => Keying::Keyed { fields },
        }
    }
}

/// Why a bolt's input spoils it, if it isn't keyed as the bolt's first.
fn unlike(bolt: &Component, first: &Input, input: &Input) -> Option<NotKeyed> {
    let (component, from, stream) = (bolt.id.clone(), input.from.clone(), input.stream.clone());
    let at = Subscription { component, from, stream };
    let grouping = input.grouping.name();
    let Some(key) = input.grouping.key() else { return Some(NotKeyed::NoKey { at, grouping }) };
    let (fields, first_grouping) = (key.len(), first.grouping.name());
    let first_fields = first.grouping.key().map_or(0, Fields::len);
    ((grouping, fields) != (first_grouping, first_fields)).then_some(NotKeyed::Unlike {
        at,
        grouping,
        fields,
        first_grouping,
        first_fields,
    })
}
