//! The control plane's decisions, and nothing that does anything: time, randomness and what workers say come in as arguments, and what is
//! to be done goes out as data.
//!
//! Invariants:
//! - applying the same commands in the same order gives the same state on every master, byte for byte;
//! - an [`Assignment`] never changes once it is made: a newer one with its parent's version takes its place;
//! - the same input gives the same plan, and a plan moves only what must move.

mod assignment;

pub use assignment::{Assignment, Unplaced};
