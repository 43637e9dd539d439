//! A bolt that awaits, with many calls in flight, against bare loops that await the same.

use std::time::Duration;

use squall::{AsyncBolt, AsyncCollector, OwnedTuple, Result, Timestamp, TopologyBuilder};

use crate::bare;
use crate::error::Error;
use crate::harness::{Bench, Figures, block_on, figures};
use crate::rows::Const;
use crate::tally::Tally;

const IN_FLIGHT: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(1);

/// Sleeps over each row and counts it.
struct Sleepy {
    tally: Tally,
    taken: std::sync::atomic::AtomicU64,
}

impl AsyncBolt for Sleepy {
    async fn execute(&self, _: &OwnedTuple, _: &mut AsyncCollector) -> Result {
        tokio::time::sleep(PAUSE).await;
        self.taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    async fn watermark(&self, _: Timestamp, _: &mut AsyncCollector) -> Result {
        self.tally.taken(self.taken.swap(0, std::sync::atomic::Ordering::Relaxed));
        Ok(())
    }
}

/// Thousands of calls a second, of the bolt and of the bare loops.
///
/// # Errors
/// Not every row came, or the books don't balance.
pub fn run(seconds: f64) -> Result<Figures, Error> {
    let bolt = block_on(async {
        let tally = Tally::default();
        let mut topology = TopologyBuilder::new("awaiting");
        let (sends, takes) = (tally.clone(), tally.clone());
        topology.spout("const", move || Const::new(sends.clone()));
        let sleepy = topology.async_bolt("sleepy", move || Sleepy { tally: takes.clone(), taken: 0.into() });
        sleepy.in_flight(IN_FLIGHT).shuffle("const");
        let bench = Bench::start(topology, tally).await?;
        let window = bench.measure(seconds / 2.0).await?;
        bench.finish("rows").await?;
        Ok(window)
    })?;
    let (rate, cpu_s) = bare::sleeping_loops(IN_FLIGHT as usize, PAUSE, seconds / 2.0)?;
    Ok(figures([
        ("kcalls_s", bolt.rate("sleepy") * 1e3),
        ("kcalls_s_base", rate / 1e3),
        ("cpu_s_per_m", bolt.cpu_s / bolt.millions("sleepy")),
        ("cpu_s_per_m_base", cpu_s * 1e6),
        ("cores", bolt.cpu_s / bolt.seconds),
    ]))
}
