//! The services: what comes in is checked, what is decided elsewhere is shown.

mod chunks;
pub(crate) mod cluster;
mod dry_run;
#[cfg(test)]
mod fuzz;
pub(crate) mod link;
mod members;
pub(crate) mod read;
pub(crate) mod show;
pub(crate) mod topologies;
mod watch;
mod why;
