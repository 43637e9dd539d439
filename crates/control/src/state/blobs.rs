//! The index of packages: which there are, which master has them, what refers to them. Their bytes are elsewhere.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use squall_types::cluster::{BlobId, RaftId, Revision, TopologyName, TopologyVersion, UnixMillis};

use super::topologies::limit;
use super::{Done, Reply, State};
use crate::{BlobUse, Limit, Refusal, What};

/// For how long a package is kept that nothing refers to.
pub const UNUSED_BLOBS_KEPT: Duration = Duration::from_secs(3_600);

/// The most packages in a cluster.
const MOST_BLOBS: usize = 100_000;

/// A package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Its length in bytes.
    pub size: u64,
    /// When it came.
    pub stored_at: UnixMillis,
    /// The masters that have it on their disks.
    pub held_by: BTreeSet<RaftId>,
    /// What refers to it.
    pub used_by: BTreeSet<(TopologyName, TopologyVersion)>,
    /// Since when nothing does.
    pub unused_since: Option<UnixMillis>,
    /// Where in the log it came.
    pub revision: Revision,
}

impl Blob {
    /// Whether nothing has referred to it for long enough to forget it.
    pub fn is_collectable(&self, now: UnixMillis) -> bool {
        self.unused_since.is_some_and(|since| since.plus(UNUSED_BLOBS_KEPT) <= now)
    }
}

impl State {
    pub(super) fn store_blob(&mut self, id: BlobId, size: u64, held_by: &BTreeSet<RaftId>) -> Done {
        if let Some(stranger) = held_by.iter().find(|master| !self.members.contains_key(master)) {
            return Err(Refusal::UnknownMaster(*stranger));
        }
        if let Some(blob) = self.blobs.get_mut(&id) {
            blob.held_by.extend(held_by);
            // Who uploads it again is about to refer to it.
            blob.unused_since = blob.unused_since.map(|_| self.now);
            return Ok((Reply::Done, Vec::new()));
        }
        limit(Limit::Blobs, self.blobs.len() + 1, MOST_BLOBS)?;
        let blob = Blob {
            size,
            stored_at: self.now,
            held_by: held_by.clone(),
            used_by: BTreeSet::new(),
            unused_since: Some(self.now),
            revision: self.revision,
        };
        self.blobs.insert(id, blob);
        Ok((Reply::Done, vec![What::BlobStored { id, size }]))
    }

    pub(super) fn collect_blobs(&mut self, ids: &BTreeSet<BlobId>) -> Done {
        for id in ids {
            let blob = self.blobs.get(id).ok_or(Refusal::UnknownBlob(*id))?;
            if !blob.is_collectable(self.now) {
                return Err(Refusal::BlobInUse { id: *id, blocker: blocker(blob, self.now) });
            }
        }
        for id in ids {
            self.blobs.remove(id);
        }
        Ok((Reply::Done, ids.iter().copied().map(What::BlobCollected).collect()))
    }

    pub(super) fn refer(&mut self, package: Option<BlobId>, name: &TopologyName, version: TopologyVersion) {
        if let Some(blob) = package.and_then(|id| self.blobs.get_mut(&id)) {
            blob.used_by.insert((name.clone(), version));
            blob.unused_since = None;
        }
    }

    pub(super) fn unrefer(&mut self, package: Option<BlobId>, name: &TopologyName, version: TopologyVersion) {
        let now = self.now;
        if let Some(blob) = package.and_then(|id| self.blobs.get_mut(&id)) {
            blob.used_by.remove(&(name.clone(), version));
            blob.unused_since = blob.used_by.is_empty().then_some(now);
        }
    }

    pub(super) fn holds_no_blobs(&mut self, master: RaftId) {
        for blob in self.blobs.values_mut() {
            blob.held_by.remove(&master);
        }
    }
}

fn blocker(blob: &Blob, now: UnixMillis) -> BlobUse {
    match blob.used_by.first() {
        Some((topology, version)) => BlobUse::Referred { topology: topology.clone(), version: *version },
        None => BlobUse::Recent(blob.unused_since.unwrap_or(now)),
    }
}
