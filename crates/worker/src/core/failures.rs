//! When a process that failed is started again.

use std::time::Duration;

/// The wait before the third start; each one after waits twice as long.
const BASE: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);
/// What has run for so long has started well: what comes then is a failure of its own.
const SETTLED: Duration = Duration::from_secs(60);
/// From so many failures in a row on it is a crash loop.
const LOOP: u32 = 3;

/// Failures in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    count: u32,
    last: String,
}

impl Failures {
    /// One more, after it ran for so long. Says how long to wait: the first is answered at once, later ones after twice as long each, shifted
    /// by up to a quarter either way so that many don't come back together.
    pub fn add(&mut self, ran: Duration, why: String, random: u64) -> Duration {
        if ran >= SETTLED {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last = why;
        let Some(doublings) = self.count.checked_sub(2) else { return Duration::ZERO };
        let whole = BASE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST);
        let share = u32::try_from(random % 1_000).unwrap_or(0);
        whole.mul_f64(0.75 + f64::from(share) / 2_000.0)
    }

    /// It has run for so long since.
    pub fn ran(&mut self, for_so_long: Duration) {
        if self.count > 0 && for_so_long >= SETTLED {
            *self = Self::default();
        }
    }

    /// How many.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// What there is to say, if there is.
    pub fn text(&self, wait: Option<Duration>) -> String {
        if self.count == 0 {
            return String::new();
        }
        let name = if self.count >= LOOP { "crash loop: failed" } else { "failed" };
        let times = if self.count == 1 { "once".to_owned() } else { format!("{} times in a row", self.count) };
        let next = wait.filter(|wait| !wait.is_zero());
        let next = next.map_or_else(String::new, |wait| format!("; next start in {:.1} s", wait.as_secs_f64()));
        format!("{name} {times}, last: {}{next}", self.last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failed(times: u32, random: u64) -> (Failures, Duration) {
        let mut failures = Failures::default();
        let mut wait = Duration::ZERO;
        for _ in 0..times {
            wait = failures.add(Duration::ZERO, "exit code 1".to_owned(), random);
        }
        (failures, wait)
    }

    #[test]
    fn the_first_failure_is_answered_at_once_and_the_next_ones_ever_later() {
        let waits: Vec<_> = (1..=9).map(|times| failed(times, 500).1.as_millis()).collect();
        assert_eq!(waits, [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    }

    #[test]
    fn what_ran_for_long_starts_anew() {
        let (mut failures, _) = failed(8, 0);
        assert_eq!(failures.add(SETTLED, "x".to_owned(), 0), Duration::ZERO);
        assert_eq!(failures.count(), 1);
        failures.ran(SETTLED - Duration::from_secs(1));
        assert_eq!(failures.count(), 1);
        failures.ran(SETTLED);
        assert_eq!((failures.count(), failures.text(None)), (0, String::new()));
    }

    #[test]
    fn a_crash_loop_is_called_so() {
        assert_eq!(Failures::default().text(None), "");
        assert_eq!(failed(1, 0).0.text(Some(Duration::ZERO)), "failed once, last: exit code 1");
        let text = failed(3, 0).0.text(Some(Duration::from_millis(1_500)));
        assert_eq!(text, "crash loop: failed 3 times in a row, last: exit code 1; next start in 1.5 s");
    }

    proptest! {
        #[test]
        fn the_shift_is_a_quarter_at_most(times in 2_u32..200, random: u64) {
            let (middle, shifted) = (failed(times, 500).1, failed(times, random).1);
            prop_assert!(shifted >= middle.mul_f64(0.75) && shifted <= middle.mul_f64(1.25));
        }
    }
}
