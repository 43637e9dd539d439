//! The end of a topology: everything is done first, everybody is told once, nothing stays behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use squall::{
    AsyncBolt, AsyncCollector, Bolt, Collector, Declarer, Delivery, Next, OwnedTuple, Result, SpoutCollector,
    TopologyBuilder, Tuple,
};

use crate::common::*;

#[tokio::test]
async fn ended_returns_when_everything_is_done_and_no_earlier() {
    for round in 0..200 {
        let (fates, log) = (Fates::new(), Arc::new(AtomicU64::new(0)));
        let mut topology = TopologyBuilder::new("t");
        let delivery = if round % 2 == 0 { Delivery::AtMostOnce } else { Delivery::AtLeastOnce };
        topology.delivery(delivery);
        topology.spout("s", count(&fates, 50 + round)).parallelism(2);
        topology.bolt("p", || Pass).parallelism(2).shuffle("s").unchained();
        topology.bolt("q", || Pass).fields("p", ["n"]);
        let add = each(&log, NONE, |here: &Here<'_, AtomicU64>, _: Event<'_>, _: &mut Collector<'_>| {
            here.log.fetch_add(1, SeqCst);
            Ok(())
        });
        topology.bolt("b", add).parallelism(3).shuffle("q").unchained();
        let slot = start(topology, &two_cores()).await;
        tokio::time::timeout(LONG, slot.ended()).await.expect("it ends");
        let (rows, books) = (log.load(SeqCst), slot.books());
        assert_eq!((rows, books.emitted), (2 * (50 + round as u64), rows), "round {round}");
        if delivery == Delivery::AtLeastOnce {
            assert_books(&books, rows, 0);
        }
        assert_eq!(slot.drain(LONG).await, books);
    }
}

struct Cleaned(Arc<AtomicU64>);

impl Bolt for Cleaned {
    fn execute(&mut self, _: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        std::thread::sleep(Duration::from_micros(200));
        Ok(())
    }
    fn cleanup(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl AsyncBolt for Cleaned {
    fn declare(&self, _: &mut Declarer) {}
    async fn execute(&self, _: &OwnedTuple, _: &mut AsyncCollector) -> Result {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    }
    async fn cleanup(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Rows without end.
fn endless() -> impl FnMut(&mut SpoutCollector<'_, i64>) -> Result<Next> + Clone + Send + Sync + 'static {
    let mut n = 0;
    move |out| {
        for _ in 0..out.room() {
            out.emit_with(n, (n,));
            n += 1;
        }
        Ok(Next::More)
    }
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_tells_everybody_once() {
    let fates = Fates::new();
    let cleaned: Vec<Arc<AtomicU64>> = (0..4).map(|_| Arc::default()).collect();
    let mut topology = TopologyBuilder::new("t");
    topology.max_spout_pending(500);
    topology.spout("s", from(&fates, ONE, endless())).parallelism(2);
    topology.spout("t", from(&fates, ONE, endless())).blocking();
    let make = |at: usize| {
        let cleaned = cleaned[at].clone();
        move || Cleaned(cleaned.clone())
    };
    topology.bolt("chained", make(0)).parallelism(2).local_or_shuffle("s");
    topology.bolt("queued", make(1)).tasks(3).shuffle("s").shuffle("t");
    topology.bolt("blocking", make(2)).parallelism(2).blocking().shuffle("s");
    topology.async_bolt("async", make(3)).parallelism(2).shuffle("t");
    let slot = start(topology, &two_cores()).await;
    until("rows flow", || slot.books().acked > 1_000).await;
    let (books, _) = drain(slot).await;
    assert_eq!((books.acked, books.left, &*books.hung), (books.emitted, 0, &[][..]));
    let acked = u64::try_from(fates.acked.len()).expect("small");
    assert_eq!(acked, books.acked, "every spout was told before it was closed");
    assert_eq!(fates.closed.len(), 3);
    assert_eq!(cleaned.iter().map(|times| times.load(SeqCst)).collect::<Vec<_>>(), [2, 3, 2, 2]);
}

#[tokio::test]
async fn a_deadline_passes_by_a_bolt_that_hangs_and_names_it() {
    let (fates, hangs, cleaned) = (Fates::new(), Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", from(&fates, ONE, endless()));
    let fine = cleaned.clone();
    topology.bolt("fine", move || Cleaned(fine.clone())).shuffle("s").unchained();
    let hang = each(&hangs, NONE, |here: &Here<'_, AtomicBool>, _: Event<'_>, _: &mut Collector<'_>| {
        while here.log.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    });
    topology.bolt("hangs", hang).blocking().shuffle("s");
    let slot = start(topology, &two_cores()).await;
    until("rows wait", || slot.books().left > 0).await;
    let began = Instant::now();
    let books = slot.drain(Duration::from_millis(100)).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(books.hung.iter().map(squall::ComponentId::as_str).collect::<Vec<_>>(), ["hangs"]);
    assert!(books.left > 0);
    assert_eq!(books.emitted, books.acked + books.left);
    until("the others have ended", || cleaned.load(SeqCst) == 1 && fates.closed.len() == 1).await;
    hangs.store(false, SeqCst);
}

#[tokio::test]
async fn a_blocking_spout_that_hangs_is_named() {
    let (fates, hangs) = (Fates::new(), Arc::new(AtomicBool::new(true)));
    let mut topology = TopologyBuilder::new("t");
    let (held, called) = (hangs.clone(), Arc::new(AtomicBool::new(false)));
    let calls = called.clone();
    let next = move |_: &mut SpoutCollector<'_, i64>| {
        calls.store(true, SeqCst);
        while held.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Next::Done)
    };
    topology.spout("s", from(&fates, ONE, next)).blocking();
    topology.bolt("b", || Pass).shuffle("s");
    let slot = start(topology, &two_cores()).await;
    until("it is called", || called.load(SeqCst)).await;
    let books = slot.kill().await;
    assert_eq!(books.hung.iter().map(squall::ComponentId::as_str).collect::<Vec<_>>(), ["s"]);
    hangs.store(false, SeqCst);
    until("it ends in the end", || fates.closed.len() == 1).await;
}

#[tokio::test]
async fn a_kill_acks_nothing_that_isnt_done() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", from(&fates, ONE, endless()));
    let slow = each(&log, NONE, |here: &Here<'_, Log<i64>>, event: Event<'_>, _: &mut Collector<'_>| {
        std::thread::sleep(Duration::from_millis(5));
        here.log.push(event.n().unwrap_or_default());
        Ok(())
    });
    topology.bolt("b", slow).blocking().shuffle("s");
    let slot = start(topology, &two_cores()).await;
    until("rows flow", || log.len() > 3).await;
    let books = slot.kill().await;
    assert_eq!(&*books.hung, &[][..], "a slow row is no hang");
    let done = log.all();
    assert!(fates.acked.all().iter().all(|id| done.contains(id)));
    assert!(books.left > 0);
}

#[tokio::test]
async fn a_restarting_task_holds_up_no_end() {
    let fates = Fates::new();
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", from(&fates, ONE, endless()));
    let panics = each(&Arc::new(()), NONE, |_: &Here<'_, ()>, _: Event<'_>, _: &mut Collector<'_>| {
        panic!("always");
    });
    topology.bolt("chained", panics).local_or_shuffle("s");
    let slot = start(topology, &two_cores()).await;
    let restarts = || slot.metrics().component("chained").expect("declared").total.restarts;
    until("it waits for long", || restarts() >= 6).await;
    let began = Instant::now();
    let books = slot.kill().await;
    assert_eq!(&*books.hung, &[][..]);
    assert!(began.elapsed() < Duration::from_millis(400), "{:?}", began.elapsed());
}

/// Threads of this process whose names begin so.
fn threads(named: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a process has threads");
    let name =
        |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok();
    tasks.filter_map(name).filter(|name| name.starts_with(named)).count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_thread_outlives_its_topology() {
    // Threads of blocking spouts are named after them; others run in other tests at the same time.
    let (fates, log) = (Fates::new(), Log::new());
    for _ in 0..20 {
        let mut topology = TopologyBuilder::new("t");
        topology.spout("leaky", count(&fates, 10)).parallelism(3).blocking();
        topology.bolt("b", sink(&log)).blocking().shuffle("leaky");
        let slot = start(topology, &two_cores()).await;
        assert!(threads("leaky") > 0);
        finish(slot).await;
    }
    until("all threads are gone", || threads("leaky") == 0).await;
}

#[tokio::test]
async fn a_slot_that_is_dropped_stops() {
    let (fates, cleaned) = (Fates::new(), Arc::new(AtomicU64::new(0)));
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", from(&fates, ONE, endless()));
    let times = cleaned.clone();
    topology.bolt("b", move || Cleaned(times.clone())).shuffle("s").unchained();
    drop(start(topology, &two_cores()).await);
    until("it has stopped", || cleaned.load(SeqCst) == 1 && fates.closed.len() == 1).await;
}
