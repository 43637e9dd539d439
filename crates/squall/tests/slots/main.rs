//! A topology in several slots: what it promises, held with real threads and an in-memory network between the slots.

#[allow(dead_code, reason = "shared with the tests of one slot; not all of it is used by both")]
#[path = "../common/mod.rs"]
mod common;

mod cluster;
mod failover;
mod flow;
mod losses;
mod marks;
mod pressure;
mod random;
mod replays;
mod sockets;
