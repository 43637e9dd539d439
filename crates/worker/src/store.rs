//! The worker's data directory: who uses it, and what the worker remembers there.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use sha2::{Digest as _, Sha256};

use crate::core::Memory;
use crate::error::WorkerError;

/// What begins the file; a later format has another number.
const MAGIC: &str = "squall-worker 1";
/// Sockets' addresses have room for so many bytes, on all systems.
const LONGEST_SOCKET: usize = 100;

/// A worker's data directory, used by this process alone.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    _lock: File,
}

impl Store {
    /// Takes the folder into use; makes it where there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, WorkerError> {
        let disk = |source| WorkerError::Disk { path: folder.to_owned(), source: std::sync::Arc::new(source) };
        std::fs::create_dir_all(folder.join("slots")).map_err(disk)?;
        std::fs::create_dir_all(folder.join("packages")).map_err(disk)?;
        private(folder).map_err(disk)?;
        let folder = folder.canonicalize().map_err(disk)?;
        let store = folder.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&store);
        let lock = lock.map_err(WorkerError::disk(&store))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(WorkerError::InUse(folder)),
            Err(error) => return Err(WorkerError::disk(&store)(error.into())),
        }
        let store = Self { folder, _lock: lock };
        let socket = store.slot(u16::MAX).join(squall_proto::slot::SOCKET);
        if socket.as_os_str().len() > LONGEST_SOCKET {
            return Err(WorkerError::PathTooLong(socket));
        }
        Ok(store)
    }

    /// Where packages are.
    pub(crate) fn packages(&self) -> PathBuf {
        self.folder.join("packages")
    }

    /// A slot's folder.
    pub(crate) fn slot(&self, number: u16) -> PathBuf {
        self.folder.join("slots").join(number.to_string())
    }

    /// The slots that have folders.
    pub(crate) fn slots(&self) -> Result<Vec<u16>, WorkerError> {
        let folder = self.folder.join("slots");
        let entries = std::fs::read_dir(&folder).map_err(WorkerError::disk(&folder))?;
        let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Ok(numbers.collect())
    }

    fn file(&self) -> PathBuf {
        self.folder.join("memory")
    }

    /// What was remembered last; nothing, if nothing was.
    pub(crate) fn read(&self) -> Result<Memory, WorkerError> {
        let path = self.file();
        match std::fs::read_to_string(&path) {
            Ok(text) => decode(&text).map_err(|what| WorkerError::Damaged { path, what }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Memory::default()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(WorkerError::Damaged { path, what: "it is no text" })
            }
            Err(error) => Err(WorkerError::disk(path)(error)),
        }
    }

    /// Remembers this, or what was remembered before: never half of each.
    pub(crate) fn write(&self, memory: &Memory) -> io::Result<()> {
        let (path, new) = (self.file(), self.folder.join("memory.new"));
        let mut file = File::create(&new)?;
        file.write_all(encode(memory).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(new, path)?;
        File::open(&self.folder)?.sync_all()
    }
}

/// Only the worker's own user may look in: topologies' settings have secrets.
pub(crate) fn private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

fn encode(memory: &Memory) -> String {
    let body = serde_json::to_string(memory).expect("numbers, names and texts are JSON");
    format!("{MAGIC} {}\n{body}\n", checksum(&body))
}

fn decode(text: &str) -> Result<Memory, &'static str> {
    let (head, body) = text.split_once('\n').ok_or("it is cut off")?;
    let sum = head.strip_prefix(MAGIC).ok_or("it was not written by this release or an earlier one")?;
    let body = body.strip_suffix('\n').ok_or("it is cut off")?;
    if sum.trim() != checksum(body) {
        return Err("its checksum is wrong");
    }
    serde_json::from_str(body).map_err(|_| "it was not written by this release or an earlier one")
}

fn checksum(body: &str) -> String {
    Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        let mut memory = Memory::default();
        memory.revive(7);
        memory.next_life(3);
        memory.masters = vec!["a:1".to_owned()];
        memory
    }

    #[test]
    fn what_is_written_is_read_and_nothing_was_remembered_before() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.read().unwrap(), Memory::default());
        store.write(&memory()).unwrap();
        assert_eq!(store.read().unwrap(), memory());
    }

    #[test]
    fn a_byte_that_is_wrong_or_missing_is_found_anywhere() {
        let text = encode(&memory());
        assert_eq!(decode(&text), Ok(memory()));
        for at in 0..text.len() {
            assert!(decode(&text[..at]).is_err(), "cut at {at}");
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let flipped = String::from_utf8(bytes).unwrap();
            assert!(decode(&flipped) != Ok(memory()) || at < 4, "flipped at {at}");
        }
    }

    #[test]
    fn one_process_uses_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path()).unwrap();
        let error = Store::open(dir.path()).unwrap_err();
        assert_eq!(error.code().to_string(), "SQ8002");
        drop(first);
        assert!(Store::open(dir.path()).is_ok());
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let error = Store::open(&dir.path().join("x".repeat(90))).unwrap_err();
        assert!(matches!(error, WorkerError::PathTooLong(_)), "{error:?}");
    }
}
