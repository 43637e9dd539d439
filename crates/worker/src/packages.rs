//! Packages on the worker's disk: fetched from any master, checked, shared by its slots, and removed once nobody needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use squall_daemon::Peers;
use squall_proto::v1;
use squall_proto::v1::blobs_client::BlobsClient;
use squall_types::cluster::BlobId;
use tokio::time::Instant;

/// How long a package that nobody needs any more is kept.
const KEPT: Duration = Duration::from_secs(600);
/// How long a master may take to answer, and between two parts.
const PATIENCE: Duration = Duration::from_secs(5);

/// The packages on a worker's disk. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Packages {
    folder: PathBuf,
    peers: Peers,
    /// What was found to be as its name says, and how it looked then.
    checked: Arc<Mutex<BTreeMap<BlobId, Stamp>>>,
    unused: Arc<Mutex<BTreeMap<BlobId, Instant>>>,
}

/// How a file looks that nobody has touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { inode: metadata.ino(), size: metadata.len(), changed: (metadata.ctime(), metadata.ctime_nsec()) }
    }
}

/// Why a package can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHad {
    /// The disk is full.
    #[error("there is no room on the worker's disk for package {}", .0.short())]
    NoRoom(BlobId),
    /// The disk refuses.
    #[error("package {} can't be kept on the worker's disk: {source}", id.short())]
    Disk {
        id: BlobId,
        #[source]
        source: io::Error,
    },
    /// No master gave it.
    #[error("package {} can't be had from any master; the last, {master}, said: {what}", id.short())]
    Masters { id: BlobId, master: String, what: String },
}

impl Packages {
    pub(crate) fn new(folder: PathBuf, peers: Peers) -> Self {
        Self { folder, peers, checked: Arc::default(), unused: Arc::default() }
    }

    fn path(&self, id: BlobId) -> PathBuf {
        self.folder.join(id.to_string())
    }

    /// A package's program, if it is there and as its name says. One that isn't is removed.
    pub(crate) async fn program(&self, id: BlobId) -> Result<PathBuf, io::Error> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.check(id)).await.map_err(io::Error::other)?
    }

    fn check(&self, id: BlobId) -> io::Result<PathBuf> {
        let path = self.path(id);
        let stamp = Stamp::of(&std::fs::metadata(&path)?);
        if lock(&self.checked).get(&id) == Some(&stamp) {
            return Ok(path);
        }
        let mut hash = Sha256::new();
        read_into(&path, &mut hash)?;
        if BlobId::from_bytes(hash.finalize().into()) != id {
            tracing::warn!("package {} on this disk is damaged, and is fetched again", id.short());
            std::fs::remove_file(&path)?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged"));
        }
        lock(&self.checked).insert(id, stamp);
        Ok(path)
    }

    /// Sees to it that a package is there: from this disk, or from the first master that gives it.
    pub(crate) async fn fetch(&self, id: BlobId, masters: Vec<String>) -> Result<(), NotHad> {
        if self.program(id).await.is_ok() {
            return Ok(());
        }
        let mut last = NotHad::Masters { id, master: "none".to_owned(), what: "no master is known".to_owned() };
        for master in masters {
            match self.fetch_from(id, &master).await {
                Ok(()) => {
                    tracing::info!("package {} was fetched from {master}", id.short());
                    return Ok(());
                }
                Err(error @ (NotHad::NoRoom(_) | NotHad::Disk { .. })) => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn fetch_from(&self, id: BlobId, master: &str) -> Result<(), NotHad> {
        let refused = |what: String| NotHad::Masters { id, master: master.to_owned(), what };
        let disk = |source: io::Error| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => NotHad::NoRoom(id),
            _ => NotHad::Disk { id, source },
        };
        let part = self.folder.join(format!("{id}.part"));
        let kept = part.clone();
        let (mut file, mut hash, offset) = tokio::task::spawn_blocking(move || resume(&kept))
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(disk)?;
        let request = v1::GetBlobRequest { id: id.to_string(), offset };
        let mut client = BlobsClient::new(self.peers.channel(master));
        let answer = tokio::time::timeout(PATIENCE, client.get(request)).await;
        let answer = answer.map_err(|_| refused("it doesn't answer".to_owned()))?;
        let mut chunks = answer.map_err(|status| refused(status.message().to_owned()))?.into_inner();
        loop {
            let chunk = tokio::time::timeout(PATIENCE, chunks.message()).await;
            let chunk = chunk.map_err(|_| refused("it fell silent".to_owned()))?;
            let Some(chunk) = chunk.map_err(|status| refused(status.message().to_owned()))? else { break };
            let written = tokio::task::spawn_blocking(move || {
                hash.update(&chunk.data);
                file.write_all(&chunk.data).map(|()| (file, hash))
            });
            match written.await.map_err(io::Error::other).flatten() {
                Ok(went_on) => (file, hash) = went_on,
                Err(error) => {
                    // What is there takes room that others need.
                    let _ = std::fs::remove_file(&part);
                    return Err(disk(error));
                }
            }
        }
        let (this, whole) = (self.clone(), BlobId::from_bytes(hash.finalize().into()) == id);
        if !whole {
            let _ = std::fs::remove_file(&part);
            return Err(refused("what came isn't what the package's name says".to_owned()));
        }
        let published = tokio::task::spawn_blocking(move || this.publish(id, &file, &part)).await;
        published.map_err(io::Error::other).flatten().map_err(disk)
    }

    fn publish(&self, id: BlobId, file: &File, part: &Path) -> io::Result<()> {
        file.set_permissions(std::fs::Permissions::from_mode(0o500))?;
        file.sync_all()?;
        let path = self.path(id);
        std::fs::rename(part, &path)?;
        File::open(&self.folder)?.sync_all()?;
        lock(&self.checked).insert(id, Stamp::of(&std::fs::metadata(&path)?));
        Ok(())
    }

    /// Removes packages that nobody has needed for long. Returns how many there are, and their bytes.
    pub(crate) fn collect(&self, used: &BTreeSet<BlobId>, now: Instant) -> io::Result<(usize, u64)> {
        let (mut there, mut bytes) = (0, 0);
        let mut unused = lock(&self.unused);
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let (name, length) = (entry.file_name(), entry.metadata()?.len());
            (there, bytes) = (there + 1, bytes + length);
            let id = name.to_str().and_then(|name| name.strip_suffix(".part").unwrap_or(name).parse::<BlobId>().ok());
            let Some(id) = id.filter(|id| !used.contains(id)) else { continue };
            if now.duration_since(*unused.entry(id).or_insert(now)) >= KEPT {
                std::fs::remove_file(entry.path())?;
                lock(&self.checked).remove(&id);
                (there, bytes) = (there - 1, bytes - length);
                tracing::info!("package {} is no longer needed, and was removed", id.short());
            }
        }
        unused.retain(|id, _| !used.contains(id));
        Ok((there, bytes))
    }
}

/// Goes on with what an earlier attempt left.
fn resume(part: &Path) -> io::Result<(File, Sha256, u64)> {
    let mut hash = Sha256::new();
    let file = File::options().create(true).append(true).open(part)?;
    let offset = read_into(part, &mut hash)?;
    Ok((file, hash, offset))
}

fn read_into(path: &Path, hash: &mut Sha256) -> io::Result<u64> {
    let (mut file, mut chunk, mut length) = (File::open(path)?, vec![0; 256 << 10], 0);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(length);
        }
        hash.update(&chunk[..read]);
        length += read as u64;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use squall_daemon::Machine;
    use squall_daemon::certs::Client;

    use super::*;

    fn packages(dir: &Path) -> Packages {
        Packages::new(dir.to_owned(), Peers::new(Arc::new(Machine), Client::plain()))
    }

    fn id_of(bytes: &[u8]) -> BlobId {
        BlobId::from_bytes(Sha256::digest(bytes).into())
    }

    #[tokio::test]
    async fn a_package_that_was_damaged_is_found_out_also_after_it_was_good() {
        let dir = tempfile::tempdir().unwrap();
        let packages = packages(dir.path());
        let id = id_of(b"program");
        let path = dir.path().join(id.to_string());
        std::fs::write(&path, b"program").unwrap();
        assert_eq!(packages.program(id).await.unwrap(), path);
        for damage in [&b"progran"[..], b"progr", b""] {
            std::fs::write(&path, damage).unwrap();
            assert!(packages.program(id).await.is_err() && !path.exists(), "{damage:?}");
        }
    }

    #[tokio::test]
    async fn without_masters_it_is_said_that_none_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let error = packages(dir.path()).fetch(id_of(b"x"), Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains("no master is known"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_needs_goes_after_a_while_and_what_is_needed_stays() {
        let dir = tempfile::tempdir().unwrap();
        let packages = packages(dir.path());
        let (needed, old) = (id_of(b"needed"), id_of(b"old"));
        for id in [needed, old] {
            std::fs::write(dir.path().join(id.to_string()), b"12345").unwrap();
        }
        let used = [needed].into();
        assert_eq!(packages.collect(&used, Instant::now()).unwrap(), (2, 10));
        tokio::time::advance(KEPT).await;
        assert_eq!(packages.collect(&used, Instant::now()).unwrap(), (1, 5));
        assert!(dir.path().join(needed.to_string()).exists());
    }
}
