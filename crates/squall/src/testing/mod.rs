//! The test kit.

mod bolt_harness;
mod complete;
mod error;
mod faults;
mod mock;
mod rows;
mod spout_harness;
mod time;

pub use bolt_harness::{BoltHarness, Executed, Reacted, RowFate, RowNumber};
pub use complete::{CompleteOptions, Completed, Fate, Root, complete_topology};
pub use error::CompleteError;
pub use faults::Faults;
pub use mock::Mock;
pub use rows::{CapturedRow, Rows, assert_same_rows};
pub use spout_harness::{SpoutCall, SpoutHarness};
pub use time::{EPOCH, simulate};
