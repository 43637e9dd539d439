//! Bugs that can be planted, to see that the invariants find them. The invariants know nothing of this.

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
    /// A snapshot is stored without who the members are.
    SnapshotWithoutMembers,
    /// A wiped disk comes back under its old id.
    WipedDiskVotes,
    /// Applying a command looks at the clock.
    ClockInApply,
}

impl Plant {
    /// All bugs.
    pub const ALL: [Self; 7] = [
        Self::SkippedSync,
        Self::VoteNotStored,
        Self::StaleVersionAccepted,
        Self::ReadWithoutQuorum,
        Self::SnapshotWithoutMembers,
        Self::WipedDiskVotes,
        Self::ClockInApply,
    ];
}
