//! When spouts are called: waiting, waking, pausing, blocking.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use squall::{Collector, Next, Result, SpoutCollector, TopologyBuilder};

use crate::common::*;

/// Emits what others put into `ready`, and waits for its waker in between.
fn fed(
    ready: &Arc<AtomicI64>,
    to: i64,
) -> impl FnMut(&mut SpoutCollector<'_, i64>) -> Result<Next> + Clone + Send + Sync + use<> {
    let ready = ready.clone();
    let mut n = 0;
    move |out| {
        while n < ready.load(SeqCst) && out.room() > 0 {
            out.emit_with(n, (n,));
            n += 1;
        }
        Ok(if n == to { Next::Done } else { Next::Wait })
    }
}

#[tokio::test]
async fn no_wake_is_lost() {
    for blocking in [false, true] {
        let (fates, ready, log) = (Fates::new(), Arc::new(AtomicI64::new(0)), Log::new());
        let mut topology = TopologyBuilder::new("t");
        let spout = topology.spout("s", from(&fates, ONE, fed(&ready, 10_000)));
        if blocking {
            spout.blocking();
        }
        topology.bolt("b", sink(&log)).global("s");
        let slot = start(topology, &two_cores()).await;
        // Each row waits for the one before, so a single lost wake stops it for ever.
        let (told, waker) = (log.clone(), fates.clone());
        let hammer = std::thread::spawn(move || {
            let deadline = Instant::now() + LONG;
            for n in 1..=10_000 {
                ready.store(n, SeqCst);
                waker.wake();
                while n % 4 == 0 && told.len() < usize::try_from(n).expect("small") {
                    assert!(Instant::now() < deadline, "row {n} never came");
                    std::thread::yield_now();
                }
            }
        });
        let (books, _) = finish(slot).await;
        hammer.join().expect("no wake was lost");
        assert_books(&books, 10_000, 0);
    }
}

#[tokio::test]
async fn a_spout_that_waits_is_not_called_and_costs_nothing() {
    for blocking in [false, true] {
        let (fates, calls) = (Fates::new(), Arc::new(AtomicU64::new(0)));
        let mut topology = TopologyBuilder::new("t");
        let counted = calls.clone();
        let next = move |_: &mut SpoutCollector<'_, i64>| {
            counted.fetch_add(1, SeqCst);
            Ok(Next::Wait)
        };
        let spout = topology.spout("s", from(&fates, ONE, next));
        if blocking {
            spout.blocking();
        }
        topology.bolt("b", || Pass).shuffle("s");
        let slot = start(topology, &two_cores()).await;
        until("it is called once", || calls.load(SeqCst) == 1).await;
        // Another slot works meanwhile, so that time passes and the machine has something to do.
        let mut other = TopologyBuilder::new("other");
        other.spout("s", count(&Fates::new(), 20_000));
        other.bolt("b", || Pass).shuffle("s");
        run(other).await;
        assert_eq!(calls.load(SeqCst), 1);
        fates.wake();
        until("it is called again", || calls.load(SeqCst) == 2).await;
        drain(slot).await;
        assert_eq!(calls.load(SeqCst), 2);
    }
}

#[tokio::test]
async fn wait_for_ends_at_its_time_or_at_a_wake() {
    for blocking in [false, true] {
        let fates = Fates::new();
        let calls: Arc<Log<Instant>> = Log::new();
        let mut topology = TopologyBuilder::new("t");
        let next = {
            let calls = calls.clone();
            move |_: &mut SpoutCollector<'_, i64>| {
                calls.push(Instant::now());
                Ok(match calls.len() {
                    1 => Next::WaitFor(Duration::from_millis(50)),
                    2 => Next::WaitFor(Duration::from_secs(3_600)),
                    _ => Next::Done,
                })
            }
        };
        let spout = topology.spout("s", from(&fates, ONE, next));
        if blocking {
            spout.blocking();
        }
        topology.bolt("b", || Pass).shuffle("s");
        let slot = start(topology, &two_cores()).await;
        until("it is called again", || calls.len() == 2).await;
        fates.wake();
        finish(slot).await;
        let at = calls.all();
        assert_eq!(at.len(), 3);
        let pause = at[1] - at[0];
        assert!(pause >= Duration::from_millis(49) && pause < Duration::from_millis(500), "{pause:?}");
    }
}

#[tokio::test]
async fn acks_dont_put_off_a_blocking_spouts_time() {
    let fates = Fates::new();
    let calls: Arc<Log<Instant>> = Log::new();
    let mut topology = TopologyBuilder::new("t");
    let told = calls.clone();
    let next = move |out: &mut SpoutCollector<'_, i64>| {
        told.push(Instant::now());
        if told.len() > 1 {
            return Ok(Next::Done);
        }
        // These are acked one by one, every 2 ms.
        (0..300).for_each(|n| out.emit_with(n, (n,)));
        Ok(Next::WaitFor(Duration::from_millis(50)))
    };
    topology.spout("s", from(&fates, ONE, next)).blocking();
    let slow = each(&Arc::new(()), NONE, |_: &Here<'_, ()>, _: Event<'_>, _: &mut Collector<'_>| {
        std::thread::sleep(Duration::from_millis(2));
        Ok(())
    });
    topology.bolt("b", slow).blocking().shuffle("s");
    let (books, _) = run(topology).await;
    assert_books(&books, 300, 0);
    let pause = calls.all()[1] - calls.all()[0];
    assert!(pause < Duration::from_millis(400), "the second call came behind the acks: {pause:?}");
}

#[tokio::test]
async fn acks_are_taken_and_timeouts_fire_while_a_spout_blocks() {
    let fates = Fates::new();
    let (go, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let mut topology = TopologyBuilder::new("t");
    topology.message_timeout(Duration::from_millis(200));
    let mut call = 0;
    let next = move |out: &mut SpoutCollector<'_, i64>| {
        call += 1;
        if call == 1 {
            (0..10).for_each(|n| out.emit_with(n, (n,)));
            return Ok(Next::More);
        }
        let _ = gate.lock().expect("no panic under it").recv_timeout(LONG);
        Ok(Next::Done)
    };
    topology.spout("s", from(&fates, ONE, next)).blocking();
    let kept: Arc<Mutex<Vec<squall::Token>>> = Arc::default();
    let half = each(&kept, NONE, |here: &Here<'_, Mutex<Vec<_>>>, event: Event<'_>, out: &mut Collector<'_>| {
        if event.n().unwrap_or_default() % 2 == 1 {
            here.log.lock().expect("no panic under it").push(out.keep());
        }
        Ok(())
    });
    topology.bolt("b", half).global("s");
    let slot = start(topology, &two_cores()).await;
    until("half are acked and half time out", || {
        let books = slot.books();
        (books.acked, books.timed_out, books.left) == (5, 5, 0)
    })
    .await;
    go.send(()).expect("the spout waits");
    until("the spout is told", || fates.acked.len() == 5 && fates.failed.len() == 5).await;
    finish(slot).await;
}

#[tokio::test]
async fn a_spout_that_is_deactivated_emits_nothing_until_it_is_activated() {
    for blocking in [false, true] {
        let (fates, log) = (Fates::new(), Log::new());
        let mut topology = TopologyBuilder::new("t");
        let mut n = 0;
        let next = move |out: &mut SpoutCollector<'_, i64>| {
            out.emit_with(n, (n,));
            n += 1;
            Ok(Next::WaitFor(Duration::from_micros(100)))
        };
        let spout = topology.spout("s", from(&fates, ONE, next));
        if blocking {
            spout.blocking();
        }
        topology.bolt("b", sink(&log)).global("s");
        let slot = start(topology, &two_cores()).await;
        until("rows flow", || log.len() > 10).await;
        slot.deactivate();
        let emitted = || slot.books().emitted;
        let mut before = u64::MAX;
        until("nothing is emitted in a while", || {
            std::thread::sleep(Duration::from_millis(20));
            std::mem::replace(&mut before, emitted()) == emitted() && slot.books().left == 0
        })
        .await;
        let rows = log.len();
        slot.activate();
        until("rows flow again", || log.len() > rows + 10).await;
        let (books, _) = drain(slot).await;
        assert_eq!((books.left, books.acked, books.failed), (0, books.emitted, 0));
        assert_eq!(numbers(&log), up_to(i64::try_from(log.len()).expect("small")), "no row was lost in the pause");
    }
}

#[tokio::test]
async fn a_blocking_spout_that_is_done_is_not_called_again() {
    let (fates, calls) = (Fates::new(), Arc::new(AtomicU64::new(0)));
    let mut topology = TopologyBuilder::new("t");
    let counted = calls.clone();
    let next = move |_: &mut SpoutCollector<'_, i64>| {
        counted.fetch_add(1, SeqCst);
        Ok(Next::Done)
    };
    topology.spout("s", from(&fates, ONE, next)).blocking();
    topology.bolt("b", || Pass).shuffle("s");
    let slot = start(topology, &two_cores()).await;
    tokio::time::timeout(LONG, slot.ended()).await.expect("it is done");
    for _ in 0..20 {
        slot.deactivate();
        tokio::task::yield_now().await;
        slot.activate();
        fates.wake();
    }
    drain(slot).await;
    assert_eq!((calls.load(SeqCst), fates.closed.len()), (1, 1));
}

#[tokio::test]
async fn no_more_roots_are_pending_than_allowed_stragglers_included() {
    for blocking in [false, true] {
        let fates = Fates::new();
        let mut topology = TopologyBuilder::new("t");
        topology.max_spout_pending(100);
        let (open, most) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
        let spout = topology.spout("s", count(&fates, 20_000));
        if blocking {
            spout.blocking();
        }
        type Held = (Mutex<Vec<squall::Token>>, Arc<AtomicI64>, Arc<AtomicI64>);
        let held: Arc<Held> = Arc::new((Mutex::default(), open.clone(), most.clone()));
        // The first ninety are kept until the last row, so that ten at a time go round behind them.
        let keep = each(&held, NONE, |here: &Here<'_, Held>, event: Event<'_>, out: &mut Collector<'_>| {
            let n = event.n().unwrap_or_default();
            let mut kept = here.log.0.lock().expect("no panic under it");
            if n < 90 {
                kept.push(out.keep());
            } else if n == 19_999 {
                kept.drain(..).for_each(squall::Token::ack);
            }
            Ok(())
        });
        topology.bolt("b", keep).global("s");
        let slot = start(topology, &two_cores()).await;
        let monitor = slot.monitor();
        let done = Arc::new(AtomicBool::new(false));
        let watch = {
            let done = done.clone();
            std::thread::spawn(move || {
                let mut most = 0;
                while !done.load(SeqCst) {
                    most = most.max(monitor.snapshot().spouts().pending);
                    std::thread::yield_now();
                }
                most
            })
        };
        let (books, _) = finish(slot).await;
        done.store(true, SeqCst);
        assert_books(&books, 20_000, 0);
        let most = watch.join().expect("it only reads");
        assert!(most <= 100, "{most} were pending");
    }
}
