//! Ten components in a line, joined by fields groupings: what many executors cost.

use squall::TopologyBuilder;

use crate::error::Error;
use crate::harness::{Bench, Figures, block_on, figures};
use crate::meter::rss_mb;
use crate::rows::{Keyed, KeyedHop, KeyedNull};
use crate::tally::Tally;

/// Components, the spout among them.
const COMPONENTS: usize = 10;

/// The line, with so many executors of each component, fed by a spout that `make` makes.
pub fn topology<S: squall::Spout>(
    executors: u32,
    tally: &Tally,
    make: impl Fn() -> S + Send + Sync + 'static,
) -> TopologyBuilder {
    let mut topology = TopologyBuilder::new("line");
    topology.spout("0", make).parallelism(executors);
    for at in 1..COMPONENTS - 1 {
        let hop = topology.bolt(&at.to_string(), || KeyedHop).parallelism(executors);
        hop.fields(&*(at - 1).to_string(), ["key"]);
    }
    let takes = tally.clone();
    let last = topology.bolt("last", move || KeyedNull::new(takes.clone())).parallelism(executors);
    last.fields(&*(COMPONENTS - 2).to_string(), ["key"]);
    topology
}

async fn rate(executors: u32, seconds: f64) -> Result<(f64, f64), Error> {
    let tally = Tally::default();
    let sends = tally.clone();
    let bench = Bench::start(topology(executors, &tally, move || Keyed::new(sends.clone())), tally).await?;
    let window = bench.measure(seconds).await?;
    let rss = rss_mb()?;
    bench.finish("rows").await?;
    Ok((window.rate("last"), rss))
}

/// Millions of rows a second that reach the end, with 1,000 executors, against 10, and the memory of the 1,000.
///
/// # Errors
/// Not every row came, or the books don't balance.
pub fn run(seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let (many, rss) = rate(100, seconds / 2.0).await?;
        let (few, _) = rate(1, seconds / 2.0).await?;
        Ok(figures([("mrows_s", many), ("mrows_s_base", few), ("rss_mb", rss)]))
    })
}
