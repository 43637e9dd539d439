//! Why a topology can't be completed.

use std::time::Duration;

use squall_runtime::StartError;
use squall_types::topology::{Invalid, NoSuchComponent};
use squall_types::{Code, ComponentId, StreamId};

/// Why a topology can't be completed, or faults can't be injected.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// The topology is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The test names a component that isn't there.
    #[error(transparent)]
    NoSuchComponent(#[from] NoSuchComponent),
    /// A component can't be prepared.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A mock takes the place of a bolt.
    #[error("{component} is a bolt: only a spout can be mocked")]
    NotASpout {
        /// The component.
        component: ComponentId,
    },
    /// A fault is for the calls of a spout.
    #[error("{component} is a spout: only a bolt's tuples can be failed, delayed or made to panic")]
    NotABolt {
        /// The component.
        component: ComponentId,
    },
    /// A mock row is on a stream that the spout doesn't declare.
    #[error("row {row} of the mock for {component} is on stream {stream:?}, which isn't declared; there are {known}")]
    MockStream {
        /// The spout.
        component: ComponentId,
        /// The row, from 0.
        row: usize,
        /// The stream that it names.
        stream: StreamId,
        /// What there is.
        known: String,
    },
    /// A mock row has more or fewer values than its stream has fields.
    #[error("row {row} of the mock for {component} has {values} values, but stream {stream:?} has the fields {fields}")]
    MockRow {
        /// The spout.
        component: ComponentId,
        /// The row, from 0.
        row: usize,
        /// Its stream.
        stream: StreamId,
        /// Its values.
        values: usize,
        /// The stream's fields.
        fields: String,
    },
    /// A mock row names a receiver where its stream takes none, or none where it must.
    #[error(
        "row {row} of the mock for {component} names {} receiver, but stream {stream:?} is {}direct",
        if *direct { "no" } else { "a" },
        if *direct { "" } else { "not " }
    )]
    MockDirect {
        /// The spout.
        component: ComponentId,
        /// The row, from 0.
        row: usize,
        /// Its stream.
        stream: StreamId,
        /// Whether it is direct.
        direct: bool,
    },
    /// The topology didn't come to its end.
    #[error("after {limit:?} of simulated time the topology still runs, with {pending} roots pending")]
    Unfinished {
        /// The limit.
        limit: Duration,
        /// Roots pending then.
        pending: u64,
    },
}

impl CompleteError {
    /// The error's stable code; `None` for a topology that is wrong, whose problems have one each.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Invalid(_) => None,
            Self::NoSuchComponent(error) => Some(error.code()),
            Self::Start(error) => Some(error.code()),
            Self::NotASpout { .. } | Self::NotABolt { .. } => Some(Code::new(2801)),
            Self::MockStream { .. } | Self::MockRow { .. } | Self::MockDirect { .. } => Some(Code::new(2802)),
            Self::Unfinished { .. } => Some(Code::new(2803)),
        }
    }
}
