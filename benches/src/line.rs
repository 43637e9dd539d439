//! Ten components in a line, joined by fields groupings: what many executors cost.

use squall::TopologyBuilder;

use crate::error::Error;
use crate::harness::{Bench, Figures, Window, block_on, figures};
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

async fn measure(executors: u32, seconds: f64) -> Result<(Window, f64), Error> {
    let tally = Tally::default();
    let sends = tally.clone();
    let bench = Bench::start(topology(executors, &tally, move || Keyed::new(sends.clone())), tally).await?;
    let window = bench.measure(seconds).await?;
    let rss = rss_mb()?;
    bench.finish("rows").await?;
    Ok((window, rss))
}

/// Millions of rows a second that reach the end, with 1,000 executors, against 10, what they cost, and the memory of the 1,000.
///
/// # Errors
/// Not every row came, or the books don't balance.
pub fn run(seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let (many, rss) = measure(100, seconds / 2.0).await?;
        let (few, _) = measure(1, seconds / 2.0).await?;
        Ok(figures([
            ("mrows_s", many.rate("last")),
            ("mrows_s_base", few.rate("last")),
            ("cpu_s_per_m", many.cpu_s / many.millions("last")),
            ("cpu_s_per_m_base", few.cpu_s / few.millions("last")),
            ("rss_mb", rss),
        ]))
    })
}
