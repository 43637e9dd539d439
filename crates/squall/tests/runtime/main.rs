//! The runtime over the public API: what a topology promises, held with real threads.

#[path = "../common/mod.rs"]
mod common;

mod async_bolts;
mod direct;
mod failures;
mod figures;
mod groupings;
mod lifecycle;
mod marks;
mod pressure;
mod spouts;
mod state;
mod tokens;
