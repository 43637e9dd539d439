//! `Replay` around spouts in running topologies, and the feeder that embeds one.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod feeder;
mod keeping;
mod kit;
mod panics;
