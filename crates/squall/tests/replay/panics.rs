//! A panic of the inner spout costs the call that panicked, and nothing that was kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use squall::{
    Declarer, Next, Replay, Result, Runner, Spout, SpoutCollector, SpoutContext, SpoutWaker, TopologyBuilder,
};

use crate::kit::{LONG, Number, Run, Source, lock, policy};

#[test]
fn a_panicking_inner_spout_loses_nothing_that_was_kept() {
    // The first time that it comes by, 3,000 panics while earlier rows are out, some of them waiting for another try.
    static PANICKED: AtomicBool = AtomicBool::new(false);
    let before: fn(i64) = |number| {
        if number == 3_000 && !PANICKED.swap(true, Ordering::SeqCst) {
            panic!("told to panic");
        }
    };
    let run = Run::new(Source { before, ..Source::new(5_000, policy(5)) }, |number, times, _| {
        if times == 1 && number % 3 == 0 { Err("not yet".into()) } else { Ok(()) }
    });
    let (outcome, log) = run.ends();
    assert!(PANICKED.load(Ordering::SeqCst));
    let log = lock(&log);
    // The source counts on in shared state, so what the panicking call had taken is gone with it: a batch at most.
    let missing: Vec<i64> = (0..5_000).filter(|number| !log.seen.contains_key(number)).collect();
    assert!(missing.contains(&3_000) && missing.iter().all(|number| (2_488..=3_000).contains(number)), "{missing:?}");
    assert_eq!(outcome.books.acked, 5_000 - missing.len() as u64);
    assert_eq!((outcome.books.lost, outcome.books.left, log.letters.len()), (0, 0, 0));
    let errors = &outcome.last.component("numbers").unwrap().total.errors;
    assert!(errors.failures == 1 && errors.last.as_ref().is_some_and(|last| last.contains("told to panic")));
}

#[test]
fn a_panicking_dead_letter_hook_is_counted_and_the_rest_goes_on() {
    let letter: fn(i64) = |number| assert!(number != 50, "told to panic");
    let run = Run::new(Source { letter, ..Source::new(100, policy(1)) }, |_, _, _| Err("poison".into()));
    let (outcome, log) = run.ends();
    let log = lock(&log);
    assert_eq!((outcome.books.failed, log.failed.len(), log.letters.len()), (100, 100, 99));
    assert!(outcome.last.component("numbers").unwrap().total.errors.failures >= 1);
}

/// Waits for a call of its own waker, panics when it comes, and is done with the next call.
struct Woken {
    waker: Option<SpoutWaker>,
    calls: Arc<AtomicU32>,
}

impl Spout for Woken {
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Number>();
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        self.waker = Some(context.waker());
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        match self.calls.fetch_add(1, Ordering::SeqCst) {
            0 => {
                self.waker.iter().for_each(SpoutWaker::wake);
                Ok(Next::Wait)
            }
            1 => panic!("told to panic"),
            _ => {
                out.emit_with((), Number { number: 1 });
                Ok(Next::Done)
            }
        }
    }
}

#[test]
fn a_spout_that_panics_when_its_waker_calls_is_called_again() {
    let calls = Arc::new(AtomicU32::new(0));
    let mut topology = TopologyBuilder::new("woken");
    topology.spout("woken", move || {
        let calls = calls.clone();
        Replay::new(move || Woken { waker: None, calls: calls.clone() }, policy(1))
    });
    let outcome = Runner::new(topology.build().unwrap()).without_signals().run_for(LONG).run().unwrap();
    assert_eq!((outcome.cause, outcome.books.acked), (squall::Cause::Finished, 1), "{outcome}");
}
