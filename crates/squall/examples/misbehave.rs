//! A topology that misbehaves as it is told, to see what a drain, a metrics table and the books make of it:
//!
//! ```sh
//! cargo run --example misbehave -- --metrics-every 1s --set work.fail_every=1000
//! cargo run --example misbehave -- --drain-timeout 2s --set work.hang_at=5000    # then Ctrl-C
//! cargo run --example misbehave -- --set work.panic_at=5000
//! cargo run --example misbehave -- --set numbers.limit=1000000000000             # as good as endless
//! ```

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use squall::{
    Bolt, BoltContext, Collector, Declarer, Next, Result, Spout, SpoutCollector, SpoutContext, Timestamp,
    TopologyBuilder, Tuple,
};

#[derive(Tuple)]
struct Number {
    number: i64,
}

/// Numbers, unless `numbers.limit` says otherwise: few enough to be done with at once.
const LIMIT: i64 = 100_000;

/// Counts from 0 up to `limit`.
#[derive(Default)]
struct Numbers {
    next: i64,
    limit: i64,
}

impl Spout for Numbers {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Number>();
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        self.limit = context.setting("limit")?.unwrap_or(LIMIT);
        if context.setting("hang_on_open")?.unwrap_or(false) {
            thread::sleep(Duration::MAX);
        }
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        for _ in 0..out.room() {
            if self.next >= self.limit {
                out.watermark(Timestamp::MAX);
                return Ok(Next::Done);
            }
            out.emit_with(self.next, Number { number: self.next });
            self.next += 1;
        }
        Ok(Next::More)
    }
}

/// Takes numbers, unless it is told to fail each so-manieth, or to panic, to hang, or to hold its core for a moment at one, or to
/// panic at the end.
#[derive(Default)]
struct Work {
    fail_every: Option<i64>,
    hang_at: Option<i64>,
    panic_at: Option<i64>,
    hold_at: Option<i64>,
    panic_at_end: bool,
}

impl Bolt for Work {
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.fail_every = context.setting("fail_every")?;
        self.hang_at = context.setting("hang_at")?;
        self.panic_at = context.setting("panic_at")?;
        self.hold_at = context.setting("hold_at")?;
        self.panic_at_end = context.setting("panic_at_end")?.unwrap_or(false);
        if self.panic_at_end {
            context.logger().warn("will panic at the end of the input");
        }
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        let Number { number } = tuple.read()?;
        if self.hang_at == Some(number) {
            thread::sleep(Duration::MAX);
        }
        if self.hold_at == Some(number) {
            thread::sleep(Duration::from_millis(60));
        }
        assert!(self.panic_at != Some(number), "told to panic");
        match self.fail_every {
            Some(every) if number % every == every - 1 => Err("told to fail".into()),
            _ => Ok(()),
        }
    }

    fn watermark(&mut self, to: Timestamp, _: &mut Collector<'_>) -> Result {
        assert!(!self.panic_at_end || to < Timestamp::MAX, "told to panic at the end");
        Ok(())
    }
}

fn main() -> ExitCode {
    let mut topology = TopologyBuilder::new("misbehave");
    topology.spout("numbers", Numbers::default);
    topology.bolt("work", Work::default).local_or_shuffle("numbers").resources(25, 64);
    squall::main(topology)
}
