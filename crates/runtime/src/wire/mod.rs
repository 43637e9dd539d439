//! Frames: what slots send each other, as bytes.
//!
//! A frame is a header and columns, little-endian, written by hand: a batch of rows with its mark, a batch of ack records, or word of a slot
//! that was lost. `docs/architecture.md` has the layout, and the tests have its bytes.
//!
//! Invariants:
//! - no bytes, whoever sent them, panic or allocate more than a small multiple of their length and of [`limits`];
//! - what is written is read back as it was, and what can't be read isn't written: a row over a limit is refused where it is sent;
//! - a row is written and read without an allocation of its own, long text, bytes and nested values excepted.

mod acks;
mod error;
mod header;
pub mod limits;
mod nested;
mod packed;
mod placement;
mod reader;
mod rows;
#[cfg(test)]
mod tests;
mod values;
mod words;

pub use acks::{Acks, read_acks};
pub use error::{FrameError, Unsendable};
pub use header::{Kind, kind};
pub use packed::{pack, unpack};
pub use placement::{read_placement, write_placement};
pub use rows::{Rows, Step, read_rows};
pub use words::{read_introduction, read_left, write_introduction, write_left};
