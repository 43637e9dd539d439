//! What a master takes from the outside, as simulated.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use squall_master::blobs::BlobDisk;
use squall_master::{BoxFuture, Clock, Connection, Disks, Env, Incoming, Network, Random};
use squall_raft::{Contents, Disk, Keeping, StorageError, Writer};
use squall_tests::Rng;
use squall_types::cluster::{MasterName, UnixMillis};
use turmoil::net::TcpListener;

use crate::disk::Platter;
use crate::net::Breaks;
use crate::plant::Plant;
use crate::shelf::Shelf;

/// Small, so that a minute sees many snapshots; what is kept before one is less than a master misses that is away for some seconds.
const KEEPING: Keeping = Keeping { snapshot_every: 60, tail: 10 };

/// The wall time, as simulated.
pub fn now() -> UnixMillis {
    let since = turmoil::since_epoch().unwrap_or_default();
    UnixMillis::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A machine's clock: it may be wrong by some milliseconds. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<AtomicI64>);

impl Watch {
    /// From now on it is wrong by so much.
    pub fn wrong_by(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }
}

impl Clock for Watch {
    fn now(&self) -> UnixMillis {
        UnixMillis::new(now().get().saturating_add_signed(self.0.load(Ordering::Relaxed)))
    }
}

/// The dice of one life of a master.
pub struct Dice(Mutex<Rng>);

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}

impl Network for Breaks {
    fn bind(&self, address: SocketAddr) -> BoxFuture<io::Result<(SocketAddr, Incoming)>> {
        let breaks = self.clone();
        Box::pin(async move {
            let listener = TcpListener::bind(address).await?;
            let local = listener.local_addr()?;
            let accepted = futures_util::stream::unfold((listener, breaks), |(listener, breaks)| async {
                let accepted = listener.accept().await;
                let watched =
                    accepted.and_then(|(stream, from)| Ok((Box::new(breaks.watch(stream)?) as Connection, from)));
                Some((watched, (listener, breaks)))
            });
            Ok((local, Box::pin(accepted) as Incoming))
        })
    }

    fn connect(&self, address: String) -> BoxFuture<io::Result<Connection>> {
        let breaks = self.clone();
        Box::pin(async move { Ok(Box::new(Self::connect(&breaks, &address).await?) as Connection) })
    }
}

/// A master's disks.
struct Drives {
    log: Platter,
    packages: Shelf,
    lazy: bool,
    dice: Rng,
}

impl Disks for Drives {
    fn open(&self, _: &Path, _: &MasterName) -> Result<(Box<dyn Disk>, Contents), StorageError> {
        Ok((Box::new(self.log.writer(self.lazy)), self.log.contents()))
    }

    fn writer(&self, disk: Box<dyn Disk>) -> Writer {
        Writer::Task(disk, self.log.pace(self.dice.clone()))
    }

    fn packages(&self, _: &Path) -> io::Result<Arc<dyn BlobDisk>> {
        Ok(Arc::new(self.packages.clone()))
    }
}

/// A machine that masters live on.
#[derive(Clone)]
pub struct Machine {
    /// The network.
    pub breaks: Breaks,
    /// The clock.
    pub watch: Watch,
    /// Where the log is.
    pub log: Platter,
    /// Where packages are.
    pub packages: Shelf,
}

impl Machine {
    /// What a master takes from it, in a life with dice of its own.
    pub fn env(&self, dice: &Rng, plant: Plant) -> Env {
        let Self { breaks, watch, log, packages } = self.clone();
        Env {
            clock: Arc::new(watch),
            random: Arc::new(Dice(Mutex::new(dice.fork(1)))),
            network: Arc::new(breaks),
            disks: Arc::new(Drives { log, packages, lazy: plant == Plant::SkippedSync, dice: dice.fork(2) }),
            keeping: KEEPING,
            planted: plant.in_master(),
        }
    }

    /// The power goes.
    pub fn crash(&self) {
        self.log.crash();
        self.packages.crash();
    }

    /// The disks are lost.
    pub fn wipe(&self) {
        self.log.wipe();
        self.packages.wipe();
    }
}
