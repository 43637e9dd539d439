//! A slot, or the way to it, is lost: what may have been lost with it fails at once, however long the timeout; the rest goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use squall::{Collector, Delivery, Next, Result, SpoutCollector, TopologyBuilder};

use crate::cluster::*;
use crate::common::*;
use crate::replays::*;

/// Nothing may wait for this.
const TIMEOUT: Duration = Duration::from_secs(600);

/// A bolt that holds all rows until it may go on.
fn gated(
    open: &Arc<AtomicBool>,
    log: &Arc<Log<(i64, squall::TaskId)>>,
) -> impl Fn() -> Each<Log<(i64, squall::TaskId)>, Call> + Send + Sync + 'static {
    let (open, log) = (open.clone(), log.clone());
    move || {
        let open = open.clone();
        let call: Call = Box::new(move |here, event, _| {
            while !open.load(SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            event.n().into_iter().for_each(|n| here.log.push((n, here.task)));
            Ok(())
        });
        Each::new(&log, NONE, call)
    }
}

type Call = Box<dyn FnMut(&Here<'_, Log<(i64, squall::TaskId)>>, Event<'_>, &mut Collector<'_>) -> Result + Send>;

/// Spout `s` in slot 0, `pass` in slot 1, and what it sends to, `end`, in slot 2; and apart from it spout `t` with `own` in slot 0.
fn line(
    delivery: Delivery,
    told: &Arc<Told>,
    apart: &Arc<Told>,
    open: &Arc<AtomicBool>,
    log: &Arc<Log<(i64, squall::TaskId)>>,
) -> TopologyBuilder {
    let mut topology = TopologyBuilder::new("t");
    topology.delivery(delivery).message_timeout(TIMEOUT).max_spout_pending(1_000);
    topology.spout("s", replays(told, 3_000));
    topology.bolt("pass", || Pass).shuffle("s");
    topology.bolt("end", gated(open, log)).blocking().fields("pass", ["n"]);
    topology.spout("t", replays(apart, 100));
    topology.bolt("own", gated(open, &Log::new())).blocking().shuffle("t");
    topology
}

const LINE: &[(&str, usize)] = &[("s", 0), ("pass", 1), ("end", 2), ("t", 0), ("own", 0)];

#[tokio::test]
async fn what_a_bolt_sent_to_a_lost_slot_fails_at_once_and_is_made_good_by_its_next_life() {
    let (told, apart, open, log) =
        (Arc::<Told>::default(), Arc::<Told>::default(), Arc::new(AtomicBool::new(false)), Log::new());
    let topology = line(Delivery::AtLeastOnce, &told, &apart, &open, &log);
    let mut cluster = Cluster::start(topology, &two_cores(), 3, &by_component(LINE)).await;
    let there = || cluster.slots[&2].traffic().rows_received >= 1_000;
    until("much is pending", || there() && cluster.slots[&0].look().pending >= 1_100).await;
    let began = Instant::now();
    cluster.kill(2).await;
    until("what was pending fails", || told.lost() >= 1_000).await;
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(apart.failed.len(), 0, "what can't have come there isn't touched");
    open.store(true, SeqCst);
    cluster.start_slot(2, 2).await;
    until("all is made good", || told.done() == 3_000).await;
    let (books, _) = cluster.finish_in_doubt().await;
    assert_eq!((books.left, books.timed_out, books.failed), (0, 0, 0), "{books:?}");
    assert_eq!(apart.acked.sorted(), up_to(100));
    let arrived = numbers(&log);
    assert!(told.acked.all().iter().all(|n| arrived.binary_search(n).is_ok()), "what was acked has arrived");
}

#[tokio::test]
async fn a_lost_way_between_two_slots_that_live_is_a_loss_too_and_mends() {
    let (told, apart, open, log) =
        (Arc::<Told>::default(), Arc::<Told>::default(), Arc::new(AtomicBool::new(false)), Log::new());
    let topology = line(Delivery::AtLeastOnce, &told, &apart, &open, &log);
    let cluster = Cluster::start(topology, &two_cores(), 3, &by_component(LINE)).await;
    let there = || cluster.slots[&2].traffic().rows_received >= 1_000;
    until("much is pending", || there() && cluster.slots[&0].look().pending >= 1_100).await;
    cluster.network.cut(&address(1), &address(2));
    until("what was pending fails", || told.lost() >= 1_000).await;
    open.store(true, SeqCst);
    cluster.network.mend(&address(1), &address(2));
    until("all is made good", || told.done() == 3_000).await;
    let (books, _) = cluster.finish_in_doubt().await;
    assert_eq!((books.left, books.timed_out, books.failed), (0, 0, 0), "{books:?}");
    assert_eq!((apart.failed.len(), apart.acked.len()), (0, 100));
}

#[tokio::test]
async fn acks_that_were_lost_on_the_way_fail_their_roots_at_once() {
    let (told, log) = (Arc::<Told>::default(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.message_timeout(TIMEOUT).max_spout_pending(100);
    topology.spout("s", replays(&told, 20_000));
    topology.bolt("b", sink(&log)).shuffle("s");
    let cluster = Cluster::start(topology, &two_cores(), 2, &by_component(&[("s", 0), ("b", 1)])).await;
    // The line that acks come on, again and again, while rows go on.
    let mut broken = 0;
    while told.done() < 20_000 {
        let before = told.acked.len();
        until("it goes on", || told.acked.len() >= before + 200 || told.done() == 20_000).await;
        cluster.network.break_line(&address(1), &address(0));
        broken += 1;
    }
    assert!(broken > 3);
    let (books, _) = cluster.finish_in_doubt().await;
    assert_eq!((books.left, books.timed_out, books.failed), (0, 0, 0), "{books:?}");
}

#[tokio::test]
async fn at_most_once_what_is_left_goes_on() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.delivery(Delivery::AtMostOnce);
    let mut n = 0;
    let endless = move |out: &mut SpoutCollector<'_, i64>| {
        n += 1;
        out.emit((n,));
        Ok(Next::WaitFor(Duration::from_micros(100)))
    };
    topology.spout("s", from(&fates, ONE, endless));
    topology.bolt("b", sink(&log)).parallelism(2).shuffle("s");
    let place: Place = Arc::new(|component, executor| Some(if component == "s" { 0 } else { 1 + executor as usize }));
    let mut cluster = Cluster::start(topology, &two_cores(), 3, &place).await;
    until("both take", || counted(log.all().into_iter().map(|(_, task)| task)).len() == 2).await;
    cluster.kill(2).await;
    let before = log.len();
    until("the other goes on", || log.len() > before + 200).await;
    cluster.finish_in_doubt().await;
}
