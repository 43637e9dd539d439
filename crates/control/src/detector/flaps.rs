//! Workers that come and go too often are trusted less, for longer each time.

use std::collections::VecDeque;
use std::time::Duration;

/// How many comebacks within [`WINDOW`] are too many.
const TOO_MANY: usize = 3;
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// The first quarantine; each further one in a row lasts twice as long.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// After so long without a comeback it starts anew.
const CALM: Duration = Duration::from_secs(2 * 60 * 60);

/// The comebacks of one worker.
#[derive(Clone, Debug)]
pub(super) struct Flaps {
    strikes: u32,
    recent: VecDeque<Duration>,
    last: Duration,
}

impl Flaps {
    pub const fn new(now: Duration, strikes: u32) -> Self {
        Self { strikes, recent: VecDeque::new(), last: now }
    }

    /// Counts a comeback. How long to hold new work off the worker, and how often that was done in a row, if it is to be done now.
    pub fn count(&mut self, now: Duration) -> Option<(Duration, u32)> {
        if now.saturating_sub(self.last) >= CALM {
            self.strikes = 0;
        }
        self.last = now;
        self.recent.retain(|at| now.saturating_sub(*at) < WINDOW);
        self.recent.push_back(now);
        if self.recent.len() < TOO_MANY {
            return None;
        }
        self.recent.clear();
        self.strikes = self.strikes.saturating_add(1);
        let lasting = FIRST.saturating_mul(1_u32.checked_shl(self.strikes - 1).unwrap_or(u32::MAX)).min(LONGEST);
        Some((lasting, self.strikes))
    }
}
