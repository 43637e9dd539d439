//! Running a topology for a while, measuring it, and holding its books against what was sent.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use squall::metrics::{LatencySnapshot, Snapshot};
use squall::{Delivery, Options, Slot, TopologyBuilder};

use crate::error::Error;
use crate::meter::cpu_seconds;
use crate::tally::Tally;

/// Figures by name.
pub type Figures = BTreeMap<String, f64>;

/// Before a measurement, so that buffers have grown and rows flow.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long a topology may take to finish what is in flight.
const PATIENCE: Duration = Duration::from_secs(60);

/// Figures from their names and values.
pub fn figures<const N: usize>(named: [(&str, f64); N]) -> Figures {
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Runs a bench on a runtime of its own.
///
/// # Errors
/// The bench's, or there is no runtime.
pub fn block_on<T>(bench: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
    runtime.block_on(bench)
}

/// A running topology and what its components count.
pub struct Bench {
    slot: Slot,
    tally: Tally,
    delivery: Delivery,
}

/// What happened between two moments.
pub struct Window {
    before: Snapshot,
    after: Snapshot,
    /// Seconds between them.
    pub seconds: f64,
    /// CPU seconds spent between them.
    pub cpu_s: f64,
}

impl Bench {
    /// Starts a topology on all cores.
    ///
    /// # Errors
    /// It is wrong, or doesn't start.
    pub async fn start(topology: TopologyBuilder, tally: Tally) -> Result<Self, Error> {
        let delivery = topology.topology().delivery;
        let slot = Slot::start(&topology.build()?, &Options::default()).await?;
        Ok(Self { slot, tally, delivery })
    }

    /// The figures as they are.
    pub fn snapshot(&self) -> Snapshot {
        self.slot.metrics()
    }

    /// Lets it warm up, and measures it for so many seconds.
    ///
    /// # Errors
    /// CPU time can't be read.
    pub async fn measure(&self, seconds: f64) -> Result<Window, Error> {
        tokio::time::sleep(WARM_UP).await;
        let (before, cpu_s, began) = (self.slot.metrics(), cpu_seconds()?, Instant::now());
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        let (after, cpu_s, seconds) = (self.slot.metrics(), cpu_seconds()? - cpu_s, began.elapsed().as_secs_f64());
        Ok(Window { before, after, seconds, cpu_s })
    }

    /// Has the spouts end, waits for the rest, and checks the books and that what was sent came.
    ///
    /// # Errors
    /// They don't balance.
    pub async fn finish(self, what: &'static str) -> Result<(), Error> {
        self.tally.stop();
        if tokio::time::timeout(PATIENCE, self.slot.ended()).await.is_err() {
            return Err(Error::Stuck { seconds: PATIENCE.as_secs(), books: self.slot.kill().await });
        }
        let books = self.slot.drain(PATIENCE).await;
        let acked = if self.delivery == Delivery::AtLeastOnce { books.emitted } else { 0 };
        let lost = books.failed + books.timed_out + books.lost + books.left;
        if books.acked != acked || lost > 0 || !books.hung.is_empty() {
            return Err(Error::Books(books));
        }
        self.tally.check(what)
    }
}

impl Window {
    /// Millions of rows that the component has done.
    pub fn millions(&self, component: &str) -> f64 {
        let executed = |snapshot: &Snapshot| snapshot.component(component).map_or(0, |it| it.total.executed);
        (executed(&self.after) - executed(&self.before)) as f64 / 1e6
    }

    /// Millions of rows a second that the component has done.
    pub fn rate(&self, component: &str) -> f64 {
        self.millions(component) / self.seconds
    }

    /// The mean time from a root's emission to its ack, in milliseconds.
    pub fn complete_ms(&self) -> f64 {
        let [before, after] = [&self.before, &self.after].map(|it| LatencySnapshot::of(&it.spouts().complete));
        let sum = after.mean * after.count as f64 - before.mean * before.count as f64;
        sum / (after.count - before.count).max(1) as f64 / 1e6
    }
}
