//! Bolts that compute and return.

use squall_types::{Timestamp, Tuple};

use super::{BoltContext, Collector, Declarer, Result};

/// A component that takes tuples and may emit new ones.
///
/// Every tuple that `execute` returns `Ok` for is acked; `Err` fails it and withdraws what it emitted. What it emits is
/// anchored to it. A bolt that wants to decide later takes a [`Token`](crate::Token) from [`Collector::keep`].
///
/// A bolt shares its core with others: `execute` computes and returns. One that blocks is declared as blocking in the
/// topology and gets a thread; one that awaits is an [`AsyncBolt`](super::AsyncBolt).
pub trait Bolt: Send + 'static {
    /// Says what streams the bolt emits. Called once, on an instance made for that, when the topology is built.
    fn declare(&self, streams: &mut Declarer) {
        let _ = streams;
    }

    /// Called before the first tuple, and again on a new instance after a panic.
    ///
    /// # Errors
    /// The topology doesn't start, or after a panic the restart is tried again later.
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        let _ = context;
        Ok(())
    }

    /// Does one tuple.
    ///
    /// # Errors
    /// The tuple fails, what it emitted is withdrawn, and the error is counted and shown.
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result;

    /// Executes rows, one after another. Provided, and compiled for each bolt, so that `execute` is inlined into the loop.
    #[doc(hidden)]
    fn execute_rows(&mut self, rows: &mut crate::Work<'_>) {
        while let Some((tuple, out)) = rows.next_row() {
            let result = self.execute(&tuple, out);
            rows.done(result);
        }
    }

    /// Called at the interval that the topology declares for this component, if it does.
    ///
    /// # Errors
    /// What was emitted is withdrawn, and the error is counted and shown.
    fn tick(&mut self, out: &mut Collector<'_>) -> Result {
        let _ = out;
        Ok(())
    }

    /// The watermark over all inputs has risen: no row with an earlier event time follows. [`Timestamp::MAX`] ends the
    /// input. What is emitted here goes before the watermark that is passed on.
    ///
    /// # Errors
    /// What was emitted is withdrawn, and the error is counted and shown.
    fn watermark(&mut self, watermark: Timestamp, out: &mut Collector<'_>) -> Result {
        let _ = (watermark, out);
        Ok(())
    }

    /// Called once at an orderly end.
    fn cleanup(&mut self) {}
}
