//! Metrics: counts are exact, latencies are there, users have their own.

use std::sync::Arc;
use std::time::Duration;

use squall::metrics::{Counter, Gauge, Histogram, Latency, LatencySnapshot, TaskMetrics};
use squall::{Bolt, BoltContext, Collector, Next, Result, SpoutCollector, TopologyBuilder, Tuple};

use crate::common::*;

fn recorded(latency: &Latency) -> u64 {
    LatencySnapshot::of(latency).count
}

#[tokio::test]
async fn counts_add_up_task_by_task() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 3_000)).parallelism(2);
    let drop_some = each(&Arc::new(()), ONE, |_: &Here<'_, ()>, event: Event<'_>, out: &mut Collector<'_>| {
        let n = event.n().unwrap_or_default();
        (0..n % 3).for_each(|_| out.emit((n,)));
        if n % 10 == 0 { Err("a round number".into()) } else { Ok(()) }
    });
    topology.bolt("p", drop_some).parallelism(2).tasks(4).fields("s", ["n"]);
    topology.bolt("q", sink(&log)).parallelism(2).all("p");
    // On one core both spout tasks share a lane.
    let (books, metrics) = run_on(topology, &one_core()).await;
    assert_books(&books, 5_400, 600);
    let of = |id: &str| metrics.component(id).expect("declared").clone();
    let emitted: u64 = (0..3_000).filter(|n| n % 10 != 0).map(|n| 2 * (n % 3)).sum();
    for (id, tasks) in [("s", 2), ("p", 4), ("q", 2)] {
        let component = of(id);
        assert_eq!(component.tasks.len(), tasks);
        let sum =
            |figure: fn(&TaskMetrics) -> u64| component.tasks.iter().map(|task| figure(&task.metrics)).sum::<u64>();
        let total = &component.total;
        assert_eq!(
            [total.executed, total.emitted, total.transferred, total.acked, total.failed],
            [sum(|t| t.executed), sum(|t| t.emitted), sum(|t| t.transferred), sum(|t| t.acked), sum(|t| t.failed)]
        );
        assert!(total.busy_ns > 0, "{id}");
    }
    for task in &of("s").tasks {
        let told = &task.metrics;
        assert_eq!((told.emitted, told.transferred, told.acked + told.failed, told.pending), (3_000, 3_000, 3_000, 0));
        assert_eq!((told.failed, told.timed_out, told.lost), (300, 0, 0));
        assert_eq!(recorded(&told.complete), 2_700);
    }
    let p = of("p").total;
    assert_eq!((p.executed, p.acked, p.failed, p.emitted, p.transferred), (6_000, 5_400, 600, emitted, 2 * emitted));
    let q = of("q").total;
    assert_eq!((q.executed, q.acked, q.failed, q.emitted), (2 * emitted, 2 * emitted, 0, 0));
    for bolt in [&p, &q] {
        for latency in [&bolt.execute, &bolt.process] {
            assert_eq!(recorded(latency), bolt.executed);
        }
    }
}

#[tokio::test]
async fn a_chain_is_booked_as_if_it_were_none() {
    let figures = |chained: bool| async move {
        let (fates, log) = (Fates::new(), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.spout("s", count(&fates, 1_000));
        let twice = each(&Arc::new(()), ONE, |_: &Here<'_, ()>, event: Event<'_>, out: &mut Collector<'_>| {
            (0..2).for_each(|_| out.emit((event.n().unwrap_or_default(),)));
            if event.n().unwrap_or_default() % 7 == 0 { Err("seven".into()) } else { Ok(()) }
        });
        let p = topology.bolt("p", twice).local_or_shuffle("s");
        if !chained {
            p.unchained();
        }
        let q = topology.bolt("q", sink(&log)).local_or_shuffle("p");
        if !chained {
            q.unchained();
        }
        let (books, metrics) = run(topology).await;
        let counts = |id: &str| {
            let total = &metrics.component(id).expect("declared").total;
            (total.emitted, total.transferred, total.acked, total.failed, total.errors.failures)
        };
        (books, counts("s"), counts("p"), counts("q"))
    };
    assert_eq!(figures(true).await, figures(false).await);
}

/// Counts on its own.
#[derive(Default)]
struct Own {
    figures: Option<(Counter, Gauge, Histogram)>,
}

impl Bolt for Own {
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.figures = Some((context.counter("rows"), context.gauge("last"), context.histogram("numbers")));
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        let (rows, last, numbers) = self.figures.as_ref().expect("prepared");
        let n: i64 = tuple.get(0)?;
        rows.increment();
        last.set(n);
        numbers.record(u64::try_from(n)?);
        assert!(n != 500, "half way");
        Ok(())
    }
}

#[tokio::test]
async fn users_figures_are_shared_by_a_components_tasks_and_outlive_a_panic() {
    let fates = Fates::new();
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 1_000));
    topology.bolt("b", Own::default).parallelism(3).shuffle("s");
    let (books, metrics) = run(topology).await;
    assert_books(&books, 999, 1);
    let user = &metrics.component("b").expect("declared").user;
    assert_eq!(user.counters["rows"], 1_000);
    assert!((0..1_000).contains(&user.gauges["last"]));
    assert_eq!((user.histograms["numbers"].count, user.histograms["numbers"].max / 100), (1_000, 9));
}

#[tokio::test]
async fn a_busy_bolt_has_capacity_near_one_and_its_sender_is_blocked() {
    let fates = Fates::new();
    let mut topology = TopologyBuilder::new("t");
    let mut n = 0;
    let next = move |out: &mut SpoutCollector<'_, i64>| {
        for _ in 0..out.room() {
            out.emit_with(n, (n,));
            n += 1;
        }
        Ok(Next::More)
    };
    topology.spout("s", from(&fates, ONE, next));
    let slow = each(&Arc::new(()), NONE, |_: &Here<'_, ()>, _: Event<'_>, _: &mut Collector<'_>| {
        std::thread::sleep(Duration::from_micros(200));
        Ok(())
    });
    topology.bolt("b", slow).blocking().shuffle("s");
    let slot = start(topology, &two_cores()).await;
    let rows = || slot.metrics().component("b").expect("declared").total.executed;
    until("it works", || rows() > 20).await;
    let (before, from) = (slot.metrics(), rows());
    until("it has worked on", || rows() > from + 100).await;
    let after = slot.metrics();
    let of = |snapshot: &squall::metrics::Snapshot, id: &str| snapshot.component(id).expect("declared").clone();
    let capacity = of(&after, "b").capacity_since(&of(&before, "b"), after.at_ns - before.at_ns);
    assert!((0.8..=1.2).contains(&capacity), "{capacity}");
    let lane = &of(&after, "b").lanes[0];
    assert!(lane.queued_rows > 0 && lane.bound_rows >= 64, "{lane:?}");
    until("blocked time grows", || {
        let now = slot.metrics();
        let grown = |id: &str, figure: fn(&squall::metrics::LaneSnapshot) -> u64| {
            figure(&of(&now, id).lanes[0]) > figure(&of(&after, id).lanes[0])
        };
        grown("b", |lane| lane.senders_blocked_ns) && grown("s", |lane| lane.blocked_ns)
    })
    .await;
    assert!(of(&after, "s").total.pending > 0);
    slot.kill().await;
}
