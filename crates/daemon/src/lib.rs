//! What all daemons share: masters and workers are configured, certified and monitored in one way.
//!
//! Here are the layers of a [configuration](config), the [certificates](certs) and the connections that they protect, how monitoring is
//! [served](http), the [channels](Peers) to other daemons, and what a daemon takes from its machine ([`Clock`], [`Random`], [`Network`]).
//!
//! Invariants: no module reads the clock, the environment or randomness by itself where a decision depends on it; nothing listens off
//! loopback in plain text unless a configuration says so.

pub mod certs;
pub mod config;
mod greet;
pub mod http;
mod machine;
mod peers;
mod probe;

pub use greet::greeted;
pub use machine::{BoxFuture, Bytes, Clock, Connection, Incoming, Machine, Network, Random};
pub use peers::Peers;
pub use probe::Prober;

/// An error with all that caused it, in a line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
