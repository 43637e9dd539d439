//! Tuples between slots over gRPC.
//!
//! One HTTP/2 connection from a slot to each that it sends to, a stream for each of its channels. HTTP/2's flow control of each stream is the
//! credit: a receiver without room reads nothing, so its stream's window fills, and that sender waits, and no other. The connection's window
//! is larger than those of all its streams together, so it never holds anybody up.
//!
//! Invariants:
//! - memory is bounded at both ends: a sender queues [`ROOM`](queue::ROOM) and what HTTP/2 has in hand, a receiver a stream's window and a frame;
//! - a frame is written once, where it is sent from, and copied once, where it arrives;
//! - what a peer sends ends its own stream or connection at the worst;
//! - each task belongs to the [`GrpcTransport`] or to [`serve`], and ends with its connection.

mod client;
mod connection;
mod convert;
mod dial;
mod outbound;
mod queue;
mod receive;
mod security;
mod serve;
mod service;
mod settings;
#[cfg(test)]
mod tests;

pub use client::GrpcTransport;
pub use security::{Belongs, Security, Tls};
pub use serve::{bind, serve};
pub use service::services;
pub use settings::Settings;

/// The header that says what a stream is for.
const CHANNEL: &str = "squall-channel";
