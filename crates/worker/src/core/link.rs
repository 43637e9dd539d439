//! Which master a worker turns to next.

use std::time::Duration;

/// After so long without a word it is another master's turn.
const SILENCE: Duration = Duration::from_secs(1);
/// Attempts begin at least this often, and no more often.
const PAUSE: Duration = Duration::from_millis(250);

/// The masters that a worker knows, and whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masters {
    configured: Vec<String>,
    told: Vec<String>,
    turn: usize,
    tried_at: Option<Duration>,
}

/// What to do next to be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Turn to this master.
    Try(String),
    /// Wait until this time.
    Wait(Duration),
    /// No master is known.
    Nobody,
}

impl Masters {
    /// Those that are configured, and those that a master once named.
    pub const fn new(configured: Vec<String>, told: Vec<String>) -> Self {
        Self { configured, told, turn: 0, tried_at: None }
    }

    /// How long a master may be silent.
    pub const fn silence() -> Duration {
        SILENCE
    }

    /// All addresses, each once.
    pub fn all(&self) -> Vec<String> {
        let mut all = self.configured.clone();
        all.extend(self.told.iter().filter(|it| !self.configured.contains(it)).cloned());
        all
    }

    /// A master has said who all masters are.
    pub fn told(&mut self, masters: &[String]) {
        let turn = self.current();
        self.told = masters.to_vec();
        // It stays with the one that it has.
        self.turn = turn.and_then(|address| self.all().iter().position(|it| *it == address)).unwrap_or(0);
    }

    fn current(&self) -> Option<String> {
        let all = self.all();
        all.get(self.turn % all.len().max(1)).cloned()
    }

    /// Whom to turn to now.
    pub fn next(&mut self, now: Duration) -> Next {
        let Some(address) = self.current() else { return Next::Nobody };
        match self.tried_at.map(|at| at + PAUSE).filter(|at| now < *at) {
            Some(later) => Next::Wait(later),
            None => {
                self.tried_at = Some(now);
                Next::Try(address)
            }
        }
    }

    /// The one whose turn it was isn't to be had, or has fallen silent.
    pub fn failed(&mut self) {
        self.turn = (self.turn + 1) % self.all().len().max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masters(configured: &[&str], told: &[&str]) -> Masters {
        let owned = |list: &[&str]| list.iter().map(|&it| it.to_owned()).collect();
        Masters::new(owned(configured), owned(told))
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_has_its_turn_and_no_two_attempts_begin_at_once() {
        let mut all = masters(&["a", "b"], &["b", "c"]);
        let (mut now, mut tried) = (ms(0), Vec::new());
        while tried.len() < 5 {
            match all.next(now) {
                Next::Try(address) => {
                    tried.push((address, now));
                    all.failed();
                }
                Next::Wait(until) => now = until,
                Next::Nobody => panic!("three are known"),
            }
        }
        let names: Vec<_> = tried.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "a", "b"]);
        assert!(tried.windows(2).all(|pair| pair[1].1 - pair[0].1 <= ms(500) && pair[1].1 > pair[0].1));
    }

    #[test]
    fn it_stays_with_its_master_when_others_come_and_go() {
        let mut all = masters(&["a", "b"], &[]);
        all.failed();
        all.told(&["x".to_owned(), "b".to_owned()]);
        assert_eq!(all.next(ms(0)), Next::Try("b".to_owned()));
        all.told(&[]);
        assert_eq!(all.all(), ["a", "b"]);
    }

    #[test]
    fn nobody_is_nobody() {
        assert_eq!(masters(&[], &[]).next(ms(0)), Next::Nobody);
    }
}
