//! The master daemon: what holds a cluster's decisions, and answers for them.
//!
//! Masters replicate decisions by Raft ([`squall_raft`]), make them by the pure cores of [`squall_control`], and serve them over gRPC
//! ([`squall_proto`]). This crate is the shell around both: configuration, tokens, the packages' bytes, metrics.
//!
//! Invariants: no generated type passes beyond the services; no module reads the clock, the environment or randomness by itself where a
//! decision depends on it, but takes them as arguments; nothing listens off loopback in plain text unless the configuration says so.

pub mod blobs;
mod bootstrap;
pub mod config;
mod core;
mod env;
mod error;
mod fault;
mod gate;
mod health;
mod leading;
mod machine;
pub mod metrics;
mod node;
pub mod offline;
mod own_time;
mod packages;
#[cfg(feature = "simulation")]
mod planted;
mod reign;
mod services;
#[cfg(test)]
mod testing;
pub mod tokens;

pub use env::{BoxFuture, Bytes, Clock, Connection, Disks, Env, Incoming, Network, Random};
pub use error::NodeError;
pub use node::{Node, Secured, run};
#[cfg(feature = "simulation")]
pub use planted::Planted;
use squall_daemon::{certs, http};
