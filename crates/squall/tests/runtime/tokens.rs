//! Tuples that a bolt keeps.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::{Collector, Delivery, StreamHandle, Token, TopologyBuilder};

use crate::common::*;

type Kept = Mutex<Vec<(i64, Token)>>;

/// Each way to end what was kept, chained behind the spout and not.
async fn kept(
    rows: i64,
    tick: Option<Duration>,
    call: fn(&Here<'_, Kept>, Event<'_>, &mut Collector<'_>) -> squall::Result,
) -> Vec<(squall::Books, Arc<Fates>, squall::metrics::Snapshot)> {
    let mut all = Vec::new();
    for chained in [true, false] {
        let (fates, log) = (Fates::new(), Arc::new(Kept::default()));
        let mut topology = TopologyBuilder::new("t");
        topology.spout("s", count(&fates, rows));
        let mut bolt = topology.bolt("b", each(&log, NONE, call)).local_or_shuffle("s");
        if let Some(every) = tick {
            bolt = bolt.tick(every);
        }
        if !chained {
            bolt.unchained();
        }
        let (books, metrics) = run(topology).await;
        all.push((books, fates, metrics));
    }
    all
}

#[tokio::test]
async fn a_token_acked_in_its_own_call_or_a_later_one_acks_the_root_once() {
    let call = |here: &Here<'_, Kept>, event: Event<'_>, out: &mut Collector<'_>| {
        let n = event.n().unwrap_or_default();
        let token = out.keep();
        let mut kept = here.log.lock().expect("no panic under it");
        if n % 2 == 0 {
            token.ack();
        } else {
            kept.push((n, token));
        }
        if n == 999 || kept.len() > 7 {
            kept.drain(..).for_each(|(_, token)| token.ack());
        }
        Ok(())
    };
    for (books, fates, metrics) in kept(1_000, None, call).await {
        assert_books(&books, 1_000, 0);
        assert_eq!(fates.acked.sorted(), up_to(1_000));
        assert_eq!(metrics.component("b").expect("declared").total.acked, 1_000);
    }
}

#[tokio::test]
async fn a_token_may_be_acked_in_a_tick_or_on_another_thread() {
    let call = |here: &Here<'_, Kept>, event: Event<'_>, out: &mut Collector<'_>| {
        let mut kept = here.log.lock().expect("no panic under it");
        match event.n() {
            Some(n) => kept.push((n, out.keep())),
            None => {
                for (n, token) in kept.drain(..) {
                    if n % 2 == 0 {
                        token.ack();
                    } else {
                        std::thread::spawn(|| token.ack());
                    }
                }
            }
        }
        Ok(())
    };
    for (books, fates, _) in kept(300, Some(Duration::from_millis(2)), call).await {
        assert_books(&books, 300, 0);
        assert_eq!(fates.acked.sorted(), up_to(300));
    }
}

#[tokio::test]
async fn a_token_that_is_dropped_or_failed_fails_the_root() {
    let call = |_: &Here<'_, Kept>, event: Event<'_>, out: &mut Collector<'_>| {
        let token = out.keep();
        match event.n().unwrap_or_default() % 4 {
            0 => drop(token),
            1 => token.fail(),
            2 => return Err("the token goes with the error".into()),
            _ => token.ack(),
        }
        Ok(())
    };
    for (books, fates, metrics) in kept(400, None, call).await {
        assert_books(&books, 100, 300);
        assert!(fates.failed_ids().iter().all(|n| n % 4 != 3));
        let bolt = &metrics.component("b").expect("declared").total;
        assert_eq!((bolt.acked, bolt.failed), (100, 300), "each tuple counts once");
    }
}

#[tokio::test]
async fn two_tokens_of_one_call_must_both_be_acked() {
    let call = |_: &Here<'_, Kept>, event: Event<'_>, out: &mut Collector<'_>| {
        let (one, other) = (out.keep(), out.keep());
        match event.n().unwrap_or_default() % 3 {
            0 => {
                one.ack();
                other.ack();
            }
            1 => {
                one.ack();
                drop(other);
            }
            _ => {
                drop(one);
                other.ack();
            }
        }
        Ok(())
    };
    for (books, fates, metrics) in kept(300, None, call).await {
        assert_books(&books, 100, 200);
        assert!(fates.acked.all().iter().all(|n| n % 3 == 0));
        assert_eq!(metrics.component("b").expect("declared").total.executed, 300);
    }
}

/// Joins rows `n` and `n + 1`: even rows are kept, odd ones emit a row anchored to both.
fn join(here: &Here<'_, Kept>, event: Event<'_>, out: &mut Collector<'_>) -> squall::Result {
    let n = event.n().unwrap_or_default();
    let mut kept = here.log.lock().expect("no panic under it");
    if n % 2 == 0 {
        kept.push((n, out.keep()));
        return Ok(());
    }
    let at = kept.iter().position(|(of, _)| *of == n - 1).ok_or("its partner came first")?;
    let (_, partner) = kept.swap_remove(at);
    out.emit_joined(StreamHandle::DEFAULT, [&partner], (n,));
    partner.ack();
    Ok(())
}

/// Where the joined row goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum To {
    Chained,
    Queued,
    Both,
    Nobody,
}

type LastCall = fn(i64) -> squall::Result;

async fn joined(to: To, join_chained: bool, last_call: LastCall) -> (squall::Books, Arc<Fates>, [usize; 2]) {
    let (fates, log) = (Fates::new(), Arc::new(Kept::default()));
    let logs = [Log::<i64>::new(), Log::new()];
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 1_000));
    let bolt = topology.bolt("join", each(&log, ONE, join)).local_or_shuffle("s");
    if !join_chained {
        bolt.unchained();
    }
    let end = |here: &Here<'_, (Arc<Log<i64>>, LastCall)>, event: Event<'_>, _: &mut Collector<'_>| {
        let n = event.n().unwrap_or_default();
        here.log.0.push(n);
        here.log.1(n)
    };
    let log_of = |index: usize| Arc::new((logs[index].clone(), last_call));
    if matches!(to, To::Chained | To::Both) {
        topology.bolt("chained", each(&log_of(0), NONE, end)).local_or_shuffle("join");
    }
    if matches!(to, To::Queued | To::Both) {
        topology.bolt("queued", each(&log_of(1), NONE, end)).parallelism(2).fields("join", ["n"]);
    }
    let (books, _) = run(topology).await;
    (books, fates, [logs[0].len(), logs[1].len()])
}

#[tokio::test]
async fn both_roots_of_a_joined_row_complete_when_it_is_done() {
    for to in [To::Chained, To::Queued, To::Both, To::Nobody] {
        for join_chained in [true, false] {
            let (books, fates, rows) = joined(to, join_chained, |_| Ok(())).await;
            assert_books(&books, 1_000, 0);
            assert_eq!(fates.acked.sorted(), up_to(1_000), "{to:?} {join_chained}");
            let expected = [To::Chained, To::Queued].map(|one| if to == one || to == To::Both { 500 } else { 0 });
            assert_eq!(rows, expected);
        }
    }
}

#[tokio::test]
async fn a_joined_row_that_fails_fails_both_roots() {
    for to in [To::Chained, To::Queued, To::Both] {
        for join_chained in [true, false] {
            let fail = |n: i64| if n % 4 == 1 { Err("no".into()) } else { Ok(()) };
            let (books, fates, _) = joined(to, join_chained, fail).await;
            assert_books(&books, 500, 500);
            assert!(fates.acked.all().iter().all(|n| n % 4 > 1), "{to:?} {join_chained}");
        }
    }
}

#[tokio::test]
async fn a_joined_row_that_is_withdrawn_leaves_its_partner_as_it_was() {
    for chained in [true, false] {
        let (fates, log, rows) = (Fates::new(), Arc::new(Kept::default()), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.spout("s", count(&fates, 1_000));
        let join = |here: &Here<'_, Kept>, event: Event<'_>, out: &mut Collector<'_>| {
            let n = event.n().unwrap_or_default();
            let mut kept = here.log.lock().expect("no panic under it");
            if n % 2 == 0 {
                kept.push((n, out.keep()));
                return Ok(());
            }
            let (_, partner) = kept.pop().ok_or("its partner came first")?;
            out.emit_joined(StreamHandle::DEFAULT, [&partner], (n,));
            partner.ack();
            Err("changed my mind".into())
        };
        topology.bolt("join", each(&log, ONE, join)).global("s");
        let end = topology.bolt("b", sink(&rows)).local_or_shuffle("join");
        if !chained {
            end.unchained();
        }
        let (books, _) = run(topology).await;
        assert_books(&books, 500, 500);
        assert!(fates.acked.all().iter().all(|n| n % 2 == 0));
        assert_eq!(rows.len(), 0);
    }
}

#[tokio::test]
async fn where_nothing_is_tracked_tokens_do_nothing() {
    let (fates, log, rows) = (Fates::new(), Arc::new(Kept::default()), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.delivery(Delivery::AtMostOnce);
    topology.spout("s", count(&fates, 1_000));
    topology.bolt("join", each(&log, ONE, join)).global("s");
    topology.bolt("b", sink(&rows)).local_or_shuffle("join");
    let (books, _) = run(topology).await;
    assert_books(&books, 0, 0);
    assert_eq!((books.emitted, rows.len(), fates.acked.len()), (1_000, 500, 0));
}
