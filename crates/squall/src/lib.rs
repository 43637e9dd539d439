//! The SDK of Squall, a distributed real-time stream processor: spouts, bolts, the topology builder, and what runs them.
//!
//! A topology is declared with a [`TopologyBuilder`]; [`main`] makes a program of it. Spouts implement [`Spout`], bolts
//! [`Bolt`] or, where they await, [`AsyncBolt`]; rows are structs that derive [`Tuple`](macro@Tuple).
//!
//! Invariants:
//! - user code meets only what is exported here;
//! - a builder's errors are all reported at once, when it is built.

mod builder;
mod command;
mod feeder;
mod run;
pub mod testing;

pub use builder::{AsyncBoltDeclarer, BoltDeclarer, SpoutDeclarer, Subscription, TopologyBuilder};
pub use command::{describe, main};
pub use feeder::{FeedError, Feeder, FeederSpout, TryFeedError, feeder};
pub use run::{Cause, Outcome, Progress, RunError, Runner, Stopper};
pub use squall_derive::Tuple;
pub use squall_engine::ledger::FailureKind;
pub use squall_engine::replay::{ReplayId, ReplayPolicy};
pub use squall_engine::rolling::{Rolling, TopK, WindowError, WindowSpec};
pub use squall_engine::state::{GroupMap, StateHandle, StateStore};
pub use squall_runtime::{
    AsyncBolt, AsyncCollector, Bolt, BoltContext, Books, Clock, Collector, ContextError, CustomGrouping, DeadLetter,
    Declarer, EmitError, Emitter, Failure, Logger, Monitor, Next, Options, Program, Replay, Result, RouteError, Slot,
    Spout, SpoutCollector, SpoutContext, SpoutWaker, StartError, StreamHandle, Token, Undelivered, metrics,
};
pub use squall_types::topology::{Delivery, Invalid, NoSuchComponent, Problem};
pub use squall_types::{
    Bytes, Code, ComponentId, FromTuple, FromValue, IntoRow, KeyGroup, Map, OwnedTuple, RowError, RowWriter, Schema,
    Str, StreamId, TaskId, Timestamp, ToValue, Tuple, Value, duration,
};

/// The guides' code, compiled.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../../docs/getting-started.md")]
    pub struct GettingStarted;
    #[doc = include_str!("../../../README.md")]
    pub struct Readme;
}
