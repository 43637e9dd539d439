//! An unlimited source before a bolt that is far slower: memory stays bounded.

use std::time::{Duration, Instant};

use squall::{Bolt, Collector, Delivery, Result, Timestamp, TopologyBuilder, Tuple};

use crate::error::Error;
use crate::harness::{Bench, Figures, block_on, figures};
use crate::meter::{cpu_seconds, rss_mb};
use crate::rows::{Const, Identity};
use crate::tally::Tally;

const PAUSE: Duration = Duration::from_millis(1);
const LOOK: Duration = Duration::from_millis(50);

/// Blocks over each row, until the end.
struct Slow {
    tally: Tally,
    taken: u64,
}

impl Bolt for Slow {
    fn execute(&mut self, _: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        if !self.tally.stopped() {
            std::thread::sleep(PAUSE);
        }
        self.taken += 1;
        Ok(())
    }

    fn watermark(&mut self, _: Timestamp, _: &mut Collector<'_>) -> Result {
        self.tally.taken(std::mem::take(&mut self.taken));
        Ok(())
    }
}

/// The most memory, and by how much the most of the second half is over the most of the first.
///
/// # Errors
/// Not every row came, or the books don't balance.
pub fn run(delivery: Delivery, seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let tally = Tally::default();
        let mut topology = TopologyBuilder::new("memory");
        topology.delivery(delivery);
        let (sends, takes) = (tally.clone(), tally.clone());
        topology.spout("const", move || Const::new(sends.clone()));
        topology.bolt("identity", || Identity).shuffle("const");
        let slow = topology.bolt("slow", move || Slow { tally: takes.clone(), taken: 0 });
        slow.blocking().shuffle("identity");
        let bench = Bench::start(topology, tally).await?;
        let (cpu_s, began) = (cpu_seconds()?, Instant::now());
        let warm = most_until(began, seconds * 0.2).await?;
        let first = most_until(began, seconds * 0.6).await?;
        let second = most_until(began, seconds).await?;
        let cpu_s = cpu_seconds()? - cpu_s;
        let rows = bench.snapshot().component("slow").map_or(0, |it| it.total.executed);
        bench.finish("rows").await?;
        Ok(figures([
            ("rss_mb", warm.max(first).max(second)),
            ("growth_mb", (second - first).max(0.0)),
            ("krows_s", rows as f64 / 1e3 / seconds),
            ("cpu_s_per_m", cpu_s / (rows as f64 / 1e6)),
        ]))
    })
}

/// The most memory that is seen from now on until so many seconds after `began`, in MB.
async fn most_until(began: Instant, seconds: f64) -> Result<f64, Error> {
    let mut most = rss_mb()?;
    while began.elapsed().as_secs_f64() < seconds {
        tokio::time::sleep(LOOK).await;
        most = most.max(rss_mb()?);
    }
    Ok(most)
}
