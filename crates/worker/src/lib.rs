//! The worker daemon: runs slots as the masters decide, and keeps them running, with masters or without.
//!
//! What it does is decided in [`core`], which is pure. Around it: a link to the leader through any master, packages
//! from any master, and a task for each slot's process, which speaks with it over a socket in its folder. Processes outlive the daemon; the
//! next one finds them by their sockets.
//!
//! Invariants: what is obeyed is on disk before it is acted on; no process is ended but by [`core`]'s word, or because it can't say who it
//! is; this daemon's environment, and its certificate's key, are kept from slots.

pub mod config;
pub mod core;
mod daemon;
mod error;
mod link;
mod metrics;
mod node;
mod packages;
mod slots;
mod store;
mod wire;

pub use error::WorkerError;
pub use node::{Node, Secured};
