//! The data path's decisions, without I/O.

pub mod groups;
pub mod hash;
pub mod marks;
pub mod rolling;
pub mod shuffle;
pub mod state;
