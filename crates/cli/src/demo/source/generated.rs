//! The spout of posts that are made up.

use std::time::Duration;

use squall::{Declarer, Next, Result, Spout, SpoutCollector, SpoutContext, Timestamp};

use super::generator::Generator;
use super::{LOOK, Slides};
use crate::demo::rows::Post;

/// Emits posts of now, evenly over time.
pub struct Generated {
    seed: u64,
    rate: Option<f64>,
    slides: Slides,
    end_after: Option<Duration>,
    text: String,
    emitted: u64,
    open: Option<(Generator, Timestamp)>,
}

impl Generated {
    /// Waits are at least so long, so that posts go in batches.
    const PAUSE: Duration = Duration::from_millis(1);

    /// `rate` is in posts a second, over all tasks.
    pub fn new(seed: u64, rate: Option<f64>, slides: Slides, end_after: Option<Duration>) -> Self {
        Self { seed, rate, slides, end_after, text: String::new(), emitted: 0, open: None }
    }

    /// How many posts are due after so many seconds, and how long the next one is away.
    fn due(&self, seconds: f64, room: usize) -> (u64, Duration) {
        let Some(rate) = self.rate else { return (room as u64, Duration::ZERO) };
        let due = ((seconds * rate) as u64).saturating_sub(self.emitted);
        let away = ((self.emitted + due + 1) as f64 / rate - seconds).clamp(0.0, LOOK.as_secs_f64());
        (due, Duration::from_secs_f64(away).max(Self::PAUSE))
    }
}

impl Spout for Generated {
    /// Posts need no names: who keeps them until they are acked tells them apart.
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Post>();
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        self.rate = self.rate.map(|rate| rate / context.tasks() as f64);
        self.open = Some((Generator::new(self.seed, context.task_index() as u64), context.now()));
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        let now = out.now();
        let (_, start) = self.open.as_ref().expect("`open` comes first");
        let passed = now.since(*start);
        if self.end_after.is_some_and(|end| passed >= end) {
            self.slides.last().into_iter().for_each(|last| out.watermark(last));
            return Ok(Next::Done);
        }
        let seconds = passed.as_secs_f64();
        let (due, away) = self.due(seconds, out.room());
        let posts = due.min(out.room() as u64);
        let (generator, _) = self.open.as_mut().expect("`open` comes first");
        for _ in 0..posts {
            generator.write(seconds, &mut self.text);
            out.emit_with((), Post { text: &self.text, at: now, emitted: now });
        }
        self.emitted += posts;
        if self.slides.crosses(now) {
            out.watermark(now);
        }
        Ok(if posts < due || away.is_zero() { Next::More } else { Next::WaitFor(away) })
    }
}
