//! A package on its way in, or out.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use squall_types::cluster::BlobId;

use super::error::BlobError;
use super::store::{BlobStore, CHUNK, part};

/// A package on its way in. Dropped, it leaves what has come, for the next upload to go on from.
pub struct Upload {
    store: BlobStore,
    id: BlobId,
    size: u64,
    received: u64,
    hash: Sha256,
    /// Whether what has come is worth to go on from.
    keep: bool,
}

impl Upload {
    pub(super) fn new(store: BlobStore, id: BlobId, size: u64) -> Self {
        Self { store, id, size, received: 0, hash: Sha256::new(), keep: true }
    }

    /// Goes on from `offset`: hashes what is there.
    pub(super) async fn resumed(mut self, offset: u64) -> Result<Self, BlobError> {
        // A whole package is there: it goes through the same check as one that is sent.
        let whole = self.store.size(self.id).filter(|&size| size == offset && offset > 0);
        let name = if whole.is_some() { self.id.to_string() } else { part(self.id) };
        let found = self.store.hash(name, self.id, &mut self.hash, offset).await?;
        if found < offset {
            self.keep = false;
            return Err(BlobError::Offset { id: self.id, received: 0, offset });
        }
        self.received = offset;
        Ok(self)
    }

    /// How much has come.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Takes what comes next.
    ///
    /// # Errors
    /// If it is more than was announced, or the disk refuses: a full disk gets back what this upload took.
    pub async fn write(&mut self, data: Bytes) -> Result<(), BlobError> {
        let after = self.received + data.len() as u64;
        if after > self.size {
            return Err(BlobError::Length { id: self.id, announced: self.size, received: after });
        }
        self.hash.update(&data);
        let written = self.store.disk.write(part(self.id), self.received, data).await;
        if let Err(error) = written {
            return Err(self.give_up(error).await);
        }
        self.received = after;
        Ok(())
    }

    /// Gives the package its name, if all has come and is what the name says. When this returns it survives a crash.
    ///
    /// # Errors
    /// If less has come than was announced, its hash is another, or the disk refuses.
    pub async fn finish(mut self) -> Result<u64, BlobError> {
        if self.received < self.size {
            return Err(BlobError::Length { id: self.id, announced: self.size, received: self.received });
        }
        if self.store.size(self.id).is_some() {
            self.discard().await;
            return Ok(self.size);
        }
        self.publish().await?;
        self.store.published(self.id, self.size);
        self.keep = false;
        Ok(self.size)
    }

    async fn publish(&mut self) -> Result<(), BlobError> {
        let found = BlobId::from_bytes(std::mem::take(&mut self.hash).finalize().into());
        if found != self.id {
            self.discard().await;
            return Err(BlobError::Mismatch { wanted: self.id, found });
        }
        // An empty package has no file yet.
        if self.size == 0 {
            let empty = self.store.disk.write(part(self.id), 0, Bytes::new()).await;
            empty.map_err(|error| BlobError::of(self.id, error))?;
        }
        match self.store.disk.publish(part(self.id), self.id.to_string()).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.give_up(error).await),
        }
    }

    async fn give_up(&mut self, error: std::io::Error) -> BlobError {
        let error = BlobError::of(self.id, error);
        if matches!(error, BlobError::NoRoom(..)) {
            self.discard().await;
        }
        error
    }

    async fn discard(&mut self) {
        self.keep = false;
        if let Err(error) = self.store.disk.remove(part(self.id)).await {
            tracing::warn!(%error, blob = %self.id.short(), "what an upload left can't be removed");
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let received = Some(self.received).filter(|&received| self.keep && received > 0);
        self.store.release(self.id, received);
    }
}

/// A package on its way out.
pub struct Download {
    store: BlobStore,
    id: BlobId,
    size: u64,
    offset: u64,
}

impl Download {
    pub(super) const fn new(store: BlobStore, id: BlobId, size: u64, offset: u64) -> Self {
        Self { store, id, size, offset }
    }

    /// How long the whole package is.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// What comes next; none at the end.
    ///
    /// # Errors
    /// If the package is removed meanwhile, or the disk refuses.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.offset >= self.size {
            return Ok(None);
        }
        let data = self.store.disk.read(self.id.to_string(), self.offset, CHUNK).await;
        let data = data.map_err(|error| BlobError::of(self.id, error))?;
        if data.is_empty() {
            return Err(BlobError::Damaged(self.id));
        }
        self.offset += data.len() as u64;
        Ok(Some(data))
    }
}
