//! The spout of posts that were written before.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use squall::metrics::Counter;
use squall::{Declarer, Next, Result, Spout, SpoutCollector, SpoutContext, Timestamp};

use super::lines::{self, Input};
use super::post::{self, BadLine, Post};
use super::{LOOK, Slides};
use crate::demo::rows;

/// The counter of lines that are no posts.
pub const BAD_LINES: &str = "bad_lines";

/// Takes what the user should know.
pub type Notes = Arc<dyn Fn(Note) + Send + Sync>;

/// Something that the user should know.
#[derive(Debug)]
pub enum Note {
    /// A line was skipped.
    BadLine { number: u64, why: BadLine, last_shown: bool },
    /// The input ends here, because it can't be read any further.
    ReadFailed(io::Error),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadLine { number, why, last_shown } => {
                let rest = if *last_shown { "; further ones are only counted" } else { "" };
                write!(f, "line {number} skipped: {why}{rest}")
            }
            Self::ReadFailed(error) => write!(f, "the input ends early: {error}"),
        }
    }
}

/// What is replayed, and how.
pub struct Replay {
    pub input: Input,
    /// How much faster than the posts were written; `None`: as fast as they are taken.
    pub speed: Option<f64>,
    pub notes: Notes,
    /// The input ends here after so long.
    pub end_after: Option<Duration>,
}

/// Emits posts in the order of the lines.
///
/// The watermark is the time of the newest post. One that was written earlier but comes later still counts in the windows that are
/// open then, and over all.
pub struct Replayed {
    replay: Arc<Replay>,
    slides: Slides,
    opened: Timestamp,
    /// Read, but not due yet.
    held: Option<Post>,
    /// When the first post was emitted, and when it was written.
    start: Option<(Timestamp, Timestamp)>,
    bad: Counter,
}

/// What comes next.
enum Step {
    Emit(Post),
    /// A line without a post.
    Skip,
    /// No line has come.
    Look,
    Wait(Duration),
    /// Event time has come to another slide: the watermark goes out before the next post.
    Mark(Timestamp),
    End,
}

impl Replayed {
    /// Bad lines that are shown; the others are only counted.
    const SHOWN: u64 = 5;

    pub fn new(replay: Arc<Replay>, slides: Slides) -> Self {
        Self { replay, slides, opened: Timestamp::MIN, held: None, start: None, bad: Counter::default() }
    }

    fn step(&mut self, now: Timestamp) -> Step {
        let step = self.held.take().map_or_else(|| self.read(), Step::Emit);
        let Step::Emit(post) = step else { return step };
        let at = post.at;
        if let Some(away) = self.away(at, now) {
            self.held = Some(post);
            return Step::Wait(away);
        }
        if self.slides.crosses(at) {
            self.held = Some(post);
            return Step::Mark(at);
        }
        Step::Emit(post)
    }

    fn read(&self) -> Step {
        let mut lines = self.replay.input.lock();
        let (number, line) = match lines.next(LOOK) {
            Ok(lines::Next::Line(number, line)) => (number, line),
            Ok(lines::Next::Nothing) => return Step::Look,
            Ok(lines::Next::End) => return Step::End,
            Err(error) => {
                (self.replay.notes)(Note::ReadFailed(error));
                return Step::End;
            }
        };
        match line.and_then(post::parse) {
            Ok(Some(post)) => return Step::Emit(post),
            Ok(None) => {}
            Err(why) => {
                self.bad.increment();
                if self.bad.get() <= Self::SHOWN {
                    let last_shown = self.bad.get() == Self::SHOWN;
                    (self.replay.notes)(Note::BadLine { number, why, last_shown });
                }
            }
        }
        Step::Skip
    }

    /// How long a post is away, if it isn't due.
    fn away(&mut self, at: Timestamp, now: Timestamp) -> Option<Duration> {
        let (start, first) = *self.start.get_or_insert((now, at));
        let due = start + Duration::try_from_secs_f64(at.since(first).as_secs_f64() / self.replay.speed?).ok()?;
        Some(due.since(now)).filter(|away| !away.is_zero())
    }

    /// How far the replay has come in event time, while it waits for a post.
    fn event_time(&self, now: Timestamp) -> Option<Timestamp> {
        let ((start, first), speed) = self.start.zip(self.replay.speed)?;
        let post = self.held.as_ref()?;
        let passed = Duration::try_from_secs_f64(now.since(start).as_secs_f64() * speed).ok()?;
        Some((first + passed).min(post.at))
    }

    /// The input has ended, and with it the last window.
    fn end(&self, out: &mut SpoutCollector<'_, ()>) -> Next {
        self.slides.last().into_iter().for_each(|last| out.watermark(last));
        Next::Done
    }
}

impl Spout for Replayed {
    /// [`squall::Replay`] knows which post is which.
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<rows::Post>();
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        self.opened = context.now();
        self.bad = context.counter(BAD_LINES);
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        let is_over = self.replay.end_after.is_some_and(|end| out.now().since(self.opened) >= end);
        if is_over {
            return Ok(self.end(out));
        }
        while out.room() > 0 {
            match self.step(out.now()) {
                Step::Skip => {}
                Step::Look => return Ok(Next::More),
                Step::Emit(post) => {
                    out.emit(rows::Post { text: &post.text, at: post.at, emitted: out.now() });
                }
                Step::Mark(at) => {
                    out.watermark(at);
                    return Ok(Next::More);
                }
                Step::Wait(away) => {
                    self.event_time(out.now()).into_iter().for_each(|at| out.watermark(at));
                    return Ok(Next::WaitFor(away.min(LOOK)));
                }
                Step::End => return Ok(self.end(out)),
            }
            if self.held.is_none() && !self.replay.input.lock().is_ready() {
                break;
            }
        }
        Ok(Next::More)
    }
}
