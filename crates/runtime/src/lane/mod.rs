//! Lanes: what runs the tasks of one component on one core, and the chain of bolts behind them.

mod acks;
mod async_lane;
mod bolt_lane;
mod chain;
mod control;
mod edge;
mod emits;
mod heads;
mod marks;
mod moving;
mod node;
mod outputs;
mod room;
mod router;
mod run;
mod scatter;
mod senders;
mod spout_cell;
mod spout_lane;
mod target;
#[cfg(test)]
mod tests;
mod threaded_spout;
mod ways;
mod work;

pub use acks::AckBatch;
pub(crate) use acks::{AckOut, AckRoutes};
pub(crate) use async_lane::{AsyncFactory, AsyncLane, AsyncParts, AsyncTask, prepare as prepare_async};
pub(crate) use bolt_lane::{BoltLane, Tick};
pub(crate) use chain::{Chain, Intake, Step};
pub(crate) use control::{Control, Phase};
pub(crate) use edge::{Edge, Subscribed};
pub(crate) use emits::{Emits, Emitted};
pub(crate) use heads::{Heads, NO_HEAD};
pub(crate) use marks::{Marks, Voices};
pub(crate) use node::{BoltFactory, Node, TaskCell};
pub(crate) use outputs::{BATCH_BYTES, Origin, OutStream, Outputs};
pub use router::CustomGrouping;
pub(crate) use router::Router;
pub(crate) use run::Run;
pub(crate) use senders::Senders;
pub(crate) use spout_cell::{Due, MakeSpout, SpoutCell, SpoutParts, SpoutTask};
pub(crate) use spout_lane::SpoutLane;
pub(crate) use threaded_spout::{Owner, ThreadedSpout};
pub(crate) use ways::{Follower, Signpost, Way, Ways};
pub use work::Work;
