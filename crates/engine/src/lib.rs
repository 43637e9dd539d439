//! The data path's decisions, without I/O, clock or randomness: times and seeds come in as arguments.

pub mod backoff;
pub mod edges;
pub mod fencing;
pub mod groups;
pub mod hash;
pub mod ledger;
pub mod losses;
pub mod marks;
pub mod nearness;
pub mod plan;
pub mod reach;
pub mod replay;
pub mod rolling;
pub mod shuffle;
pub mod state;
