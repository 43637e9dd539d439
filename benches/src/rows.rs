//! Rows and components that several benches use.

use std::hint::black_box;

use squall::{Bolt, Collector, Declarer, IntoRow, Next, Result, Spout, SpoutCollector, Timestamp, Tuple};

use crate::tally::Tally;

/// What [`Const`] sends.
pub const TEXT: &str = "some short text";

/// A row with a short text.
#[derive(Tuple)]
pub struct Text<'a> {
    /// The text.
    pub text: &'a str,
}

/// A row with the moment at which a source handed it over, in nanoseconds since the bench began.
#[derive(Debug, Tuple)]
pub struct Stamp {
    /// The moment.
    pub at: i64,
}

/// Sends one text over and over, as fast as it may.
pub struct Const {
    tally: Tally,
    sent: u64,
}

impl Const {
    /// A spout that ends when the tally says so.
    pub fn new(tally: Tally) -> Self {
        Self { tally, sent: 0 }
    }

    /// Sends as many rows as there is room for, or ends.
    ///
    /// # Errors
    /// None.
    pub fn send<R: IntoRow>(&mut self, out: &mut SpoutCollector<'_, u64>, row: impl Fn() -> R) -> Result<Next> {
        if self.tally.stopped() {
            self.tally.sent(std::mem::take(&mut self.sent));
            return Ok(Next::Done);
        }
        for _ in 0..out.room() {
            out.emit_with(self.sent, row());
            self.sent += 1;
        }
        Ok(Next::More)
    }
}

impl Spout for Const {
    type Id = u64;

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Text<'_>>();
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, u64>) -> Result<Next> {
        self.send(out, || Text { text: TEXT })
    }
}

/// Passes each text on.
pub struct Identity;

impl Bolt for Identity {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Text<'_>>();
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        out.emit(tuple.read::<Text<'_>>()?);
        Ok(())
    }
}

/// Reads each text and counts it.
pub struct Null {
    tally: Tally,
    taken: u64,
}

impl Null {
    /// A bolt that says at the end of its input how many rows came.
    pub fn new(tally: Tally) -> Self {
        Self { tally, taken: 0 }
    }

    /// One more row came.
    pub fn count(&mut self) {
        self.taken += 1;
    }
}

impl Bolt for Null {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        black_box(tuple.read::<Text<'_>>()?.text.len());
        self.taken += 1;
        Ok(())
    }

    fn watermark(&mut self, _: Timestamp, _: &mut Collector<'_>) -> Result {
        self.tally.taken(std::mem::take(&mut self.taken));
        Ok(())
    }
}

/// A row with a number to group by.
#[derive(Tuple)]
pub struct Key {
    /// The number.
    pub key: i64,
}

/// Sends ascending numbers, as fast as it may.
pub struct Keyed(Const);

impl Keyed {
    /// A spout that ends when the tally says so.
    pub fn new(tally: Tally) -> Self {
        Self(Const::new(tally))
    }
}

impl Spout for Keyed {
    type Id = u64;

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Key>();
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, u64>) -> Result<Next> {
        let Self(Const { tally, sent }) = self;
        if tally.stopped() {
            tally.sent(std::mem::take(sent));
            return Ok(Next::Done);
        }
        for _ in 0..out.room() {
            out.emit_with(*sent, Key { key: *sent as i64 });
            *sent += 1;
        }
        Ok(Next::More)
    }
}

/// Passes each number on.
pub struct KeyedHop;

impl Bolt for KeyedHop {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Key>();
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        out.emit(tuple.read::<Key>()?);
        Ok(())
    }
}

/// Reads each number and counts it.
pub struct KeyedNull(Null);

impl KeyedNull {
    /// A bolt that says at the end of its input how many rows came.
    pub fn new(tally: Tally) -> Self {
        Self(Null::new(tally))
    }
}

impl Bolt for KeyedNull {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        black_box(tuple.read::<Key>()?.key);
        self.0.taken += 1;
        Ok(())
    }

    fn watermark(&mut self, to: Timestamp, out: &mut Collector<'_>) -> Result {
        self.0.watermark(to, out)
    }
}
