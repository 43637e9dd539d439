//! An open loop: events at a steady rate through three hops, and bare channels beside.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use squall::{Bolt, Collector, Declarer, Result, Timestamp, TopologyBuilder, Tuple};

use crate::bare;
use crate::error::Error;
use crate::harness::{Bench, Figures, block_on, figures};
use crate::meter::percentile;
use crate::pace::{HandOver, Plan};
use crate::rows::Stamp;
use crate::tally::Tally;

/// Latencies in nanoseconds, in the order in which the events came.
pub type Latencies = Arc<Mutex<Vec<u64>>>;

/// Passes a stamp on.
struct Hop;

impl Bolt for Hop {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Stamp>();
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        out.emit(tuple.read::<Stamp>()?);
        Ok(())
    }
}

/// Looks how long each event took.
pub struct Last {
    began: Instant,
    tally: Tally,
    seen: Vec<u64>,
    latencies: Latencies,
}

impl Last {
    /// A bolt that says at the end of its input how long the events took since `began` plus their stamps.
    pub fn new(began: Instant, tally: Tally, latencies: Latencies) -> Self {
        Self { began, tally, seen: Vec::new(), latencies }
    }
}

impl Bolt for Last {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        let handed_over = Duration::from_nanos(tuple.read::<Stamp>()?.at.unsigned_abs());
        self.seen.push(self.began.elapsed().saturating_sub(handed_over).as_nanos() as u64);
        Ok(())
    }

    fn watermark(&mut self, _: Timestamp, _: &mut Collector<'_>) -> Result {
        self.tally.taken(self.seen.len() as u64);
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.seen);
        Ok(())
    }
}

/// p50 and p99 from the hand-over to the last bolt at so many events a second, and of as many bare hops.
///
/// # Errors
/// Not every event came, or the books don't balance.
pub fn run(rate: f64, seconds: f64) -> Result<Figures, Error> {
    let plan = Plan::new(rate, seconds);
    let squall = block_on(through_bolts(plan))?;
    let bare = plan.counted(bare::hops(plan)?);
    let ms = |sorted: &[u64], share| percentile(sorted, share) as f64 / 1e6;
    Ok(figures([
        ("p50_ms", ms(&squall, 0.5)),
        ("p99_ms", ms(&squall, 0.99)),
        ("p50_ms_base", ms(&bare, 0.5)),
        ("p99_ms_base", ms(&bare, 0.99)),
    ]))
}

async fn through_bolts(plan: Plan) -> Result<Vec<u64>, Error> {
    let (tally, latencies, began) = (Tally::default(), Latencies::default(), Instant::now());
    let hand_over = HandOver::new(began);
    let mut topology = TopologyBuilder::new("latency");
    let (from, sends) = (hand_over.clone(), tally.clone());
    topology.spout("source", move || from.spout(sends.clone()));
    topology.bolt("first", || Hop).shuffle("source").unchained();
    topology.bolt("second", || Hop).shuffle("first").unchained();
    let (takes, seen) = (tally.clone(), latencies.clone());
    topology.bolt("last", move || Last::new(began, takes.clone(), seen.clone())).shuffle("second").unchained();
    let bench = Bench::start(topology, tally.clone()).await?;
    events(plan, hand_over, &tally).await?;
    bench.finish("events").await?;
    let latencies = std::mem::take(&mut *latencies.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(plan.counted(latencies))
}

/// Has all events of the plan handed over, and then the spout end.
///
/// # Errors
/// There is no thread for the source.
pub async fn events(plan: Plan, hand_over: HandOver, tally: &Tally) -> Result<(), Error> {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let to = hand_over.clone();
    let source = plan.start(move || {
        let _ends_with_the_thread = &ended;
        to.put();
    })?;
    // The sender is dropped, never used.
    let _ = end.await;
    source.join().expect("the source doesn't panic");
    tally.stop();
    hand_over.wake();
    Ok(())
}
