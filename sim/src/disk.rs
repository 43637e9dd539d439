//! A master's disk: it outlives the master's processes, and keeps what was synced.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use squall_raft::store::{Batch, Log};
use squall_raft::{Contents, Disk, Pause, StorageError};
use squall_tests::Rng;

/// How long a write takes at most, in milliseconds: at most times, and while the disk is slow.
const QUICK: usize = 3;
const SLOW: usize = 250;

/// The disk. Its clones are the same.
#[derive(Clone, Default)]
pub struct Platter(Arc<Mutex<Sides>>);

#[derive(Default)]
struct Sides {
    /// What is there after a crash.
    synced: Contents,
    /// What the running master has written.
    written: Contents,
    writes: u64,
    slow: bool,
}

impl Platter {
    /// What the master finds when it starts.
    pub fn contents(&self) -> Contents {
        self.lock().written.clone()
    }

    /// The life of this disk, if it has one yet.
    pub fn id(&self) -> Option<u64> {
        self.lock().written.identity.as_ref().map(|identity| identity.id.get())
    }

    /// The term of an entry that would be there after a crash; 0, if a snapshot has taken its place.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        let sides = self.lock();
        let log = sides.synced.log.as_ref()?;
        let entry = log.entries.iter().rev().find(|entry| entry.index == index).map(|entry| entry.term);
        entry.or_else(|| (index <= log.snapshot.index).then_some(0))
    }

    /// The power goes: what was not synced is forgotten.
    pub fn crash(&self) {
        let mut sides = self.lock();
        sides.written = sides.synced.clone();
    }

    /// The disk is lost, and an empty one takes its place.
    pub fn wipe(&self) {
        *self.lock() = Sides::default();
    }

    /// It takes long over each write, from now on or no more.
    pub fn slow(&self, slow: bool) {
        self.lock().slow = slow;
    }

    /// For the master that starts now; `lazy`: it says that it has synced, and mostly hasn't.
    pub fn writer(&self, lazy: bool) -> impl Disk + use<> {
        Head { platter: self.clone(), lazy }
    }

    /// How long each write takes.
    pub fn pace(&self, mut dice: Rng) -> Pause {
        let platter = self.clone();
        Box::new(move || {
            let most = if platter.lock().slow { SLOW } else { QUICK };
            Duration::from_millis(dice.below(most) as u64)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Sides> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Head {
    platter: Platter,
    lazy: bool,
}

impl Disk for Head {
    fn write(&mut self, batch: &Batch) -> Result<(), StorageError> {
        let mut sides = self.platter.lock();
        store(&mut sides.written, batch.clone());
        sides.writes += 1;
        if !self.lazy || sides.writes.is_multiple_of(8) {
            sides.synced = sides.written.clone();
        }
        Ok(())
    }
}

/// What a batch makes of a disk's contents.
fn store(contents: &mut Contents, batch: Batch) {
    let Batch { identity, hard, entries, snapshot, first, clear } = batch;
    contents.identity = identity.or(contents.identity.take());
    contents.hard = hard.unwrap_or(contents.hard);
    if let Some(snapshot) = snapshot {
        match &mut contents.log {
            Some(log) => log.snapshot = snapshot,
            None => contents.log = Some(Log { hard: contents.hard, snapshot, term_before: 0, entries: Vec::new() }),
        }
    }
    let Some(log) = &mut contents.log else { return };
    log.hard = contents.hard;
    if clear {
        log.entries.clear();
    }
    if let Some(start) = entries.first().map(|entry| entry.index) {
        log.entries.retain(|entry| entry.index < start);
    }
    log.entries.extend(entries);
    if let Some((first, term)) = first {
        log.entries.retain(|entry| entry.index >= first);
        log.term_before = term;
    }
}

#[cfg(test)]
mod tests {
    use squall_raft::store::HardState;

    use super::*;

    fn vote(term: u64) -> Batch {
        Batch { hard: Some(HardState { term, vote: 7, commit: 0 }), ..Batch::default() }
    }

    #[test]
    fn what_was_written_is_there_after_a_crash_unless_its_sync_was_skipped() {
        for (lazy, term) in [(false, 1), (true, 0)] {
            let platter = Platter::default();
            platter.writer(lazy).write(&vote(1)).unwrap();
            assert_eq!(platter.contents().hard.term, 1);
            platter.crash();
            assert_eq!(platter.contents().hard.term, term);
        }
    }

    #[test]
    fn a_lost_disk_holds_nothing() {
        let platter = Platter::default();
        platter.writer(false).write(&vote(1)).unwrap();
        platter.wipe();
        assert_eq!(platter.contents(), Contents::default());
    }

    #[test]
    fn a_slow_disk_takes_longer() {
        let platter = Platter::default();
        let mut pace = platter.pace(Rng::new(1));
        assert!((0..100).all(|_| pace() < Duration::from_millis(QUICK as u64)));
        platter.slow(true);
        assert!((0..100).any(|_| pace() > Duration::from_millis(SLOW as u64 / 2)));
    }
}
