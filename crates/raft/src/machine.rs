//! What is replicated, as the host sees it.

use std::error::Error;

use squall_types::Code;
use squall_types::cluster::Revision;

use crate::members::Members;

/// The state that the log is for. Every master has one, and applies the same commands in the same order.
///
/// Only the host changes it, from its own task. What others read of it they read through whatever the implementation shares.
pub trait StateMachine: Send + 'static {
    /// What a command answers to the one who proposed it.
    type Reply: Send + 'static;

    /// Applies a committed command. It must come to the same on every master: no clock, no randomness, nothing but the state and the
    /// command. `index` is the command's place in the log.
    ///
    /// # Errors
    /// If this master can't apply it: a command that it doesn't know. It stops rather than go on with another state than the others'.
    fn apply(&mut self, index: Revision, command: &[u8]) -> Result<Self::Reply, Fatal>;

    /// The whole state, in a form that [`restore`](Self::restore) reads.
    fn snapshot(&self) -> Vec<u8>;

    /// Replaces the state by one that was taken by [`snapshot`](Self::snapshot), here or on another master.
    ///
    /// # Errors
    /// If this master can't read it. It stops.
    fn restore(&mut self, index: Revision, bytes: &[u8]) -> Result<(), Fatal>;

    /// The members have changed at `index`; also told after each [`restore`](Self::restore).
    fn members_changed(&mut self, index: Revision, members: &Members);

    /// The same, with the [note](crate::Terms::note) that the change was made with; empty, if it was made with none.
    fn members_changed_by(&mut self, index: Revision, members: &Members, note: &[u8]) {
        let _ = note;
        self.members_changed(index, members);
    }
}

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied<R> {
    /// Its place in the log.
    pub index: Revision,
    /// What the state machine answered.
    pub reply: R,
}

/// A state machine that can't go on.
#[derive(Debug, thiserror::Error)]
#[error("the entry can't be applied")]
pub struct Fatal {
    /// What an operator looks up.
    pub code: Code,
    /// What to do about it.
    pub next_step: String,
    /// Why.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}
