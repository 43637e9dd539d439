//! A spout alone.

use std::sync::Arc;

use squall_engine::ledger::FailureKind;
use squall_types::{EdgeId, RootId, Timestamp};

use crate::api::{Failure, Next, Result, Sink, Spout, SpoutCollector, SpoutContext, SpoutWaker, TaskInfo};
use crate::clock::Clock;
use crate::lane::{AckOut, AckRoutes, Emits, NO_HEAD, Origin, Outputs};
use crate::metrics::{UserMetrics, UserSnapshot};
use crate::tap::Tap;
use crate::token::Notify;

/// What a call of `next` did. Its rows are with the tap, in the same order as the ids.
#[derive(Debug)]
pub struct Called<Id> {
    /// One for each row emitted; `None` for an untracked one.
    pub ids: Vec<Option<Id>>,
    /// The watermark that it gave.
    pub watermark: Option<Timestamp>,
    /// What it returned.
    pub next: Next,
}

/// A spout's task without a lane.
pub struct SpoutDriver<S: Spout> {
    spout: S,
    info: TaskInfo,
    clock: Clock,
    outputs: Outputs,
    waker: SpoutWaker,
    metrics: UserMetrics,
}

struct Nobody;

impl Notify for Nobody {
    fn notify(&self) {}
}

impl<S: Spout> SpoutDriver<S> {
    /// A task that isn't open yet.
    pub fn new(spout: S, info: TaskInfo, clock: Clock, tap: Arc<dyn Tap>) -> Self {
        let outputs = super::outputs(&info, [info.task].into(), 0, tap);
        let waker = SpoutWaker::new(Arc::new(Nobody));
        Self { spout, info, clock, outputs, waker, metrics: UserMetrics::default() }
    }

    /// Opens and activates the spout.
    ///
    /// # Errors
    /// What its `open` said.
    pub fn open(&mut self) -> Result {
        let (clock, metrics, waker) = (&self.clock, &self.metrics, &self.waker);
        self.spout.open(&mut SpoutContext { info: &self.info, clock, metrics, waker })?;
        self.spout.activate();
        Ok(())
    }

    /// Calls the spout once, with room for so many rows.
    ///
    /// # Errors
    /// What its `next` said, or that a row doesn't fit its stream: then the tap may have seen the rows before it, which count
    /// for nothing.
    pub fn next(&mut self, room: usize) -> Result<Called<S::Id>, Failure> {
        let (mut ids, mut emits, mut watermark) = (Vec::new(), Emits::default(), None);
        let sink = Sink::Thread(&mut ids, &mut emits);
        let mut out = SpoutCollector { sink, clock: &self.clock, room, watermark: &mut watermark };
        let next = self.spout.next(&mut out)?;
        let mut acks = AckOut::new(AckRoutes::new(Vec::new(), 0));
        for row in 0..emits.len() {
            let (mut sum, root) = (EdgeId::ZERO, RootId::NONE);
            let mut origin = Origin { head: NO_HEAD, root, sum: &mut sum, more: &mut [], source: 0 };
            emits.emit(row, &mut self.outputs, &mut origin);
            if let Some(error) = self.outputs.error.take() {
                return Err(Failure::from(error));
            }
            // Row by row, so that the tap sees the rows of several streams in the order of their ids.
            self.outputs.route(self.clock.now_ns(), &mut acks, true, |_, _| {});
        }
        Ok(Called { ids, watermark, next })
    }

    /// Tells the spout that a row is done.
    pub fn ack(&mut self, id: S::Id) {
        self.spout.ack(id);
    }

    /// Tells the spout that a row failed.
    pub fn fail(&mut self, id: S::Id, kind: FailureKind) {
        self.spout.fail(id, kind);
    }

    /// Pauses the spout.
    pub fn deactivate(&mut self) {
        self.spout.deactivate();
    }

    /// Lets the spout go on.
    pub fn activate(&mut self) {
        self.spout.activate();
    }

    /// Ends the spout in an orderly way.
    pub fn close(&mut self) {
        self.spout.close();
    }

    /// Whether the spout's waker has been called since this was last asked.
    pub fn take_call(&mut self) -> bool {
        self.waker.take_call()
    }

    /// The spout itself.
    pub fn spout(&mut self) -> &mut S {
        &mut self.spout
    }

    /// The spout's own metrics.
    pub fn user_metrics(&self) -> UserSnapshot {
        self.metrics.snapshot()
    }
}
