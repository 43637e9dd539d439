//! A cluster of masters in a deterministic simulation.
mod invariants;
mod net;
mod scenario;
mod trace;

fn main() {}
