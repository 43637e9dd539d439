//! The store: which packages are here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use squall_types::cluster::BlobId;

use super::disk::BlobDisk;
use super::error::BlobError;
use super::transfer::{Download, Upload};
use crate::config::Size;

const PART: &str = ".part";

/// How much is read from the disk at once.
pub(super) const CHUNK: usize = 256 << 10;

/// The packages of one master. Cheap to clone: a handle.
#[derive(Clone)]
pub struct BlobStore {
    pub(super) disk: Arc<dyn BlobDisk>,
    limit: Size,
    pub(super) index: Arc<Mutex<Index>>,
}

/// A package that is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub id: BlobId,
    /// How many bytes.
    pub size: u64,
}

#[derive(Default)]
pub(super) struct Index {
    whole: BTreeMap<BlobId, Whole>,
    parts: BTreeMap<BlobId, u64>,
    busy: BTreeSet<BlobId>,
}

#[derive(Clone, Copy)]
struct Whole {
    size: u64,
    /// Whether its bytes were hashed since the master started.
    verified: bool,
}

impl BlobStore {
    /// The packages on this disk, of which none may be larger than `limit`.
    ///
    /// # Errors
    /// If the disk can't be read.
    pub async fn open(disk: Arc<dyn BlobDisk>, limit: Size) -> Result<Self, BlobError> {
        let mut index = Index::default();
        for (name, size) in disk.list().await.map_err(BlobError::Disk)? {
            if let Some(id) = name.strip_suffix(PART).and_then(|id| id.parse().ok()) {
                index.parts.insert(id, size);
            } else if let Ok(id) = name.parse() {
                index.whole.insert(id, Whole { size, verified: false });
            }
        }
        Ok(Self { disk, limit, index: Arc::new(Mutex::new(index)) })
    }

    /// All whole packages.
    pub fn list(&self) -> Vec<Kept> {
        self.lock().whole.iter().map(|(&id, whole)| Kept { id, size: whole.size }).collect()
    }

    /// The size of a package, if it is here as a whole.
    pub fn size(&self, id: BlobId) -> Option<u64> {
        self.lock().whole.get(&id).map(|whole| whole.size)
    }

    /// How much of a package an upload can leave out, because it is here.
    pub fn received(&self, id: BlobId) -> u64 {
        let index = self.lock();
        index.whole.get(&id).map(|whole| whole.size).or_else(|| index.parts.get(&id).copied()).unwrap_or(0)
    }

    /// Whether it is being uploaded at this moment: then nobody knows how much there will be.
    pub fn is_busy(&self, id: BlobId) -> bool {
        self.lock().busy.contains(&id)
    }

    /// Begins an upload at `offset`, which is 0 or what [`BlobStore::received`] says; at 0 what was there is given up.
    ///
    /// # Errors
    /// If the package is too large or being uploaded, the offset is another, or the disk can't be read.
    pub async fn upload(&self, id: BlobId, size: u64, offset: u64) -> Result<Upload, BlobError> {
        if size > self.limit.get() {
            return Err(BlobError::TooLarge { id, size, limit: self.limit });
        }
        let received = self.received(id);
        if offset != 0 && offset != received {
            return Err(BlobError::Offset { id, received, offset });
        }
        if !self.lock().busy.insert(id) {
            return Err(BlobError::Busy(id));
        }
        // From here on the upload's end lets the next one in, whatever happens.
        let upload = Upload::new(self.clone(), id, size);
        upload.resumed(offset).await
    }

    /// Opens a package from `offset`.
    ///
    /// # Errors
    /// If it isn't here, or isn't what it was: then it is removed, so that it is fetched anew.
    pub async fn get(&self, id: BlobId, offset: u64) -> Result<Download, BlobError> {
        let whole = self.lock().whole.get(&id).copied().ok_or(BlobError::Missing(id))?;
        if !whole.verified {
            self.verify(id).await?;
        }
        Ok(Download::new(self.clone(), id, whole.size, offset))
    }

    /// Removes a package and what there is of it.
    ///
    /// # Errors
    /// If the disk refuses, or it is being uploaded.
    pub async fn remove(&self, id: BlobId) -> Result<(), BlobError> {
        {
            let mut index = self.lock();
            if index.busy.contains(&id) {
                return Err(BlobError::Busy(id));
            }
            index.whole.remove(&id);
            index.parts.remove(&id);
        }
        self.disk.remove(id.to_string()).await.map_err(BlobError::Disk)?;
        self.disk.remove(part(id)).await.map_err(BlobError::Disk)
    }

    async fn verify(&self, id: BlobId) -> Result<(), BlobError> {
        let mut hash = Sha256::new();
        let size = self.hash(id.to_string(), id, &mut hash, u64::MAX).await?;
        let intact = BlobId::from_bytes(hash.finalize().into()) == id;
        {
            let mut index = self.lock();
            if intact {
                index.whole.insert(id, Whole { size, verified: true });
                return Ok(());
            }
            index.whole.remove(&id);
        }
        self.disk.remove(id.to_string()).await.map_err(BlobError::Disk)?;
        Err(BlobError::Damaged(id))
    }

    /// Hashes a file up to `length`; how much there was.
    pub(super) async fn hash(
        &self,
        name: String,
        id: BlobId,
        hash: &mut Sha256,
        length: u64,
    ) -> Result<u64, BlobError> {
        let mut offset = 0;
        while offset < length {
            let wanted = usize::try_from(length - offset).map_or(CHUNK, |left| left.min(CHUNK));
            let data = self.disk.read(name.clone(), offset, wanted).await.map_err(|error| BlobError::of(id, error))?;
            if data.is_empty() {
                break;
            }
            hash.update(&data);
            offset += data.len() as u64;
        }
        Ok(offset)
    }

    pub(super) fn release(&self, id: BlobId, received: Option<u64>) {
        let mut index = self.lock();
        index.busy.remove(&id);
        match received.filter(|_| !index.whole.contains_key(&id)) {
            Some(received) => index.parts.insert(id, received),
            None => index.parts.remove(&id),
        };
    }

    pub(super) fn published(&self, id: BlobId, size: u64) {
        let mut index = self.lock();
        index.parts.remove(&id);
        index.whole.insert(id, Whole { size, verified: true });
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        // Whoever panicked holding it changed one entry or none.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn part(id: BlobId) -> String {
    format!("{id}{PART}")
}
