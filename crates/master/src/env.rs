//! What a master takes from the outside besides its configuration, so that the same code runs on a machine and in a simulation of many.

use std::path::Path;
use std::sync::Arc;

pub use squall_daemon::{BoxFuture, Bytes, Clock, Connection, Incoming, Machine, Network, Random};
use squall_raft::{Contents, Disk, Keeping, RedbDisk, StorageError, Writer};
use squall_types::cluster::MasterName;

use crate::blobs::{BlobDisk, FileDisk};

/// Where a master keeps its log and its packages.
pub trait Disks: Send + Sync + 'static {
    /// Opens a master's log, makes it where there is none, and says what it holds.
    ///
    /// # Errors
    /// If what it holds can't be trusted, or the disk refuses.
    fn open(&self, file: &Path, name: &MasterName) -> Result<(Box<dyn Disk>, Contents), StorageError>;

    /// Who waits for the disk.
    fn writer(&self, disk: Box<dyn Disk>) -> Writer;

    /// Opens the folder of a master's packages, and makes it where there is none.
    ///
    /// # Errors
    /// If the disk refuses.
    fn packages(&self, folder: &Path) -> std::io::Result<Arc<dyn BlobDisk>>;
}

/// Everything that isn't decided by configuration, calls or the log. Cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The network.
    pub network: Arc<dyn Network>,
    /// Disks.
    pub disks: Arc<dyn Disks>,
    /// How much of the log is kept.
    pub keeping: Keeping,
    /// A bug to plant.
    #[cfg(feature = "simulation")]
    pub planted: Option<crate::planted::Planted>,
}

impl Env {
    /// The machine that this process runs on.
    pub fn machine() -> Self {
        Self {
            clock: Arc::new(Machine),
            random: Arc::new(Machine),
            network: Arc::new(Machine),
            disks: Arc::new(Machine),
            keeping: Keeping::default(),
            #[cfg(feature = "simulation")]
            planted: None,
        }
    }
}

impl Disks for Machine {
    fn open(&self, file: &Path, name: &MasterName) -> Result<(Box<dyn Disk>, Contents), StorageError> {
        let (disk, contents) = RedbDisk::open(file, name)?;
        Ok((Box::new(disk), contents))
    }

    fn writer(&self, disk: Box<dyn Disk>) -> Writer {
        Writer::Thread(disk)
    }

    fn packages(&self, folder: &Path) -> std::io::Result<Arc<dyn BlobDisk>> {
        Ok(Arc::new(FileDisk::open(folder)?))
    }
}
