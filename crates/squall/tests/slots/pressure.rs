//! Back-pressure across slots: a slow bolt stops those that send to it, wherever they are, and nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use squall::{Collector, Delivery, Next, Result, SpoutCollector, TopologyBuilder};

use crate::cluster::*;
use crate::common::*;

const TEXT: Streams = &[("default", &["n", "text"], false)];

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

/// Waits until a count stands still for a while, and returns it.
async fn stopped(count: &AtomicI64) -> i64 {
    let mut before = (-1, Instant::now());
    until("it stands still", || {
        let now = count.load(SeqCst);
        if now != before.0 {
            before = (now, Instant::now());
        }
        now > 0 && before.1.elapsed() > Duration::from_millis(200)
    })
    .await;
    count.load(SeqCst)
}

/// How much gets into a topology whose only bolt, in another slot, is shut, while another bolt in that slot takes all that is for it.
async fn held_by_a_shut_bolt(delivery: Delivery, rows: i64, bytes: usize) -> i64 {
    let (fates, others, emitted, open) =
        (Fates::new(), Fates::new(), Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let free = Log::new();
    let mut topology = TopologyBuilder::new("t");
    topology.delivery(delivery);
    topology.spout("s", from(&fates, TEXT, heavy(&emitted, rows, bytes)));
    topology.spout("other", count(&others, 50_000));
    let shut = each(&open, NONE, |here: &Here<'_, AtomicBool>, _: Event<'_>, _: &mut Collector<'_>| {
        while !here.log.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    });
    topology.bolt("shut", shut).blocking().shuffle("s");
    topology.bolt("free", sink(&free)).shuffle("other");
    let place = by_component(&[("s", 0), ("other", 0), ("shut", 1), ("free", 1)]);
    let cluster = Cluster::start(topology, &two_cores(), 2, &place).await;
    until("the others pass", || free.len() == 50_000).await;
    let held = stopped(&emitted).await;
    open.store(true, SeqCst);
    let (books, snapshots) = cluster.finish().await;
    assert_eq!(total(&snapshots, "shut", |task| task.executed), rows as u64, "nothing is dropped");
    if delivery == Delivery::AtLeastOnce {
        assert_books(&books, rows as u64 + 50_000, 0);
    }
    held
}

#[tokio::test]
async fn a_shut_bolt_elsewhere_stops_its_spout_at_the_bound_in_rows_and_no_other() {
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let held = held_by_a_shut_bolt(delivery, 60_000, 1).await;
        // Two inboxes of 4,096 rows, and a batch or two on each side of each and between.
        assert!(held < 15_000, "{held} rows in flight");
    }
}

#[tokio::test]
async fn a_shut_bolt_elsewhere_stops_its_spout_at_the_bound_in_bytes() {
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let held = held_by_a_shut_bolt(delivery, 200, 1 << 20).await;
        // Two inboxes of 8 MiB, and a few MiB on each side of each and between.
        assert!(held < 50, "{held} MiB in flight");
    }
}

#[tokio::test]
async fn a_shuffle_gives_a_slow_task_elsewhere_less_than_a_fast_one() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.max_spout_pending(400);
    topology.spout("s", count(&fates, 8_000));
    let uneven = each(&log, NONE, |here: &Here<'_, Log<usize>>, _: Event<'_>, _: &mut Collector<'_>| {
        if here.index == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        here.log.push(here.index);
        Ok(())
    });
    topology.bolt("b", uneven).parallelism(2).blocking().shuffle("s");
    let place: Place = Arc::new(|component, executor| Some(if component == "s" { 0 } else { 1 + executor as usize }));
    let (books, _) = Cluster::start(topology, &one_core(), 3, &place).await.finish().await;
    assert_books(&books, 8_000, 0);
    let taken = counted(log.all());
    assert!(taken[0].1 < 2_000, "{taken:?}");
}
