//! Spouts.

use std::time::Duration;

use squall_engine::ledger::FailureKind;

use super::{Declarer, Result, SpoutCollector, SpoutContext};

/// What a spout says at the end of [`Spout::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more: call again as soon as there is room.
    More,
    /// Nothing now: call again after this long, or earlier when the waker calls.
    WaitFor(Duration),
    /// Nothing now: call again when the [`SpoutWaker`](super::SpoutWaker) says so.
    Wait,
    /// There will never be more.
    Done,
}

/// A component that makes tuples.
///
/// `next` is pulled: it emits up to [`SpoutCollector::room`] rows and returns. A row emitted with an id is tracked, and that
/// id comes back in `ack` or `fail` exactly once; a row without one isn't. In an at-most-once topology nothing is tracked,
/// and neither is called.
pub trait Spout: Send + 'static {
    /// What the spout knows a tracked row by. `()` if it tracks none.
    type Id: Send + 'static;

    /// Says what streams the spout emits. Called once, on an instance made for that, when the topology is built.
    fn declare(&self, streams: &mut Declarer);

    /// Called before the first `next`, and again on a new instance after a panic.
    ///
    /// # Errors
    /// The topology doesn't start, or after a panic the restart is tried again later.
    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        let _ = context;
        Ok(())
    }

    /// Fills a batch. Doesn't block, unless the topology declares the spout as blocking.
    ///
    /// # Errors
    /// What this call emitted is withdrawn, the error is counted and shown, and `next` is called again after a pause.
    fn next(&mut self, out: &mut SpoutCollector<'_, Self::Id>) -> Result<Next>;

    /// The tree of the row with this id is done.
    fn ack(&mut self, id: Self::Id) {
        let _ = id;
    }

    /// The tree of the row with this id will not be done.
    fn fail(&mut self, id: Self::Id, kind: FailureKind) {
        let _ = (id, kind);
    }

    /// The topology runs, from now or again.
    fn activate(&mut self) {}

    /// The topology pauses: no `next` until `activate`.
    fn deactivate(&mut self) {}

    /// Called once at an orderly end.
    fn close(&mut self) {}

    /// For a spout that emits failed rows again: how many it has given up so far. `None`, unless it says otherwise: it doesn't
    /// replay, so every root that fails is given up. A program whose roots were given up ends with another exit code.
    fn given_up(&self) -> Option<u64> {
        None
    }
}
