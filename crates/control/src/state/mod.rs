//! The replicated state, and how commands change it.

mod apply;
mod assign;
mod blobs;
mod deployed;
mod members;
mod read;
mod rebirth;
mod tokens;
mod topologies;
mod workers;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use squall_types::cluster::{
    AssignmentVersion, BlobId, ClusterId, Epoch, FeatureLevel, RaftId, Revision, SlotId, TopologyName, UnixMillis,
    WorkerName,
};

use crate::log::EventLog;
use crate::requests::Requests;
use crate::token::Tokens;
use crate::{Command, Refusal, Supported, What};

pub use apply::{Outcome, Reply};
pub use blobs::{Blob, UNUSED_BLOBS_KEPT};
pub use deployed::{Deployed, VERSIONS_KEPT, Version};
pub use members::{Member, Seat};
pub use read::Counts;
pub(crate) use rebirth::BETWEEN_LIVES;
pub use rebirth::Birth;
pub use workers::{Admin, Quarantine, Worker};

/// What a cluster is born with: the same on each of its first masters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The cluster.
    pub cluster: ClusterId,
    /// The state's time from the start.
    pub at: UnixMillis,
    /// The feature level that all first members understand.
    pub level: FeatureLevel,
    /// The first members.
    pub members: BTreeMap<RaftId, Seat>,
}

/// Everything that the masters have decided. The same on each of them at the same revision, to the byte.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct State {
    cluster: ClusterId,
    epoch: Epoch,
    level: FeatureLevel,
    /// The place in the log of the last command that was applied.
    revision: Revision,
    /// The latest time that a leader stamped. Never goes back.
    now: UnixMillis,
    topologies: BTreeMap<TopologyName, Deployed>,
    /// The highest assignment of any topology that was forgotten. New topologies begin above it, so that no slot of a topology that is
    /// gone can be taken for one of a newer topology of the same name.
    retired: AssignmentVersion,
    workers: BTreeMap<WorkerName, Worker>,
    members: BTreeMap<RaftId, Member>,
    blobs: BTreeMap<BlobId, Blob>,
    tokens: Tokens,
    requests: Requests,
    events: EventLog,
    /// Whose each slot is. Follows from the assignments.
    #[serde(skip)]
    slots: BTreeMap<SlotId, TopologyName>,
}

/// The state as it is written: all but what follows from the rest.
#[derive(Deserialize)]
struct Written {
    cluster: ClusterId,
    epoch: Epoch,
    level: FeatureLevel,
    revision: Revision,
    now: UnixMillis,
    topologies: BTreeMap<TopologyName, Deployed>,
    retired: AssignmentVersion,
    workers: BTreeMap<WorkerName, Worker>,
    members: BTreeMap<RaftId, Member>,
    blobs: BTreeMap<BlobId, Blob>,
    tokens: Tokens,
    requests: Requests,
    events: EventLog,
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let slots =
            written.topologies.iter().flat_map(|(name, it)| it.slots().map(|slot| (slot.clone(), name.clone())));
        Ok(Self {
            slots: slots.collect(),
            cluster: written.cluster,
            epoch: written.epoch,
            level: written.level,
            revision: written.revision,
            now: written.now,
            topologies: written.topologies,
            retired: written.retired,
            workers: written.workers,
            members: written.members,
            blobs: written.blobs,
            tokens: written.tokens,
            requests: written.requests,
            events: written.events,
        })
    }
}

impl State {
    /// The state of a cluster that is born.
    pub fn new(seed: Seed) -> Self {
        let level = seed.level.max(Supported::OLDEST);
        let member = |(id, seat): (RaftId, Seat)| (id, Member::new(seat, level));
        Self {
            cluster: seed.cluster,
            epoch: Epoch::new(1),
            level,
            revision: Revision::ZERO,
            now: seed.at,
            topologies: BTreeMap::new(),
            retired: AssignmentVersion::ZERO,
            workers: BTreeMap::new(),
            members: seed.members.into_iter().map(member).collect(),
            blobs: BTreeMap::new(),
            tokens: Tokens::default(),
            requests: Requests::default(),
            events: EventLog::default(),
            slots: BTreeMap::new(),
        }
    }

    /// Whether a leader may propose a command: all members understand it.
    pub fn may_propose(&self, command: &Command) -> bool {
        command.level() <= self.level
    }

    /// Forgets which requests were run: a bug, for simulations to find.
    #[cfg(feature = "planted")]
    pub fn forget_requests(&mut self) {
        self.requests = Requests::default();
    }
}

/// What applying a command came to.
type Done = Result<(Reply, Vec<What>), Refusal>;
