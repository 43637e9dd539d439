//! What can be wrong with a topology.

use std::fmt;
use std::sync::Arc;

use super::Topology;
use super::names::{LEGAL, Named};
use crate::{Code, ComponentId, StreamId};

/// Something that is wrong with a topology. Displayed: what, where, and the name that was meant if one is near.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A name has a form that names can't have.
    #[error("{0} is not legal: {LEGAL}")]
    IllegalName(Name),
    /// A name is kept for Squall itself.
    #[error("{0} is reserved, as all that start with \"__\"")]
    ReservedName(Name),
    /// Two components have the same id.
    #[error("component {0:?} is declared twice")]
    DuplicateComponent(ComponentId),
    /// A component declares a stream twice.
    #[error("component {component:?} declares stream {stream:?} twice")]
    DuplicateStream {
        /// The component.
        component: ComponentId,
        /// The stream.
        stream: StreamId,
    },
    /// A stream has a field twice.
    #[error("stream {stream:?} of component {component:?} has field {field:?} twice")]
    DuplicateField {
        /// The component.
        component: ComponentId,
        /// Its stream.
        stream: StreamId,
        /// The field.
        field: Arc<str>,
    },
    /// The topology is empty.
    #[error("the topology has no components")]
    NoComponents,
    /// Nothing makes tuples.
    #[error("the topology has no spout, so nothing makes tuples")]
    NoSpout,
    /// A spout takes tuples.
    #[error("spout {0:?} has inputs; only bolts take tuples")]
    SpoutWithInputs(ComponentId),
    /// A bolt takes no tuples.
    #[error("bolt {0:?} has no inputs")]
    BoltWithoutInputs(ComponentId),
    /// An input names a component that isn't there.
    #[error("{at}: there is no component {:?}{}", .at.from, Meant(.nearest))]
    UnknownComponent {
        /// The input.
        at: Subscription,
        /// The component that was probably meant.
        nearest: Option<ComponentId>,
    },
    /// An input names a stream that its component doesn't declare.
    #[error("{at}: it declares no stream {:?}{}", .at.stream, Meant(.nearest))]
    UnknownStream {
        /// The input.
        at: Subscription,
        /// The stream that was probably meant.
        nearest: Option<StreamId>,
    },
    /// A grouping names a field that its stream doesn't have.
    #[error("{at} by {field:?}: the stream has no field {field:?}{}", Meant(.nearest))]
    UnknownField {
        /// The input.
        at: Subscription,
        /// The field.
        field: Arc<str>,
        /// The field that was probably meant.
        nearest: Option<Arc<str>>,
    },
    /// No spout's tuples can get to a bolt.
    #[error("bolt {0:?} is reached by no spout: its inputs come only from bolts that get no tuples either")]
    Unreachable(ComponentId),
    /// A component has no executors.
    #[error("component {0:?} has a parallelism of 0")]
    ZeroParallelism(ComponentId),
    /// A component has no tasks.
    #[error("component {0:?} has 0 tasks")]
    ZeroTasks(ComponentId),
    /// A component has executors that would have no task to run.
    #[error("component {component:?} has {executors} executors for {tasks} task(s); each needs a task to run")]
    IdleExecutors {
        /// The component.
        component: ComponentId,
        /// Its parallelism.
        executors: u32,
        /// Its tasks.
        tasks: u32,
    },
    /// The topology has more tasks than there are task ids.
    #[error("the topology has {tasks} tasks; it can have {}", Topology::MAX_TASKS)]
    TooManyTasks {
        /// Tasks of all components.
        tasks: u64,
    },
    /// A keyed grouping has no key.
    #[error("{at} by {grouping} grouping, but names no fields to group by")]
    NoKeyFields {
        /// The input.
        at: Subscription,
        /// The grouping's name.
        grouping: &'static str,
    },
    /// A keyed grouping names a field twice.
    #[error("{at} by {field:?} twice")]
    RepeatedKeyField {
        /// The input.
        at: Subscription,
        /// The field.
        field: Arc<str>,
    },
    /// Direct grouping on a stream whose rows name no receiver.
    #[error("{0} by direct grouping, but the stream is not direct")]
    StreamNotDirect(Subscription),
    /// Another grouping than direct on a direct stream.
    #[error("{at} by {grouping} grouping, but the stream is direct")]
    StreamDirect {
        /// The input.
        at: Subscription,
        /// The grouping's name.
        grouping: &'static str,
    },
    /// A bolt takes the same stream twice in the same way.
    #[error("{at} twice by the same {grouping} grouping")]
    DuplicateInput {
        /// The input.
        at: Subscription,
        /// The grouping's name.
        grouping: &'static str,
    },
    /// A custom grouping has no name.
    #[error("{0} by a custom grouping without a name")]
    UnnamedGrouping(Subscription),
    /// An async bolt may have no tuple in flight.
    #[error("async bolt {0:?} may have 0 tuples in flight, so it could take none")]
    ZeroInFlight(ComponentId),
    /// A spout is declared async.
    #[error("spout {0:?} is declared async; only bolts can be")]
    AsyncSpout(ComponentId),
    /// A spout asks for ticks.
    #[error("spout {0:?} asks for ticks; only bolts are given them")]
    TickOnSpout(ComponentId),
    /// The number of key groups is out of range.
    #[error("the topology has {key_groups} key groups; it can have 1 to {}", Topology::MAX_KEY_GROUPS)]
    KeyGroupsOutOfRange {
        /// The number.
        key_groups: u16,
    },
    /// A keyed component has more tasks than there are key groups.
    #[error(
        "bolt {component:?} takes keyed rows with {tasks} tasks, but of {key_groups} key group(s) some would own none"
    )]
    TooFewKeyGroups {
        /// The bolt.
        component: ComponentId,
        /// Its tasks.
        tasks: u32,
        /// The topology's key groups.
        key_groups: u16,
    },
    /// The message timeout is zero.
    #[error("the message timeout is 0, so every tuple would fail at once")]
    ZeroMessageTimeout,
    /// Spouts may have no root pending.
    #[error("max spout pending is 0, so no spout could emit")]
    ZeroMaxSpoutPending,
    /// A tick interval is zero.
    #[error("bolt {0:?} asks for a tick every 0s")]
    ZeroTick(ComponentId),
    /// Executors are said to need no memory, or no CPU.
    #[error("component {component:?} has {resource} 0; placement needs to know what an executor takes")]
    ZeroResource {
        /// The component.
        component: ComponentId,
        /// `memory_mib` or `cpu_percent`.
        resource: &'static str,
    },
    /// A tag is empty.
    #[error("component {0:?} asks for workers with an empty tag")]
    EmptyTag(ComponentId),
}

/// A name that someone chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What it names.
    pub what: Named,
    /// The name.
    pub name: Arc<str>,
    /// The component that it was chosen for or in, unless it is the topology's.
    pub component: Option<ComponentId>,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.what, self.name)?;
        match (self.what, &self.component) {
            (Named::Stream | Named::Field, Some(component)) => write!(f, " of component {component:?}"),
            _ => Ok(()),
        }
    }
}

/// A bolt's input, as declared. Displayed as the start of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The bolt.
    pub component: ComponentId,
    /// The component whose stream it takes.
    pub from: ComponentId,
    /// The stream.
    pub stream: StreamId,
}

impl fmt::Display for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bolt {:?} takes stream {:?} of {:?}", self.component, self.stream, self.from)
    }
}

/// The name that was probably meant.
pub(super) struct Meant<'a, T>(pub &'a Option<T>);

impl<T: fmt::Debug> fmt::Display for Meant<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |name| write!(f, "; did you mean {name:?}?"))
    }
}

/// All that is wrong with a topology: at least one problem. Displayed one a line, each with its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    first: Problem,
    others: Vec<Problem>,
}

impl Invalid {
    /// The problems, if there are any.
    pub(super) fn of(problems: Vec<Problem>) -> Option<Self> {
        let mut problems = problems.into_iter();
        let first = problems.next()?;
        Some(Self { first, others: problems.collect() })
    }

    /// The problems: the topology's own settings, then component by component as declared, then how they hang together.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The first problem's code.
    pub fn code(&self) -> Code {
        self.first.code()
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.first.code(), self.first)?;
        self.others.iter().try_for_each(|problem| write!(f, "\n{}: {problem}", problem.code()))
    }
}

impl std::error::Error for Invalid {}
