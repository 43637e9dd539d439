//! Spouts and asynchronous bolts that name their rows' receivers. Bolts that compute are with the groupings.

use std::sync::Arc;
use std::time::Duration;

use squall::{
    AsyncBolt, AsyncCollector, BoltContext, Declarer, Delivery, Next, OwnedTuple, Replay, ReplayPolicy, Result, Spout,
    SpoutCollector, SpoutContext, StreamHandle, TaskId, TopologyBuilder,
};

use crate::common::*;

const ROWS: i64 = 3_000;
const NOBODY: TaskId = TaskId::new(77);

/// Emits the numbers below [`ROWS`] to the tasks of "b" in turn. The first time that it comes to `wrong`, it names a task that
/// doesn't take the stream.
struct Names {
    fates: Arc<Fates>,
    n: i64,
    wrong: Option<i64>,
    to: Vec<TaskId>,
}

impl Spout for Names {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.direct_stream("default", ["n"]);
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        assert!(context.tasks_of("nobody").is_empty());
        self.to = context.tasks_of("b").to_vec();
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        let from = self.n;
        while self.n < ROWS && out.room() > 0 {
            let n = self.n;
            if self.wrong == Some(n) {
                self.wrong = None;
                self.n = from;
                out.emit_direct_with(StreamHandle::DEFAULT, NOBODY, n, (n,));
                return Ok(Next::More);
            }
            let to = self.to[usize::try_from(n).expect("not negative") % self.to.len()];
            if n % 10 == 9 {
                out.emit_direct(StreamHandle::DEFAULT, to, (n,));
            } else {
                out.emit_direct_with(StreamHandle::DEFAULT, to, n, (n,));
            }
            self.n += 1;
        }
        Ok(if self.n < ROWS { Next::More } else { Next::Done })
    }

    fn ack(&mut self, id: i64) {
        self.fates.acked.push(id);
    }
}

fn names(fates: &Arc<Fates>, wrong: Option<i64>) -> impl Fn() -> Names + Send + Sync + 'static {
    let fates = fates.clone();
    move || Names { fates: fates.clone(), n: 0, wrong, to: Vec::new() }
}

/// Every row came once, each to the task that was named: tasks are numbered from the spout's, 1.
fn assert_each_came_to_its_task(log: &Log<(i64, TaskId)>) {
    assert_eq!(numbers(log), up_to(ROWS));
    let strays: Vec<_> = log.all().into_iter().filter(|(n, task)| i64::from(task.get()) != 2 + n % 3).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[tokio::test]
async fn a_spouts_rows_go_to_the_tasks_that_it_names_tracked_or_not() {
    for (delivery, blocking) in [
        (Delivery::AtLeastOnce, false),
        (Delivery::AtLeastOnce, true),
        (Delivery::AtMostOnce, false),
        (Delivery::AtMostOnce, true),
    ] {
        let (fates, log) = (Fates::new(), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.delivery(delivery);
        let spout = topology.spout("s", names(&fates, None));
        if blocking {
            spout.blocking();
        }
        topology.bolt("b", sink(&log)).parallelism(3).direct("s");
        let (books, metrics) = run(topology).await;
        assert_each_came_to_its_task(&log);
        let tracked = if delivery == Delivery::AtLeastOnce { ROWS as u64 * 9 / 10 } else { 0 };
        assert_books(&books, tracked, 0);
        assert_eq!(fates.acked.len() as u64, tracked);
        let spout = &metrics.component("s").expect("declared").total;
        assert_eq!((spout.emitted, spout.transferred), (ROWS as u64, ROWS as u64));
    }
}

#[tokio::test]
async fn a_call_that_names_nobody_is_withdrawn_with_its_roots_and_the_error_says_so() {
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let (fates, log) = (Fates::new(), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.delivery(delivery);
        topology.spout("s", names(&fates, Some(1_000)));
        topology.bolt("b", sink(&log)).parallelism(3).direct("s");
        let (books, metrics) = run(topology).await;
        assert_each_came_to_its_task(&log);
        assert_books(&books, fates.acked.len() as u64, 0);
        let errors = &metrics.component("s").expect("declared").total.errors;
        assert_eq!(errors.last.as_deref(), Some("SQ2105: task 77 doesn't take stream \"default\""));
        assert_eq!(errors.failures, 1);
    }
}

#[tokio::test]
async fn a_row_that_names_no_receiver_on_a_direct_stream_fails_the_spouts_call() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    let mut calls = 0;
    let next = move |out: &mut SpoutCollector<'_, i64>| {
        calls += 1;
        match calls {
            1 => out.emit_with(7, (7,)),
            2 => out.emit_direct_with(StreamHandle::DEFAULT, TaskId::new(2), 8, (8,)),
            _ => return Ok(Next::Done),
        }
        Ok(Next::More)
    };
    topology.spout("s", from(&fates, &[("default", &["n"], true)], next));
    topology.bolt("b", sink(&log)).direct("s");
    let (books, metrics) = run(topology).await;
    assert_books(&books, 1, 0);
    assert_eq!((numbers(&log), fates.acked.all()), (vec![8], vec![8]));
    let last = metrics.component("s").expect("declared").total.errors.last.clone();
    assert_eq!(last.as_deref(), Some("SQ2104: stream \"default\" is direct: use emit_direct"));
}

#[tokio::test]
async fn a_replayed_row_goes_to_the_task_that_was_named_for_it_again() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    let source = fates.clone();
    topology.spout("s", move || {
        let policy = ReplayPolicy { base: Duration::from_millis(1), ..ReplayPolicy::default() };
        Replay::new(names(&source, None), policy)
    });
    let once = each(&log, NONE, {
        let mut failed = std::collections::BTreeSet::new();
        move |here: &Here<'_, Log<(i64, TaskId)>>, event, _| {
            let n = event.n().expect("only rows come");
            if n % 7 == 0 && failed.insert(n) {
                return Err("not yet".into());
            }
            here.log.push((n, here.task));
            Ok(())
        }
    });
    topology.bolt("b", once).parallelism(3).direct("s");
    let (books, _) = run(topology).await;
    assert_each_came_to_its_task(&log);
    assert!(books.failed > 0 && books.left == 0, "{books:?}");
}

/// Sends each number on to a task of "b", once before it awaits and once after; every fifth fails, every seventh names nobody.
struct Sends(Vec<TaskId>);

impl AsyncBolt for Sends {
    fn declare(&self, streams: &mut Declarer) {
        streams.direct_stream("default", ["n"]);
    }

    async fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.0 = context.tasks_of("b").to_vec();
        Ok(())
    }

    async fn execute(&self, tuple: &OwnedTuple, out: &mut AsyncCollector) -> Result {
        let n: i64 = tuple.view().get(0)?;
        let to = self.0[usize::try_from(n)? % self.0.len()];
        out.emit_direct(StreamHandle::DEFAULT, to, (n,));
        tokio::task::yield_now().await;
        out.emit_direct(StreamHandle::DEFAULT, if n % 7 == 0 { NOBODY } else { to }, (n,));
        if n % 5 == 0 { Err("told to fail".into()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn an_asynchronous_bolts_rows_go_to_the_tasks_that_it_names_unless_its_call_fails() {
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let (fates, log) = (Fates::new(), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.delivery(delivery);
        topology.spout("s", count(&fates, 350));
        topology.async_bolt("a", || Sends(Vec::new())).shuffle("s");
        topology.bolt("b", sink(&log)).parallelism(3).direct("a");
        let (books, metrics) = run(topology).await;
        let good: Vec<i64> = (0..350).filter(|n| n % 5 != 0 && n % 7 != 0).collect();
        let twice: Vec<i64> = good.iter().flat_map(|n| [*n, *n]).collect();
        assert_eq!(numbers(&log), twice);
        assert!(log.all().iter().all(|(n, task)| i64::from(task.get()) == 3 + n % 3));
        let errors = &metrics.component("a").expect("declared").total.errors;
        assert_eq!(errors.failures as usize, 350 - good.len());
        if delivery == Delivery::AtLeastOnce {
            assert_books(&books, good.len() as u64, 350 - good.len() as u64);
        }
    }
}
