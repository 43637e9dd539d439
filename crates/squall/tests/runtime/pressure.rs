//! Back-pressure: bounded in rows and bytes, nothing dropped, no deadlock on cycles, the slow don't hold up the fast.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use squall::{Collector, Delivery, Next, Options, Result, SpoutCollector, TopologyBuilder};

use crate::common::*;

/// Emits rows of `bytes` bytes up to `to`, and counts them.
fn heavy(
    emitted: &Arc<AtomicI64>,
    to: i64,
    bytes: usize,
) -> impl FnMut(&mut SpoutCollector<'_, i64>) -> Result<Next> + Clone + Send + Sync + 'static + use<> {
    let emitted = emitted.clone();
    let mut n = 0;
    move |out| {
        while n < to && out.room() > 0 {
            out.emit_with(n, (n, "x".repeat(bytes)));
            n += 1;
            emitted.fetch_add(1, SeqCst);
        }
        Ok(if n < to { Next::More } else { Next::Done })
    }
}

const TEXT: Streams = &[("default", &["n", "text"], false)];

/// A gate that rows wait at.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
    passed: AtomicI64,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().expect("no panic under it") = true;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let shut = self.open.lock().expect("no panic under it");
        drop(self.changed.wait_while(shut, |open| !*open).expect("no panic under it"));
        self.passed.fetch_add(1, SeqCst);
    }
}

/// How many rows get into a topology whose last bolt is shut, and that all come out once it opens.
async fn queued_before_a_shut_bolt(delivery: Delivery, rows: i64, bytes: usize) -> i64 {
    let (fates, gate, emitted) = (Fates::new(), Arc::new(Gate::default()), Arc::new(AtomicI64::new(0)));
    let mut topology = TopologyBuilder::new("t");
    topology.delivery(delivery);
    topology.spout("s", from(&fates, TEXT, heavy(&emitted, rows, bytes)));
    let pass = each(&Arc::new(()), TEXT, |_: &Here<'_, ()>, event: Event<'_>, out: &mut Collector<'_>| {
        if let Event::Row(tuple) = event {
            out.emit(tuple);
        }
        Ok(())
    });
    topology.bolt("p", pass).parallelism(2).shuffle("s").unchained();
    let wait = each(&gate, NONE, |here: &Here<'_, Gate>, _: Event<'_>, _: &mut Collector<'_>| {
        here.log.pass();
        Ok(())
    });
    topology.bolt("b", wait).blocking().shuffle("p");
    let slot = start(topology, &two_cores()).await;
    let mut before = -1;
    let mut since = Instant::now();
    until("the spout is stopped", || {
        let now = emitted.load(SeqCst);
        if now != std::mem::replace(&mut before, now) {
            since = Instant::now();
        }
        now > 0 && since.elapsed() > Duration::from_millis(200)
    })
    .await;
    let held = emitted.load(SeqCst);
    assert_eq!(gate.passed.load(SeqCst), 0);
    gate.open();
    let (books, _) = finish(slot).await;
    assert_eq!(gate.passed.load(SeqCst), rows, "nothing is dropped");
    if delivery == Delivery::AtLeastOnce {
        assert_books(&books, u64::try_from(rows).expect("not negative"), 0);
    }
    held
}

#[tokio::test]
async fn a_shut_bolt_stops_the_spout_at_the_bound_in_rows() {
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let held = queued_before_a_shut_bolt(delivery, 60_000, 1).await;
        // Three inboxes of 4,096 rows, and a batch or two on each side of each.
        assert!(held < 20_000, "{held} rows in flight");
    }
}

#[tokio::test]
async fn a_shut_bolt_stops_the_spout_at_the_bound_in_bytes() {
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let held = queued_before_a_shut_bolt(delivery, 200, 1 << 20).await;
        // Three inboxes of 8 MiB, and a few MiB on each side of each.
        assert!(held < 60, "{held} MiB in flight");
    }
}

#[tokio::test]
async fn a_bolt_that_makes_large_rows_is_bounded_in_bytes_too() {
    let (fates, gate, made) = (Fates::new(), Arc::new(Gate::default()), Arc::new(AtomicI64::new(0)));
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 200));
    let swell = each(&made, TEXT, |here: &Here<'_, AtomicI64>, event: Event<'_>, out: &mut Collector<'_>| {
        here.log.fetch_add(1, SeqCst);
        out.emit((event.n().unwrap_or_default(), "x".repeat(1 << 20)));
        Ok(())
    });
    topology.bolt("swell", swell).local_or_shuffle("s");
    let wait = each(&gate, NONE, |here: &Here<'_, Gate>, _: Event<'_>, _: &mut Collector<'_>| {
        here.log.pass();
        Ok(())
    });
    topology.bolt("b", wait).blocking().fields("swell", ["n"]);
    let slot = start(topology, &two_cores()).await;
    let blocked = || slot.metrics().component("swell").expect("declared").lanes[0].blocked_ns;
    let mut before = (0, Instant::now());
    until("the bolt is stopped", || {
        let now = made.load(SeqCst);
        if now != before.0 {
            before = (now, Instant::now());
        }
        now > 0 && before.1.elapsed() > Duration::from_millis(200)
    })
    .await;
    let held = made.load(SeqCst);
    gate.open();
    assert!(held < 30, "{held} MiB in flight");
    until("the wait is booked", || blocked() > 100_000_000).await;
    let (books, _) = finish(slot).await;
    assert_books(&books, 200, 0);
}

/// `b` sends each row back to `a` some times.
async fn cycle(
    options: Options,
    rounds: i64,
    spout: impl FnMut(i64, &mut SpoutCollector<'_, i64>) -> Next + Clone + Send + Sync + 'static,
) {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    let mut n = 0;
    let mut spout = spout;
    let next = move |out: &mut SpoutCollector<'_, i64>| {
        while n < 30_000 && out.room() > 0 {
            out.emit_with(n, (n, rounds));
            n += 1;
        }
        Ok(if n < 30_000 { spout(n, out) } else { Next::Done })
    };
    topology.spout("s", from(&fates, &[("default", &["n", "left"], false)], next));
    let again: Streams = &[("default", &["n", "left"], false), ("done", &["n"], false)];
    let pass = each(&Arc::new(()), again, |_: &Here<'_, ()>, event: Event<'_>, out: &mut Collector<'_>| {
        if let Event::Row(tuple) = event {
            out.emit(tuple);
        }
        Ok(())
    });
    topology.bolt("a", pass).parallelism(2).shuffle("s").shuffle("b");
    let back = each(
        &log,
        &[("default", &["n", "left"], false)],
        |here: &Here<'_, Log<i64>>, event: Event<'_>, out: &mut Collector<'_>| {
            let Event::Row(tuple) = event else { return Ok(()) };
            let (n, left): (i64, i64) = (tuple.get(0)?, tuple.get(1)?);
            if left > 0 {
                out.emit((n, left - 1));
            } else {
                here.log.push(n);
            }
            Ok(())
        },
    );
    topology.bolt("b", back).parallelism(2).fields("a", ["n"]);
    let (books, _) = run_on(topology, &options).await;
    assert_books(&books, 30_000, 0);
    assert_eq!(log.sorted(), up_to(30_000));
}

#[tokio::test]
async fn a_cycle_under_full_load_runs_and_drains() {
    for cores in [1, 2] {
        let options = Options { cores, feedback_limit: 300, ..Options::default() };
        cycle(options, 5, |_, _| Next::More).await;
    }
}

#[tokio::test]
async fn a_spout_with_a_pace_lives_with_a_full_cycle() {
    for cores in [1, 2] {
        let options = Options { cores, feedback_limit: 10, ..Options::default() };
        cycle(options, 3, |_, _| Next::WaitFor(Duration::from_micros(1))).await;
    }
}

/// That the others keep nine tenths of their rates is the engine's to show, where time is simulated. Here real threads are dealt to:
/// were the others held up by the slow one, they would do no more rows than it. A machine that is busy makes all sleeps longer, so
/// half of what the sleeps say is asked for.
#[tokio::test]
async fn one_of_four_blocking_tasks_that_is_ten_times_slower_does_not_set_the_pace() {
    for spouts in [1, 3] {
        let fates = Fates::new();
        let done: Arc<[AtomicU64; 4]> = Arc::default();
        let mut topology = TopologyBuilder::new("t");
        let mut n = 0;
        let next = move |out: &mut SpoutCollector<'_, i64>| {
            for _ in 0..out.room() {
                out.emit((n,));
                n += 1;
            }
            Ok(Next::More)
        };
        topology.spout("s", from(&fates, ONE, next)).parallelism(spouts);
        let work = each(&done, NONE, |here: &Here<'_, [AtomicU64; 4]>, _: Event<'_>, _: &mut Collector<'_>| {
            std::thread::sleep(Duration::from_micros(if here.index == 3 { 10_000 } else { 1_000 }));
            here.log[here.index].fetch_add(1, SeqCst);
            Ok(())
        });
        topology.bolt("b", work).parallelism(4).blocking().shuffle("s");
        let slot = start(topology, &two_cores()).await;
        let counts = || [0, 1, 2, 3].map(|task| done[task].load(SeqCst));
        // What a row costs must be known first.
        until("all have worked", || counts().iter().all(|rows| *rows > 20)).await;
        let before = counts();
        let since = || [0, 1, 2, 3].map(|task| counts()[task] - before[task]);
        until("the others have done a thousand", || since()[..3].iter().sum::<u64>() >= 1_000).await;
        let [a, b, c, slow] = since();
        slot.kill().await;
        assert!(slow * 3 * 5 <= a + b + c, "{spouts} spouts: {slow} rows beside {a}, {b} and {c}");
    }
}

#[tokio::test]
async fn a_lone_row_travels_at_once() {
    let fates = Fates::new();
    let sent: Arc<Log<Instant>> = Log::new();
    let came: Arc<Log<Instant>> = Log::new();
    let go = Arc::new(AtomicBool::new(false));
    let mut topology = TopologyBuilder::new("t");
    let next = {
        let (sent, go) = (sent.clone(), go.clone());
        move |out: &mut SpoutCollector<'_, i64>| {
            if go.swap(false, SeqCst) {
                sent.push(Instant::now());
                out.emit_with(1, (1,));
            }
            Ok(Next::Wait)
        }
    };
    topology.spout("s", from(&fates, ONE, next));
    topology.bolt("a", || Pass).shuffle("s").unchained();
    topology.bolt("b", || Pass).fields("a", ["n"]);
    let end = each(&came, NONE, |here: &Here<'_, Log<Instant>>, _: Event<'_>, _: &mut Collector<'_>| {
        here.log.push(Instant::now());
        Ok(())
    });
    topology.bolt("c", end).global("b");
    let slot = start(topology, &two_cores()).await;
    for n in 1..=100 {
        go.store(true, SeqCst);
        fates.wake();
        until("the row comes and is acked", || came.len() == n && fates.acked.len() == n).await;
    }
    drain(slot).await;
    let mut took: Vec<Duration> = sent.all().iter().zip(came.all()).map(|(sent, came)| came - *sent).collect();
    took.sort();
    assert!(took[50] < Duration::from_millis(1), "median of {took:?}");
}

#[tokio::test]
async fn a_rare_row_does_not_wait_for_a_full_batch_while_its_bolt_is_busy() {
    let fates = Fates::new();
    let took: Arc<Log<Duration>> = Log::new();
    let mut topology = TopologyBuilder::new("t");
    let mut n = 0;
    let busy = move |out: &mut SpoutCollector<'_, i64>| {
        for _ in 0..out.room() {
            n += 1;
            out.emit((n, 0));
        }
        Ok(Next::More)
    };
    let began = Instant::now();
    let rare = move |out: &mut SpoutCollector<'_, i64>| {
        out.emit((-1, i64::try_from(began.elapsed().as_nanos()).unwrap_or_default()));
        Ok(Next::WaitFor(Duration::from_millis(5)))
    };
    const STAMPED: Streams = &[("default", &["n", "at"], false)];
    topology.spout("busy", from(&fates, STAMPED, busy));
    topology.spout("rare", from(&fates, STAMPED, rare)).blocking();
    // Of the busy stream nothing comes through, so that the rare rows' batch never fills.
    let filter = each(&Arc::new(()), STAMPED, |_: &Here<'_, ()>, event: Event<'_>, out: &mut Collector<'_>| {
        if let Event::Row(tuple) = event
            && tuple.get::<i64>(0)? < 0
        {
            out.emit(tuple);
        }
        Ok(())
    });
    topology.bolt("filter", filter).shuffle("busy").shuffle("rare");
    let end = each(&took, NONE, move |here: &Here<'_, Log<Duration>>, event: Event<'_>, _: &mut Collector<'_>| {
        if let Event::Row(tuple) = event {
            let at = Duration::from_nanos(u64::try_from(tuple.get::<i64>(1)?)?);
            here.log.push(began.elapsed().saturating_sub(at));
        }
        Ok(())
    });
    topology.bolt("b", end).blocking().shuffle("filter");
    let slot = start(topology, &two_cores()).await;
    until("a hundred have come", || took.len() >= 100).await;
    slot.kill().await;
    let mut took = took.all();
    took.sort();
    assert!(took[took.len() / 2] < Duration::from_millis(12), "median of {took:?}");
}
