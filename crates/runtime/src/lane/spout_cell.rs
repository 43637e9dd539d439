//! One spout task in its lane: the user's code, its ledger, and what it waits for.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use squall_engine::backoff::RestartPolicy;
use squall_engine::ledger::{FailureKind, Ledger, LedgerConfig, Outcome, Settled};
use squall_types::{EdgeId, RootId, TaskId, Timestamp};

use super::acks::AckOut;
use super::heads::Heads;
use super::outputs::Outputs;
use super::room::Room;
use crate::api::{Failure, LaneSink, Next, Sink, Spout, SpoutCollector, SpoutContext, SpoutWaker, TaskInfo};
use crate::clock::Clock;
use crate::metrics::{Errors, Latency, NodeMetrics, UserMetrics};
use crate::slot::SpoutLife;
use crate::tap::Tap;

/// When a spout is called next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// As soon as there is room.
    Now,
    /// At this time, in nanoseconds, or when its waker calls.
    At(u64),
    /// At this time, in nanoseconds, and no earlier.
    After(u64),
    /// When its waker calls.
    OnCall,
    /// Never: it is done.
    Never,
}

/// What a spout task works with, in its lane.
pub struct SpoutEnv<'a> {
    pub outputs: &'a mut Outputs,
    pub heads: &'a mut Heads,
    pub acks: &'a mut AckOut,
    pub clock: &'a Clock,
    pub now_ns: u64,
}

/// [`SpoutTask`] behind a pointer, whatever its id type.
pub trait SpoutCell: Send {
    /// The task.
    fn task(&self) -> TaskId;
    /// What is fixed for it.
    fn info(&self) -> &TaskInfo;
    /// Opens the spout for the first time.
    fn open(&mut self, clock: &Clock) -> Result<(), Failure>;
    /// The topology runs.
    fn activate(&mut self);
    /// The topology pauses.
    fn deactivate(&mut self);
    /// When to call.
    fn due(&self) -> Due;
    /// Whether its waker has called since it was last asked.
    fn take_call(&mut self) -> bool;
    /// The call that was taken is still to be answered.
    fn keep_call(&mut self);
    /// Whether it may have another root.
    fn has_room(&self) -> bool;
    /// Whether it will never emit again.
    fn is_done(&self) -> bool;
    /// Adds to the time spent in `next`.
    fn add_busy_ns(&mut self, ns: u64);
    /// Calls the spout. Its rows are in the outputs and its roots in the ledger. Returns its watermark, if it gave one.
    fn next(&mut self, env: &mut SpoutEnv<'_>) -> Option<Timestamp>;
    /// Takes acks of this task's roots.
    fn ack(&mut self, records: &[(RootId, EdgeId)], now_ns: u64);
    /// Takes a failure of one of its roots.
    fn fail(&mut self, root: RootId, kind: FailureKind);
    /// Gives one of its roots its whole timeout again.
    fn extend(&mut self, root: RootId, now_ns: u64);
    /// Fails what is due.
    fn expire(&mut self, now_ns: u64);
    /// Gives up all roots that are pending.
    fn lose(&mut self, now_ns: u64);
    /// When the first root is due, in nanoseconds.
    fn next_deadline(&self) -> Option<u64>;
    /// Writes what has become of its roots: before other code runs, so that the books are right even if that hangs.
    fn book_counts(&mut self);
    /// Writes all its figures.
    fn book(&mut self);
    /// Stops it between two calls as if it had panicked.
    fn kill(&mut self, env: &mut SpoutEnv<'_>);
    /// Ends it in an orderly way.
    fn close(&mut self);
}

/// Makes a spout, for each task and for each start.
pub type MakeSpout<S> = Arc<dyn Fn() -> S + Send + Sync>;

/// A spout task.
pub struct SpoutTask<S: Spout> {
    info: TaskInfo,
    index: u16,
    spout: S,
    make: MakeSpout<S>,
    ledger: Option<Ledger<Option<S::Id>>>,
    waker: SpoutWaker,
    due: Due,
    active: bool,
    room: Room,
    /// The instance is open. One that has panicked isn't, and is not called any more.
    opened: bool,
    restart: RestartPolicy,
    metrics: Arc<NodeMetrics>,
    user_metrics: UserMetrics,
    tap: Option<Arc<dyn Tap>>,
    pace_ns: u64,
    run: SpoutRun,
    /// Roots that failed or timed out since the instance was made.
    failed: u64,
    /// Of those, how many are booked as given up.
    given_up: u64,
}

/// What a task did since its figures were last written.
#[derive(Default)]
struct SpoutRun {
    calls: u64,
    emitted: u64,
    acked: u64,
    failed: u64,
    timed_out: u64,
    /// Lost with the instance that knew them.
    lost: u64,
    /// Lost with another slot: the instance is told, as of others that fail.
    lost_elsewhere: u64,
    restarts: u64,
    busy_ns: u64,
    complete: Latency,
    /// Completions of the same latency, until another comes.
    same: (u64, u64),
    errors: Errors,
}

/// What a spout task is made of.
pub struct SpoutParts<S: Spout> {
    pub info: TaskInfo,
    pub index: u16,
    pub make: MakeSpout<S>,
    /// Timeout in nanoseconds and the most roots pending, where roots are tracked.
    pub tracking: Option<(u64, usize)>,
    pub waker: SpoutWaker,
    pub metrics: Arc<NodeMetrics>,
    pub user_metrics: UserMetrics,
    pub tap: Option<Arc<dyn Tap>>,
    /// The least time between two calls of `next`, in nanoseconds: 0, but for simulated time, which moves while lanes wait.
    pub pace_ns: u64,
    /// Tells its roots from those of its earlier lives.
    pub life: SpoutLife,
}

impl<S: Spout> SpoutTask<S> {
    /// A task that isn't open yet.
    pub fn new(parts: SpoutParts<S>) -> Self {
        let SpoutParts { info, index, make, tracking, waker, metrics, user_metrics, tap, pace_ns, life } = parts;
        let SpoutLife { incarnation, first } = life;
        let ledger = tracking.map(|(timeout_ns, max_pending)| {
            Ledger::starting_at(LedgerConfig { task: info.task, incarnation, timeout_ns, max_pending }, first)
        });
        Self {
            spout: make(),
            info,
            index,
            make,
            ledger,
            waker,
            due: Due::Now,
            active: false,
            room: Room::default(),
            opened: false,
            restart: RestartPolicy::default(),
            metrics,
            user_metrics,
            tap,
            pace_ns,
            run: SpoutRun::default(),
            failed: 0,
            given_up: 0,
        }
    }

    /// Calls the user's code, which may panic.
    fn call<T>(&mut self, call: impl FnOnce(&mut S) -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| call(&mut self.spout))) {
            Ok(value) => Some(value),
            Err(panic) => {
                self.keep_error(&crate::panics::take_failure(&*panic), true);
                None
            }
        }
    }

    /// Roots that failed in whatever way while this instance lives, and that it doesn't emit again.
    fn given_up(&self) -> u64 {
        if !self.opened {
            return 0;
        }
        let told = catch_unwind(AssertUnwindSafe(|| self.spout.given_up())).unwrap_or_default();
        told.unwrap_or(self.failed)
    }

    fn keep_error(&mut self, failure: &Failure, panic: bool) {
        let what = failure.said();
        tracing::error!(component = %self.info.component, task = self.info.task.get(), error = what, "a spout failed");
        let errors = &mut self.run.errors;
        if panic {
            errors.panics += 1;
        } else {
            errors.failures += 1;
        }
        errors.last = Some(what);
        errors.backtrace = failure.backtrace();
    }

    /// The spout panicked or was killed: its rows are withdrawn, its roots lost, and a new one starts at once or later.
    #[cold]
    fn start_anew(&mut self, first: Option<squall_types::Sequence>, env: &mut SpoutEnv<'_>) {
        env.outputs.withdraw(env.acks);
        let mut lost = 0;
        if let Some(ledger) = &mut self.ledger {
            first.into_iter().for_each(|first| _ = ledger.withdraw_from(first));
            // The ids were the old instance's: nobody is left to tell.
            let (tap, task) = (&self.tap, self.info.task);
            ledger.restart(&mut |settled| {
                lost += 1;
                if let Some(tap) = tap {
                    tap.settled(task, settled.outcome, settled.emitted_ns);
                }
            });
        }
        self.run.lost += lost;
        self.run.restarts += 1;
        self.book();
        (self.failed, self.given_up) = (0, 0);
        self.opened = false;
        match self.restart.after_panic(env.now_ns) {
            0 => self.open_anew(env),
            delay => self.due = Due::After(env.now_ns + delay),
        }
    }

    /// Makes and opens a new instance, or says when to try again.
    #[cold]
    fn open_anew(&mut self, env: &mut SpoutEnv<'_>) {
        let make = self.make.clone();
        // Dropping the broken instance may panic too.
        let made = catch_unwind(AssertUnwindSafe(|| self.spout = make()));
        let opened = made.map_err(|panic| crate::panics::take_failure(&*panic)).and_then(|()| self.open(env.clock));
        if let Err(failure) = opened {
            self.keep_error(&failure, false);
            let delay = self.restart.after_panic(env.now_ns).max(RestartPolicy::FIRST_NS);
            self.due = Due::After(env.now_ns + delay);
            return;
        }
        self.due = Due::Now;
        if self.active {
            self.call(S::activate);
        }
    }

    /// Lets the ledger settle roots. A panic in `ack` or `fail` is kept, and the spout goes on: `work` is called again, to go
    /// on behind the root whose word it was.
    fn with_ledger(&mut self, now_ns: u64, mut work: impl FnMut(&mut Ledger<Option<S::Id>>, &mut Settle<'_, S>)) {
        loop {
            let Some(ledger) = &mut self.ledger else { return };
            let (tap, task) = (self.tap.as_deref(), self.info.task);
            let mut settle = Settle { run: &mut self.run, spout: &mut self.spout, now_ns, task, tap };
            let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(ledger, &mut settle))) else { return };
            self.keep_error(&crate::panics::take_failure(&*panic), true);
        }
    }

    fn after(&mut self, outcome: Result<Next, Failure>, first: Option<squall_types::Sequence>, env: &mut SpoutEnv<'_>) {
        let outcome = match env.outputs.error.take() {
            Some(error) => Err(Failure::from(*error)),
            None => outcome,
        };
        match outcome {
            Ok(next) => {
                self.run.emitted += u64::from(env.outputs.emitted());
                self.due = match next {
                    Next::More if self.pace_ns > 0 => Due::At(env.now_ns + self.pace_ns),
                    Next::More => Due::Now,
                    Next::WaitFor(pause) => {
                        Due::At(env.now_ns.saturating_add(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX)))
                    }
                    Next::Wait => Due::OnCall,
                    Next::Done => Due::Never,
                };
            }
            Err(failure) => {
                env.outputs.withdraw(env.acks);
                if let Some((ledger, first)) = self.ledger.as_mut().zip(first) {
                    ledger.withdraw_from(first);
                }
                self.keep_error(&failure, false);
                let delay = self.restart.after_panic(env.now_ns).max(RestartPolicy::FIRST_NS);
                self.due = Due::After(env.now_ns + delay);
            }
        }
    }
}

/// Books what the ledger settles, and tells the spout.
struct Settle<'a, S> {
    run: &'a mut SpoutRun,
    spout: &'a mut S,
    now_ns: u64,
    task: TaskId,
    tap: Option<&'a dyn Tap>,
}

impl<S: Spout> Settle<'_, S> {
    #[inline]
    fn on(&mut self, settled: Settled<Option<S::Id>>) {
        let Some(id) = settled.id else { return };
        if let Some(tap) = self.tap {
            tap.settled(self.task, settled.outcome, settled.emitted_ns);
        }
        match settled.outcome {
            Outcome::Acked => {
                self.run.acked(self.now_ns.saturating_sub(settled.emitted_ns));
                self.spout.ack(id);
            }
            Outcome::Failed(kind) => {
                match kind {
                    FailureKind::Failed => self.run.failed += 1,
                    FailureKind::TimedOut => self.run.timed_out += 1,
                    FailureKind::Lost => self.run.lost_elsewhere += 1,
                }
                self.spout.fail(id, kind);
            }
        }
    }
}

impl SpoutRun {
    #[inline]
    fn acked(&mut self, latency_ns: u64) {
        self.acked += 1;
        if self.same.0 == latency_ns {
            self.same.1 += 1;
        } else {
            self.record_same();
            self.same = (latency_ns, 1);
        }
    }

    fn record_same(&mut self) {
        if self.same.1 > 0 {
            self.complete.record(self.same.0, self.same.1);
            self.same.1 = 0;
        }
    }
}

impl<S: Spout> SpoutCell for SpoutTask<S> {
    fn task(&self) -> TaskId {
        self.info.task
    }

    fn info(&self) -> &TaskInfo {
        &self.info
    }

    fn open(&mut self, clock: &Clock) -> Result<(), Failure> {
        let mut context = SpoutContext { info: &self.info, clock, metrics: &self.user_metrics, waker: &self.waker };
        let spout = &mut self.spout;
        let opened = catch_unwind(AssertUnwindSafe(|| spout.open(&mut context)))
            .unwrap_or_else(|panic: Box<dyn Any + Send>| Err(crate::panics::take_failure(&*panic)));
        self.opened = opened.is_ok();
        opened
    }

    fn activate(&mut self) {
        if !std::mem::replace(&mut self.active, true) && self.opened {
            self.call(S::activate);
        }
    }

    fn deactivate(&mut self) {
        if std::mem::replace(&mut self.active, false) && self.opened {
            self.call(S::deactivate);
        }
    }

    fn due(&self) -> Due {
        self.due
    }

    fn take_call(&mut self) -> bool {
        self.waker.take_call()
    }

    fn keep_call(&mut self) {
        self.waker.called.store(true, std::sync::atomic::Ordering::Release);
    }

    fn is_done(&self) -> bool {
        self.due == Due::Never
    }

    fn add_busy_ns(&mut self, ns: u64) {
        self.run.busy_ns += ns;
    }

    fn has_room(&self) -> bool {
        self.ledger.as_ref().is_none_or(|ledger| ledger.room() > 0)
    }

    fn next(&mut self, env: &mut SpoutEnv<'_>) -> Option<Timestamp> {
        if !self.opened {
            env.outputs.begin();
            self.open_anew(env);
            return None;
        }
        let mut watermark = None;
        let first = self.ledger.as_ref().map(Ledger::next_sequence);
        let room = self.ledger.as_ref().map_or(self.room.rows(), |ledger| ledger.room().min(self.room.rows()));
        env.outputs.begin();
        let (before, bytes) = (env.outputs.appended, env.outputs.held_bytes());
        let heads = env.heads.anchors.len();
        let sink = Sink::Lane(LaneSink {
            outputs: env.outputs,
            heads: env.heads,
            ledger: self.ledger.as_mut(),
            now_ns: env.now_ns,
            source: self.index,
            task: self.info.task,
        });
        let mut out = SpoutCollector { sink, clock: env.clock, room, watermark: &mut watermark };
        let spout = &mut self.spout;
        self.run.calls += 1;
        match catch_unwind(AssertUnwindSafe(|| spout.next(&mut out))) {
            Ok(outcome) => {
                self.room.learn(env.outputs.appended - before, env.outputs.held_bytes() - bytes);
                let failed = outcome.is_err() || env.outputs.error.is_some();
                if failed {
                    env.heads.anchors.truncate(heads);
                }
                self.after(outcome, first, env);
                watermark.filter(|_| !failed)
            }
            Err(panic) => {
                env.heads.anchors.truncate(heads);
                self.keep_error(&crate::panics::take_failure(&*panic), true);
                self.start_anew(first, env);
                None
            }
        }
    }

    fn ack(&mut self, records: &[(RootId, EdgeId)], now_ns: u64) {
        let mut left = records.iter();
        self.with_ledger(now_ns, |ledger, settle| {
            left.by_ref().for_each(|&(root, edge)| ledger.ack(root, edge, &mut |settled| settle.on(settled)));
        });
    }

    fn fail(&mut self, root: RootId, kind: FailureKind) {
        let _ = kind;
        self.with_ledger(0, |ledger, settle| ledger.fail(root, &mut |settled| settle.on(settled)));
    }

    fn extend(&mut self, root: RootId, now_ns: u64) {
        if let Some(ledger) = &mut self.ledger {
            ledger.extend(root, now_ns);
        }
    }

    fn expire(&mut self, now_ns: u64) {
        if self.next_deadline().is_some_and(|deadline| deadline <= now_ns) {
            self.with_ledger(now_ns, |ledger, settle| ledger.expire(now_ns, &mut |settled| settle.on(settled)));
        }
    }

    fn lose(&mut self, now_ns: u64) {
        self.with_ledger(now_ns, |ledger, settle| ledger.lose_all(&mut |settled| settle.on(settled)));
        self.book_counts();
    }

    fn next_deadline(&self) -> Option<u64> {
        self.ledger.as_ref().and_then(Ledger::next_deadline)
    }

    fn book_counts(&mut self) {
        let mut metrics = self.metrics.tasks();
        let task = &mut metrics[usize::from(self.index)];
        task.executed += std::mem::take(&mut self.run.calls);
        task.emitted += std::mem::take(&mut self.run.emitted);
        task.acked += std::mem::take(&mut self.run.acked);
        self.failed += self.run.failed + self.run.timed_out + self.run.lost_elsewhere;
        task.given_up += self.run.lost;
        task.failed += std::mem::take(&mut self.run.failed);
        task.timed_out += std::mem::take(&mut self.run.timed_out);
        task.lost += std::mem::take(&mut self.run.lost) + std::mem::take(&mut self.run.lost_elsewhere);
        task.pending = self.ledger.as_ref().map_or(0, |ledger| ledger.pending() as u64);
    }

    fn book(&mut self) {
        self.book_counts();
        let given_up = self.given_up();
        let more_given_up = given_up.saturating_sub(std::mem::replace(&mut self.given_up, given_up));
        self.run.record_same();
        let run = std::mem::take(&mut self.run);
        let mut metrics = self.metrics.tasks();
        let task = &mut metrics[usize::from(self.index)];
        task.given_up += more_given_up;
        task.restarts += run.restarts;
        task.busy_ns += run.busy_ns;
        task.complete.merge(&run.complete);
        task.oldest_pending_ns = self.ledger.as_ref().and_then(Ledger::oldest_pending_ns);
        task.errors.failures += run.errors.failures;
        task.errors.panics += run.errors.panics;
        if run.errors.last.is_some() {
            task.errors.last = run.errors.last;
            task.errors.backtrace = run.errors.backtrace;
        }
    }

    fn kill(&mut self, env: &mut SpoutEnv<'_>) {
        env.outputs.begin();
        self.start_anew(None, env);
    }

    fn close(&mut self) {
        if self.opened {
            self.call(S::close);
        }
    }
}
