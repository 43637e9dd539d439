//! Linearizable reads: what is committed when a read is asked must be applied before it is answered.
//!
//! Raft 0.7 drops a read without a word when there is no leader, or when the leader has committed nothing in its term yet. So reads are kept
//! here until Raft can take them, and asked again when no answer comes.

use squall_types::cluster::Revision;

use super::{Answer, Host, tell};
use crate::error::ReadError;
use crate::machine::StateMachine;

/// How many ticks a read may take.
const PATIENCE: u64 = 40;
/// After so many ticks without an answer it is asked again.
const AGAIN: u64 = 6;
/// The most reads that may wait.
const MOST: usize = 65_536;

type Waiting = Answer<Revision, ReadError>;

/// Reads that were asked of Raft together.
struct Asked {
    number: u64,
    at: u64,
    /// Each with when it was first asked.
    reads: Vec<(u64, Waiting)>,
}

#[derive(Default)]
pub(super) struct Reads {
    /// Not asked of Raft yet.
    fresh: Vec<(u64, Waiting)>,
    asked: Vec<Asked>,
    /// Answered: to be served once this index is applied.
    known: Vec<(u64, Vec<(u64, Waiting)>)>,
    next: u64,
    waiting: usize,
    now: u64,
}

impl Reads {
    pub(super) fn ask(&mut self, answer: Waiting) {
        if self.waiting >= MOST {
            tell(answer, Err(ReadError::Overloaded));
            return;
        }
        self.waiting += 1;
        self.fresh.push((self.now, answer));
    }

    /// Those that were asked together, under a number of their own.
    fn issue(&mut self) -> Option<u64> {
        if self.fresh.is_empty() {
            return None;
        }
        self.next += 1;
        let reads = std::mem::take(&mut self.fresh);
        self.asked.push(Asked { number: self.next, at: self.now, reads });
        Some(self.next)
    }

    pub(super) fn answered(&mut self, number: u64, index: u64) {
        if let Some(at) = self.asked.iter().position(|asked| asked.number == number) {
            self.known.push((index, self.asked.swap_remove(at).reads));
        }
    }

    fn serve(&mut self, applied: u64) {
        for (index, reads) in std::mem::take(&mut self.known) {
            if index > applied {
                self.known.push((index, reads));
                continue;
            }
            self.waiting -= reads.len();
            reads.into_iter().for_each(|(_, answer)| tell(answer, Ok(Revision::new(index))));
        }
    }

    fn tick(&mut self, now: u64) {
        self.now = now;
        for asked in std::mem::take(&mut self.asked) {
            if now - asked.at >= AGAIN {
                self.fresh.extend(asked.reads);
            } else {
                self.asked.push(asked);
            }
        }
        for (since, answer) in std::mem::take(&mut self.fresh) {
            if now - since >= PATIENCE {
                self.waiting -= 1;
                tell(answer, Err(ReadError::NoLeader));
            } else {
                self.fresh.push((since, answer));
            }
        }
    }
}

impl<M: StateMachine> Host<M> {
    pub(super) fn tick_reads(&mut self) {
        self.reads.tick(self.ticks);
    }

    /// Asks Raft, if it would answer.
    pub(super) fn issue_reads(&mut self) {
        let takes = if self.is_leader() { self.raw.raft.commit_to_current_term() } else { self.leader().is_some() };
        if !takes || self.removed {
            return;
        }
        if let Some(number) = self.reads.issue() {
            #[cfg(any(test, feature = "planted"))]
            if self.has(super::planted::Planted::ReadWithoutQuorum) && self.is_leader() {
                self.reads.answered(number, self.applied);
                return;
            }
            let context = self.read_context(number);
            self.raw.read_index(context);
        }
    }

    /// Names a read for all members and all starts. The leader keeps reads by it, and counts whoever answers it: under the same name as
    /// another's read, or as one before a restart, a late answer would confirm what it never saw.
    fn read_context(&self, number: u64) -> Vec<u8> {
        [self.id.get(), self.seed, number].iter().flat_map(|part| part.to_le_bytes()).collect()
    }

    pub(super) fn read_state(&mut self, context: &[u8], index: u64) {
        let number = context.last_chunk().map(|number| u64::from_le_bytes(*number));
        if let Some(number) = number.filter(|number| self.read_context(*number) == context) {
            self.reads.answered(number, index);
        }
    }

    pub(super) fn serve_reads(&mut self) {
        self.reads.serve(self.applied);
    }
}
