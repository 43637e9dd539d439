//! The log as Raft reads it: all in memory, so that no read waits for a disk.

use std::cell::Cell;
use std::collections::VecDeque;

use bytes::Bytes;
use raft::eraftpb;
use raft::{GetEntriesContext, RaftState, Storage};

use crate::store::{self, HardState};
use crate::wire::{conf_from_raft, conf_to_raft, entry_from_store};

/// A snapshot and the entries around it. Never shorter than what is on disk, and never ahead of what was handed to it.
pub(crate) struct Log {
    hard: HardState,
    snapshot: Snapshot,
    /// The term of the entry before the first kept.
    term_before: u64,
    /// The index of the first entry kept, whether there is one or not.
    first: u64,
    entries: VecDeque<eraftpb::Entry>,
    /// Set when a follower needs a newer snapshot than there is.
    wanted: Cell<bool>,
}

#[derive(Clone, Default)]
struct Snapshot {
    index: u64,
    term: u64,
    conf: store::ConfState,
    image: Bytes,
}

/// A log entry of a kind that no release has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownKind;

impl Log {
    /// The log of a master that was sent nothing yet.
    pub(crate) fn empty(hard: HardState) -> Self {
        let entries = VecDeque::new();
        Self { hard, snapshot: Snapshot::default(), term_before: 0, first: 1, entries, wanted: Cell::new(false) }
    }

    /// A log that was found valid on disk.
    pub(crate) fn restored(log: store::Log) -> Result<Self, UnknownKind> {
        let first = log.entries.first().map_or(log.snapshot.index + 1, |entry| entry.index);
        let entries = log.entries.into_iter().map(entry_from_store).collect::<Option<_>>().ok_or(UnknownKind)?;
        let store::Snapshot { index, term, conf, image } = log.snapshot;
        let snapshot = Snapshot { index, term, conf, image: image.into() };
        Ok(Self { hard: log.hard, snapshot, term_before: log.term_before, first, entries, wanted: Cell::new(false) })
    }

    pub(crate) fn hard(&self) -> HardState {
        self.hard
    }

    pub(crate) fn set_hard(&mut self, hard: HardState) {
        self.hard = hard;
    }

    pub(crate) fn last(&self) -> u64 {
        self.first + self.entries.len() as u64 - 1
    }

    pub(crate) fn snapshot_index(&self) -> u64 {
        self.snapshot.index
    }

    /// Whether a follower waits for a newer snapshot; asked once.
    pub(crate) fn take_wanted(&self) -> bool {
        self.wanted.replace(false)
    }

    /// Appends, in place of all from the first one's index on.
    pub(crate) fn append(&mut self, entries: &[eraftpb::Entry]) {
        let Some(start) = entries.first().map(|entry| entry.index) else { return };
        assert!((self.first..=self.last() + 1).contains(&start), "Raft appends within the log, or right behind it");
        self.entries.truncate(usize::try_from(start - self.first).expect("the log is in memory"));
        self.entries.extend(entries.iter().cloned());
    }

    /// Takes a leader's snapshot in place of everything.
    pub(crate) fn install(&mut self, snapshot: &eraftpb::Snapshot) {
        let meta = snapshot.get_metadata();
        self.set_snapshot(meta.index, meta.term, conf_from_raft(meta.get_conf_state()), snapshot.data.clone());
        self.entries.clear();
        self.first = meta.index + 1;
        self.term_before = meta.term;
        self.hard.commit = self.hard.commit.max(meta.index);
    }

    /// Takes a snapshot of this master's own; the entries stay until [`compact`](Self::compact).
    pub(crate) fn set_snapshot(&mut self, index: u64, term: u64, conf: store::ConfState, image: Bytes) {
        self.snapshot = Snapshot { index, term, conf, image };
    }

    /// Forgets entries below an index, if they are in the snapshot. Says what is then the first, and the term before it.
    pub(crate) fn compact(&mut self, below: u64) -> (u64, u64) {
        self.cut(below.min(self.snapshot.index + 1))
    }

    /// Forgets entries below an index, wherever the snapshot ends.
    pub(crate) fn cut(&mut self, below: u64) -> (u64, u64) {
        while self.first < below {
            let Some(entry) = self.entries.pop_front() else { break };
            self.term_before = entry.term;
            self.first += 1;
        }
        (self.first, self.term_before)
    }

    fn at(&self, index: u64) -> Option<&eraftpb::Entry> {
        self.entries.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }
}

impl Storage for Log {
    fn initial_state(&self) -> raft::Result<RaftState> {
        let hard = eraftpb::HardState {
            term: self.hard.term,
            vote: self.hard.vote,
            commit: self.hard.commit,
            ..Default::default()
        };
        Ok(RaftState { hard_state: hard, conf_state: conf_to_raft(self.snapshot.conf.clone()) })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<eraftpb::Entry>> {
        if low < self.first {
            return Err(raft::Error::Store(raft::StorageError::Compacted));
        }
        if high > self.last() + 1 {
            return Err(raft::Error::Store(raft::StorageError::Unavailable));
        }
        let range = |index: u64| usize::try_from(index - self.first).expect("the log is in memory");
        let mut entries: Vec<_> = self.entries.range(range(low)..range(high)).cloned().collect();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if let Some(entry) = self.at(index) {
            Ok(entry.term)
        } else if index + 1 == self.first {
            Ok(self.term_before)
        } else if index == self.snapshot.index {
            Ok(self.snapshot.term)
        } else if index < self.first {
            Err(raft::Error::Store(raft::StorageError::Compacted))
        } else {
            Err(raft::Error::Store(raft::StorageError::Unavailable))
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.first)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<eraftpb::Snapshot> {
        if self.snapshot.index < request_index || self.snapshot.index == 0 {
            self.wanted.set(true);
            return Err(raft::Error::Store(raft::StorageError::SnapshotTemporarilyUnavailable));
        }
        let mut snapshot = eraftpb::Snapshot { data: self.snapshot.image.clone(), ..Default::default() };
        let meta = snapshot.mut_metadata();
        (meta.index, meta.term) = (self.snapshot.index, self.snapshot.term);
        meta.set_conf_state(conf_to_raft(self.snapshot.conf.clone()));
        Ok(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64) -> eraftpb::Entry {
        eraftpb::Entry { index, term, ..Default::default() }
    }

    fn log() -> Log {
        let mut log = Log::empty(HardState::default());
        log.append(&(1..=6).map(|index| entry(index, 1 + index / 4)).collect::<Vec<_>>());
        log
    }

    fn terms(log: &Log) -> Vec<u64> {
        (log.first_index().unwrap()..=log.last()).map(|index| log.term(index).unwrap()).collect()
    }

    #[test]
    fn a_newer_leaders_entries_take_the_place_of_those_behind_them() {
        let mut log = log();
        log.append(&[entry(3, 9)]);
        assert_eq!(terms(&log), [1, 1, 9]);
    }

    #[test]
    fn a_snapshot_alone_forgets_no_entry_and_compacting_none_that_is_not_in_it() {
        let mut log = log();
        log.set_snapshot(4, 2, store::ConfState::default(), Bytes::new());
        assert_eq!(log.first_index().unwrap(), 1);
        assert_eq!(log.compact(3), (3, 1));
        assert_eq!(log.compact(100), (5, 2));
        assert_eq!(log.term(4).unwrap(), 2);
        assert!(matches!(log.term(3), Err(raft::Error::Store(raft::StorageError::Compacted))));
        assert_eq!(log.last(), 6);
    }

    #[test]
    fn a_leaders_snapshot_takes_the_place_of_everything() {
        let mut log = log();
        let mut snapshot = eraftpb::Snapshot::default();
        (snapshot.mut_metadata().index, snapshot.mut_metadata().term) = (50, 7);
        log.install(&snapshot);
        assert_eq!((log.first_index().unwrap(), log.last(), log.term(50).unwrap()), (51, 50, 7));
        assert_eq!(log.hard().commit, 50);
    }

    #[test]
    fn a_snapshot_that_is_too_old_for_a_follower_is_asked_for_once() {
        let log = log();
        assert!(log.snapshot(3, 2).is_err());
        assert!(log.take_wanted());
        assert!(!log.take_wanted());
    }

    #[test]
    fn entries_outside_of_the_log_are_told_apart() {
        let mut log = log();
        log.set_snapshot(4, 2, store::ConfState::default(), Bytes::new());
        log.compact(3);
        let context = || GetEntriesContext::empty(false);
        assert_eq!(log.entries(3, 7, None, context()).unwrap().len(), 4);
        assert!(matches!(log.entries(2, 4, None, context()), Err(raft::Error::Store(raft::StorageError::Compacted))));
        assert!(matches!(log.entries(6, 9, None, context()), Err(raft::Error::Store(raft::StorageError::Unavailable))));
    }
}
