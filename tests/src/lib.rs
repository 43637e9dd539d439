//! What tests of whole clusters are made of: masters as real processes, a network between them that can be broken, and a checker that says
//! whether a recorded history is linearizable.
//!
//! Invariants:
//! - nothing outlives its owner: dropping a cluster kills its processes and waits for them;
//! - nothing sleeps for a fixed time: what is waited for is a condition, with a deadline;
//! - the checker is independent of what it checks: it knows the meaning of a call, nothing of Raft.

mod binary;
pub mod client;
pub mod cluster;
mod daemon;
pub mod linear;
mod network;
mod rng;
mod sockets;
mod until;
pub mod whole;
pub mod workload;

pub use binary::squall;
pub use cluster::Cluster;
pub use daemon::Daemon;
pub use network::{Line, Network};
pub use rng::Rng;
pub use until::until;
