//! The spout that is wrapped: called so that its panics stay with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::api::{Result, Spout, SpoutContext, SpoutWaker, TaskInfo};
use crate::clock::Clock;
use crate::lane::Due;
use crate::metrics::UserMetrics;
use crate::token::Notify;

/// What a spout is opened with, kept to open it anew.
struct Seat {
    info: TaskInfo,
    clock: Clock,
    metrics: UserMetrics,
    waker: SpoutWaker,
}

/// Hands calls of the wrapped spout's waker on, so that they can be told from those of the wrapper's own.
struct Pass(SpoutWaker);

impl Notify for Pass {
    fn notify(&self) {
        self.0.wake();
    }
}

/// A spout with what makes it. One that has panicked is made and opened anew at the next call.
pub struct Inner<S> {
    make: Box<dyn Fn() -> S + Send>,
    spout: S,
    seat: Option<Seat>,
    /// Counts the instances, so that none is told of another's rows.
    instance: u64,
    panicked: bool,
    active: bool,
    pub due: Due,
}

impl<S: Spout> Inner<S> {
    /// A spout that isn't open yet.
    pub fn new(make: impl Fn() -> S + Send + 'static) -> Self {
        let spout = make();
        Self { make: Box::new(make), spout, seat: None, instance: 0, panicked: false, active: false, due: Due::Now }
    }

    /// The instance, to ask it what doesn't change it.
    pub fn spout(&self) -> &S {
        &self.spout
    }

    /// Which instance this is.
    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// Opens it, and keeps what with.
    pub fn open(&mut self, context: &SpoutContext<'_>) -> Result {
        let waker = SpoutWaker::new(Arc::new(Pass(context.waker())));
        let (clock, metrics) = (*context.clock, context.metrics.clone());
        self.seat = Some(Seat { info: context.info.clone(), clock, metrics, waker });
        self.take_seat()
    }

    fn take_seat(&mut self) -> Result {
        let Some(Seat { info, clock, metrics, waker }) = &self.seat else { return Ok(()) };
        self.spout.open(&mut SpoutContext { info, clock, metrics, waker })
    }

    /// Whether it has something to do now: its time has come, or its waker has called.
    pub fn is_due(&mut self, now_ns: u64) -> bool {
        let called = self.seat.as_ref().is_some_and(|seat| seat.waker.take_call());
        match self.due {
            Due::Now => true,
            Due::At(ns) => called || ns <= now_ns,
            Due::After(ns) => ns <= now_ns,
            Due::OnCall => called,
            Due::Never => false,
        }
    }

    /// Whether its waker has called and it hasn't been asked since.
    pub fn is_called(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.waker.called.load(std::sync::atomic::Ordering::Acquire))
    }

    /// Calls it, on a new instance if the last call panicked.
    ///
    /// # Errors
    /// It panicked, or can't be made or opened anew.
    pub fn call<T>(&mut self, call: impl FnOnce(&mut S) -> T) -> Result<T> {
        caught(|| {
            if self.panicked {
                self.renew()?;
            }
            // Until it returns: a panic skips what follows.
            self.panicked = true;
            let value = call(&mut self.spout);
            self.panicked = false;
            Ok(value)
        })
    }

    fn renew(&mut self) -> Result {
        self.spout = (self.make)();
        self.instance += 1;
        self.due = Due::Now;
        self.take_seat()?;
        if self.active {
            self.spout.activate();
        }
        self.panicked = false;
        Ok(())
    }

    /// Tells the instance that made a row of its fate, if it is still there. If it panics, it goes on, as any spout does.
    ///
    /// # Errors
    /// It panicked.
    pub fn tell(&mut self, instance: u64, tell: impl FnOnce(&mut S)) -> Result {
        if self.panicked || self.instance != instance {
            return Ok(());
        }
        caught(|| {
            tell(&mut self.spout);
            Ok(())
        })
    }

    /// Activates or deactivates it.
    ///
    /// # Errors
    /// It panicked.
    pub fn set_active(&mut self, active: bool) -> Result {
        self.active = active;
        let instance = self.instance;
        self.tell(instance, |spout| if active { spout.activate() } else { spout.deactivate() })
    }
}

/// Runs the user's code, with a panic as an error.
pub fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(crate::panics::take_failure(&*panic)))
}
