//! A cluster of masters in a deterministic simulation: `squall-sim run SEED` simulates one minute and what it takes to heal, and says what
//! did not hold; `squall-sim many` does it for many seeds.

#[cfg(not(tokio_unstable))]
compile_error!("build this in its own folder, where .cargo/config.toml sets --cfg tokio_unstable");

mod clients;
mod invariants;
mod net;
mod network;
mod scenario;
mod trace;
mod worker;

fn main() {}
