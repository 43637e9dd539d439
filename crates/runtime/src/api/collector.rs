//! What a bolt emits with.

use serde::Serialize;
use serde::de::DeserializeOwned;
use squall_engine::state::{GroupMap, StateHandle, StateKey, StateStore};
use squall_types::{Anchor, EdgeId, IntoRow, KeyGroup, TaskId, Timestamp};

use super::{EmitError, StreamHandle};
use crate::lane::{NO_HEAD, Origin, Outputs, Run};
use crate::token::Token;

/// Takes what a bolt emits, anchored to the tuple that it is given, and gives it its keyed state.
pub struct Collector<'a> {
    pub(crate) outputs: &'a mut Outputs,
    pub(crate) state: &'a mut StateStore,
    pub(crate) run: &'a mut Run,
    pub(crate) row: Row,
}

/// The tuple that a call works on.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub head: u32,
    pub anchor: Anchor,
    /// The XOR of the edges made below it.
    pub sum: EdgeId,
    pub group: KeyGroup,
    pub source: u16,
    pub kept: bool,
    /// The call has failed it, whatever it returns.
    pub failed: bool,
}

impl Row {
    /// No tuple: what a tick or a watermark emits is anchored to nothing.
    pub fn none(source: u16) -> Self {
        Self {
            head: NO_HEAD,
            anchor: Anchor::NONE,
            sum: EdgeId::ZERO,
            group: KeyGroup::NONE,
            source,
            kept: false,
            failed: false,
        }
    }
}

impl Collector<'_> {
    /// Emits a row on the default stream (the first declared), anchored to the tuple.
    #[inline]
    pub fn emit<R: IntoRow>(&mut self, row: R) {
        self.emit_on(StreamHandle::DEFAULT, row);
    }

    /// Emits a row on another stream, anchored to the tuple.
    #[inline]
    pub fn emit_on<R: IntoRow>(&mut self, stream: StreamHandle, row: R) {
        self.append(stream, row);
    }

    #[inline]
    fn append<R: IntoRow>(&mut self, stream: StreamHandle, row: R) -> Option<usize> {
        let Self { outputs, run, row: current, .. } = self;
        outputs.append(stream, row, false, || origin(run, current))
    }

    /// Emits a row on a direct stream to the task that is named, anchored to the tuple.
    pub fn emit_direct<R: IntoRow>(&mut self, stream: StreamHandle, to: TaskId, row: R) {
        let Self { outputs, run, row: current, .. } = self;
        outputs.append_to(stream, Some(to), row, &mut origin(run, current));
    }

    /// Emits a row anchored to the tuple and to tuples that are kept: a join.
    pub fn emit_joined<'t, R: IntoRow>(
        &mut self,
        stream: StreamHandle,
        tokens: impl IntoIterator<Item = &'t Token>,
        row: R,
    ) {
        let Some(index) = self.append(stream, row) else { return };
        if !self.outputs.has_takers(stream) {
            return;
        }
        let mut anchors = Vec::new();
        for token in tokens {
            token.branch(|| self.outputs.ids.next(), |anchor| anchors.push(anchor));
        }
        self.outputs.anchor_also(stream, index, anchors, &mut self.run.heads);
    }

    /// Emits a row that is anchored to nothing: nobody hears of its fate.
    pub fn emit_unanchored<R: IntoRow>(&mut self, stream: StreamHandle, row: R) {
        let mut nobody = EdgeId::ZERO;
        self.outputs.append(stream, row, false, || Origin {
            head: NO_HEAD,
            root: Anchor::NONE.root,
            sum: &mut nobody,
            more: &mut [],
            source: self.row.source,
        });
    }

    /// Keeps the tuple: returning `Ok` doesn't ack it, the token does. Dropping the token fails the tuple.
    ///
    /// A token is anchored below the tuple, so a second `keep` in one call gives a second token, and both must be acked.
    pub fn keep(&mut self) -> Token {
        let mut anchors = Vec::new();
        let ids = &mut self.outputs.ids;
        let first = (self.row.anchor.root.is_some()).then_some((self.row.anchor.root, &mut self.row.sum));
        let more = self.run.more.iter_mut().map(|anchor| (anchor.root, &mut anchor.edge));
        for (root, sum) in first.into_iter().chain(more) {
            let edge = ids.next();
            *sum ^= edge;
            anchors.push(Anchor { root, edge });
        }
        // Of several tokens the first is counted as the tuple.
        let counts = !std::mem::replace(&mut self.row.kept, true);
        let (run, task) = (&self.run, counts.then_some(self.row.source));
        Token::new(anchors, run.returns.clone(), run.node, task, run.began_ns)
    }

    /// Fails the tuple, whatever is returned.
    pub fn fail(&mut self) {
        self.row.failed = true;
    }

    /// The keyed state of the current tuple's key group.
    ///
    /// # Panics
    /// There is no current tuple: in `tick` and `watermark` use [`state_groups`](Self::state_groups).
    #[inline]
    pub fn state<K: StateKey, V: Serialize + DeserializeOwned + Send + 'static>(
        &mut self,
        handle: &StateHandle<K, V>,
    ) -> &mut GroupMap<K, V> {
        assert!(self.row.group.is_some(), "keyed state belongs to a tuple: in tick and watermark use state_groups");
        self.state.group(handle, self.row.group)
    }

    /// The keyed state of all key groups that this task has seen, by ascending group.
    pub fn state_groups<K: StateKey, V: Serialize + DeserializeOwned + Send + 'static>(
        &mut self,
        handle: &StateHandle<K, V>,
    ) -> impl Iterator<Item = &mut GroupMap<K, V>> {
        self.state.groups_mut(handle).map(|(_, group)| group)
    }

    /// Takes keyed state apart from emitting, so that a row can be emitted for each entry: `(state, emitter)`.
    pub fn split(&mut self) -> (&mut StateStore, Emitter<'_>) {
        (self.state, Emitter { outputs: self.outputs, origin: origin(self.run, &mut self.row) })
    }

    /// The time now. Under simulated time it moves only while everything waits.
    pub fn now(&self) -> Timestamp {
        self.run.clock.now()
    }

    /// Whether something was emitted that doesn't fit its stream.
    pub fn error(&self) -> Option<&EmitError> {
        self.outputs.error.as_deref()
    }
}

/// Whom a row that is emitted now is anchored to.
#[inline(always)]
fn origin<'a>(run: &'a mut Run, row: &'a mut Row) -> Origin<'a> {
    Origin { head: row.head, root: row.anchor.root, sum: &mut row.sum, more: &mut run.more, source: row.source }
}

/// The emitting half of a [`Collector`].
pub struct Emitter<'a> {
    outputs: &'a mut Outputs,
    origin: Origin<'a>,
}

impl Emitter<'_> {
    /// Emits a row on the default stream, anchored to the tuple.
    pub fn emit<R: IntoRow>(&mut self, row: R) {
        self.emit_on(StreamHandle::DEFAULT, row);
    }

    /// Emits a row on another stream, anchored to the tuple.
    pub fn emit_on<R: IntoRow>(&mut self, stream: StreamHandle, row: R) {
        self.outputs.append(stream, row, false, || self.origin.again());
    }

    /// Emits a row on a direct stream to the task that is named, anchored to the tuple.
    pub fn emit_direct<R: IntoRow>(&mut self, stream: StreamHandle, to: TaskId, row: R) {
        self.outputs.append_to(stream, Some(to), row, &mut self.origin);
    }
}
