//! Watermarks between slots: behind the rows that they speak of, the minimum over senders in all slots, at the end the end of time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use squall::{Collector, Next, Result, SpoutCollector, TaskId, Timestamp, TopologyBuilder};

use crate::cluster::*;
use crate::common::*;

/// What a task saw: a row or a watermark, by the number of its event time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Row(i64),
    Mark(i64),
}

type Seeing = Log<(TaskId, Seen)>;

const ROWS: i64 = 1_000;

/// Emits `0..ROWS` and every ten rows the watermark at the next number. The rows of ten come in falling order.
fn timed() -> impl FnMut(&mut SpoutCollector<'_, i64>) -> Result<Next> + Clone + Send + Sync + 'static {
    let mut n = 0;
    move |out| {
        for back in (0..10).rev() {
            out.emit_with(n + back, (n + back,));
        }
        n += 10;
        out.watermark(Timestamp::from_micros(n));
        Ok(if n < ROWS { Next::More } else { Next::Done })
    }
}

fn write(here: &Here<'_, Seeing>, event: Event<'_>, out: &mut Collector<'_>) -> Result {
    let seen = match event {
        Event::Row(tuple) => {
            out.emit(tuple);
            Seen::Row(tuple.get(0)?)
        }
        Event::Watermark(to) => Seen::Mark(to.micros()),
        Event::Tick => return Ok(()),
    };
    here.log.push((here.task, seen));
    Ok(())
}

/// No row comes after a watermark that excludes it; watermarks rise; the last is the end of time.
#[track_caller]
fn assert_in_order(what: &str, log: &Seeing, tasks: usize) {
    let all = log.all();
    let by_task = counted(all.iter().map(|(task, _)| *task));
    assert_eq!(by_task.len(), tasks, "{what}: every task is told of the end");
    for (task, _) in by_task {
        let mut mark = i64::MIN;
        for (_, seen) in all.iter().filter(|(of, _)| *of == task) {
            match *seen {
                Seen::Row(n) => assert!(n >= mark, "{what}: row {n} comes after watermark {mark}"),
                Seen::Mark(to) => {
                    assert!(to > mark, "{what}: watermark {to} comes after {mark}");
                    mark = to;
                }
            }
        }
        assert_eq!(mark, Timestamp::MAX.micros(), "{what}: the last mark is the end of time");
    }
}

#[tokio::test]
async fn a_watermark_comes_behind_its_rows_into_whatever_slot_they_went() {
    let fates = Fates::new();
    let logs: Vec<_> = (0..4).map(|_| Seeing::new()).collect();
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", from(&fates, ONE, timed())).parallelism(3);
    topology.bolt("chained", each_event(&logs[0], ONE, write)).parallelism(3).local_or_shuffle("s");
    topology.bolt("keyed", each_event(&logs[1], ONE, write)).parallelism(3).tasks(6).fields("chained", ["n"]);
    topology.bolt("blocking", each_event(&logs[2], ONE, write)).parallelism(4).blocking().shuffle("keyed");
    topology.bolt("end", each_event(&logs[3], ONE, write)).parallelism(2).all("blocking").global("keyed");
    let (books, _) = Cluster::start(topology, &two_cores(), 3, &spread(3)).await.finish().await;
    assert_books(&books, 3 * ROWS as u64, 0);
    for (name, log, tasks) in [("chained", 0, 3), ("keyed", 1, 6), ("blocking", 2, 4), ("end", 3, 2)] {
        assert_in_order(name, &logs[log], tasks);
    }
}

#[tokio::test]
async fn a_spout_in_another_slot_that_has_not_spoken_holds_the_watermark() {
    let (fates, log, may_speak) = (Fates::new(), Seeing::new(), Arc::new(AtomicBool::new(false)));
    let mut topology = TopologyBuilder::new("t");
    let at = |marks: &'static [i64], gate: Option<Arc<AtomicBool>>| {
        let mut marks = marks.iter();
        move |out: &mut SpoutCollector<'_, i64>| {
            if gate.as_ref().is_some_and(|gate| !gate.load(SeqCst)) {
                return Ok(Next::WaitFor(Duration::from_millis(1)));
            }
            let Some(to) = marks.next() else { return Ok(Next::Wait) };
            out.watermark(Timestamp::from_micros(*to));
            Ok(Next::More)
        }
    };
    topology.spout("here", from(&fates, ONE, at(&[10, 20], None)));
    topology.spout("there", from(&fates, ONE, at(&[5], Some(may_speak.clone()))));
    topology.bolt("b", each_event(&log, ONE, write)).shuffle("here").shuffle("there");
    let place = by_component(&[("here", 0), ("b", 0), ("there", 1)]);
    let cluster = Cluster::start(topology, &two_cores(), 2, &place).await;
    let calls = || cluster.slots[&0].metrics().component("here").map_or(0, |it| it.total.executed);
    until("the one here has said all", || calls() >= 3).await;
    assert!(log.all().is_empty());
    may_speak.store(true, SeqCst);
    until("the watermark comes", || log.len() == 1).await;
    assert_eq!(log.all()[0].1, Seen::Mark(5));
    cluster.end().await;
}
