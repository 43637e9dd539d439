//! Rows that are given up.

use squall_engine::ledger::FailureKind;
use squall_types::OwnedTuple;

/// A row that [`Replay`](super::Replay) keeps no longer though it wasn't acked.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The row, with its stream and fields.
    pub row: OwnedTuple,
    /// How often it has failed.
    pub failures: u32,
    /// Why it is kept no longer.
    pub why: Undelivered,
}

/// Why a row wasn't delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// It failed as often as the policy allows, the last time like this.
    GivenUp(FailureKind),
    /// The topology ended before it was acked.
    Ended,
}
