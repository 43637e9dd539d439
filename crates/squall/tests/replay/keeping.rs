//! Rows are kept until they are acked, and none is unaccounted for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::{Delivery, FailureKind, ReplayPolicy, Undelivered};

use crate::kit::{Run, Source, lock, policy};

fn numbers(limit: i64) -> Vec<i64> {
    (0..limit).collect()
}

#[test]
fn rows_that_fail_twice_are_acked_at_the_third_try_and_the_inner_spout_hears_of_that_alone() {
    let run =
        Run::new(Source::new(1_000, policy(5)), |_, times, _| if times < 3 { Err("not yet".into()) } else { Ok(()) });
    let (outcome, log) = run.ends();
    let mut log = lock(&log);
    log.acked.sort_unstable();
    assert_eq!(log.acked, numbers(1_000));
    assert!(log.failed.is_empty() && log.letters.is_empty());
    assert!(log.seen.values().all(|times| *times == 3));
    let books = outcome.books;
    assert_eq!((books.emitted, books.acked, books.failed, books.left), (3_000, 1_000, 2_000, 0));
    assert_eq!(books.given_up, 0, "all that failed was emitted again");
}

#[test]
fn a_row_that_always_fails_goes_to_the_dead_letters_after_its_last_failure() {
    let work = |number, _, _: &mut squall::Collector<'_>| if number % 10 == 7 { Err("poison".into()) } else { Ok(()) };
    for blocking in [false, true] {
        let (outcome, log) = Run::new(Source { blocking, ..Source::new(100, policy(3)) }, work).ends();
        let mut log = lock(&log);
        log.letters.sort_unstable_by_key(|letter| letter.0);
        log.failed.sort_unstable_by_key(|failed| failed.0);
        let poison = || (0..100).filter(|number| number % 10 == 7);
        let given_up = Undelivered::GivenUp(FailureKind::Failed);
        assert_eq!(log.letters, poison().map(|number| (number, 3, given_up)).collect::<Vec<_>>());
        assert_eq!(log.failed, poison().map(|number| (number, FailureKind::Failed)).collect::<Vec<_>>());
        assert_eq!((log.acked.len(), outcome.books.failed, outcome.books.given_up), (90, 30, 10));
    }
}

#[test]
fn a_row_that_times_out_is_emitted_again() {
    let held = Arc::new(Mutex::new(Vec::new()));
    let hold = move |_, times, out: &mut squall::Collector<'_>| {
        if times == 1 {
            held.lock().unwrap().push(out.keep());
        }
        Ok(())
    };
    let mut run = Run::new(Source::new(20, policy(5)), hold);
    run.topology.message_timeout(Duration::from_millis(50));
    let (outcome, log) = run.ends();
    assert_eq!((outcome.books.timed_out, outcome.books.acked), (20, 20));
    assert_eq!(lock(&log).acked.len(), 20);
}

#[test]
fn a_drain_accounts_for_rows_that_wait_to_be_emitted_again() {
    let patient = ReplayPolicy { base: Duration::from_secs(3_600), ..policy(5) };
    let patient = ReplayPolicy { max: patient.base, ..patient };
    let work = |number, _, _: &mut squall::Collector<'_>| if number % 2 == 0 { Err("no".into()) } else { Ok(()) };
    for blocking in [false, true] {
        let source = Source { blocking, ..Source::new(100, patient) };
        let (outcome, log) = Run::new(source, work).until(|log| log.seen.len() == 100);
        assert!(outcome.is_whole() && !outcome.is_success(), "{outcome}");
        assert_eq!(outcome.books.given_up, 50);
        let log = lock(&log);
        assert_eq!(log.acked.len(), 50);
        let even: Vec<_> = (0..100).step_by(2).map(|number| (number, 1, Undelivered::Ended)).collect();
        assert_eq!(log.letters, even);
        assert!(log.failed.iter().all(|(_, kind)| *kind == FailureKind::Lost) && log.failed.len() == 50);
    }
}

#[test]
fn where_nothing_is_tracked_rows_are_passed_on_and_not_kept() {
    let mut run = Run::new(Source::new(1_000, policy(5)), |_, _, _| Ok(()));
    run.topology.delivery(Delivery::AtMostOnce);
    let (outcome, log) = run.ends();
    let log = lock(&log);
    assert_eq!((log.seen.len(), outcome.books.emitted), (1_000, 1_000));
    assert!(log.acked.is_empty() && log.letters.is_empty());
}

#[test]
fn a_blocking_spout_is_replayed_alike() {
    let source = Source { blocking: true, ..Source::new(1_000, policy(5)) };
    let run = Run::new(source, |_, times, _| if times < 3 { Err("not yet".into()) } else { Ok(()) });
    let (outcome, log) = run.ends();
    assert_eq!((outcome.books.acked, outcome.books.failed), (1_000, 2_000));
    assert_eq!(lock(&log).acked.len(), 1_000);
}
