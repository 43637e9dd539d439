//! Keeping rows until they are acked, around a spout whose source can't repeat itself.

mod held;
mod inner;
mod letter;

use std::sync::Arc;
use std::time::Duration;

use squall_engine::edges::EdgeIds;
use squall_engine::ledger::FailureKind;
use squall_engine::replay::{ReplayId, ReplayPolicy, ReplayQueue, Verdict};
use squall_types::{KeyGroup, OwnedTuple, Schema, TaskId, Value};

pub use letter::{DeadLetter, Undelivered};

use crate::api::{
    Declarer, EmitError, Failure, Next, Result, Sink, Spout, SpoutCollector, SpoutContext, SpoutWaker, StreamHandle,
};
use crate::clock::Clock;
use crate::lane::{Due, Emits, Emitted};
use held::HeldMarks;
use inner::{Inner, caught};

/// A spout around another that keeps its rows until they are acked, and emits those that fail again, with backoff. After as many
/// failures as the policy allows, a row goes to the dead letters.
///
/// - The inner spout hears of a row it gave an id once: `ack` when it is acked, however many tries that took; `fail` when it is
///   given up. Rows without an id are kept all the same.
/// - If the inner spout panics, what that call emitted is withdrawn and a new instance takes over. Rows kept from before stay
///   kept; the new instance isn't told of them, since their ids were another's.
/// - Watermarks of the inner spout are held back until the rows before them are settled, so no row comes late for being emitted
///   again.
/// - At the topology's end, rows that are still kept go to the dead letters too.
/// - Where nothing is tracked (at most once) rows are passed on and not kept.
pub struct Replay<S: Spout> {
    inner: Inner<S>,
    queue: ReplayQueue<Kept<S::Id>>,
    held: HeldMarks,
    most_waiting: usize,
    letters: Option<Box<dyn FnMut(DeadLetter) + Send>>,
    place: Option<Place>,
    /// Of a callback that panicked; the next call of `next` returns it.
    failure: Option<Failure>,
    /// When `next` is called at the latest, in nanoseconds, as far as is known.
    called_by_ns: u64,
    ids: Vec<Option<S::Id>>,
    emits: Emits,
    made: Vec<Made<S::Id>>,
    /// Rows given up.
    given_up: u64,
}

/// What is known once the spout is open.
struct Place {
    task: TaskId,
    tracked: bool,
    clock: Clock,
    waker: SpoutWaker,
    random: EdgeIds,
    streams: Vec<(Arc<Schema>, bool)>,
}

/// A row that isn't settled.
struct Kept<Id> {
    stream: StreamHandle,
    /// The receiver that was named.
    to: Option<TaskId>,
    values: Box<[Value]>,
    id: Option<Id>,
    instance: u64,
    epoch: u64,
}

/// A row that the inner spout has just emitted.
struct Made<Id> {
    stream: StreamHandle,
    /// The receiver that was named.
    to: Option<TaskId>,
    values: Box<[Value]>,
    id: Option<Id>,
}

impl<S: Spout> Replay<S> {
    /// Rows that may wait to be emitted again, unless [`most_waiting`](Self::most_waiting) says otherwise.
    pub const MOST_WAITING: usize = 65_536;

    /// Replays the spout that `make` makes: once here, and once more after each panic.
    pub fn new(make: impl Fn() -> S + Send + 'static, policy: ReplayPolicy) -> Self {
        Self {
            inner: Inner::new(make),
            queue: ReplayQueue::new(policy),
            held: HeldMarks::default(),
            most_waiting: Self::MOST_WAITING,
            letters: None,
            place: None,
            failure: None,
            called_by_ns: 0,
            ids: Vec::new(),
            emits: Emits::default(),
            made: Vec::new(),
            given_up: 0,
        }
    }

    /// Calls `take` with each row that is given up. Without it they are logged.
    #[must_use]
    pub fn dead_letters(mut self, take: impl FnMut(DeadLetter) + Send + 'static) -> Self {
        self.letters = Some(Box::new(take));
        self
    }

    /// The inner spout isn't asked for more while this many rows wait to be emitted again.
    #[must_use]
    pub fn most_waiting(mut self, rows: usize) -> Self {
        self.most_waiting = rows.max(1);
        self
    }

    fn is_tracked(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.tracked)
    }

    /// Emits what is due again, as far as there is room. Says whether there was anything.
    fn emit_due(&mut self, now_ns: u64, out: &mut SpoutCollector<'_, ReplayId>) -> bool {
        let mut any = false;
        while out.room() > 0
            && let Some((id, row)) = self.queue.due(now_ns)
        {
            out.emit_row_to(row.stream, row.to, &*row.values, Some(id));
            any = true;
        }
        any
    }

    /// Has the inner spout fill the batch.
    fn call_inner(&mut self, now_ns: u64, out: &mut SpoutCollector<'_, ReplayId>) -> Result {
        let mut watermark = None;
        let (ids, emits) = (&mut self.ids, &mut self.emits);
        let (clock, room) = (out.clock, out.room());
        let outcome = self.inner.call(|spout| {
            let sink = Sink::Thread(ids, emits);
            spout.next(&mut SpoutCollector { sink, clock, room, watermark: &mut watermark })
        });
        let next = match outcome.and_then(|outcome| outcome).and_then(|next| self.check().map(|()| next)) {
            Ok(next) => next,
            Err(failure) => {
                self.ids.clear();
                self.emits.clear();
                self.made.clear();
                self.inner.due = Due::Now;
                // The lane calls again after a pause, and what is due by then goes out then.
                self.called_by_ns = 0;
                return Err(failure);
            }
        };
        self.keep(out);
        if let Some(to) = watermark {
            self.held.mark(to);
        }
        self.inner.due = match next {
            Next::More => Due::Now,
            Next::WaitFor(pause) => Due::At(now_ns.saturating_add(nanos(pause))),
            Next::Wait => Due::OnCall,
            Next::Done => Due::Never,
        };
        Ok(())
    }

    /// Takes the rows that were just emitted, if all of them fit their streams: a row is kept only if it can be emitted.
    fn check(&mut self) -> Result {
        let streams = self.place.as_ref().map_or(&[][..], |place| &place.streams);
        for (Emitted { stream, fields, to, values }, id) in self.emits.drain().zip(self.ids.drain(..)) {
            let Some((schema, direct)) = streams.get(stream.index()) else {
                return Err(EmitError::NoSuchStream { stream: stream.index() }.into());
            };
            if *direct != to.is_some() {
                return Err(EmitError::Directness { stream: schema.stream().to_string(), direct: *direct }.into());
            }
            if let Some(fields) = fields.filter(|fields| !schema.matches(fields)) {
                return Err(EmitError::other_fields(schema, fields).into());
            }
            if values.len() != schema.fields().len() {
                return Err(EmitError::wrong_width(schema, values.len()).into());
            }
            self.made.push(Made { stream, to, values, id });
        }
        Ok(())
    }

    fn keep(&mut self, out: &mut SpoutCollector<'_, ReplayId>) {
        let tracked = self.is_tracked();
        let instance = self.inner.instance();
        for Made { stream, to, values, id } in self.made.drain(..) {
            if !tracked {
                out.emit_row_to(stream, to, Vec::from(values), None);
                continue;
            }
            let copy = values.clone();
            let epoch = self.held.row();
            let replay = self.queue.keep(Kept { stream, to, values, id, instance, epoch });
            out.emit_row_to(stream, to, Vec::from(copy), Some(replay));
        }
    }

    /// When to be called again.
    fn rest(&mut self, now_ns: u64) -> Next {
        let inner = match self.inner.due {
            _ if self.queue.waiting() >= self.most_waiting => None,
            Due::Never if self.queue.outstanding() == 0 => return Next::Done,
            Due::Now => Some(0),
            Due::At(_) | Due::OnCall if self.inner.is_called() => Some(0),
            Due::At(ns) | Due::After(ns) => Some(ns),
            Due::OnCall | Due::Never => None,
        };
        let first = inner.into_iter().chain(self.queue.next_due()).min();
        self.called_by_ns = first.unwrap_or(u64::MAX);
        match first {
            Some(ns) if ns <= now_ns => Next::More,
            Some(ns) => Next::WaitFor(Duration::from_nanos(ns - now_ns)),
            None => Next::Wait,
        }
    }

    fn call_me(&self) {
        if let Some(place) = &self.place {
            place.waker.wake();
        }
    }

    /// A row is settled for good.
    fn settle(&mut self, epoch: u64) {
        self.held.settled(epoch);
        if self.held.is_free() || self.inner.due == Due::Never && self.queue.outstanding() == 0 {
            self.call_me();
        }
    }

    fn give_up(&mut self, row: Kept<S::Id>, failures: u32, why: Undelivered) {
        self.given_up += 1;
        if let Some(id) = row.id {
            let kind = match why {
                Undelivered::GivenUp(kind) => kind,
                Undelivered::Ended => FailureKind::Lost,
            };
            let told = self.inner.tell(row.instance, |spout| spout.fail(id, kind));
            self.remember(told);
        }
        let Some(place) = &self.place else { return };
        let Some((schema, _)) = place.streams.get(row.stream.index()) else { return };
        let letter = OwnedTuple::new(row.values, schema.clone(), place.task, KeyGroup::NONE);
        let letter = DeadLetter { row: letter, failures, why };
        let posted = match &mut self.letters {
            Some(take) => caught(|| {
                take(letter);
                Ok(())
            }),
            None => {
                log(&letter);
                Ok(())
            }
        };
        self.remember(posted);
    }

    /// A callback's failure is the next call's: `ack` and `fail` have no way to return it.
    fn remember(&mut self, outcome: Result) {
        if let Err(failure) = outcome {
            self.failure = Some(failure);
            self.call_me();
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn log(letter: &DeadLetter) {
    let row = letter.row.view();
    tracing::error!(
        component = %row.schema().component(),
        stream = %row.schema().stream(),
        failures = letter.failures,
        why = ?letter.why,
        row = ?row.values(),
        "a row is given up"
    );
}

impl<S: Spout> Spout for Replay<S> {
    type Id = ReplayId;

    fn given_up(&self) -> Option<u64> {
        Some(self.given_up)
    }

    fn declare(&self, streams: &mut Declarer) {
        self.inner.spout().declare(streams);
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        let component = context.component();
        let declared = context.info.streams.iter();
        let streams = declared.map(|stream| {
            let schema = Schema::new(component.clone(), stream.id.clone(), stream.fields.clone());
            (Arc::new(schema), stream.direct)
        });
        self.place = Some(Place {
            task: context.task(),
            tracked: context.is_tracked(),
            clock: context.clock(),
            waker: context.waker(),
            random: EdgeIds::new(u64::from(context.task().get())),
            streams: streams.collect(),
        });
        self.inner.open(context)
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, ReplayId>) -> Result<Next> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let now_ns = out.clock.now_ns();
        // Either or: a call that fails is withdrawn whole, and what is emitted again must not be.
        let again = self.emit_due(now_ns, out);
        if !again && self.queue.waiting() < self.most_waiting && self.inner.is_due(now_ns) {
            self.call_inner(now_ns, out)?;
        }
        if let Some(to) = self.held.take() {
            out.watermark(to);
        }
        Ok(self.rest(now_ns))
    }

    fn ack(&mut self, id: ReplayId) {
        let Some(row) = self.queue.acked(id) else { return };
        if let Some(id) = row.id {
            let told = self.inner.tell(row.instance, |spout| spout.ack(id));
            self.remember(told);
        }
        self.settle(row.epoch);
    }

    fn fail(&mut self, id: ReplayId, kind: FailureKind) {
        let Some(place) = &mut self.place else { return };
        let (now_ns, random) = (place.clock.now_ns(), place.random.next().to_bits());
        match self.queue.failed(id, kind, now_ns, random) {
            Some(Verdict::Retry { due_ns }) if due_ns < self.called_by_ns => self.call_me(),
            Some(Verdict::Retry { .. }) | None => {}
            Some(Verdict::GiveUp { row, failures, last }) => {
                let epoch = row.epoch;
                self.give_up(row, failures, Undelivered::GivenUp(last));
                self.settle(epoch);
            }
        }
    }

    fn activate(&mut self) {
        let told = self.inner.set_active(true);
        self.remember(told);
    }

    fn deactivate(&mut self) {
        let told = self.inner.set_active(false);
        self.remember(told);
    }

    fn close(&mut self) {
        for (row, failures) in self.queue.release_all() {
            self.give_up(row, failures, Undelivered::Ended);
        }
        let told = self.inner.tell(self.inner.instance(), Spout::close);
        if let Some(failure) = told.err().or_else(|| self.failure.take()) {
            tracing::error!(error = failure.chain(), "a spout failed while it was closed");
        }
    }
}
