//! How masters come to their cluster: they form it, they are seeded, or they are let in.

mod core;
pub(crate) mod matters;
mod search;
mod service;
#[cfg(test)]
mod tests;
mod wire;

use squall_types::cluster::{MasterName, RaftId};

pub(crate) use core::{Formation, Founder, Identity, Seed};
pub(crate) use search::{Found, Offer, Search, sow};
pub(crate) use service::FormationService;
pub(crate) use wire::identity;
#[cfg(test)]
pub(crate) use wire::seed;

/// Which master this is, before it has a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Myself {
    pub id: RaftId,
    pub name: MasterName,
    /// Where the others reach it.
    pub address: String,
    /// The masters that it was told of, each once.
    pub listed: Vec<String>,
}
