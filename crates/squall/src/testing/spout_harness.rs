//! One spout alone.

use std::sync::Arc;
use std::time::Duration;

use squall_engine::ledger::FailureKind;
use squall_runtime::harness::SpoutDriver;
use squall_runtime::metrics::UserSnapshot;
use squall_runtime::{Declarer, Failure, Next, Result, Spout, TaskInfo};
use squall_types::topology::{Config, Keying, NotKeyed};
use squall_types::{ComponentId, TaskId, Timestamp};

use super::EPOCH;
use super::rows::{Capture, CapturedRow, Rows};
use super::time::StoppedTime;

/// A spout alone: called, acked and failed one by one, with time that moves only by [`advance`](Self::advance).
///
/// ```
/// use squall::testing::SpoutHarness;
/// use squall::{Declarer, Next, Result, Spout, SpoutCollector};
///
/// #[derive(Default)]
/// struct Numbers {
///     next: i64,
///     acked: Vec<i64>,
/// }
///
/// impl Spout for Numbers {
///     type Id = i64;
///
///     fn declare(&self, streams: &mut Declarer) {
///         streams.stream("default", ["n"]);
///     }
///
///     fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
///         out.emit_with(self.next, (self.next,));
///         self.next += 1;
///         Ok(Next::More)
///     }
///
///     fn ack(&mut self, id: i64) {
///         self.acked.push(id);
///     }
/// }
///
/// let mut spout = SpoutHarness::open(Numbers::default())?;
/// let call = spout.call()?;
/// assert_eq!((call.ids[0], call.rows[0].values()), (Some(0), &[0.into()][..]));
/// spout.ack(0);
/// assert_eq!(spout.spout().acked, [0]);
/// # Ok::<(), squall::Failure>(())
/// ```
pub struct SpoutHarness<S: Spout> {
    driver: SpoutDriver<S>,
    capture: Arc<Capture>,
    time: StoppedTime,
}

/// What a call of a spout's `next` did.
#[derive(Debug)]
pub struct SpoutCall<Id> {
    /// The rows that it emitted.
    pub rows: Rows,
    /// Their ids, in the same order; `None` for a row that isn't tracked.
    pub ids: Vec<Option<Id>>,
    /// The watermark that it gave.
    pub watermark: Option<Timestamp>,
    /// What it returned.
    pub next: Next,
}

impl<Id> SpoutCall<Id> {
    /// The rows with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&Id>, &CapturedRow)> {
        self.ids.iter().map(Option::as_ref).zip(&self.rows)
    }
}

impl<S: Spout> SpoutHarness<S> {
    /// Opens and activates a spout.
    ///
    /// # Errors
    /// What its `open` said.
    pub fn open(spout: S) -> Result<Self> {
        Self::open_with(spout, Config::new())
    }

    /// Opens and activates a spout, with settings as the topology would give them.
    ///
    /// # Errors
    /// What its `open` said.
    pub fn open_with(spout: S, config: Config) -> Result<Self> {
        let mut streams = Declarer::new();
        spout.declare(&mut streams);
        let component = ComponentId::from("spout");
        let info = TaskInfo {
            directory: [].into(),
            keying: Arc::new(Keying::No(NotKeyed::Spout { component: component.clone() })),
            component,
            task: TaskId::new(1),
            index: 0,
            tasks: 1,
            config: Arc::new(config),
            streams: streams.into_streams().into(),
            tracked: true,
        };
        let (capture, time) = (Arc::new(Capture::new(EPOCH)), StoppedTime::new(EPOCH));
        let mut driver = SpoutDriver::new(spout, info, time.clock, capture.clone());
        time.inside(|| driver.open())?;
        Ok(Self { driver, capture, time })
    }

    /// Calls `next` once, with room for 256 rows, as a lane does.
    ///
    /// # Errors
    /// What `next` said, or that a row doesn't fit its stream: what the call emitted is withdrawn then.
    pub fn call(&mut self) -> Result<SpoutCall<S::Id>, Failure> {
        self.call_with_room(256)
    }

    /// Calls `next` once, with room for so many rows.
    ///
    /// # Errors
    /// What `next` said, or that a row doesn't fit its stream: what the call emitted is withdrawn then.
    pub fn call_with_room(&mut self, room: usize) -> Result<SpoutCall<S::Id>, Failure> {
        let Self { driver, capture, time } = self;
        let called = time.inside(|| driver.next(room));
        let rows = capture.take().rows;
        called.map(|called| SpoutCall { rows, ids: called.ids, watermark: called.watermark, next: called.next })
    }

    /// Tells the spout that the row of this id is done.
    pub fn ack(&mut self, id: S::Id) {
        let driver = &mut self.driver;
        self.time.inside(|| driver.ack(id));
    }

    /// Tells the spout that the row of this id will not be done.
    pub fn fail(&mut self, id: S::Id, kind: FailureKind) {
        let driver = &mut self.driver;
        self.time.inside(|| driver.fail(id, kind));
    }

    /// Pauses the spout.
    pub fn deactivate(&mut self) {
        self.driver.deactivate();
    }

    /// Lets the spout go on.
    pub fn activate(&mut self) {
        self.driver.activate();
    }

    /// Ends the spout in an orderly way.
    pub fn close(&mut self) {
        self.driver.close();
    }

    /// Whether the spout's waker was called since this was last asked.
    pub fn was_woken(&mut self) -> bool {
        self.driver.take_call()
    }

    /// Moves the clock. It doesn't move by itself.
    pub fn advance(&mut self, by: Duration) {
        self.time.advance(by);
    }

    /// The time that the spout sees.
    pub fn now(&self) -> Timestamp {
        self.time.inside(|| self.time.clock.now())
    }

    /// The spout itself.
    pub fn spout(&mut self) -> &mut S {
        self.driver.spout()
    }

    /// The spout's own counters, gauges and histograms.
    pub fn metrics(&self) -> UserSnapshot {
        self.driver.user_metrics()
    }
}
