//! Merges what the counting tasks found most frequent.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall::metrics::Histogram;
use squall::{Bolt, BoltContext, Collector, Result, Timestamp, TopK, Tuple};

use super::rows::Partial;

/// The most frequent hashtags of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trend {
    /// The end of the window; [`Timestamp::MAX`] stands for the whole input.
    pub end: Timestamp,
    /// Hashtags and in how many posts they were, most frequent first.
    pub ranked: Vec<(String, u64)>,
}

/// Takes each trend once it is complete, in the order of the windows.
pub type Publish = Arc<dyn Fn(Trend) + Send + Sync>;

/// Merges partial tops by window. A window is complete when the watermark has passed it: then every counting task has spoken.
pub struct Merge {
    top: usize,
    windows: BTreeMap<Timestamp, TopK<String>>,
    publish: Publish,
    latency: Histogram,
}

impl Merge {
    /// The histogram of microseconds between the emission of the newest post in a partial top and its merging.
    pub const LATENCY: &str = "emit_to_merge_us";

    pub fn new(top: usize, publish: Publish) -> Self {
        Self { top, windows: BTreeMap::new(), publish, latency: Histogram::default() }
    }
}

impl Bolt for Merge {
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.latency = context.histogram(Self::LATENCY);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let partial: Partial = tuple.read()?;
        let window = self.windows.entry(partial.end).or_insert_with(|| TopK::new(self.top));
        for (tag, count) in &partial.counts {
            window.offer(tag, count.cast_unsigned());
        }
        if let Some(emitted) = partial.emitted {
            self.latency.record(out.now().since(emitted).as_micros() as u64);
        }
        Ok(())
    }

    fn watermark(&mut self, watermark: Timestamp, _: &mut Collector<'_>) -> Result {
        while let Some(window) = self.windows.first_entry()
            && (*window.key() < watermark || watermark == Timestamp::MAX)
        {
            let (end, top) = window.remove_entry();
            (self.publish)(Trend { end, ranked: top.ranked().to_vec() });
        }
        Ok(())
    }
}
