//! Squall's vocabulary: what every other crate speaks of, and nothing that does anything.
//!
//! Ids, values, rows and batches, the topology model and its validation, error codes. No I/O, no clock, no randomness.
//!
//! Invariants:
//! - ids are newtypes that never mix; a name is checked where it is made;
//! - a [`Value`] is 24 bytes, and cloning one never copies a payload;
//! - a [`Topology`](topology::Topology) that came out of [`validate`](topology::Topology::validate) can be run as it is.

mod batch;
pub mod cluster;
pub mod codes;
pub mod duration;
mod error;
mod ids;
mod nearest;
mod row;
pub mod topology;
mod tuple;
mod value;

pub use batch::{Anchor, Batch, Mark, Route};
pub use error::{Code, NotACode, Retry};
pub use ids::{ComponentId, EdgeId, Incarnation, KeyGroup, RootId, Sequence, StreamId, TaskId};
pub use nearest::nearest;
pub use row::{FromTuple, FromValue, IntoRow, RowError, RowWriter, ToValue};
pub use tuple::{OwnedTuple, Schema, Tuple};
pub use value::{Bytes, MAX_DEPTH, Map, Str, Timestamp, TimestampError, TypeMismatch, Value};
