//! How a run ended.

use std::fmt;
use std::time::Duration;

use squall_runtime::Books;

use squall_runtime::metrics::Snapshot;
use squall_types::topology::Delivery;

use crate::command::{Remainder, errors, outside};

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Every spout was done, and all that was in flight with it.
    Finished,
    /// It had run for as long as it was to.
    TimeUp,
    /// It was told to stop: by a signal, or by a [`Stopper`](super::Stopper).
    Stopped,
}

/// How a run ended, with its last figures. Displayed as one line: what was acked, failed and left.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What became of all roots.
    pub books: Books,
    /// All figures, after the drain.
    pub last: Snapshot,
    /// Why it ended.
    pub cause: Cause,
    /// From its start to its end.
    pub ran_for: Duration,
    /// How long the drain took.
    pub drained_in: Duration,
    /// What was promised for each spout tuple: at most once the books know nothing of acks.
    pub delivery: Delivery,
}

impl Outcome {
    /// Whether nothing was left behind: no root is pending, no row in flight, no component at work.
    pub fn is_whole(&self) -> bool {
        self.books.is_whole()
    }

    /// All that there is to say of what went wrong, to be shown before the last line: each component's errors, and what was given
    /// up or left behind, with its cause and next step. Empty if nothing did.
    pub fn report(&self) -> String {
        let errors = self.last.components.iter().filter_map(errors);
        errors.chain(Remainder::of(&self.books, &self.last).iter().map(Remainder::report)).collect()
    }

    /// Whether all went well: nothing was left behind, no root that failed was given up, and no tick or watermark failed.
    pub fn is_success(&self) -> bool {
        self.is_whole() && self.books.given_up == 0 && outside(&self.last) == 0
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let books = &self.books;
        let (how, time) = match self.cause {
            _ if books.cut_short => ("not drained after", self.drained_in),
            Cause::Finished => ("ended after", self.ran_for),
            Cause::TimeUp | Cause::Stopped => ("drained in", self.drained_in),
        };
        if self.delivery == Delivery::AtMostOnce {
            let bolts = self.last.components.iter().filter(|component| !component.is_spout);
            let failed = bolts.map(|bolt| bolt.total.failed).sum();
            return write!(
                f,
                "{how} {:.1} s, at most once, so no acks: {} emitted, {} failed in bolts",
                time.as_secs_f64(),
                Grouped(books.emitted),
                Grouped(failed),
            );
        }
        write!(
            f,
            "{how} {:.1} s: {} emitted, {} acked, {} failed, {} timed out, {} lost, {} left",
            time.as_secs_f64(),
            Grouped(books.emitted),
            Grouped(books.acked),
            Grouped(books.failed),
            Grouped(books.timed_out),
            Grouped(books.lost),
            Grouped(books.left),
        )
    }
}

/// A number with commas between its thousands.
pub(crate) struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() * 4 / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use squall_runtime::metrics::{ComponentSnapshot, TaskMetrics};

    use super::*;

    fn outcome(cause: Cause, books: Books) -> Outcome {
        let (ran_for, drained_in) = (Duration::from_millis(3_210), Duration::from_millis(160));
        Outcome { books, last: Snapshot::default(), cause, ran_for, drained_in, delivery: Delivery::AtLeastOnce }
    }

    #[test]
    fn thousands_are_set_apart() {
        let texts = [0, 999, 1_000, 123_456, 1_234_567, u64::MAX].map(|number| Grouped(number).to_string());
        assert_eq!(texts, ["0", "999", "1,000", "123,456", "1,234,567", "18,446,744,073,709,551,615"]);
    }

    #[test]
    fn the_line_says_how_it_ended_and_what_became_of_everything() {
        let books = Books { emitted: 12_345, acked: 12_340, failed: 1, timed_out: 2, lost: 2, ..Books::default() };
        assert_eq!(
            outcome(Cause::Stopped, books.clone()).to_string(),
            "drained in 0.2 s: 12,345 emitted, 12,340 acked, 1 failed, 2 timed out, 2 lost, 0 left"
        );
        assert!(outcome(Cause::Finished, books.clone()).to_string().starts_with("ended after 3.2 s: 12,345 emitted"));
        let cut = Books { cut_short: true, left: 7, ..books };
        let line = outcome(Cause::TimeUp, cut).to_string();
        assert!(line.starts_with("not drained after 0.2 s") && line.ends_with(", 7 left"), "{line}");
    }

    #[test]
    fn at_most_once_the_line_speaks_of_no_acks_and_of_what_bolts_failed() {
        let books = Books { emitted: 12_345, ..Books::default() };
        let mut last = Snapshot::default();
        for (id, is_spout, failed) in [("s", true, 0), ("a", false, 1_000), ("b", false, 2)] {
            let total = TaskMetrics { failed, ..TaskMetrics::default() };
            let (tasks, lanes, user) = Default::default();
            last.components.push(ComponentSnapshot { id: id.into(), is_spout, total, tasks, lanes, user });
        }
        let outcome = Outcome { last, delivery: Delivery::AtMostOnce, ..outcome(Cause::Finished, books) };
        let line = "ended after 3.2 s, at most once, so no acks: 12,345 emitted, 1,002 failed in bolts";
        assert_eq!(outcome.to_string(), line);
    }

    #[test]
    fn roots_that_are_given_up_are_no_success_and_those_emitted_again_are() {
        let failed = Books { failed: 3, ..Books::default() };
        assert!(outcome(Cause::Finished, failed.clone()).is_success());
        let given_up = outcome(Cause::Finished, Books { given_up: 1, ..failed });
        assert!(given_up.is_whole() && !given_up.is_success());
    }

    #[test]
    fn what_is_left_in_flight_untracked_is_no_whole_end() {
        assert!(outcome(Cause::Finished, Books::default()).is_whole());
        assert!(!outcome(Cause::Stopped, Books { cut_short: true, ..Books::default() }).is_whole());
    }
}
