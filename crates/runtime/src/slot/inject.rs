//! Faults on purpose, before a bolt's `execute`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use squall_types::{OwnedTuple, Timestamp, Tuple};

use super::program::{Code, CodeKind};
use crate::api::{AsyncCollector, Bolt, BoltContext, Boxed, Collector, DynAsyncBolt, Failure, Result};

/// What goes wrong with one call of `execute`. A delay comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The call takes this much longer.
    pub delay: Option<Duration>,
    /// The call isn't made; this happens instead.
    pub instead: Option<Instead>,
}

/// What happens instead of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// The tuple fails.
    Fail,
    /// The task panics.
    Panic,
}

/// Decides on the faults of a component, call by call.
pub type Injector = Arc<dyn Fn() -> Fault + Send + Sync>;

impl Code {
    /// This code with faults before each `execute`, if it is a bolt. `simulated` says that it will run under simulated time:
    /// there a delay moves the clock, else it holds the bolt's thread. An asynchronous bolt sleeps.
    #[must_use]
    pub fn with_faults(self, injector: Injector, simulated: bool) -> Self {
        match self.0 {
            CodeKind::Bolt(make) => Self::boxed_bolt(move || {
                Box::new(Faulty { inner: make(), injector: injector.clone(), simulated }) as Box<dyn Bolt>
            }),
            CodeKind::Async(make) => Self(CodeKind::Async(Arc::new(move || {
                Box::new(FaultyAsync { inner: make(), injector: injector.clone() })
            }))),
            spout @ CodeKind::Spout(_) => Self(spout),
        }
    }
}

/// Moves a paused runtime's clock. Does nothing elsewhere than under simulated time.
pub(crate) fn advance(by: Duration) {
    // The clock moves at the first poll; what would follow only lets others run.
    let _ = tokio::time::advance(by).now_or_never();
}

fn suffer(instead: Option<Instead>) -> Result {
    match instead {
        Some(Instead::Panic) => panic!("injected panic"),
        Some(Instead::Fail) => Err(Failure::from("injected failure")),
        None => Ok(()),
    }
}

struct Faulty {
    inner: Box<dyn Bolt>,
    injector: Injector,
    simulated: bool,
}

impl Bolt for Faulty {
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.inner.prepare(context)
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let fault = (self.injector)();
        match fault.delay {
            Some(delay) if self.simulated => advance(delay),
            Some(delay) => std::thread::sleep(delay),
            None => {}
        }
        suffer(fault.instead)?;
        self.inner.execute(tuple, out)
    }

    fn tick(&mut self, out: &mut Collector<'_>) -> Result {
        self.inner.tick(out)
    }

    fn watermark(&mut self, watermark: Timestamp, out: &mut Collector<'_>) -> Result {
        self.inner.watermark(watermark, out)
    }

    fn cleanup(&mut self) {
        self.inner.cleanup();
    }
}

struct FaultyAsync {
    inner: Box<dyn DynAsyncBolt>,
    injector: Injector,
}

impl DynAsyncBolt for FaultyAsync {
    fn prepare<'a>(&'a mut self, context: &'a mut BoltContext<'_>) -> Boxed<'a, Result> {
        self.inner.prepare(context)
    }

    fn execute<'a>(&'a self, tuple: &'a OwnedTuple, out: &'a mut AsyncCollector) -> Boxed<'a, Result> {
        let fault = (self.injector)();
        Box::pin(async move {
            if let Some(delay) = fault.delay {
                tokio::time::sleep(delay).await;
            }
            suffer(fault.instead)?;
            self.inner.execute(tuple, out).await
        })
    }

    fn tick<'a>(&'a self, out: &'a mut AsyncCollector) -> Boxed<'a, Result> {
        self.inner.tick(out)
    }

    fn watermark<'a>(&'a self, watermark: Timestamp, out: &'a mut AsyncCollector) -> Boxed<'a, Result> {
        self.inner.watermark(watermark, out)
    }

    fn cleanup(&mut self) -> Boxed<'_, ()> {
        self.inner.cleanup()
    }
}
