//! Counts each hashtag over a sliding window, and over the whole input.

use squall::metrics::Counter;
use squall::{
    Bolt, BoltContext, Collector, Declarer, Result, Rolling, StateHandle, Timestamp, TopK, Tuple, WindowSpec,
};

use super::rows::{Partial, Tagged};

/// The counter of hashtags that came when the last window that could count them was closed.
pub const LATE: &str = "late";

/// Counts the hashtags that fields grouping gives this task. When the watermark passes the end of a window, emits the most
/// frequent of them; at the end of the input, the most frequent over all of it.
pub struct Count {
    window: WindowSpec,
    top: usize,
    /// The end of the first window that is still open.
    open: Timestamp,
    /// When the newest post since the last partial was emitted.
    emitted: Option<Timestamp>,
    prepared: Option<Prepared>,
}

struct Prepared {
    /// Only tags that an open window counts.
    recent: StateHandle<String, Rolling>,
    totals: StateHandle<String, u64>,
    late: Counter,
}

impl Count {
    pub fn new(window: WindowSpec, top: usize) -> Self {
        Self { window, top, open: Timestamp::MIN, emitted: None, prepared: None }
    }

    fn prepared(&self) -> &Prepared {
        self.prepared.as_ref().expect("`prepare` comes first")
    }

    /// The end of the first window from `open` on that counts something.
    fn next_window(&self, out: &mut Collector<'_>) -> Option<Timestamp> {
        let groups = out.state_groups(&self.prepared().recent);
        groups.flat_map(|group| group.iter()).filter_map(|(_, recent)| recent.next_end(self.open, &self.window)).min()
    }

    /// Emits the window's top, and forgets the tags that no later window counts.
    fn close(&mut self, end: Timestamp, out: &mut Collector<'_>) {
        let (window, mut top) = (&self.window, TopK::new(self.top));
        self.open = end + window.slide();
        for group in out.state_groups(&self.prepared().recent) {
            group.retain(|tag, recent| {
                match recent.total(end, window) {
                    0 => {}
                    count => top.offer(tag, count),
                }
                recent.advance_to(self.open, window);
                !recent.is_empty_at(self.open, window)
            });
        }
        out.emit(partial(end, &top, self.emitted.take()));
    }

    fn close_input(&self, out: &mut Collector<'_>) {
        let mut top = TopK::new(self.top);
        for group in out.state_groups(&self.prepared().totals) {
            group.iter().for_each(|(tag, count)| top.offer(tag, *count));
        }
        out.emit(partial(Timestamp::MAX, &top, None));
    }
}

fn partial(end: Timestamp, top: &TopK<String>, emitted: Option<Timestamp>) -> Partial {
    let counts = top.ranked().iter().map(|(tag, count)| (tag.clone(), count.cast_signed())).collect();
    Partial { end, counts, emitted }
}

impl Bolt for Count {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Partial>();
    }

    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.prepared = Some(Prepared {
            recent: context.keyed_state("recent")?,
            totals: context.keyed_state("totals")?,
            late: context.counter(LATE),
        });
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let Tagged { tag, at, emitted } = tuple.read()?;
        let prepared = self.prepared();
        *out.state(&prepared.totals).get_or_default(tag) += 1;
        let recent = out.state(&prepared.recent).get_or_default(tag);
        recent.advance_to(self.open, &self.window);
        if !recent.add(at, 1, &self.window) {
            prepared.late.increment();
        }
        self.emitted = self.emitted.max(Some(emitted));
        Ok(())
    }

    fn watermark(&mut self, watermark: Timestamp, out: &mut Collector<'_>) -> Result {
        if watermark == Timestamp::MAX {
            self.close_input(out);
            return Ok(());
        }
        // A post at the watermark itself may still follow, so a window that ends there stays open.
        while let Some(end) = self.next_window(out).filter(|end| *end < watermark) {
            self.close(end, out);
        }
        self.open = self.open.max(self.window.end_of(watermark));
        Ok(())
    }
}
