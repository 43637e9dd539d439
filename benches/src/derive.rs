//! Rows by `#[derive(Tuple)]` against rows by tuples and indices: the derive is to cost nothing.
//!
//! Spout and bolt are chained: what a queue between two cores costs depends on whether they happen to sleep in turn, and would
//! hide what is measured.

use std::hint::black_box;

use squall::{
    Bolt, Collector, Declarer, Delivery, Next, Result, Spout, SpoutCollector, Timestamp, TopologyBuilder, Tuple,
};

use crate::error::Error;
use crate::harness::{Bench, Figures, Window, block_on, figures};
use crate::rows::{Const, Null, TEXT};
use crate::tally::Tally;

/// Turns of each form.
const TURNS: u32 = 4;

/// As [`Const`], without a type for its rows.
struct DynamicConst(Const);

impl Spout for DynamicConst {
    type Id = u64;

    fn declare(&self, streams: &mut Declarer) {
        self.0.declare(streams);
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, u64>) -> Result<Next> {
        self.0.send(out, || (TEXT,))
    }
}

/// As [`Null`], without a type for its rows.
struct DynamicNull(Null);

impl Bolt for DynamicNull {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        black_box(tuple.get::<&str>(0)?.len());
        self.0.count();
        Ok(())
    }

    fn watermark(&mut self, to: Timestamp, out: &mut Collector<'_>) -> Result {
        self.0.watermark(to, out)
    }
}

/// What one form did in all its turns.
#[derive(Default)]
struct Sum {
    cpu_s: f64,
    seconds: f64,
    millions: f64,
}

impl Sum {
    fn add(&mut self, turn: &Window) {
        self.cpu_s += turn.cpu_s;
        self.seconds += turn.seconds;
        self.millions += turn.millions("null");
    }
}

async fn turn(derived: bool, seconds: f64) -> Result<Window, Error> {
    let tally = Tally::default();
    let (sends, takes) = (tally.clone(), tally.clone());
    let mut topology = TopologyBuilder::new("derive");
    topology.delivery(Delivery::AtMostOnce);
    if derived {
        topology.spout("const", move || Const::new(sends.clone()));
        topology.bolt("null", move || Null::new(takes.clone())).local_or_shuffle("const");
    } else {
        topology.spout("const", move || DynamicConst(Const::new(sends.clone())));
        topology.bolt("null", move || DynamicNull(Null::new(takes.clone()))).local_or_shuffle("const");
    }
    let bench = Bench::start(topology, tally).await?;
    let window = bench.measure(seconds).await?;
    bench.finish("rows").await?;
    Ok(window)
}

/// CPU seconds a million roots and millions of roots a second of both forms, which take turns and go first in turn.
///
/// # Errors
/// Not every row came, or the books don't balance.
pub fn run(seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let (mut derived, mut dynamic) = (Sum::default(), Sum::default());
        let each = seconds / f64::from(2 * TURNS);
        for number in 0..TURNS {
            let first = number.is_multiple_of(2);
            for is_derived in [first, !first] {
                let sum = if is_derived { &mut derived } else { &mut dynamic };
                sum.add(&turn(is_derived, each).await?);
            }
        }
        Ok(figures([
            ("cpu_s_per_m", derived.cpu_s / derived.millions),
            ("cpu_s_per_m_base", dynamic.cpu_s / dynamic.millions),
            ("mroots_s", derived.millions / derived.seconds),
            ("mroots_s_base", dynamic.millions / dynamic.seconds),
        ]))
    })
}
