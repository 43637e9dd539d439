//! Bolts that await.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use squall::{AsyncBolt, AsyncCollector, BoltContext, Declarer, FailureKind, OwnedTuple, Result, TopologyBuilder};

use crate::common::*;

type Behave = fn(i64) -> (Duration, Option<&'static str>);

#[derive(Default)]
struct Told {
    now: AtomicI64,
    most: AtomicI64,
    prepared: AtomicU64,
    cleaned: AtomicU64,
}

/// Emits each number after a while, twice; or fails, or panics.
struct Awaits {
    told: Arc<Told>,
    behave: Behave,
}

impl AsyncBolt for Awaits {
    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]);
    }

    async fn prepare(&mut self, _: &mut BoltContext<'_>) -> Result {
        self.told.prepared.fetch_add(1, SeqCst);
        Ok(())
    }

    async fn execute(&self, tuple: &OwnedTuple, out: &mut AsyncCollector) -> Result {
        let n: i64 = tuple.view().get(0)?;
        let now = self.told.now.fetch_add(1, SeqCst) + 1;
        self.told.most.fetch_max(now, SeqCst);
        out.emit((n,));
        let (pause, fault) = (self.behave)(n);
        tokio::time::sleep(pause).await;
        self.told.now.fetch_sub(1, SeqCst);
        out.emit((-n,));
        match fault {
            Some("panic") => panic!("row {n}"),
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    async fn cleanup(&mut self) {
        self.told.cleaned.fetch_add(1, SeqCst);
    }
}

fn awaits(told: &Arc<Told>, behave: Behave) -> impl Fn() -> Awaits + Send + Sync + 'static {
    let told = told.clone();
    move || Awaits { told: told.clone(), behave }
}

fn ms(n: i64) -> Duration {
    Duration::from_millis(u64::try_from(n).expect("not negative"))
}

#[tokio::test]
async fn no_more_than_so_many_are_in_flight_and_as_many_are() {
    let (fates, told, log) = (Fates::new(), Arc::new(Told::default()), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 300));
    topology.async_bolt("a", awaits(&told, |n| (ms(n % 4), None))).in_flight(10).shuffle("s");
    topology.bolt("b", sink(&log)).global("a");
    let (books, metrics) = run(topology).await;
    assert_books(&books, 300, 0);
    assert_eq!(told.most.load(SeqCst), 10);
    assert_eq!((told.prepared.load(SeqCst), told.cleaned.load(SeqCst)), (1, 1));
    assert_eq!(log.len(), 600);
    let bolt = &metrics.component("a").expect("declared").total;
    assert_eq!((bolt.executed, bolt.acked, bolt.emitted, bolt.transferred), (300, 300, 600, 600));
}

#[tokio::test]
async fn order_is_kept_where_it_is_asked_for() {
    let (fates, told) = (Fates::new(), Arc::new(Told::default()));
    let log: Arc<Log<(i64, squall::TaskId)>> = Log::new();
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 500));
    topology.async_bolt("a", awaits(&told, |n| (ms(3 - n % 4), None))).in_flight(50).ordered().shuffle("s");
    topology.bolt("b", sink(&log)).global("a");
    let (books, _) = run(topology).await;
    assert_books(&books, 500, 0);
    assert!(told.most.load(SeqCst) > 10, "order costs no concurrency");
    let numbers: Vec<i64> = log.all().into_iter().map(|(n, _)| n).collect();
    assert_eq!(numbers, (0..500).flat_map(|n| [n, -n]).collect::<Vec<_>>());
}

#[tokio::test]
async fn errors_and_panics_fail_their_tuple_alone() {
    for ordered in [false, true] {
        let (fates, told, log) = (Fates::new(), Arc::new(Told::default()), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.spout("s", count(&fates, 200));
        let behave: Behave = |n| {
            let fault = match n {
                77 => Some("panic"),
                n if n % 10 == 3 => Some("no luck"),
                _ => None,
            };
            (ms(n % 3), fault)
        };
        let bolt = topology.async_bolt("a", awaits(&told, behave)).in_flight(20);
        if ordered { bolt.ordered() } else { bolt }.shuffle("s");
        topology.bolt("b", sink(&log)).global("a");
        let (books, metrics) = run(topology).await;
        assert_books(&books, 179, 21);
        assert!(fates.failed.all().iter().all(|(n, kind)| (n % 10 == 3 || *n == 77) && *kind == FailureKind::Failed));
        assert_eq!(log.len(), 2 * 179, "what a failed call emitted is withdrawn");
        let bolt = &metrics.component("a").expect("declared").total;
        assert_eq!((bolt.errors.failures, bolt.errors.panics, bolt.restarts), (20, 1, 1));
        assert_eq!((bolt.executed, bolt.acked, bolt.failed), (200, 179, 21));
        assert_eq!(told.prepared.load(SeqCst), 2);
    }
}

#[tokio::test]
async fn a_row_leaves_while_another_call_is_under_way() {
    for limit in [1, 100] {
        let (fates, told, log) = (Fates::new(), Arc::new(Told::default()), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.spout("s", count(&fates, 2));
        let behave: Behave = |n| (ms(if n == 1 { 3_000 } else { 1 }), None);
        topology.async_bolt("a", awaits(&told, behave)).in_flight(limit).ordered().shuffle("s");
        topology.bolt("b", sink(&log)).global("a");
        let began = Instant::now();
        let slot = start(topology, &two_cores()).await;
        until("the first row is done", || log.len() == 2 && fates.acked.all() == [0]).await;
        assert!(began.elapsed() < Duration::from_millis(1_500), "it waited for the second call");
        let books = slot.kill().await;
        assert_eq!((books.acked, books.left, &*books.hung), (1, 1, &[][..]));
        assert_eq!(told.cleaned.load(SeqCst), 1, "a call given up doesn't cost the cleanup");
    }
}

#[tokio::test]
async fn panic_after_panic_waits() {
    let (fates, told) = (Fates::new(), Arc::new(Told::default()));
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 4));
    topology.async_bolt("a", awaits(&told, |_| (ms(0), Some("panic")))).in_flight(1).shuffle("s");
    let began = Instant::now();
    let (books, _) = run(topology).await;
    assert_books(&books, 0, 4);
    assert!(began.elapsed() >= Duration::from_millis(10 + 20 + 40), "{:?}", began.elapsed());
}

/// Blocks its core, where it should await, until it is let go.
struct Blocks {
    entered: Arc<AtomicBool>,
    let_go: Arc<AtomicBool>,
}

impl AsyncBolt for Blocks {
    async fn execute(&self, _: &OwnedTuple, _: &mut AsyncCollector) -> Result {
        self.entered.store(true, SeqCst);
        while !self.let_go.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_call_that_blocks_its_core_is_named() {
    let (fates, entered, let_go) = (Fates::new(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 1));
    let (enter, go) = (entered.clone(), let_go.clone());
    topology.async_bolt("a", move || Blocks { entered: enter.clone(), let_go: go.clone() }).shuffle("s");
    let slot = start(topology, &one_core()).await;
    until("the call blocks", || entered.load(SeqCst)).await;
    let books = slot.drain(Duration::from_millis(100)).await;
    let_go.store(true, SeqCst);
    assert_eq!(books.hung, ["a".into()]);
}
