//! Planted bugs, for the simulation to find. None is in a build that isn't a test's.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Promises are sent before what they rest on is durable.
    SkippedFsync,
    /// The disk is told the term and not the vote.
    VoteNotStored,
    /// The leader answers reads without asking anybody.
    ReadWithoutQuorum,
    /// A snapshot names the members that the one before it had.
    SnapshotWithoutConf,
    /// The log is cut beyond what the snapshot holds.
    LogCutPastFollower,
    /// A learner's disk counts towards a majority.
    LearnerCounted,
    /// A master whose disk was lost comes back under its old id.
    WipedDiskVotes,
}
