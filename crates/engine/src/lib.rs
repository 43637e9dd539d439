//! The data path's decisions, without I/O, clock or randomness: times and seeds come in as arguments.

pub mod backoff;
pub mod edges;
pub mod ledger;
pub mod replay;
