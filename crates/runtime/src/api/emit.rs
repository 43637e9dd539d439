//! Streams to emit on, and what can be wrong with what is emitted.

use std::sync::Arc;

use squall_types::{Code, Schema};

/// One of a component's output streams: from the context, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamHandle(u16);

impl StreamHandle {
    /// The first declared stream.
    pub const DEFAULT: Self = Self(0);

    pub(crate) fn new(index: usize) -> Self {
        Self(u16::try_from(index).expect("a component has fewer than 65,536 streams"))
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A row that doesn't fit the stream it was emitted on. It fails the call that emitted it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EmitError {
    /// The component declares no such stream.
    #[error("emitted on stream number {stream}, but the component declares no such stream")]
    NoSuchStream {
        /// The stream's number.
        stream: usize,
    },
    /// The row has more or fewer values than the stream has fields.
    #[error("emitted {values} values on stream {stream:?}, which has the fields {fields}")]
    WrongWidth {
        /// The stream.
        stream: String,
        /// Its fields.
        fields: String,
        /// Values in the row.
        values: usize,
    },
    /// The row's type has other fields than the stream.
    #[error("emitted a row of {found} on stream {stream:?}, which has the fields {fields}")]
    OtherFields {
        /// The stream.
        stream: String,
        /// Its fields.
        fields: String,
        /// The row's.
        found: String,
    },
    /// A direct stream needs a receiver for each row, and another can't take one.
    #[error("stream {stream:?} is {}direct: use {}", if *direct { "" } else { "not " }, if *direct { "emit_direct" } else { "emit" })]
    Directness {
        /// The stream.
        stream: String,
        /// Whether it is direct.
        direct: bool,
    },
    /// The named receiver doesn't take the stream.
    #[error("task {task} doesn't take stream {stream:?}")]
    NoSuchReceiver {
        /// The stream.
        stream: String,
        /// The task named.
        task: u16,
    },
}

impl EmitError {
    #[cold]
    pub(crate) fn other_fields(schema: &Arc<Schema>, found: &[&str]) -> Self {
        Self::OtherFields { stream: schema.stream().to_string(), fields: names(schema), found: found.join(", ") }
    }

    #[cold]
    pub(crate) fn wrong_width(schema: &Arc<Schema>, values: usize) -> Self {
        Self::WrongWidth { stream: schema.stream().to_string(), fields: names(schema), values }
    }

    /// The error's stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::NoSuchStream { .. } => Code::new(2101),
            Self::WrongWidth { .. } => Code::new(2102),
            Self::OtherFields { .. } => Code::new(2103),
            Self::Directness { .. } => Code::new(2104),
            Self::NoSuchReceiver { .. } => Code::new(2105),
        }
    }
}

/// A custom grouping that can't say where a row goes. The row's roots fail, if it is tracked; the call that emitted it has ended
/// by then.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The grouping chose a task that isn't there.
    #[error(
        "a custom grouping of stream {stream:?} chose index {index}, but its bolt has {tasks} task(s), from index 0"
    )]
    PastTheEnd {
        /// The stream.
        stream: String,
        /// The index chosen.
        index: usize,
        /// How many tasks there are to choose from.
        tasks: usize,
    },
    /// The grouping panicked.
    #[error("a custom grouping of stream {stream:?} {panic}")]
    Panicked {
        /// The stream.
        stream: String,
        /// What was said.
        panic: String,
    },
}

impl RouteError {
    /// The error's stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::PastTheEnd { .. } | Self::Panicked { .. } => Code::new(2106),
        }
    }
}

fn names(schema: &Schema) -> String {
    schema.fields().iter().collect::<Vec<_>>().join(", ")
}
