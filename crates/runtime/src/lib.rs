//! What runs a topology, or one slot's part of it, inside a process.
//!
//! A topology's executors are dealt to cores; the tasks of one component on one core make a *lane*: one inbox, one asynchronous
//! task, shared output buffers. Bolts whose input may stay on the core are *chained*: the lane hands them its batches by
//! reference. Decisions (where a row goes, when a root is done, who may be chained) are the engine's; here are the loops that
//! await, the threads, the metrics, and what joins a slot to the others of its topology ([`transport`]).
//!
//! Invariants:
//! - nothing is dropped: a full inbox stops its senders, up to the spout, also across slots; what a lost slot had is lost with it, and the
//!   roots of it fail;
//! - what user code panics with stays within its task; the task starts anew and its lane goes on;
//! - every thread and every task is owned by the [`Slot`], which sees it end or says that it couldn't.

mod api;
mod clock;
pub mod harness;
#[cfg(unix)]
pub mod host;
pub mod inbox;
mod lane;
pub mod metrics;
mod panics;
mod replay;
mod slot;
mod tap;
mod token;
pub mod transport;
pub mod wire;

pub use api::{
    AsyncBolt, AsyncCollector, Bolt, BoltContext, Collector, ContextError, Declarer, EmitError, Emitter, Failure,
    Logger, Next, Result, RouteError, Spout, SpoutCollector, SpoutContext, SpoutWaker, StreamHandle, TaskInfo,
};
pub use clock::Clock;
#[doc(hidden)]
pub use lane::Work;
pub use lane::{AckBatch, CustomGrouping};
pub use replay::{DeadLetter, Replay, Undelivered};
pub use slot::{
    Applied, Books, Code, Fault, GroupingFactory, Injector, Instead, Look, Membership, Monitor, Options, Program, Slot,
    StartError, Traffic,
};
pub use tap::Tap;
pub use token::Token;
