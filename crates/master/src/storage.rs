//! What a master keeps between two starts, and how it comes to a cluster's first entry on an empty disk.

use std::sync::Arc;

use squall_raft::store::{self, Batch};
use squall_raft::{Contents, Disk, Identity, Member, RedbDisk, StorageError, Writer};
use squall_types::cluster::{ClusterId, MasterName, RaftId};

use crate::blobs::{BlobDisk, FileDisk};
use crate::config::MasterConfig;

/// A master's disk.
pub trait Storage: Send + Sync + 'static {
    /// Opens the log, and reads what it holds.
    ///
    /// # Errors
    /// If it isn't to be trusted, isn't this master's, or the disk fails.
    fn log(&self, config: &MasterConfig, name: &MasterName) -> Result<(Box<dyn Disk>, Contents), StorageError>;

    /// Who writes the log from now on.
    fn writer(&self, disk: Box<dyn Disk>) -> Writer;

    /// Where packages are.
    ///
    /// # Errors
    /// If the disk fails.
    fn packages(&self, config: &MasterConfig) -> std::io::Result<Arc<dyn BlobDisk>>;
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Files;

impl Storage for Files {
    fn log(&self, config: &MasterConfig, name: &MasterName) -> Result<(Box<dyn Disk>, Contents), StorageError> {
        std::fs::create_dir_all(config.data_dir()).map_err(StorageError::Io)?;
        let (disk, contents) = RedbDisk::open(&config.log_file(), name)?;
        Ok((Box::new(disk), contents))
    }

    fn writer(&self, disk: Box<dyn Disk>) -> Writer {
        Writer::Thread(disk)
    }

    fn packages(&self, config: &MasterConfig) -> std::io::Result<Arc<dyn BlobDisk>> {
        Ok(Arc::new(FileDisk::open(&config.blobs_dir())?))
    }
}

/// The log's disk, until the log runs.
pub(crate) struct Kept {
    disk: Box<dyn Disk>,
    contents: Contents,
}

impl Kept {
    /// Opens the disk. One that is new is given the life `id` before anybody hears of that.
    pub(crate) fn open(
        storage: &dyn Storage,
        config: &MasterConfig,
        name: &MasterName,
        id: RaftId,
    ) -> Result<(Self, Identity), StorageError> {
        let (disk, contents) = storage.log(config, name)?;
        let mut kept = Self { disk, contents };
        let identity = match &kept.contents.identity {
            Some(identity) => identity.clone(),
            None => kept.identify(Identity { name: name.clone(), id, cluster: None })?,
        };
        Ok((kept, identity))
    }

    fn identify(&mut self, identity: Identity) -> Result<Identity, StorageError> {
        self.disk.write(&Batch { identity: Some(identity.clone()), ..Batch::default() })?;
        self.contents.identity = Some(identity.clone());
        Ok(identity)
    }

    /// Makes a cluster's first state that of this disk.
    pub(crate) fn seed(
        &mut self,
        identity: Identity,
        founders: Vec<Member>,
        state: Vec<u8>,
    ) -> Result<(), StorageError> {
        let batch = store::seed(identity, founders, state);
        self.disk.write(&batch)?;
        self.contents = Contents {
            identity: batch.identity,
            hard: batch.hard.unwrap_or_default(),
            log: batch.snapshot.map(|snapshot| store::Log {
                hard: batch.hard.unwrap_or_default(),
                term_before: batch.first.map_or(0, |(_, term)| term),
                snapshot,
                entries: Vec::new(),
            }),
        };
        Ok(())
    }

    /// Makes this disk one of a cluster that has let it in.
    pub(crate) fn join(&mut self, identity: Identity, cluster: ClusterId) -> Result<(), StorageError> {
        self.identify(Identity { cluster: Some(cluster), ..identity }).map(|_| ())
    }

    pub(crate) fn into_parts(self) -> (Box<dyn Disk>, Contents) {
        (self.disk, self.contents)
    }
}
