//! Commands under way.

use std::collections::BTreeMap;

use bytes::Bytes;
use squall_types::cluster::{RaftId, Revision};

use super::{Answer, Host, tell};
use crate::error::ProposeError;
use crate::machine::{Applied, StateMachine};

/// The largest command, in bytes.
pub(crate) const LARGEST: usize = 16 << 20;
/// The most that may be under way.
const MOST: usize = 8_192;

/// Who waits for which entry: by its index, with the term that it was proposed in. Another term at that index means that the entry is gone.
pub(super) struct Proposals<R>(BTreeMap<u64, (u64, Answer<Applied<R>, ProposeError>)>);

impl<R> Default for Proposals<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R> Proposals<R> {
    /// The entry at this index was applied.
    pub(super) fn applied(&mut self, index: u64, term: u64, reply: R) {
        match self.0.remove(&index) {
            Some((proposed, answer)) if proposed == term => {
                tell(answer, Ok(Applied { index: Revision::new(index), reply }));
            }
            Some((_, answer)) => tell(answer, Err(ProposeError::NotLeader { leader: None })),
            None => {}
        }
    }

    /// A snapshot took the place of everything up to here: what was in it isn't known one by one.
    pub(super) fn covered(&mut self, index: u64) {
        let later = self.0.split_off(&(index + 1));
        for (_, (_, answer)) in std::mem::replace(&mut self.0, later) {
            tell(answer, Err(ProposeError::Unknown));
        }
    }

    /// Another leader's entries, from this index on, took the place of those before.
    pub(super) fn replaced(&mut self, from: u64, leader: Option<RaftId>, term_at: impl Fn(u64) -> Option<u64>) {
        let gone: Vec<u64> = self
            .0
            .range(from..)
            .filter(|&(&index, &(term, _))| term_at(index) != Some(term))
            .map(|(&index, _)| index)
            .collect();
        for (_, answer) in gone.iter().filter_map(|index| self.0.remove(index)) {
            tell(answer, Err(ProposeError::NotLeader { leader }));
        }
    }
}

impl<M: StateMachine> Host<M> {
    pub(super) fn propose(&mut self, command: Bytes, answer: Answer<Applied<M::Reply>, ProposeError>) {
        match self.try_propose(command) {
            Ok((index, term)) => drop(self.proposals.0.insert(index, (term, answer))),
            Err(error) => tell(answer, Err(error)),
        }
    }

    /// Where the command stands in the log, and in which term.
    fn try_propose(&mut self, command: Bytes) -> Result<(u64, u64), ProposeError> {
        // Raft 0.7 would forward it, and nobody could tell what became of it.
        if !self.is_leader() || self.raw.raft.lead_transferee.is_some() {
            return Err(ProposeError::NotLeader { leader: self.leader().filter(|leader| *leader != self.id) });
        }
        if command.len() > LARGEST {
            return Err(ProposeError::TooLarge { size: command.len(), limit: LARGEST });
        }
        if self.proposals.0.len() >= MOST {
            return Err(ProposeError::Overloaded);
        }
        self.raw.propose(Vec::new(), command.into()).map_err(|_| ProposeError::Overloaded)?;
        Ok((self.raw.raft.raft_log.last_index(), self.raw.raft.term))
    }
}
