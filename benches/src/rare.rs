//! Rare rows beside a stream that saturates the bolt they pass through.

use std::hint::black_box;
use std::sync::PoisonError;
use std::time::Instant;

use squall::metrics::Snapshot;
use squall::{Bolt, Collector, Declarer, Result, Timestamp, TopologyBuilder, Tuple};

use crate::error::Error;
use crate::harness::{Bench, Figures, block_on, figures};
use crate::latency::{Last, Latencies, events};
use crate::meter::{cpu_seconds, percentile};
use crate::pace::{HandOver, Plan};
use crate::rows::{Const, Stamp, Text};
use crate::tally::Tally;

/// Rare rows a second.
const RATE: f64 = 100.0;
/// Work on a common row, so that the bolt and not its spout is what is saturated.
const WORK: u32 = 50;

/// The least share of the time for which the common spout waits for room: below it the bolt keeps up, and nothing is shown.
const BLOCKED: f64 = 0.5;

/// Works on common rows, and passes rare ones on.
struct Busy {
    tally: Tally,
    taken: u64,
}

impl Bolt for Busy {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Stamp>();
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        if tuple.component().as_str() == "rare" {
            out.emit(tuple.read::<Stamp>()?);
            return Ok(());
        }
        let bytes = tuple.read::<Text<'_>>()?.text.bytes();
        black_box(
            (0..WORK).fold(bytes.map(u64::from).sum(), |sum: u64, turn| {
                black_box(sum.rotate_left(turn % 64).wrapping_mul(31))
            }),
        );
        self.taken += 1;
        Ok(())
    }

    fn watermark(&mut self, _: Timestamp, _: &mut Collector<'_>) -> Result {
        self.tally.taken(std::mem::take(&mut self.taken));
        Ok(())
    }
}

/// How long the common spout has waited for room.
fn blocked_ns(snapshot: &Snapshot) -> u64 {
    snapshot.component("common").map_or(0, |it| it.lanes.iter().map(|lane| lane.blocked_ns).sum())
}

/// p50 and p99 of rare rows from their hand-over to the bolt behind the busy one.
///
/// # Errors
/// Not every row came, the books don't balance, or the bolt wasn't saturated.
pub fn run(seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let (tally, latencies, began) = (Tally::default(), Latencies::default(), Instant::now());
        let (plan, hand_over) = (Plan::new(RATE, seconds), HandOver::new(began));
        let mut topology = TopologyBuilder::new("rare");
        let sends = tally.clone();
        topology.spout("common", move || Const::new(sends.clone()));
        let (from, sends) = (hand_over.clone(), tally.clone());
        topology.spout("rare", move || from.spout(sends.clone()));
        let takes = tally.clone();
        let busy = topology.bolt("busy", move || Busy { tally: takes.clone(), taken: 0 });
        busy.shuffle("common").shuffle("rare");
        let (takes, seen) = (tally.clone(), latencies.clone());
        topology.bolt("last", move || Last::new(began, takes.clone(), seen.clone())).shuffle("busy").unchained();
        let bench = Bench::start(topology, tally.clone()).await?;
        let (before, cpu_s) = (bench.snapshot(), cpu_seconds()?);
        events(plan, hand_over, &tally).await?;
        let (after, cpu_s) = (bench.snapshot(), cpu_seconds()? - cpu_s);
        bench.finish("rows").await?;
        let [then, now] = [&before, &after].map(|it| it.component("busy"));
        let (then, now) = then.zip(now).ok_or(Error::Shape("there is no busy bolt"))?;
        let between_ns = after.at_ns - before.at_ns;
        let blocked = (blocked_ns(&after) - blocked_ns(&before)) as f64 / between_ns as f64;
        if blocked < BLOCKED {
            return Err(Error::Unsaturated { blocked });
        }
        let common = (now.total.executed - then.total.executed) as f64;
        let sorted = plan.counted(std::mem::take(&mut *latencies.lock().unwrap_or_else(PoisonError::into_inner)));
        Ok(figures([
            ("p50_ms", percentile(&sorted, 0.5) as f64 / 1e6),
            ("p99_ms", percentile(&sorted, 0.99) as f64 / 1e6),
            ("busy_share", now.capacity_since(then, between_ns)),
            ("common_blocked_share", blocked),
            ("common_mrows_s", common * 1e3 / between_ns as f64),
            ("cpu_s_per_m", cpu_s * 1e6 / common),
        ]))
    })
}
