//! Planted bugs, for simulations to find. None is in a build that isn't made for that.

use raft::Storage as _;

use super::Host;
use crate::machine::StateMachine;

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Promises are sent before what they rest on is durable.
    SkippedFsync,
    /// The disk is told the term and not the vote.
    VoteNotStored,
    /// The leader answers reads without asking anybody.
    ReadWithoutQuorum,
    /// A snapshot names the voters that the one before it had.
    SnapshotWithoutConf,
    /// The log is cut beyond what the snapshot holds.
    LogCutPastFollower,
    /// A learner's disk counts towards a majority.
    LearnerCounted,
    /// A master whose disk was lost comes back under its old id. Planted where disks are given their ids.
    WipedDiskVotes,
}

impl<M: StateMachine> Host<M> {
    /// The same with a bug, or none.
    pub(crate) fn with_planted(mut self, bug: Option<Planted>) -> Self {
        self.planted = bug;
        self
    }

    pub(super) fn has(&self, bug: Planted) -> bool {
        self.planted == Some(bug)
    }

    /// The planted bug [`Planted::LearnerCounted`].
    pub(super) fn count_learners(&mut self) {
        if !self.has(Planted::LearnerCounted) || !self.is_leader() {
            return;
        }
        let mut matched: Vec<u64> = self.raw.raft.prs().iter().map(|(_, progress)| progress.matched).collect();
        matched.sort_unstable_by(|a, b| b.cmp(a));
        let index = matched[matched.len() / 2].min(self.raw.raft.raft_log.persisted);
        if self.raw.store().term(index).is_ok_and(|term| term == self.raw.raft.term) {
            self.raw.raft.raft_log.commit_to(index);
        }
    }
}
