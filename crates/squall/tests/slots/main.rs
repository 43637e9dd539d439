//! A topology in several slots: what it promises, held with real threads and an in-memory network between the slots.

#[path = "../common/mod.rs"]
mod common;

mod cluster;
mod flow;
