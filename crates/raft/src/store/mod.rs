//! What a master's disk holds, and what makes it fit to vote from.

mod codec;
mod error;
mod redb;
#[cfg(test)]
mod tests;
mod writer;

use serde::{Deserialize, Serialize};
use squall_types::cluster::{ClusterId, MasterName, RaftId, Revision, Term};

pub use self::codec::Flaw;
pub use self::error::StorageError;
pub use self::redb::RedbDisk;
pub use self::writer::{Pause, Writer};
pub(crate) use self::writer::{Queue, Written};
use crate::members::{Member, Members};

/// Whose disk this is. Written once, before anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The master's name in its configuration.
    pub name: MasterName,
    /// This disk's life.
    pub id: RaftId,
    /// Its cluster; none while it waits to be let into one.
    pub cluster: Option<ClusterId>,
}

/// What Raft must not forget between two starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HardState {
    /// The newest term that it has seen.
    pub term: u64,
    /// Whom it voted for in that term; 0: nobody.
    pub vote: u64,
    /// What it knows to be committed. May lag behind.
    pub commit: u64,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place.
    pub index: u64,
    /// The term of the leader that made it.
    pub term: u64,
    /// `EntryType`'s number.
    pub kind: u8,
    /// The command, or the change of members.
    pub data: Vec<u8>,
    /// Who a change of members is about.
    pub context: Vec<u8>,
}

/// Who votes and who listens, as Raft keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConfState {
    /// Voters.
    pub voters: Vec<u64>,
    /// Learners.
    pub learners: Vec<u64>,
    /// Voters of the configuration that is being left.
    pub voters_outgoing: Vec<u64>,
    /// Who becomes a learner once that one is left.
    pub learners_next: Vec<u64>,
    /// Whether that one is left by itself.
    pub auto_leave: bool,
}

/// The state machine at one index, and the members then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The last entry in it.
    pub index: u64,
    /// That entry's term.
    pub term: u64,
    /// Who votes.
    pub conf: ConfState,
    /// Members and state: what a snapshot's receiver gets.
    pub image: Vec<u8>,
}

/// A snapshot's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Image {
    pub members: Members,
    pub state: Vec<u8>,
}

/// The log as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Term, vote, commit.
    pub hard: HardState,
    /// The newest snapshot.
    pub snapshot: Snapshot,
    /// The term of the entry before the first that is kept.
    pub term_before: u64,
    /// Entries, rising by one; they reach back before the snapshot.
    pub entries: Vec<Entry>,
}

/// What a disk holds.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Contents {
    /// Whose it is; none: it is new.
    pub identity: Option<Identity>,
    /// The log; none: it has joined and was sent nothing yet.
    pub log: Option<Log>,
    /// Term and vote of a master that has joined and has no log yet.
    pub hard: HardState,
}

/// What is to be made durable together.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Batch {
    /// Whose disk it is.
    pub identity: Option<Identity>,
    /// Term, vote, commit.
    pub hard: Option<HardState>,
    /// Entries that take the place of all from the first one's index on.
    pub entries: Vec<Entry>,
    /// A newer snapshot.
    pub snapshot: Option<Snapshot>,
    /// Entries below this index are not needed any more, and the term of the one before it.
    pub first: Option<(u64, u64)>,
    /// Whether all entries are to be forgotten: the snapshot takes their place, and the log doesn't reach it.
    pub clear: bool,
}

impl ConfState {
    /// Whether it can be one: members change one at a time, so none is ever on the way from one configuration to another.
    pub(crate) fn fits(&self) -> bool {
        let all: Vec<u64> = self.voters.iter().chain(&self.learners).copied().collect();
        let each_once = all.iter().collect::<std::collections::BTreeSet<_>>().len() == all.len();
        let under_way = !self.voters_outgoing.is_empty() || !self.learners_next.is_empty() || self.auto_leave;
        !self.voters.is_empty() && each_once && !all.contains(&0) && !under_way
    }
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A disk. A batch is durable, whole, when `write` returns; batches are written in order.
pub trait Disk: Send + 'static {
    /// Writes a batch.
    ///
    /// # Errors
    /// If it can't be made durable. The host stops then.
    fn write(&mut self, batch: &Batch) -> Result<(), StorageError>;
}

/// The first state of a cluster: what each of its first masters writes, the same on all. Not index 0: whoever joins later must get a
/// snapshot, so that all start from the same state.
pub fn seed(identity: Identity, voters: Vec<Member>, state: Vec<u8>) -> Batch {
    let members = Members::of_voters(voters);
    let voters = members.iter().map(|(member, _)| member.id.get()).collect();
    begin(identity, members, voters, state, (1, 1))
}

/// The first state of a cluster's next life: it takes the place of whatever log there was. `members` are voters; `at` is where the state
/// stands in the log.
pub fn rebirth(identity: Identity, members: Members, state: Vec<u8>, at: Revision, term: Term) -> Batch {
    let voters = members.voters().map(|member| member.id.get()).collect();
    Batch { clear: true, ..begin(identity, members, voters, state, (at.get(), term.get())) }
}

fn begin(identity: Identity, members: Members, voters: Vec<u64>, state: Vec<u8>, (index, term): (u64, u64)) -> Batch {
    let conf = ConfState { voters, ..ConfState::default() };
    let image = codec::encode(&Image { members, state });
    Batch {
        identity: Some(identity),
        hard: Some(HardState { term, vote: 0, commit: index }),
        snapshot: Some(Snapshot { index, term, conf, image }),
        first: Some((index + 1, term)),
        ..Batch::default()
    }
}

impl Contents {
    /// What a new disk holds once a batch of [`seed`], or an identity alone, is on it.
    pub fn of(batch: Batch) -> Self {
        let hard = batch.hard.unwrap_or_default();
        let term_before = batch.first.map_or(0, |(_, term)| term);
        let log = batch.snapshot.map(|snapshot| Log { hard, snapshot, term_before, entries: batch.entries });
        Self { identity: batch.identity, log, hard }
    }
}

/// A snapshot's content in bytes.
pub(crate) fn encode_image(image: &Image) -> Vec<u8> {
    codec::encode(image)
}

/// A snapshot's content from bytes, of which nothing is known.
pub(crate) fn decode_image(bytes: &[u8]) -> Result<Image, StorageError> {
    codec::decode(bytes).map_err(|flaw| StorageError::Damaged { what: "the snapshot", flaw })
}

impl Log {
    /// What Raft would panic at, found before it is started.
    pub(crate) fn validate(&self) -> Result<(), StorageError> {
        let damaged = |flaw| Err(StorageError::Damaged { what: "the log", flaw });
        let rising =
            self.entries.windows(2).all(|pair| pair[1].index == pair[0].index + 1 && pair[1].term >= pair[0].term);
        if !rising {
            return damaged(codec::Flaw::Gap);
        }
        let first = self.entries.first().map_or(self.snapshot.index + 1, |entry| entry.index);
        let last = self.entries.last().map_or(self.snapshot.index, |entry| entry.index);
        let reaches = first <= self.snapshot.index + 1 && self.snapshot.index <= last;
        if !reaches || self.snapshot.index == 0 {
            return damaged(codec::Flaw::Gap);
        }
        if !self.snapshot.conf.fits() {
            return damaged(codec::Flaw::Content);
        }
        if self.hard.commit < self.snapshot.index || self.hard.commit > last {
            return damaged(codec::Flaw::Commit { commit: self.hard.commit, last });
        }
        if self.entries.last().is_some_and(|entry| entry.term > self.hard.term) {
            return damaged(codec::Flaw::Term);
        }
        Ok(())
    }
}
