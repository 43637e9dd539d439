//! What a spout emits with.

use squall_engine::ledger::Ledger;
use squall_types::{Anchor, EdgeId, IntoRow, RootId, TaskId, Timestamp};

use super::{EmitError, StreamHandle};
use crate::clock::Clock;
use crate::lane::{BATCH_BYTES, Emits, Heads, NO_HEAD, Origin, Outputs};

/// Takes what a spout emits.
pub struct SpoutCollector<'a, Id> {
    pub(crate) sink: Sink<'a, Id>,
    pub(crate) clock: &'a Clock,
    pub(crate) room: usize,
    pub(crate) watermark: &'a mut Option<Timestamp>,
}

/// Where a spout's rows go.
pub(crate) enum Sink<'a, Id> {
    /// Straight into its lane.
    Lane(LaneSink<'a, Id>),
    /// To its lane, from a thread of its own.
    Thread(&'a mut Vec<Option<Id>>, &'a mut Emits),
}

/// A spout task's lane.
pub(crate) struct LaneSink<'a, Id> {
    pub outputs: &'a mut Outputs,
    pub heads: &'a mut Heads,
    /// `None` where nothing is tracked.
    pub ledger: Option<&'a mut Ledger<Option<Id>>>,
    pub now_ns: u64,
    pub source: u16,
    pub task: TaskId,
}

impl<Id> SpoutCollector<'_, Id> {
    /// How many rows there is room for, none once their bytes fill a batch. More may be emitted in one call; the next waits
    /// until all have gone.
    #[inline]
    pub fn room(&self) -> usize {
        let full = match &self.sink {
            Sink::Lane(lane) => lane.outputs.streams.iter().any(|stream| stream.heap_bytes >= BATCH_BYTES),
            Sink::Thread(_, emits) => emits.heap_bytes() >= BATCH_BYTES,
        };
        if full { 0 } else { self.room }
    }

    /// Emits a row on the default stream, untracked: nobody hears of its fate.
    #[inline]
    pub fn emit<R: IntoRow>(&mut self, row: R) {
        self.emit_row(StreamHandle::DEFAULT, row, None);
    }

    /// Emits a row on another stream, untracked.
    #[inline]
    pub fn emit_on<R: IntoRow>(&mut self, stream: StreamHandle, row: R) {
        self.emit_row(stream, row, None);
    }

    /// Emits a row on the default stream, tracked: `id` comes back in `ack` or `fail`.
    #[inline]
    pub fn emit_with<R: IntoRow>(&mut self, id: Id, row: R) {
        self.emit_row(StreamHandle::DEFAULT, row, Some(id));
    }

    /// Emits a row on another stream, tracked.
    #[inline]
    pub fn emit_on_with<R: IntoRow>(&mut self, stream: StreamHandle, id: Id, row: R) {
        self.emit_row(stream, row, Some(id));
    }

    /// Emits a row on a direct stream to the task that is named, untracked.
    pub fn emit_direct<R: IntoRow>(&mut self, stream: StreamHandle, to: TaskId, row: R) {
        self.emit_row_to(stream, Some(to), row, None);
    }

    /// Emits a row on a direct stream to the task that is named, tracked.
    pub fn emit_direct_with<R: IntoRow>(&mut self, stream: StreamHandle, to: TaskId, id: Id, row: R) {
        self.emit_row_to(stream, Some(to), row, Some(id));
    }

    /// The general form: to a named task or not, tracked or not.
    pub(crate) fn emit_row_to<R: IntoRow>(&mut self, stream: StreamHandle, to: Option<TaskId>, row: R, id: Option<Id>) {
        self.room = self.room.saturating_sub(1);
        match &mut self.sink {
            Sink::Lane(lane) => {
                lane.emit(id, |outputs, origin| outputs.append_to(stream, to, row, origin).is_some(), stream);
            }
            Sink::Thread(ids, emits) => {
                ids.push(id);
                emits.push(stream, to, row);
            }
        }
    }

    #[inline]
    fn emit_row<R: IntoRow>(&mut self, stream: StreamHandle, row: R, id: Option<Id>) {
        self.room = self.room.saturating_sub(1);
        match &mut self.sink {
            Sink::Lane(lane) => {
                lane.emit(
                    id,
                    |outputs, origin| outputs.append(stream, row, false, || origin.again()).is_some(),
                    stream,
                );
            }
            Sink::Thread(ids, emits) => {
                ids.push(id);
                emits.push(stream, None, row);
            }
        }
    }

    /// Says that no row with an earlier event time follows. Takes effect behind what this call emits.
    pub fn watermark(&mut self, to: Timestamp) {
        *self.watermark = (*self.watermark).max(Some(to));
    }

    /// The time now. Under simulated time it moves only while everything waits.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether something was emitted that doesn't fit its stream.
    pub fn error(&self) -> Option<&EmitError> {
        match &self.sink {
            Sink::Lane(lane) => lane.outputs.error.as_deref(),
            Sink::Thread(..) => None,
        }
    }
}

impl<Id> LaneSink<'_, Id> {
    /// Emits a row by `append`, as a root of its own if it has an id.
    #[inline]
    pub fn emit(
        &mut self,
        id: Option<Id>,
        append: impl FnOnce(&mut Outputs, &mut Origin<'_>) -> bool,
        stream: StreamHandle,
    ) {
        let mut sum = EdgeId::ZERO;
        let Some((ledger, id)) = self.ledger.as_deref_mut().zip(id) else {
            let mut origin = self.origin(RootId::NONE, NO_HEAD, &mut sum);
            append(self.outputs, &mut origin);
            return;
        };
        let root = RootId::new(self.task, ledger.incarnation(), ledger.next_sequence());
        let head = if self.outputs.is_chained(stream) { self.heads.anchors.len() as u32 } else { NO_HEAD };
        let mut origin = Origin { head, root, sum: &mut sum, more: &mut [], source: self.source };
        if !append(self.outputs, &mut origin) {
            return;
        }
        if head == NO_HEAD && !sum.is_zero() {
            ledger.open(Some(id), sum, self.now_ns);
            return;
        }
        // The root stays open until the chain is done with the row; one that nobody takes is done when the batch is.
        let edge = self.outputs.ids.next();
        ledger.open(Some(id), edge, self.now_ns);
        self.heads.anchors.push(Anchor { root, edge: edge ^ sum });
    }

    fn origin<'o>(&self, root: RootId, head: u32, sum: &'o mut EdgeId) -> Origin<'o> {
        Origin { head, root, sum, more: &mut [], source: self.source }
    }
}
