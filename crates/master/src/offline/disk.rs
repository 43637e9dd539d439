//! The disk itself: what is on it, and what is to be.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;

use squall_control::{State, Supported};
use squall_raft::store::Batch;
use squall_raft::{Contents, Disk, Replayed, replay};
use squall_types::cluster::BlobId;

use super::{Offline, OfflineError};
use crate::machine::{self, Machine};
use crate::node::packages_of;

/// A disk that is held, so that no master starts on it meanwhile.
pub(super) struct OfflineDisk {
    disk: Box<dyn Disk>,
    contents: Contents,
}

/// The disk, if there is a log on it.
pub(super) fn existing(offline: &Offline<'_>) -> Result<Option<OfflineDisk>, OfflineError> {
    let file = offline.config.log_file();
    match std::fs::metadata(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        // What else is wrong with it, opening it says better.
        _ => open(offline).map(Some),
    }
}

/// The disk, with a log on it that has nothing in it yet.
pub(super) fn made(offline: &Offline<'_>) -> Result<OfflineDisk, OfflineError> {
    let data_dir = &offline.config.data_dir;
    let failed = |source| OfflineError::NotMade { data_dir: data_dir.clone(), source };
    std::fs::create_dir_all(data_dir).map_err(failed)?;
    let disk = open(offline)?;
    File::open(data_dir).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(disk)
}

fn open(offline: &Offline<'_>) -> Result<OfflineDisk, OfflineError> {
    let (disk, contents) = offline.env.disks.open(&offline.config.log_file(), &offline.name())?;
    Ok(OfflineDisk { disk, contents })
}

impl OfflineDisk {
    /// Whether there is no cluster on it; a master may have waited here for one.
    pub(super) fn is_empty(&self, offline: &Offline<'_>) -> Result<(), OfflineError> {
        match self.contents.identity.as_ref().and_then(|identity| identity.cluster) {
            Some(cluster) => Err(OfflineError::NotEmpty { data_dir: offline.config.data_dir.clone(), cluster }),
            None => Ok(()),
        }
    }

    /// What its log comes to; none if there is none.
    pub(super) fn replayed(&self) -> Result<Option<(Replayed, State)>, OfflineError> {
        let Some(cluster) = self.contents.identity.as_ref().and_then(|identity| identity.cluster) else {
            return Ok(None);
        };
        let (mut machine, shared) = Machine::new(machine::empty(cluster), Supported::newest());
        let replayed = replay(&self.contents, &mut machine)?;
        Ok(replayed.map(|replayed| (replayed, shared.read().clone())))
    }

    /// Copies the log, so that what is to be done can be undone. Says where.
    pub(super) fn keep_aside(&self, offline: &Offline<'_>) -> Result<PathBuf, OfflineError> {
        let log = offline.config.log_file();
        let seconds = offline.env.clock.now().get() / 1_000;
        let aside = offline.config.data_dir.join(format!("raft.before-recovery-{seconds}.redb"));
        let copied = std::fs::copy(&log, &aside).and_then(|_| File::open(&aside)?.sync_all());
        copied.map_err(|source| OfflineError::NotKept { to: aside.clone(), source })?;
        Ok(aside)
    }

    pub(super) fn write(mut self, batch: &Batch) -> Result<(), OfflineError> {
        Ok(self.disk.write(batch)?)
    }
}

/// Which of the cluster's packages are on this disk.
pub(super) struct Packages {
    pub here: BTreeSet<BlobId>,
    pub missing: Vec<BlobId>,
}

/// Looks for the cluster's packages on the disk. Their bytes are hashed when they are read.
pub(super) async fn packages(offline: &Offline<'_>, state: &State) -> Result<Packages, OfflineError> {
    let store = packages_of(offline.config, offline.env).await?;
    let mut packages = Packages { here: BTreeSet::new(), missing: Vec::new() };
    for (id, blob) in state.blobs() {
        if store.size(*id) == Some(blob.size) {
            packages.here.insert(*id);
        } else {
            packages.missing.push(*id);
        }
    }
    Ok(packages)
}
