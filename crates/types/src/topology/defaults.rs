//! How the model's parts are made, and what holds where the author says nothing.

use std::sync::Arc;
use std::time::Duration;

use super::{Component, Config, Delivery, Execution, Fields, Grouping, Input, Kind, Resources, StreamDecl, Topology};
use crate::{ComponentId, StreamId, TaskId};

impl StreamDecl {
    /// A stream whose rows are routed by its subscribers' groupings.
    pub fn new(id: StreamId, fields: Fields) -> Self {
        Self { id, fields, direct: false }
    }
}

impl Input {
    /// A subscription that may be chained.
    pub fn new(from: ComponentId, stream: StreamId, grouping: Grouping) -> Self {
        Self { from, stream, grouping, chain: true }
    }
}

impl Grouping {
    /// Its name, as in the description: `shuffle`, `fields`, `partial-key`…
    pub fn name(&self) -> &'static str {
        match self {
            Self::Shuffle => "shuffle",
            Self::Fields(_) => "fields",
            Self::PartialKey(_) => "partial-key",
            Self::All => "all",
            Self::Global => "global",
            Self::None => "none",
            Self::Direct => "direct",
            Self::LocalOrShuffle => "local-or-shuffle",
            Self::Custom(_) => "custom",
        }
    }

    /// The fields that rows are keyed by, if they are.
    pub fn key(&self) -> Option<&Fields> {
        match self {
            Self::Fields(key) | Self::PartialKey(key) => Some(key),
            _ => None,
        }
    }
}

impl Component {
    /// A component with one task, and without streams and inputs.
    pub fn new(id: ComponentId, kind: Kind) -> Self {
        Self {
            id,
            kind,
            execution: Execution::default(),
            parallelism: 1,
            tasks: 1,
            streams: Vec::new(),
            inputs: Vec::new(),
            config: Config::new(),
            resources: Resources::default(),
            tags: Vec::new(),
            tick: None,
        }
    }

    /// Where a stream stands among its streams.
    pub fn stream_index(&self, stream: &StreamId) -> Option<usize> {
        self.streams.iter().position(|own| own.id == *stream)
    }
}

impl Topology {
    /// Key groups, if the author says nothing.
    pub const DEFAULT_KEY_GROUPS: u16 = 1_024;
    /// The most key groups that there can be.
    pub const MAX_KEY_GROUPS: u16 = 32_768;
    /// The message timeout, if the author says nothing.
    pub const DEFAULT_MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);
    /// The most roots that a spout task may have pending, if the author says nothing.
    pub const DEFAULT_MAX_SPOUT_PENDING: u32 = 65_536;
    /// The most tasks that all components may have together.
    pub const MAX_TASKS: u32 = TaskId::MAX as u32;

    /// An empty topology with the default settings.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            delivery: Delivery::default(),
            key_groups: Self::DEFAULT_KEY_GROUPS,
            message_timeout: Self::DEFAULT_MESSAGE_TIMEOUT,
            max_spout_pending: Self::DEFAULT_MAX_SPOUT_PENDING,
            config: Config::new(),
            components: Vec::new(),
        }
    }
}
