//! A spout that blocks, on a thread of its own.
//!
//! The lane sees a spout like any other: its `next` takes what the thread has made. The ledger stays in the lane, so acks are
//! taken and timeouts fire while the thread blocks; `ack` and `fail` reach the spout between two calls of its `next`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use squall_engine::backoff::RestartPolicy;
use squall_engine::ledger::FailureKind;
use squall_types::Timestamp;

use tokio::sync::watch;

use super::emits::Emits;
use super::room::Room;
use super::spout_cell::MakeSpout;
use crate::api::{Declarer, Failure, Next, Result, Sink, Spout, SpoutCollector, SpoutContext, SpoutWaker, TaskInfo};
use crate::clock::Clock;
use crate::metrics::{NodeMetrics, UserMetrics};
use crate::panics::Panic;
use crate::token::Notify;

/// What the lane tells the thread.
enum Order<Id> {
    Activate,
    Deactivate,
    Ack(Id),
    Fail(Id, FailureKind),
    Close,
}

/// What one call of the user's `next` made.
struct Made<Id> {
    ids: Vec<Option<Id>>,
    emits: Emits,
    watermark: Option<Timestamp>,
    outcome: Result<Next>,
    /// The call panicked: the thread has ended, and the lane starts another.
    panic: Option<Panic>,
}

struct Shared<Id> {
    /// Bounded by the roots pending, and a few.
    orders: VecDeque<Order<Id>>,
    made: VecDeque<Made<Id>>,
    /// What the spout said last of the rows it has given up.
    given_up: Option<u64>,
}

struct Link<Id> {
    shared: Mutex<Shared<Id>>,
    changed: Condvar,
}

impl<Id> Link<Id> {
    /// Calls of `next` whose rows wait for the lane.
    const AHEAD: usize = 2;

    fn lock(&self) -> MutexGuard<'_, Shared<Id>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, order: Order<Id>) {
        self.lock().orders.push_back(order);
        self.changed.notify_one();
    }
}

impl<Id: Send> Notify for Link<Id> {
    fn notify(&self) {
        // Under the lock, so that a thread that has just found nothing to do waits already.
        let _shared = self.lock();
        self.changed.notify_one();
    }
}

/// What a blocking spout's thread belongs to.
#[derive(Clone)]
pub struct Owner {
    /// The task's figures, and its place among them.
    pub metrics: Arc<NodeMetrics>,
    pub index: u16,
    /// Held by the thread until it ends: the slot waits for that.
    #[expect(dead_code, reason = "what counts is when it is dropped")]
    pub running: watch::Receiver<()>,
}

/// A blocking spout's stand-in in the lane.
pub struct ThreadedSpout<S: Spout> {
    make: MakeSpout<S>,
    owner: Owner,
    link: Arc<Link<S::Id>>,
    /// Rows of a call that there was no room for yet.
    rest: Option<(Made<S::Id>, usize)>,
    ids: Vec<Option<S::Id>>,
}

impl<S: Spout> ThreadedSpout<S> {
    /// A stand-in for the spout that `make` makes.
    pub fn new(make: MakeSpout<S>, owner: Owner) -> Self {
        let shared = Shared { orders: VecDeque::new(), made: VecDeque::new(), given_up: None };
        let link = Arc::new(Link { shared: Mutex::new(shared), changed: Condvar::new() });
        Self { make, owner, link, rest: None, ids: Vec::new() }
    }

    fn take_made(&mut self) -> Option<(Made<S::Id>, usize)> {
        if let Some(rest) = self.rest.take() {
            return Some(rest);
        }
        let made = self.link.lock().made.pop_front();
        self.link.changed.notify_one();
        made.map(|made| (made, 0))
    }
}

impl<S: Spout> Spout for ThreadedSpout<S> {
    type Id = S::Id;

    fn declare(&self, streams: &mut Declarer) {
        (self.make)().declare(streams);
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        let (opened, told) = std::sync::mpsc::sync_channel(1);
        let thread = Thread {
            make: self.make.clone(),
            link: self.link.clone(),
            info: context.info.clone(),
            clock: *context.clock,
            metrics: context.metrics.clone(),
            lane: context.waker.clone(),
            waker: SpoutWaker::new(self.link.clone()),
            owner: self.owner.clone(),
            backoff: RestartPolicy::default(),
            room: Room::default(),
        };
        let name = format!("{}-{}", context.info.component, context.info.task);
        std::thread::Builder::new().name(name).spawn(move || {
            let _guard = crate::panics::guard();
            thread.run(&opened);
        })?;
        // The lane waits for the user's `open`, as it does for any spout's.
        told.recv().unwrap_or_else(|_| Err(Failure::from("the spout's thread ended while it was opened")))
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, S::Id>) -> Result<Next> {
        let Some((mut made, mut row)) = self.take_made() else { return Ok(Next::Wait) };
        if let Some(panic) = made.panic {
            // The lane treats it as it does any spout's panic.
            resume_unwind(Box::new(panic));
        }
        if row == 0 {
            std::mem::swap(&mut self.ids, &mut made.ids);
        }
        let rows = made.emits.len();
        if let Sink::Lane(lane) = &mut out.sink {
            let until = rows.min(row + out.room.max(1));
            while row < until {
                let stream = made.emits.stream(row);
                let id = self.ids[row].take();
                lane.emit(
                    id,
                    |outputs, origin| {
                        let before = outputs.appended;
                        made.emits.emit(row, outputs, origin);
                        outputs.appended > before
                    },
                    stream,
                );
                row += 1;
            }
            if lane.outputs.error.is_some() {
                // The call has failed as a whole; what it returned holds all the same.
                made.emits.clear();
                self.rest = Some((made, 0));
                return Ok(Next::More);
            }
        }
        if row < rows {
            self.rest = Some((made, row));
            return Ok(Next::More);
        }
        if let Some(to) = made.watermark {
            out.watermark(to);
        }
        match made.outcome {
            Ok(Next::Done) => Ok(Next::Done),
            Ok(_) => Ok(Next::More),
            Err(failure) => Err(failure),
        }
    }

    fn ack(&mut self, id: S::Id) {
        self.link.order(Order::Ack(id));
    }

    fn fail(&mut self, id: S::Id, kind: FailureKind) {
        self.link.order(Order::Fail(id, kind));
    }

    fn activate(&mut self) {
        self.link.order(Order::Activate);
    }

    fn deactivate(&mut self) {
        self.link.order(Order::Deactivate);
    }

    fn close(&mut self) {
        self.link.order(Order::Close);
    }

    fn given_up(&self) -> Option<u64> {
        self.link.lock().given_up
    }
}

impl<S: Spout> Drop for ThreadedSpout<S> {
    fn drop(&mut self) {
        self.link.order(Order::Close);
    }
}

struct Thread<S: Spout> {
    make: MakeSpout<S>,
    link: Arc<Link<S::Id>>,
    info: TaskInfo,
    clock: Clock,
    metrics: UserMetrics,
    /// Wakes the lane.
    lane: SpoutWaker,
    /// Wakes this thread.
    waker: SpoutWaker,
    owner: Owner,
    backoff: RestartPolicy,
    room: Room,
}

/// What the thread does next.
enum Work {
    Call,
    End,
}

/// When the spout is called again.
#[derive(Clone, Copy)]
enum Pause {
    /// At once.
    No,
    /// At this time, in nanoseconds, or when its waker calls.
    Until(u64),
    /// At this time, in nanoseconds, and no earlier.
    After(u64),
    /// When its waker calls.
    Call,
    /// Never: it is done.
    Forever,
}

impl<S: Spout> Thread<S> {
    fn run(mut self, opened: &std::sync::mpsc::SyncSender<Result>) {
        let caught = catch_unwind(AssertUnwindSafe(|| self.open()));
        let spout = caught.unwrap_or_else(|panic| Err(crate::panics::take_failure(&*panic)));
        let (spout, told) = match spout {
            Ok(spout) => (Some(spout), Ok(())),
            Err(failure) => (None, Err(failure)),
        };
        let _ = opened.send(told);
        let Some(mut spout) = spout else { return };
        if self.work(&mut spout) {
            self.user(&mut spout, S::close);
            // The lane has asked for the last time.
            let before = self.link.lock().given_up.unwrap_or_default();
            let more = spout.given_up().map_or(0, |now| now.saturating_sub(before));
            self.owner.metrics.tasks()[usize::from(self.owner.index)].given_up += more;
        }
        // A broken instance may panic once more when it is dropped.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(spout)));
    }

    fn open(&self) -> Result<S> {
        let mut spout = (self.make)();
        let mut context =
            SpoutContext { info: &self.info, clock: &self.clock, metrics: &self.metrics, waker: &self.waker };
        spout.open(&mut context)?;
        Ok(spout)
    }

    /// Calls the spout and follows orders until it is told to close. Not so if the spout panics.
    fn work(&mut self, spout: &mut S) -> bool {
        let (mut active, mut pause) = (false, Pause::No);
        while let Work::Call = self.follow_orders(spout, &mut active, pause) {
            let made = self.call(spout);
            let panicked = made.panic.is_some();
            pause = self.pause_after(&made.outcome);
            self.link.lock().made.push_back(made);
            if !panicked {
                self.tell_given_up(spout);
            }
            self.lane.wake();
            if panicked {
                return false;
            }
        }
        true
    }

    fn pause_after(&mut self, outcome: &Result<Next>) -> Pause {
        let now_ns = self.clock.now_ns();
        match outcome {
            Ok(Next::More) => Pause::No,
            Ok(Next::WaitFor(pause)) => {
                Pause::Until(now_ns.saturating_add(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX)))
            }
            Ok(Next::Wait) => Pause::Call,
            Ok(Next::Done) => Pause::Forever,
            Err(_) => Pause::After(now_ns + self.backoff.after_panic(now_ns).max(RestartPolicy::FIRST_NS)),
        }
    }

    /// Does what the lane says until the spout may be called.
    fn follow_orders(&self, spout: &mut S, active: &mut bool, pause: Pause) -> Work {
        loop {
            let mut shared = self.link.lock();
            if let Some(order) = shared.orders.pop_front() {
                drop(shared);
                if matches!(order, Order::Close) {
                    return Work::End;
                }
                self.follow(spout, active, order);
                self.tell_given_up(spout);
                continue;
            }
            let now_ns = self.clock.now_ns();
            let may_call = *active && shared.made.len() < Link::<S::Id>::AHEAD;
            let until = match pause {
                Pause::Until(ns) | Pause::After(ns) if may_call => Some(ns),
                _ => None,
            };
            // A call of the waker is taken only when it can be answered.
            let over = match pause {
                Pause::No => true,
                Pause::Until(ns) => ns <= now_ns || may_call && self.waker.take_call(),
                Pause::After(ns) => ns <= now_ns,
                Pause::Call => may_call && self.waker.take_call(),
                Pause::Forever => false,
            };
            if may_call && over {
                return Work::Call;
            }
            let changed = &self.link.changed;
            if let Some(ns) = until {
                let left = std::time::Duration::from_nanos(ns.saturating_sub(now_ns));
                drop(changed.wait_timeout(shared, left).unwrap_or_else(PoisonError::into_inner));
            } else {
                drop(changed.wait(shared).unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    fn tell_given_up(&self, spout: &S) {
        let given_up = spout.given_up();
        self.link.lock().given_up = given_up;
    }

    fn follow(&self, spout: &mut S, active: &mut bool, order: Order<S::Id>) {
        match order {
            Order::Activate => {
                *active = true;
                self.user(spout, S::activate);
            }
            Order::Deactivate => {
                *active = false;
                self.user(spout, S::deactivate);
            }
            Order::Ack(id) => self.user(spout, |spout| spout.ack(id)),
            Order::Fail(id, kind) => self.user(spout, |spout| spout.fail(id, kind)),
            Order::Close => {}
        }
    }

    /// Calls the user's code. A panic is kept, and the spout goes on, as it does in a lane.
    fn user(&self, spout: &mut S, call: impl FnOnce(&mut S)) {
        self.owner.metrics.set_thread_since(self.clock.now_ns());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(spout))) {
            let failure = crate::panics::take_failure(&*panic);
            let mut metrics = self.owner.metrics.tasks();
            let errors = &mut metrics[usize::from(self.owner.index)].errors;
            errors.panics += 1;
            errors.last = Some(failure.chain());
            errors.backtrace = failure.backtrace();
        }
        self.owner.metrics.set_thread_since(0);
    }

    fn call(&mut self, spout: &mut S) -> Made<S::Id> {
        let (mut ids, mut emits, mut watermark) = (Vec::new(), Emits::default(), None);
        let mut out = SpoutCollector {
            sink: Sink::Thread(&mut ids, &mut emits),
            clock: &self.clock,
            room: self.room.rows(),
            watermark: &mut watermark,
        };
        self.owner.metrics.set_thread_since(self.clock.now_ns());
        let caught = catch_unwind(AssertUnwindSafe(|| spout.next(&mut out)));
        self.owner.metrics.set_thread_since(0);
        self.room.learn(emits.len(), emits.heap_bytes());
        let panic = caught.as_ref().err().map(|panic| crate::panics::take(&**panic));
        let outcome = caught.unwrap_or(Ok(Next::Wait));
        if outcome.is_err() || panic.is_some() {
            // What a failed call emitted is withdrawn.
            ids.clear();
            emits.clear();
            watermark = None;
        }
        Made { ids, emits, watermark, outcome, panic }
    }
}
