//! Rows that nobody does anything with: what the way costs, from a spout to a bolt, or through one more.

use squall::{Delivery, Options, TopologyBuilder};

use crate::error::Error;
use crate::harness::{Bench, Figures, block_on, figures};
use crate::rows::{Const, Identity, Null};
use crate::tally::Tally;

async fn measure(topology: TopologyBuilder, tally: Tally, seconds: f64) -> Result<Figures, Error> {
    let bench = Bench::start(topology, tally).await?;
    let window = bench.measure(seconds).await?;
    bench.finish("rows").await?;
    let millions = window.millions("null");
    Ok(figures([
        ("mroots_s", millions / window.seconds),
        ("cpu_s_per_m", window.cpu_s / millions),
        ("cores", window.cpu_s / window.seconds),
    ]))
}

/// One spout and one bolt, through a queue: millions of roots a second.
///
/// # Errors
/// Not every row came, or the books don't balance.
pub fn direct(delivery: Delivery, seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let tally = Tally::default();
        let (sends, takes) = (tally.clone(), tally.clone());
        let mut topology = TopologyBuilder::new("null");
        topology.delivery(delivery);
        topology.spout("const", move || Const::new(sends.clone()));
        topology.bolt("null", move || Null::new(takes.clone())).shuffle("const").unchained();
        measure(topology, tally, seconds).await
    })
}

/// A spout, a bolt that passes rows on, and one that takes them, of each as many as cores, at least once.
///
/// # Errors
/// Not every row came, or the books don't balance.
pub fn identity(chained: bool, seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let tally = Tally::default();
        let (sends, takes) = (tally.clone(), tally.clone());
        let cores = Options::default().cores;
        let executors = u32::try_from(cores).unwrap_or(u32::MAX);
        let mut topology = TopologyBuilder::new("identity");
        topology.spout("const", move || Const::new(sends.clone())).parallelism(executors);
        let identity = topology.bolt("identity", || Identity).parallelism(executors).shuffle("const");
        if !chained {
            identity.unchained();
        }
        let null = topology.bolt("null", move || Null::new(takes.clone())).parallelism(executors).shuffle("identity");
        if !chained {
            null.unchained();
        }
        measure(topology, tally, seconds).await
    })
}
