//! Bugs that can be planted, to see that the invariants find them. The invariants know nothing of this.

use squall_master::Planted;
use squall_raft::Planted as InLog;

/// One planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Plant {
    /// None.
    None,
    /// The disk says that it has synced, and hasn't.
    SkippedSync,
    /// Votes are not written down.
    VoteNotStored,
    /// A change is made though what it changes is not as the caller has seen it.
    StaleVersionAccepted,
    /// A read is answered without asking whether there is a newer leader.
    ReadWithoutQuorum,
    /// A snapshot is taken without who the voters are.
    SnapshotWithoutMembers,
    /// A snapshot is taken without which requests were run.
    SnapshotWithoutRequests,
    /// Entries are forgotten that a follower lacks and no snapshot holds.
    LogCutPastFollower,
    /// A learner's disk counts towards a majority.
    LearnerCounted,
    /// A wiped disk comes back under its old id.
    WipedDiskVotes,
    /// Applying a command looks at the clock.
    ClockInApply,
}

impl Plant {
    /// All bugs.
    pub const ALL: [Self; 10] = [
        Self::SkippedSync,
        Self::VoteNotStored,
        Self::StaleVersionAccepted,
        Self::ReadWithoutQuorum,
        Self::SnapshotWithoutMembers,
        Self::SnapshotWithoutRequests,
        Self::LogCutPastFollower,
        Self::LearnerCounted,
        Self::WipedDiskVotes,
        Self::ClockInApply,
    ];

    /// What the master has to do wrong; none, if it is the simulation that does.
    pub const fn in_master(self) -> Option<Planted> {
        Some(match self {
            Self::None | Self::SkippedSync => return None,
            Self::VoteNotStored => Planted::Log(InLog::VoteNotStored),
            Self::StaleVersionAccepted => Planted::StaleVersionAccepted,
            Self::ReadWithoutQuorum => Planted::Log(InLog::ReadWithoutQuorum),
            Self::SnapshotWithoutMembers => Planted::Log(InLog::SnapshotWithoutConf),
            Self::SnapshotWithoutRequests => Planted::SnapshotWithoutRequests,
            Self::LogCutPastFollower => Planted::Log(InLog::LogCutPastFollower),
            Self::LearnerCounted => Planted::Log(InLog::LearnerCounted),
            Self::WipedDiskVotes => Planted::Log(InLog::WipedDiskVotes),
            Self::ClockInApply => Planted::ClockInApply,
        })
    }
}
