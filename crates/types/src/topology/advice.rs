//! What goes with each problem: its code, the component to change, the next step.

use super::Problem;
use crate::{Code, ComponentId, codes};

impl Problem {
    /// The code of this kind of problem.
    pub fn code(&self) -> Code {
        match self {
            Self::IllegalName(_) => codes::ILLEGAL_NAME,
            Self::ReservedName(_) => codes::RESERVED_NAME,
            Self::DuplicateComponent(_) => codes::DUPLICATE_COMPONENT,
            Self::DuplicateStream { .. } => codes::DUPLICATE_STREAM,
            Self::DuplicateField { .. } => codes::DUPLICATE_FIELD,
            Self::NoComponents => codes::NO_COMPONENTS,
            Self::NoSpout => codes::NO_SPOUT,
            Self::SpoutWithInputs(_) => codes::SPOUT_WITH_INPUTS,
            Self::BoltWithoutInputs(_) => codes::BOLT_WITHOUT_INPUTS,
            Self::UnknownComponent { .. } => codes::UNKNOWN_COMPONENT,
            Self::UnknownStream { .. } => codes::UNKNOWN_STREAM,
            Self::UnknownField { .. } => codes::UNKNOWN_FIELD,
            Self::Unreachable(_) => codes::UNREACHABLE,
            Self::ZeroParallelism(_) => codes::ZERO_PARALLELISM,
            Self::ZeroTasks(_) => codes::ZERO_TASKS,
            Self::IdleExecutors { .. } => codes::IDLE_EXECUTORS,
            Self::TooManyTasks { .. } => codes::TOO_MANY_TASKS,
            Self::NoKeyFields { .. } => codes::NO_KEY_FIELDS,
            Self::RepeatedKeyField { .. } => codes::REPEATED_KEY_FIELD,
            Self::StreamNotDirect(_) => codes::STREAM_NOT_DIRECT,
            Self::StreamDirect { .. } => codes::STREAM_DIRECT,
            Self::DuplicateInput { .. } => codes::DUPLICATE_INPUT,
            Self::UnnamedGrouping(_) => codes::UNNAMED_GROUPING,
            Self::ZeroInFlight(_) => codes::ZERO_IN_FLIGHT,
            Self::AsyncSpout(_) => codes::ASYNC_SPOUT,
            Self::TickOnSpout(_) => codes::TICK_ON_SPOUT,
            Self::KeyGroupsOutOfRange { .. } => codes::KEY_GROUPS_OUT_OF_RANGE,
            Self::TooFewKeyGroups { .. } => codes::TOO_FEW_KEY_GROUPS,
            Self::ZeroMessageTimeout => codes::ZERO_MESSAGE_TIMEOUT,
            Self::ZeroMaxSpoutPending => codes::ZERO_MAX_SPOUT_PENDING,
            Self::ZeroTick(_) => codes::ZERO_TICK,
            Self::ZeroResource { .. } => codes::ZERO_RESOURCE,
            Self::EmptyTag(_) => codes::EMPTY_TAG,
        }
    }

    /// The component that has to be changed, if it is one.
    pub fn component(&self) -> Option<&ComponentId> {
        match self {
            Self::NoComponents
            | Self::NoSpout
            | Self::TooManyTasks { .. }
            | Self::KeyGroupsOutOfRange { .. }
            | Self::ZeroMessageTimeout
            | Self::ZeroMaxSpoutPending => None,
            Self::IllegalName(name) | Self::ReservedName(name) => name.component.as_ref(),
            Self::UnknownComponent { at, .. }
            | Self::UnknownStream { at, .. }
            | Self::UnknownField { at, .. }
            | Self::NoKeyFields { at, .. }
            | Self::RepeatedKeyField { at, .. }
            | Self::StreamNotDirect(at)
            | Self::StreamDirect { at, .. }
            | Self::DuplicateInput { at, .. }
            | Self::UnnamedGrouping(at) => Some(&at.component),
            Self::DuplicateComponent(component)
            | Self::DuplicateStream { component, .. }
            | Self::DuplicateField { component, .. }
            | Self::SpoutWithInputs(component)
            | Self::BoltWithoutInputs(component)
            | Self::Unreachable(component)
            | Self::ZeroParallelism(component)
            | Self::ZeroTasks(component)
            | Self::IdleExecutors { component, .. }
            | Self::ZeroInFlight(component)
            | Self::AsyncSpout(component)
            | Self::TickOnSpout(component)
            | Self::TooFewKeyGroups { component, .. }
            | Self::ZeroTick(component)
            | Self::ZeroResource { component, .. }
            | Self::EmptyTag(component) => Some(component),
        }
    }

    /// What to do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::IllegalName(_) => "choose a name of that form",
            Self::ReservedName(_) => "choose a name that starts with a letter or a digit",
            Self::DuplicateComponent(_) => "rename one of the two, and the inputs that mean it",
            Self::DuplicateStream { .. } => "remove one of the two declarations, or rename one",
            Self::DuplicateField { .. } => "rename one of the two fields",
            Self::NoComponents => "add a spout, and bolts that take its streams",
            Self::NoSpout => "add a spout, and let a bolt take its stream",
            Self::SpoutWithInputs(_) => "remove its inputs, or declare it a bolt",
            Self::BoltWithoutInputs(_) => "let it take a stream, or remove it",
            Self::UnknownComponent { .. } => "name a component of this topology",
            Self::UnknownStream { .. } => "name a stream that the component declares, or declare this one there",
            Self::UnknownField { .. } => "name a field of the stream, or add this one to it",
            Self::Unreachable(_) => "let it, or a bolt before it, take a stream that comes from a spout",
            Self::ZeroParallelism(_) => "set its parallelism to 1 or more",
            Self::ZeroTasks(_) => "set its tasks to its parallelism or more",
            Self::IdleExecutors { .. } => "lower its parallelism, or raise its tasks",
            Self::TooManyTasks { .. } => "lower the tasks of its largest components, or split the topology",
            Self::NoKeyFields { .. } => "name the fields that make the key, or use shuffle grouping",
            Self::RepeatedKeyField { .. } => "name each field of the key once",
            Self::StreamNotDirect(_) => "declare the stream direct, or use another grouping",
            Self::StreamDirect { .. } => "use direct grouping, or declare a stream that is not direct",
            Self::DuplicateInput { .. } => "remove one of the two inputs",
            Self::UnnamedGrouping(_) => "give the name that the grouping is registered under",
            Self::ZeroInFlight(_) => "allow 1 tuple in flight or more",
            Self::AsyncSpout(_) => "declare it sync, or blocking if its next call waits",
            Self::TickOnSpout(_) => "remove the tick; a spout can look at the time in its next call",
            Self::KeyGroupsOutOfRange { .. } => "leave key groups out for 1024, or choose a number in the range",
            Self::TooFewKeyGroups { .. } => "raise the topology's key groups, or lower the bolt's tasks",
            Self::ZeroMessageTimeout => {
                "leave the message timeout out for 30s, or choose a longer one than a tree takes"
            }
            Self::ZeroMaxSpoutPending => "leave max spout pending out for 65536, or choose 1 or more",
            Self::ZeroTick(_) => "choose an interval above 0, or remove the tick",
            Self::ZeroResource { .. } => "leave resources out for the defaults, or say what an executor takes",
            Self::EmptyTag(_) => "remove the tag, or name one that workers have",
        }
    }
}
