//! What the author of a component writes against.

mod async_bolt;
mod bolt;
mod collector;
mod context;
mod declare;
mod emit;
mod error;
mod spout;
mod spout_collector;

pub use async_bolt::{AsyncBolt, AsyncCollector};
pub(crate) use async_bolt::{Boxed, DynAsyncBolt};
pub use bolt::Bolt;
pub(crate) use collector::Row;
pub use collector::{Collector, Emitter};
pub use context::{BoltContext, ContextError, Logger, SpoutContext, SpoutWaker, TaskInfo};
pub use declare::Declarer;
pub use emit::{EmitError, RouteError, StreamHandle};
pub use error::{Failure, Result};
pub use spout::{Next, Spout};
pub use spout_collector::SpoutCollector;
pub(crate) use spout_collector::{LaneSink, Sink};
