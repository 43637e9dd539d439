//! The disk of production: one redb file, one transaction a batch.

#[cfg(test)]
mod torn;

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Once;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use squall_types::cluster::MasterName;

use super::codec::{self, Flaw};
use super::{Batch, Contents, Disk, Entry, HardState, Identity, Log, Snapshot, StorageError};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const IDENTITY: &str = "identity";
const HARD: &str = "hard";
const SNAPSHOT: &str = "snapshot";
const TERM_BEFORE: &str = "term_before";

/// A master's log in a file.
///
/// The database panics at some damage, whenever it meets it: when it is opened, written to or let go. Each is caught here; what is on disk is
/// what the last whole transaction left.
pub struct RedbDisk {
    /// There until it is dropped.
    database: Option<Database>,
}

impl Drop for RedbDisk {
    fn drop(&mut self) {
        let database = self.database.take();
        // Whatever it has to say of damage now, nothing is lost by it that was there.
        let _ = caught(|| {
            drop(database);
            Ok(())
        });
    }
}

/// What comes of it, or that the file is damaged.
fn caught<T>(work: impl FnOnce() -> Result<T, StorageError>) -> Result<T, StorageError> {
    without_panic(work).unwrap_or(Err(StorageError::Damaged { what: "the log's file", flaw: Flaw::Database }))
}

impl RedbDisk {
    /// Opens the file, makes it where there is none, and reads what it holds. Nothing of it is trusted: checksums, then what Raft demands.
    ///
    /// # Errors
    /// If it is damaged, another master's, written by a newer release, in use, or if the disk refuses.
    pub fn open(path: &Path, name: &MasterName) -> Result<(Self, Contents), StorageError> {
        refuse_what_redb_panics_at(path)?;
        let (disk, contents) = caught(|| Self::open_and_read(path))?;
        if let Some(found) = contents.identity.as_ref().map(|identity| &identity.name).filter(|found| *found != name) {
            return Err(StorageError::OtherMaster { found: found.clone(), expected: name.clone() });
        }
        if let Some(log) = &contents.log {
            log.validate()?;
        }
        Ok((disk, contents))
    }

    fn open_and_read(path: &Path) -> Result<(Self, Contents), StorageError> {
        let mut builder = Database::builder();
        // The log is small and mirrored in memory.
        builder.set_cache_size(4 << 20);
        let database = builder.create(path).map_err(StorageError::of_redb)?;
        let disk = Self { database: Some(database) };
        let contents = disk.read()?;
        Ok((disk, contents))
    }

    fn database(&self) -> &Database {
        self.database.as_ref().expect("it is there until it is dropped")
    }

    fn read(&self) -> Result<Contents, StorageError> {
        let transaction = self.database().begin_read().map_err(StorageError::of_redb)?;
        let meta = match transaction.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Contents::default()),
            Err(error) => return Err(StorageError::of_redb(error)),
        };
        let identity: Option<Identity> = get(&meta, IDENTITY, "the identity")?;
        let hard: Option<HardState> = get(&meta, HARD, "the vote")?;
        let snapshot: Option<Snapshot> = get(&meta, SNAPSHOT, "the snapshot")?;
        let term_before: Option<u64> = get(&meta, TERM_BEFORE, "the log")?;
        let missing = |what| StorageError::Damaged { what, flaw: Flaw::Missing };
        if identity.is_none() {
            return Err(missing("the identity"));
        }
        let Some(snapshot) = snapshot else {
            return Ok(Contents { identity, log: None, hard: hard.unwrap_or_default() });
        };
        let entries = transaction.open_table(ENTRIES).map_err(StorageError::of_redb)?;
        let entries = entries.iter().map_err(StorageError::of_redb)?.map(|row| {
            let (index, bytes) = row.map_err(StorageError::of_redb)?;
            let entry: Entry = decode(bytes.value(), "an entry of the log")?;
            if entry.index == index.value() { Ok(entry) } else { Err(missing("the log")) }
        });
        let log = Log {
            hard: hard.ok_or_else(|| missing("the vote"))?,
            term_before: term_before.ok_or_else(|| missing("the log"))?,
            snapshot,
            entries: entries.collect::<Result<_, _>>()?,
        };
        Ok(Contents { identity, hard: log.hard, log: Some(log) })
    }
}

impl Disk for RedbDisk {
    fn write(&mut self, batch: &Batch) -> Result<(), StorageError> {
        caught(|| self.commit(batch))
    }
}

impl RedbDisk {
    fn commit(&self, batch: &Batch) -> Result<(), StorageError> {
        // One fsync each: quick repair, which takes two, would spare a start after a crash the milliseconds in which the file is read whole.
        let transaction = self.database().begin_write().map_err(StorageError::of_redb)?;
        {
            let mut meta = transaction.open_table(META).map_err(StorageError::of_redb)?;
            put(&mut meta, IDENTITY, batch.identity.as_ref())?;
            put(&mut meta, HARD, batch.hard.as_ref())?;
            put(&mut meta, SNAPSHOT, batch.snapshot.as_ref())?;
            put(&mut meta, TERM_BEFORE, batch.first.map(|(_, term)| term).as_ref())?;
            let mut entries = transaction.open_table(ENTRIES).map_err(StorageError::of_redb)?;
            if batch.clear {
                entries.retain(|_, _| false).map_err(StorageError::of_redb)?;
            }
            if let Some(first) = batch.entries.first() {
                entries.retain_in(first.index.., |_, _| false).map_err(StorageError::of_redb)?;
            }
            for entry in &batch.entries {
                entries.insert(entry.index, &*codec::encode(entry)).map_err(StorageError::of_redb)?;
            }
            if let Some((first, _)) = batch.first {
                entries.retain_in(..first, |_, _| false).map_err(StorageError::of_redb)?;
            }
        }
        transaction.commit().map_err(StorageError::of_redb)
    }
}

thread_local! {
    /// Whether a panic on this thread is an answer, which nobody has to be shown.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// What the work came to; none, if it panicked. Other threads' panics are shown as ever.
fn without_panic<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !EXPECTED.get() {
                before(panic);
            }
        }));
    });
    EXPECTED.set(true);
    let done = std::panic::catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(false);
    done.ok()
}

/// The first bytes of a redb file that is whole.
const MAGIC: [u8; 4] = *b"redb";

fn refuse_what_redb_panics_at(path: &Path) -> Result<(), StorageError> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StorageError::of_io(error)),
    };
    let mut start = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 64), &mut start).map_err(StorageError::of_io)?;
    if start.is_empty() || start.starts_with(&MAGIC) {
        Ok(())
    } else {
        Err(StorageError::Damaged { what: "the log's file", flaw: Flaw::Database })
    }
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, StorageError> {
    codec::decode(bytes).map_err(|flaw| StorageError::Damaged { what, flaw })
}

fn get<T: serde::de::DeserializeOwned>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &'static str,
    what: &'static str,
) -> Result<Option<T>, StorageError> {
    let found = table.get(key).map_err(StorageError::of_redb)?;
    found.map(|bytes| decode(bytes.value(), what)).transpose()
}

fn put<T: serde::Serialize>(
    table: &mut redb::Table<'_, &str, &[u8]>,
    key: &str,
    record: Option<&T>,
) -> Result<(), StorageError> {
    if let Some(record) = record {
        table.insert(key, &*codec::encode(record)).map_err(StorageError::of_redb)?;
    }
    Ok(())
}
