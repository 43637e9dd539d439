//! What the ledger says: how a root ended, and the counts.

/// A root that is no longer pending. Each root that was opened and not withdrawn settles exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled<Id> {
    /// The id that the spout gave to [`open`](super::Ledger::open).
    pub id: Id,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was opened, in nanoseconds of the caller's clock.
    pub emitted_ns: u64,
}

/// How a root ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every tuple of its tree was acked.
    Acked,
    /// It wasn't processed to its end; the spout may emit it again.
    Failed(FailureKind),
}

/// Why a root failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// A bolt failed one of its tuples.
    Failed,
    /// Its time was up.
    TimedOut,
    /// Tuples that may have belonged to it were lost with a task, a slot or a stream.
    Lost,
}

/// Exact counts since the ledger was made, restarts included.
///
/// `opened = acked + failed + timed_out + lost + pending`, always: withdrawn roots don't count as opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerStats {
    /// Roots opened.
    pub opened: u64,
    /// Roots whose whole tree was acked.
    pub acked: u64,
    /// Roots that a bolt failed.
    pub failed: u64,
    /// Roots whose time was up.
    pub timed_out: u64,
    /// Roots given up because something was lost.
    pub lost: u64,
    /// Records ignored because their root had settled already, or was never opened.
    pub late: u64,
    /// Records ignored because they were for another incarnation of this task.
    pub stale: u64,
    /// Records ignored because they were for another task.
    pub foreign: u64,
}

impl LedgerStats {
    /// Roots that have settled, one way or another.
    pub fn settled(&self) -> u64 {
        self.acked + self.failed + self.timed_out + self.lost
    }
}
