//! The model as data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ComponentId, StreamId};

/// Settings that a component reads from its context, by key.
pub type Config = BTreeMap<String, serde_json::Value>;

/// A stream's field names, in order. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Fields(Arc<[Arc<str>]>);

impl Fields {
    /// The fields with these names.
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        Self(names.into_iter().map(|name| Arc::from(name.as_ref())).collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// The name at a position.
    pub fn get(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(|name| &**name)
    }

    /// Where a name stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|own| &**own == name)
    }
}

/// What a topology promises for each spout tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Nothing is tracked: a tuple whose task fails is gone. Costs nothing per tuple.
    AtMostOnce,
    /// Every tracked spout tuple is acked once its whole tree is done, or failed.
    #[default]
    AtLeastOnce,
}

/// How a sender picks the receiving task of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grouping {
    /// Evenly, by the receivers' load.
    Shuffle,
    /// By key: rows with equal values in these fields go to the same task.
    Fields(Fields),
    /// By key, to the less loaded of the two tasks that a key may go to.
    PartialKey(Fields),
    /// A copy to every task.
    All,
    /// To the task with the lowest id.
    Global,
    /// The author doesn't care; as [`Grouping::Shuffle`].
    None,
    /// To the task that the emitter names.
    Direct,
    /// As shuffle, among the tasks in the same process if there are any.
    LocalOrShuffle,
    /// By the author's own code, registered under this name.
    Custom(Arc<str>),
}

/// Whether a component makes tuples or takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Makes tuples.
    Spout,
    /// Takes tuples, and may make new ones.
    Bolt,
}

/// What a component's code does with the thread that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Execution {
    /// Computes and returns: shares its core with others.
    #[default]
    Sync,
    /// May block: each executor has a thread of its own.
    Blocking,
    /// Awaits I/O, with a bounded number of tuples in flight.
    Async {
        /// The most tuples in flight, for each executor.
        in_flight: u32,
        /// Whether what is emitted keeps the order of the inputs.
        ordered: bool,
    },
}

/// What an executor needs, for placement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Hundredths of a core.
    pub cpu_percent: u32,
    /// Mebibytes.
    pub memory_mib: u32,
}

impl Default for Resources {
    fn default() -> Self {
        Self { cpu_percent: 10, memory_mib: 128 }
    }
}

/// One of a component's output streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDecl {
    /// Its name.
    pub id: StreamId,
    /// Its rows' fields.
    pub fields: Fields,
    /// Whether each row names its receiver.
    pub direct: bool,
}

/// A bolt's subscription to a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The component that emits the stream.
    pub from: ComponentId,
    /// The stream.
    pub stream: StreamId,
    /// How rows find their task.
    pub grouping: Grouping,
    /// Whether batches may be handed over within an executor, where the grouping allows it.
    pub chain: bool,
}

/// A spout or a bolt, as declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// Its name.
    pub id: ComponentId,
    /// Spout or bolt.
    pub kind: Kind,
    /// How its code uses a thread.
    pub execution: Execution,
    /// Executors: how many of its tasks can run at a time.
    pub parallelism: u32,
    /// Tasks: how many instances there are.
    pub tasks: u32,
    /// What it emits.
    pub streams: Vec<StreamDecl>,
    /// What it takes.
    pub inputs: Vec<Input>,
    /// Its own settings; they win over the topology's.
    pub config: Config,
    /// What each executor needs.
    pub resources: Resources,
    /// What a worker must be tagged with to run it.
    pub tags: Vec<String>,
    /// How often it is given a tick.
    #[serde(default, with = "crate::duration::option")]
    pub tick: Option<Duration>,
}

/// A topology, as declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// Its name.
    pub name: Arc<str>,
    /// What it promises for each spout tuple.
    pub delivery: Delivery,
    /// Key groups that keys are hashed into; fixed for the topology's life.
    pub key_groups: u16,
    /// How long a root may stay pending before it is failed as timed out.
    #[serde(with = "crate::duration")]
    pub message_timeout: Duration,
    /// The most roots that a spout task may have pending.
    pub max_spout_pending: u32,
    /// Settings for all components.
    pub config: Config,
    /// Spouts and bolts, in declared order.
    pub components: Vec<Component>,
}
