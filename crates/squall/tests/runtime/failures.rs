//! What becomes of a tuple, its root and its task when something goes wrong.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use squall::{
    Bolt, BoltContext, Collector, Delivery, FailureKind, Next, Result, Spout, SpoutCollector, SpoutContext,
    StateHandle, Token, TopologyBuilder, Tuple,
};

use crate::common::*;

#[tokio::test]
async fn each_tracked_root_is_told_once_and_untracked_rows_never() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    let mut n = 0;
    let next = move |out: &mut SpoutCollector<'_, i64>| {
        while n < 3_000 && out.room() > 0 {
            if n % 3 == 0 {
                out.emit((n,));
            } else {
                out.emit_with(n, (n,));
            }
            n += 1;
        }
        Ok(if n < 3_000 { Next::More } else { Next::Done })
    };
    topology.spout("s", from(&fates, ONE, next));
    topology.bolt("p", || Pass).parallelism(2).shuffle("s");
    let fail = each(&log, NONE, |here: &Here<'_, Log<i64>>, event: Event<'_>, _: &mut Collector<'_>| {
        let n = event.n().unwrap_or_default();
        here.log.push(n);
        if n % 5 == 0 { Err("a multiple of five".into()) } else { Ok(()) }
    });
    topology.bolt("b", fail).parallelism(2).fields("p", ["n"]);
    let (books, metrics) = run(topology).await;
    let tracked = |fives: bool| move |n: &i64| n % 3 != 0 && (n % 5 == 0) == fives;
    let expected = |fives| up_to(3_000).into_iter().filter(tracked(fives)).collect::<Vec<_>>();
    assert_eq!(log.sorted(), up_to(3_000));
    assert_eq!(fates.acked.sorted(), expected(false));
    assert_eq!(fates.failed_ids(), expected(true));
    assert!(fates.failed.all().iter().all(|(_, kind)| *kind == FailureKind::Failed));
    assert_books(&books, expected(false).len() as u64, expected(true).len() as u64);
    assert_eq!(books.emitted, 3_000);
    let bolt = &metrics.component("b").expect("declared").total;
    assert_eq!((bolt.executed, bolt.failed, bolt.acked), (3_000, 600, 1_600));
    assert_eq!((bolt.errors.failures, bolt.errors.last.as_deref()), (600, Some("a multiple of five")));
}

const TWO: Streams = &[("default", &["n"], false), ("more", &["n"], false)];

/// Emits on both streams, then goes wrong for every third row in one of three ways.
struct Wrong {
    more: Option<squall::StreamHandle>,
}

impl Bolt for Wrong {
    fn declare(&self, streams: &mut squall::Declarer) {
        for (name, fields, _) in TWO {
            streams.stream(name, *fields);
        }
    }

    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.more = Some(context.stream("more")?);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let n: i64 = tuple.get(0)?;
        let more = self.more.expect("prepared");
        out.emit((n,));
        out.emit_on(more, (n,));
        out.emit((n,));
        match n % 12 {
            0 => Err("no".into()),
            3 => {
                out.fail();
                Ok(())
            }
            6 => {
                out.emit_on(more, (n, "too wide"));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn nothing_that_a_failed_call_emitted_reaches_anybody() {
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let fates = Fates::new();
        let logs: Vec<_> = (0..4).map(|_| Log::new()).collect();
        let mut topology = TopologyBuilder::new("t");
        topology.delivery(delivery);
        topology.spout("s", count(&fates, 1_200)).parallelism(2);
        topology.bolt("w", || Wrong { more: None }).parallelism(2).local_or_shuffle("s");
        topology.bolt("chained", sink(&logs[0])).parallelism(2).local_or_shuffle("w");
        topology.bolt("queued", sink(&logs[1])).parallelism(2).fields("w", ["n"]);
        topology.bolt("more-chained", sink(&logs[2])).parallelism(2).local_or_shuffle(("w", "more"));
        topology.bolt("more-queued", sink(&logs[3])).global(("w", "more"));
        let (books, metrics) = run(topology).await;
        if delivery == Delivery::AtLeastOnce {
            assert_books(&books, 1_800, 600);
        }
        for (log, copies) in logs.iter().zip([4, 4, 2, 2]) {
            let all = numbers(log);
            assert!(all.iter().all(|n| ![0, 3, 6].contains(&(n % 12))), "withdrawn rows came through");
            assert_eq!(all.len(), 900 * copies);
        }
        let wrong = &metrics.component("w").expect("declared").total;
        assert_eq!((wrong.executed, wrong.failed, wrong.emitted), (2_400, 600, 5_400));
    }
}

#[tokio::test]
async fn in_a_chain_a_failure_is_booked_on_the_row_that_failed_alone() {
    for chained in [true, false] {
        let (fates, log) = (Fates::new(), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.spout("s", count(&fates, 100));
        let split = each(&Arc::new(()), ONE, |_: &Here<'_, ()>, event: Event<'_>, out: &mut Collector<'_>| {
            (0..4).for_each(|part| out.emit((event.n().unwrap_or_default() * 4 + part,)));
            Ok(())
        });
        topology.bolt("split", split).local_or_shuffle("s");
        let second = each(&Arc::new(()), ONE, |_: &Here<'_, ()>, event: Event<'_>, out: &mut Collector<'_>| {
            let n = event.n().unwrap_or_default();
            out.emit((n,));
            if n % 4 == 1 { Err("the second part".into()) } else { Ok(()) }
        });
        let parts = topology.bolt("parts", second).local_or_shuffle("split");
        if !chained {
            parts.unchained();
        }
        topology.bolt("b", sink(&log)).global("parts");
        let (books, metrics) = run_on(topology, &one_core()).await;
        assert_books(&books, 0, 100);
        let parts = &metrics.component("parts").expect("declared").total;
        assert_eq!((parts.executed, parts.failed, parts.acked, parts.emitted), (400, 100, 300, 300), "{chained}");
        assert_eq!(log.len(), 300);
    }
}

/// Counts in keyed state, and panics at row fifty.
struct Panics {
    counts: Option<StateHandle<i64, i64>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    made: AtomicU64,
    prepared: AtomicU64,
    cleaned: AtomicU64,
    last: Log<(i64, i64)>,
}

impl Bolt for Panics {
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.shared.prepared.fetch_add(1, SeqCst);
        self.counts = Some(context.keyed_state("counts")?);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let (key, n): (i64, i64) = (tuple.get(0)?, tuple.get(1)?);
        let handle = self.counts.as_ref().expect("a new instance is prepared");
        assert!(n != 50, "row fifty");
        let count = out.state(handle).get_or_default(&key);
        *count += 1;
        self.shared.last.push((key, *count));
        Ok(())
    }

    fn cleanup(&mut self) {
        self.shared.cleaned.fetch_add(1, SeqCst);
    }
}

#[tokio::test]
async fn a_panic_fails_its_tuple_alone_and_the_new_instance_finds_its_state() {
    let (fates, shared) = (Fates::new(), Arc::new(Shared::default()));
    let mut topology = TopologyBuilder::new("t");
    let mut n = 0;
    let next = move |out: &mut SpoutCollector<'_, i64>| {
        out.emit_with(n, (n % 5, n));
        n += 1;
        Ok(if n < 200 { Next::More } else { Next::Done })
    };
    topology.spout("s", from(&fates, &[("default", &["key", "n"], false)], next));
    let bolts = shared.clone();
    topology
        .bolt("b", move || {
            bolts.made.fetch_add(1, SeqCst);
            Panics { counts: None, shared: bolts.clone() }
        })
        .fields("s", ["key"]);
    let (books, metrics) = run(topology).await;
    assert_books(&books, 199, 1);
    assert_eq!(fates.failed.all(), [(50, FailureKind::Failed)]);
    // One instance was made to be asked for its streams.
    assert_eq!(shared.made.load(SeqCst), 3);
    assert_eq!((shared.prepared.load(SeqCst), shared.cleaned.load(SeqCst)), (2, 1));
    let last = |key: i64| shared.last.all().into_iter().rfind(|(of, _)| *of == key).map(|(_, count)| count);
    assert_eq!((0..5).map(last).collect::<Vec<_>>(), [39, 40, 40, 40, 40].map(Some));
    let bolt = &metrics.component("b").expect("declared").total;
    assert_eq!((bolt.errors.panics, bolt.restarts, bolt.failed, bolt.acked), (1, 1, 1, 199));
    let said = bolt.errors.last.as_deref().expect("kept");
    assert!(said.contains("row fifty") && said.contains("failures.rs"), "{said}");
}

/// A bolt that panics for numbers under `bad`, and says when it is prepared.
fn brittle(bad: i64, prepared: &Arc<Log<Instant>>) -> impl Fn() -> Brittle + Send + Sync + 'static {
    let prepared = prepared.clone();
    move || Brittle { bad, prepared: prepared.clone() }
}

struct Brittle {
    bad: i64,
    prepared: Arc<Log<Instant>>,
}

impl Bolt for Brittle {
    fn prepare(&mut self, _: &mut BoltContext<'_>) -> Result {
        self.prepared.push(Instant::now());
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        assert!(tuple.get::<i64>(0)? >= self.bad, "bad");
        Ok(())
    }
}

#[tokio::test]
async fn a_second_panic_waits_and_a_third_waits_longer() {
    for chained in [true, false] {
        let (fates, prepared) = (Fates::new(), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.spout("s", count(&fates, 100));
        let bolt = topology.bolt("b", brittle(3, &prepared)).local_or_shuffle("s");
        if !chained {
            bolt.unchained();
        }
        let (books, metrics) = run(topology).await;
        assert_books(&books, 97, 3);
        let at = prepared.all();
        let gaps: Vec<Duration> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(gaps.len(), 3);
        assert!(gaps[1] >= Duration::from_millis(10) && gaps[2] >= Duration::from_millis(20), "{gaps:?}");
        assert_eq!(metrics.component("b").expect("declared").total.restarts, 3);
    }
}

#[tokio::test]
async fn what_is_known_of_a_batch_is_told_while_its_task_waits_to_start_again() {
    let (fates, prepared) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.message_timeout(Duration::from_secs(2));
    topology.spout("s", count(&fates, 10));
    // Ten panics, with pauses from 10 ms that double: the last of the batch times out before its task gets to it.
    topology.bolt("b", brittle(10, &prepared)).global("s");
    let slot = start(topology, &two_cores()).await;
    until("the first have been told", || fates.failed.len() >= 6).await;
    let told = fates.failed.all();
    assert!(told.iter().take(6).all(|(_, kind)| *kind == FailureKind::Failed), "{told:?}");
    slot.kill().await;
}

/// Two tasks that panic in `tick` a few times each; every instance must be prepared before it is called.
#[tokio::test]
async fn tasks_that_panic_in_a_tick_are_prepared_before_they_are_called_again() {
    #[derive(Default)]
    struct Told {
        ticks: AtomicU64,
        unprepared: AtomicU64,
        fine: Log<usize>,
    }
    struct Ticks {
        told: Arc<Told>,
        index: Option<usize>,
    }
    impl Bolt for Ticks {
        fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
            self.index = Some(context.task_index());
            Ok(())
        }
        fn execute(&mut self, _: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
            Ok(())
        }
        fn tick(&mut self, _: &mut Collector<'_>) -> Result {
            let Some(index) = self.index else {
                self.told.unprepared.fetch_add(1, SeqCst);
                return Ok(());
            };
            assert!(self.told.ticks.fetch_add(1, SeqCst) >= 6, "an early tick");
            self.told.fine.push(index);
            Ok(())
        }
    }
    let (fates, told) = (Fates::new(), Arc::new(Told::default()));
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 10));
    let bolts = told.clone();
    topology
        .bolt("b", move || Ticks { told: bolts.clone(), index: None })
        .tasks(2)
        .tick(Duration::from_millis(1))
        .shuffle("s");
    let slot = start(topology, &one_core()).await;
    until("both tasks tick again", || counted(told.fine.all()).len() == 2).await;
    let (books, _) = drain(slot).await;
    assert_books(&books, 10, 0);
    assert_eq!(told.unprepared.load(SeqCst), 0);
}

/// Emits `0..300`, and panics once in the call that begins with 100, after it has emitted.
struct Spouts {
    told: Arc<SpoutsTold>,
    first: bool,
    n: i64,
}

#[derive(Default)]
struct SpoutsTold {
    made: AtomicU64,
    opened: AtomicU64,
    acked: Log<i64>,
    failed: Log<i64>,
    refuse_open: AtomicU64,
    called_unopened: AtomicU64,
}

impl Spout for Spouts {
    type Id = i64;

    fn declare(&self, streams: &mut squall::Declarer) {
        streams.stream("default", ["n"]);
    }

    fn open(&mut self, _: &mut SpoutContext<'_>) -> Result {
        let opened = self.told.opened.fetch_add(1, SeqCst);
        if opened > 0 && self.told.refuse_open.load(SeqCst) >= opened {
            return Err("not now".into());
        }
        self.first = opened == 0;
        self.n = if self.first { 0 } else { 1_000 };
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        if self.n < 0 {
            self.told.called_unopened.fetch_add(1, SeqCst);
            return Ok(Next::Done);
        }
        for _ in 0..10 {
            out.emit_with(self.n, (self.n,));
            self.n += 1;
        }
        assert!(!self.first || self.n < 110, "the spout broke");
        Ok(if self.first || self.n < 1_100 { Next::More } else { Next::Done })
    }

    fn ack(&mut self, id: i64) {
        self.told.acked.push(id);
    }

    fn fail(&mut self, id: i64, _: FailureKind) {
        self.told.failed.push(id);
    }
}

async fn spout_that_panics(blocking: bool, refuse_open: u64) {
    let told = Arc::new(SpoutsTold::default());
    told.refuse_open.store(refuse_open, SeqCst);
    let mut topology = TopologyBuilder::new("t");
    let spouts = told.clone();
    let spout = topology.spout("s", move || {
        spouts.made.fetch_add(1, SeqCst);
        Spouts { told: spouts.clone(), first: false, n: -1 }
    });
    if blocking {
        spout.blocking();
    }
    // The sink keeps the first rows' roots pending until the spout has come again.
    let held: Arc<(Log<i64>, Mutex<Vec<Token>>)> = Arc::default();
    let hold =
        each(&held, NONE, |here: &Here<'_, (Log<i64>, Mutex<Vec<_>>)>, event: Event<'_>, out: &mut Collector<'_>| {
            let n = event.n().unwrap_or_default();
            here.log.0.push(n);
            let mut held = here.log.1.lock().expect("no panic under it");
            if n < 1_000 {
                held.push(out.keep());
            } else {
                held.drain(..).for_each(Token::ack);
            };
            Ok(())
        });
    topology.bolt("b", hold).global("s");
    let (books, metrics) = run(topology).await;
    assert_eq!((books.acked, books.lost, books.failed, books.left), (100, 100, 0, 0), "{books:?}");
    assert_eq!(books.emitted, 200, "what the call that panicked emitted is withdrawn");
    assert_eq!(told.acked.sorted(), (1_000..1_100).collect::<Vec<_>>(), "acks of the old life are ignored");
    assert_eq!(told.failed.len(), 0);
    assert_eq!(told.called_unopened.load(SeqCst), 0);
    assert_eq!(held.0.sorted(), (0..100).chain(1_000..1_100).collect::<Vec<_>>());
    let spout = &metrics.component("s").expect("declared").total;
    assert_eq!(spout.errors.panics, 1);
    assert!(spout.errors.last.is_some());
    assert!(spout.restarts >= 1);
}

#[tokio::test]
async fn a_spouts_panic_loses_its_roots_and_a_new_one_begins() {
    spout_that_panics(false, 0).await;
}

#[tokio::test]
async fn a_blocking_spouts_panic_loses_its_roots_and_a_new_one_begins() {
    spout_that_panics(true, 0).await;
}

#[tokio::test]
async fn a_spout_that_cannot_be_opened_again_is_not_called_until_it_can() {
    spout_that_panics(false, 2).await;
}

#[tokio::test]
async fn a_blocking_spout_that_cannot_be_opened_again_is_not_called_until_it_can() {
    spout_that_panics(true, 2).await;
}

#[tokio::test]
async fn a_spouts_error_withdraws_and_calls_it_again_after_a_pause() {
    for blocking in [false, true] {
        let (fates, log) = (Fates::new(), Log::new());
        let calls: Arc<Log<Instant>> = Log::new();
        let mut topology = TopologyBuilder::new("t");
        let next = {
            let calls = calls.clone();
            move |out: &mut SpoutCollector<'_, i64>| {
                calls.push(Instant::now());
                let call = calls.len() as i64;
                (0..10).for_each(|n| out.emit_with(call * 10 + n, (call * 10 + n,)));
                match call {
                    1..=3 => Err("the source is away".into()),
                    4 => Ok(Next::More),
                    _ => Ok(Next::Done),
                }
            }
        };
        let spout = topology.spout("s", from(&fates, ONE, next));
        if blocking {
            spout.blocking();
        }
        topology.bolt("b", sink(&log)).global("s");
        let (books, metrics) = run(topology).await;
        assert_books(&books, 20, 0);
        assert_eq!(numbers(&log), (40..60).collect::<Vec<_>>());
        assert_eq!(fates.acked.sorted(), (40..60).collect::<Vec<_>>());
        let at = calls.all();
        assert!(at.windows(2).take(3).all(|pair| pair[1] - pair[0] >= Duration::from_millis(9)), "{blocking} {at:?}");
        let errors = &metrics.component("s").expect("declared").total.errors;
        assert_eq!((errors.failures, errors.last.as_deref()), (3, Some("the source is away")));
    }
}

#[tokio::test]
async fn a_panic_in_ack_costs_no_other_root_its_word() {
    struct Acks {
        told: Arc<Log<i64>>,
        n: i64,
    }
    impl Spout for Acks {
        type Id = i64;
        fn declare(&self, streams: &mut squall::Declarer) {
            streams.stream("default", ["n"]);
        }
        fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
            while self.n < 1_000 && out.room() > 0 {
                out.emit_with(self.n, (self.n,));
                self.n += 1;
            }
            Ok(if self.n < 1_000 { Next::More } else { Next::Done })
        }
        fn ack(&mut self, id: i64) {
            self.told.push(id);
            assert!(id % 100 != 7, "can't be told of {id}");
        }
    }
    for blocking in [false, true] {
        let (told, log) = (Log::new(), Log::new());
        let mut topology = TopologyBuilder::new("t");
        let spouts = told.clone();
        let spout = topology.spout("s", move || Acks { told: spouts.clone(), n: 0 });
        if blocking {
            spout.blocking();
        }
        topology.bolt("b", sink(&log)).global("s");
        let (books, metrics) = run(topology).await;
        assert_books(&books, 1_000, 0);
        assert_eq!(log.len(), 1_000);
        until("all are told", || told.len() == 1_000).await;
        if !blocking {
            assert_eq!(metrics.component("s").expect("declared").total.errors.panics, 10);
        }
    }
}

#[tokio::test]
async fn a_root_times_out_at_its_time_and_is_counted_apart() {
    let (fates, log) = (Fates::new(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let mut topology = TopologyBuilder::new("t");
    topology.message_timeout(Duration::from_millis(300));
    topology.spout("s", count(&fates, 20));
    let keep = each(&log, NONE, |here: &Here<'_, _>, _: Event<'_>, out: &mut Collector<'_>| {
        here.log.lock().expect("no panic under it").push(out.keep());
        Ok(())
    });
    topology.bolt("b", keep).global("s");
    let began = Instant::now();
    let slot = start(topology, &two_cores()).await;
    until("all have timed out", || fates.failed.len() == 20).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(450), "{took:?}");
    assert!(fates.failed.all().iter().all(|(_, kind)| *kind == FailureKind::TimedOut));
    log.lock().expect("no panic under it").drain(..).for_each(squall::Token::ack);
    let (books, _) = finish(slot).await;
    assert_eq!((books.timed_out, books.failed, books.acked, books.left), (20, 0, 0, 0));
}
