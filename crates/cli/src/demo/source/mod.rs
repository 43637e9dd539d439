//! Where posts come from.

mod generated;
mod generator;
mod lines;
mod post;
mod replayed;

use std::sync::Arc;
use std::time::Duration;

use squall::{ReplayPolicy, Timestamp, TopologyBuilder, WindowSpec};

use generated::Generated;
#[cfg(test)]
pub use lines::Ready;
pub use lines::{Input, OpenError};
pub use replayed::{BAD_LINES, Note, Notes};
use replayed::{Replay, Replayed};

/// Where posts come from.
pub enum Source {
    /// Made up.
    Generated {
        seed: u64,
        /// Posts a second over all tasks; `None`: as many as the topology takes.
        rate: Option<f64>,
    },
    /// Read, one JSON object a line.
    Replayed {
        input: Input,
        /// How much faster than they were written; `None`: as fast as the topology takes them.
        speed: Option<f64>,
        /// Takes what the user should read, such as why a line is bad.
        notes: Notes,
    },
}

impl Source {
    /// Declares the spout.
    pub fn declare(self, id: &str, topology: &mut TopologyBuilder, settings: &Spouts) {
        let Spouts { window, parallelism, end_after } = *settings;
        match self {
            Self::Generated { seed, rate } => {
                let make = move || {
                    let posts = move || Generated::new(seed, rate, Slides::new(window), end_after);
                    squall::Replay::new(posts, ReplayPolicy::default())
                };
                topology.spout(id, make).parallelism(parallelism);
            }
            Self::Replayed { input, speed, notes } => {
                let replay = Arc::new(Replay { input, speed, notes, end_after });
                let make = move || {
                    let replay = replay.clone();
                    // A post that fails is emitted again by its keeper: a file isn't asked for a line twice.
                    squall::Replay::new(
                        move || Replayed::new(replay.clone(), Slides::new(window)),
                        ReplayPolicy::default(),
                    )
                };
                topology.spout(id, make).blocking();
            }
        }
    }
}

/// How the spout is to be.
pub struct Spouts {
    pub window: WindowSpec,
    /// Tasks, where posts are made up; one reads a file.
    pub parallelism: u32,
    /// The input ends here after so long.
    pub end_after: Option<Duration>,
}

/// How long a spout may wait before it looks at the time again.
const LOOK: Duration = Duration::from_millis(100);

/// Follows event time from one slide of the window to the next. A watermark has to go out only where one ends.
struct Slides {
    window: WindowSpec,
    end: Option<Timestamp>,
}

impl Slides {
    fn new(window: WindowSpec) -> Self {
        Self { window, end: None }
    }

    /// Whether event time has come to another slide.
    fn crosses(&mut self, at: Timestamp) -> bool {
        let (before, end) = (self.end, Some(self.window.end_of(at)));
        self.end = before.max(end);
        before.is_some() && before < end
    }

    /// The watermark that closes the last window.
    fn last(&self) -> Option<Timestamp> {
        self.end.map(|end| end + Duration::from_micros(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slide_is_crossed_once_and_never_back() {
        let second = Duration::from_secs(1);
        let mut slides = Slides::new(WindowSpec::new(60 * second, second).unwrap());
        let crossed = [500, 1_000, 1_001, 2_000, 900, 2_001, 9_000, 8_500, 9_000];
        let crossed = crossed.map(|millis| slides.crosses(Timestamp::from_millis(millis)));
        assert_eq!(crossed, [false, false, true, false, false, true, true, false, false]);
        assert_eq!(slides.last(), Some(Timestamp::from_micros(9_000_001)));
    }
}
