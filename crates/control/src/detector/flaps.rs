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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What comes of so many comebacks, a second apart.
    fn often(flaps: &mut Flaps, from: Duration, times: u32) -> Vec<(Duration, u32)> {
        (0..times).filter_map(|number| flaps.count(from + SECOND * number)).collect()
    }

    #[test]
    fn two_comebacks_are_none_too_many() {
        assert_eq!(often(&mut Flaps::new(SECOND, 0), SECOND, 2), []);
    }

    #[test]
    fn each_quarantine_lasts_twice_as_long_up_to_an_hour() {
        let lasting: Vec<_> =
            often(&mut Flaps::new(SECOND, 0), SECOND, 24).into_iter().map(|(it, _)| it.as_secs()).collect();
        assert_eq!(lasting, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
    }

    #[test]
    fn comebacks_far_apart_are_no_flapping() {
        let mut flaps = Flaps::new(SECOND, 0);
        assert!((1..20).all(|number| flaps.count(WINDOW / 2 * number).is_none()));
    }

    #[test]
    fn what_was_decided_before_the_election_counts_on_and_is_forgotten_in_calm() {
        let mut flaps = Flaps::new(SECOND, 3);
        assert_eq!(often(&mut flaps, SECOND, 3), [(FIRST * 8, 4)]);
        assert_eq!(often(&mut flaps, CALM * 2, 3), [(FIRST, 1)]);
    }

    #[test]
    fn no_number_of_strikes_is_too_high() {
        assert_eq!(often(&mut Flaps::new(SECOND, u32::MAX - 1), SECOND, 6), [(LONGEST, u32::MAX); 2]);
    }
}
