//! A spout that blocks, on a thread of its own.
//!
//! The lane sees a spout like any other: its `next` takes what the thread has made. The ledger stays in the lane, so acks are
//! taken and timeouts fire while the thread blocks; `ack` and `fail` reach the spout between two calls of its `next`.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use squall_engine::ledger::FailureKind;
use squall_types::Timestamp;

use super::emits::Emits;
use super::spout_cell::MakeSpout;
use crate::api::{Declarer, Failure, Next, Result, Sink, Spout, SpoutCollector, SpoutContext, SpoutWaker, TaskInfo};
use crate::clock::Clock;
use crate::lane::BATCH;
use crate::metrics::UserMetrics;
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
    /// The call panicked: the thread goes on with a new instance.
    panicked: bool,
}

struct Shared<Id> {
    /// Bounded by the roots pending, and a few.
    orders: VecDeque<Order<Id>>,
    made: VecDeque<Made<Id>>,
    closed: bool,
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
        let mut shared = self.lock();
        shared.closed |= matches!(order, Order::Close);
        shared.orders.push_back(order);
        drop(shared);
        self.changed.notify_one();
    }
}

/// The spout's own waker calls the thread. The lock is taken so that a call can't fall between the thread's look at it and its sleep.
impl<Id: Send> Notify for Link<Id> {
    fn notify(&self) {
        drop(self.lock());
        self.changed.notify_one();
    }
}

/// A blocking spout's stand-in in the lane.
pub struct ThreadedSpout<S: Spout> {
    make: MakeSpout<S>,
    link: Arc<Link<S::Id>>,
    thread: Option<JoinHandle<()>>,
    /// Rows of a call that there was no room for yet.
    rest: Option<(Made<S::Id>, usize)>,
    ids: Vec<Option<S::Id>>,
}

impl<S: Spout> ThreadedSpout<S> {
    /// A stand-in for the spout that `make` makes.
    pub fn new(make: MakeSpout<S>) -> Self {
        let shared = Shared { orders: VecDeque::new(), made: VecDeque::new(), closed: false };
        let link = Arc::new(Link { shared: Mutex::new(shared), changed: Condvar::new() });
        Self { make, link, thread: None, rest: None, ids: Vec::new() }
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
        };
        let name = format!("{}-{}", context.info.component, context.info.task);
        let handle = std::thread::Builder::new().name(name).spawn(move || {
            let _guard = crate::panics::guard();
            thread.run(&opened);
        })?;
        self.thread = Some(handle);
        // The lane waits for the user's `open`, as it does for any spout's.
        told.recv().unwrap_or_else(|_| Err(Failure::from("the spout's thread ended while it was opened")))
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, S::Id>) -> Result<Next> {
        let Some((mut made, mut row)) = self.take_made() else { return Ok(Next::Wait) };
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
        // A thread that hangs in the user's code is left to the process's end.
        if let Some(thread) = self.thread.take()
            && self.link.lock().made.len() < Link::<S::Id>::AHEAD
            && thread.is_finished()
        {
            let _ = thread.join();
        }
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
    /// Tells the lane that something was made.
    lane: SpoutWaker,
    /// The user's.
    waker: SpoutWaker,
}

/// What the thread does next.
enum Work {
    Call,
    End,
}

impl<S: Spout> Thread<S> {
    fn open(&self) -> Result<S> {
        let mut spout = (self.make)();
        let mut context =
            SpoutContext { info: &self.info, clock: &self.clock, metrics: &self.metrics, waker: &self.waker };
        spout.open(&mut context)?;
        Ok(spout)
    }

    fn run(&self, opened: &std::sync::mpsc::SyncSender<Result>) {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.open()));
        let spout = caught.unwrap_or_else(|panic| Err(crate::panics::take_failure(&*panic)));
        let (spout, told) = match spout {
            Ok(spout) => (Some(spout), Ok(())),
            Err(failure) => (None, Err(failure)),
        };
        let _ = opened.send(told);
        let Some(mut spout) = spout else { return };
        let mut active = false;
        let mut wait = Next::More;
        while let Work::Call = self.follow_orders(&mut spout, &mut active, wait) {
            let made = self.call(&mut spout);
            let done = matches!(made.outcome, Ok(Next::Done));
            wait = made.outcome.as_ref().map_or(Next::More, |next| *next);
            if made.panicked
                && let Ok(anew) = self.open()
            {
                spout = anew;
                spout.activate();
            }
            self.link.lock().made.push_back(made);
            self.lane.wake();
            if done {
                active = false;
            }
        }
        spout.close();
    }

    /// Does what the lane says until the spout may be called.
    fn follow_orders(&self, spout: &mut S, active: &mut bool, wait: Next) -> Work {
        let mut waited = !matches!(wait, Next::Wait | Next::WaitFor(_));
        // Acks wake this thread too: they don't make a wait longer.
        let due_ns = match wait {
            Next::WaitFor(pause) => {
                Some(self.clock.now_ns().saturating_add(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX)))
            }
            Next::More | Next::Wait | Next::Done => None,
        };
        loop {
            let mut shared = self.link.lock();
            if let Some(order) = shared.orders.pop_front() {
                drop(shared);
                if matches!(order, Order::Close) {
                    return Work::End;
                }
                Self::follow(spout, active, order);
                continue;
            }
            waited |= self.waker.take_call();
            if *active && waited && shared.made.len() < Link::<S::Id>::AHEAD {
                return Work::Call;
            }
            if let Some(due_ns) = due_ns.filter(|_| *active && !waited) {
                let pause = Duration::from_nanos(due_ns.saturating_sub(self.clock.now_ns()));
                let (shared, _) = self.link.changed.wait_timeout(shared, pause).unwrap_or_else(PoisonError::into_inner);
                drop(shared);
                waited |= self.clock.now_ns() >= due_ns;
            } else {
                drop(self.link.changed.wait(shared).unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    fn follow(spout: &mut S, active: &mut bool, order: Order<S::Id>) {
        match order {
            Order::Activate => {
                *active = true;
                spout.activate();
            }
            Order::Deactivate => {
                *active = false;
                spout.deactivate();
            }
            Order::Ack(id) => spout.ack(id),
            Order::Fail(id, kind) => spout.fail(id, kind),
            Order::Close => {}
        }
    }

    fn call(&self, spout: &mut S) -> Made<S::Id> {
        let (mut ids, mut emits, mut watermark) = (Vec::new(), Emits::default(), None);
        let mut out = SpoutCollector {
            sink: Sink::Thread(&mut ids, &mut emits),
            clock: &self.clock,
            room: BATCH,
            watermark: &mut watermark,
        };
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| spout.next(&mut out)));
        let panicked = caught.is_err();
        let outcome = caught.unwrap_or_else(|panic| Err(crate::panics::take_failure(&*panic)));
        if outcome.is_err() {
            // What a failed call emitted is withdrawn.
            ids.clear();
            emits.clear();
            watermark = None;
        }
        Made { ids, emits, watermark, outcome, panicked }
    }
}
