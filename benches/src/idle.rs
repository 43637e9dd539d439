//! A topology that has nothing to do.

use std::sync::{Arc, Mutex, PoisonError};

use squall::{Declarer, Next, Result, Spout, SpoutCollector, SpoutContext, SpoutWaker};

use crate::error::Error;
use crate::harness::{Bench, Figures, block_on, figures};
use crate::line::topology;
use crate::rows::Key;
use crate::tally::Tally;

/// Executors of each of the ten components.
const EXECUTORS: u32 = 10;

type Wakers = Arc<Mutex<Vec<SpoutWaker>>>;

/// Waits to be woken, and ends then.
struct Waiting {
    tally: Tally,
    wakers: Wakers,
}

impl Spout for Waiting {
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Key>();
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(context.waker());
        Ok(())
    }

    fn next(&mut self, _: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        Ok(if self.tally.stopped() { Next::Done } else { Next::Wait })
    }
}

/// The share of a core that 100 executors take while their spouts wait to be woken, in percent.
///
/// # Errors
/// The books don't balance.
pub fn run(seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let (tally, wakers) = (Tally::default(), Wakers::default());
        let (of, to) = (tally.clone(), wakers.clone());
        let topology = topology(EXECUTORS, &tally, move || Waiting { tally: of.clone(), wakers: to.clone() });
        let bench = Bench::start(topology, tally.clone()).await?;
        let window = bench.measure(seconds).await?;
        tally.stop();
        wakers.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(SpoutWaker::wake);
        bench.finish("rows").await?;
        Ok(figures([("cpu_percent", 100.0 * window.cpu_s / window.seconds)]))
    })
}
