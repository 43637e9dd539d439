//! Watermarks: behind the rows that they speak of, the minimum over all senders, and at the end the end of time.

use std::sync::Arc;
use std::time::Duration;

use squall::{
    AsyncBolt, AsyncCollector, BoltContext, Collector, Next, OwnedTuple, Result, SpoutCollector, TaskId, Timestamp,
    TopologyBuilder,
};

use crate::common::*;

/// What a task saw: a row or a watermark, by the number of its event time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Row(i64),
    Mark(i64),
}

type Log3 = Log<(TaskId, Seen)>;

const ROWS: i64 = 2_000;

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

fn write(here: &Here<'_, Log3>, event: Event<'_>, out: &mut Collector<'_>) -> Result {
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

/// No row comes after a watermark that excludes it; watermarks rise; the last is the end of time. How many marks there were.
#[track_caller]
fn assert_in_order(what: &str, log: &Log3, tasks: usize) -> usize {
    let all = log.all();
    let by_task = counted(all.iter().map(|(task, _)| *task));
    assert_eq!(by_task.len(), tasks, "{what}: every task is told of the end");
    let mut marks = 0;
    for (task, _) in by_task {
        let mut mark = i64::MIN;
        for (_, seen) in all.iter().filter(|(of, _)| *of == task) {
            match *seen {
                Seen::Row(n) => assert!(n >= mark, "{what}: row {n} comes after watermark {mark}"),
                Seen::Mark(to) => {
                    assert!(to > mark, "{what}: watermark {to} comes after {mark}");
                    mark = to;
                    marks += 1;
                }
            }
        }
        assert_eq!(mark, Timestamp::MAX.micros(), "{what}: the last mark is the end of time");
    }
    marks
}

/// An asynchronous bolt whose rows take longer the earlier they are.
struct Slow(Arc<Log3>, Option<TaskId>);

impl AsyncBolt for Slow {
    fn declare(&self, streams: &mut squall::Declarer) {
        streams.stream("default", ["n"]);
    }

    async fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.1 = Some(context.task());
        Ok(())
    }

    async fn execute(&self, tuple: &OwnedTuple, out: &mut AsyncCollector) -> Result {
        let n: i64 = tuple.view().get(0)?;
        tokio::time::sleep(Duration::from_millis(if n % 100 == 9 { 2 } else { 0 })).await;
        self.0.push((self.1.expect("prepared"), Seen::Row(n)));
        out.emit((n,));
        Ok(())
    }

    async fn watermark(&self, to: Timestamp, _: &mut AsyncCollector) -> Result {
        self.0.push((self.1.expect("prepared"), Seen::Mark(to.micros())));
        Ok(())
    }
}

#[tokio::test]
async fn a_watermark_comes_behind_its_rows_wherever_they_went() {
    for options in [one_core(), two_cores()] {
        let fates = Fates::new();
        let logs: Vec<_> = (0..6).map(|_| Log3::new()).collect();
        let mut topology = TopologyBuilder::new("t");
        topology.spout("s", from(&fates, ONE, timed())).parallelism(2);
        topology.bolt("chained", each_event(&logs[0], ONE, write)).parallelism(2).local_or_shuffle("s");
        topology.bolt("twice", each_event(&logs[1], ONE, write)).parallelism(2).local_or_shuffle("chained");
        topology.bolt("keyed", each_event(&logs[2], ONE, write)).parallelism(3).tasks(6).fields("twice", ["n"]);
        topology.bolt("blocking", each_event(&logs[3], ONE, write)).parallelism(2).blocking().shuffle("keyed");
        let slow = logs[4].clone();
        topology.async_bolt("slow", move || Slow(slow.clone(), None)).parallelism(2).in_flight(50).shuffle("blocking");
        topology.bolt("end", each_event(&logs[5], ONE, write)).parallelism(2).all("slow").global("keyed");
        let (books, _) = run_on(topology, &options).await;
        assert_books(&books, 2 * ROWS as u64, 0);
        for (name, log, tasks) in
            [("chained", 0, 2), ("twice", 1, 2), ("keyed", 2, 6), ("blocking", 3, 2), ("slow", 4, 2), ("end", 5, 2)]
                .map(|(name, log, tasks)| (name, &logs[log], tasks))
        {
            let marks = assert_in_order(name, log, tasks);
            assert!(marks > tasks, "{name}: marks come before the end, too: {marks}");
        }
    }
}

#[tokio::test]
async fn the_watermark_is_the_minimum_over_all_senders() {
    let fates = Fates::new();
    let log = Log3::new();
    let mut topology = TopologyBuilder::new("t");
    let gate = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let upto = |marks: &'static [i64], gate: Option<Arc<std::sync::atomic::AtomicBool>>| {
        let mut marks = marks.iter();
        move |out: &mut SpoutCollector<'_, i64>| {
            if gate.as_ref().is_some_and(|gate| !gate.load(std::sync::atomic::Ordering::SeqCst)) {
                return Ok(Next::WaitFor(Duration::from_millis(1)));
            }
            match marks.next() {
                Some(to) => {
                    out.watermark(Timestamp::from_micros(*to));
                    Ok(Next::More)
                }
                None => Ok(Next::Wait),
            }
        }
    };
    topology.spout("fast", from(&fates, ONE, upto(&[10, 20, 900], None)));
    topology.spout("slow", from(&fates, ONE, upto(&[5, 15], Some(gate.clone()))));
    topology.bolt("b", each_event(&log, ONE, write)).parallelism(2).shuffle("fast").all("slow");
    let slot = start(topology, &two_cores()).await;
    let fast_calls = || slot.metrics().component("fast").map_or(0, |fast| fast.total.executed);
    until("the fast one has given all its marks", || fast_calls() >= 4).await;
    gate.store(true, std::sync::atomic::Ordering::SeqCst);
    let marks_of = |log: &Log3| counted(log.all().into_iter().map(|(task, seen)| (task, format!("{seen:?}"))));
    until("both tasks are at 15", || log.all().iter().filter(|(_, seen)| *seen == Seen::Mark(15)).count() == 2).await;
    drain(slot).await;
    assert_eq!(marks_of(&log).len(), 4, "5 and 15 for each: {:?}", log.all());
}

#[tokio::test]
async fn a_spout_that_is_done_holds_up_no_other() {
    let fates = Fates::new();
    let log = Log3::new();
    let mut topology = TopologyBuilder::new("t");
    let tasks = Arc::new(std::sync::atomic::AtomicU64::new(0));
    // Of the two tasks on one core the first called is done at once; the other never is.
    let next = {
        let mut first = None;
        move |out: &mut SpoutCollector<'_, i64>| {
            if *first.get_or_insert_with(|| tasks.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0) {
                return Ok(Next::Done);
            }
            out.watermark(Timestamp::from_micros(7));
            Ok(Next::Wait)
        }
    };
    topology.spout("s", from(&fates, ONE, next)).parallelism(2);
    topology.bolt("chained", each_event(&log, ONE, write)).parallelism(2).local_or_shuffle("s");
    let slot = start(topology, &one_core()).await;
    until("the watermark comes through", || log.len() == 2).await;
    drain(slot).await;
    assert!(log.all().iter().all(|(_, seen)| *seen == Seen::Mark(7)));
}

#[tokio::test]
async fn marks_dont_cross_an_edge_that_closes_a_cycle() {
    let fates = Fates::new();
    let (first, second) = (Log3::new(), Log3::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", from(&fates, ONE, timed()));
    topology.bolt("first", each_event(&first, ONE, write)).shuffle("s").shuffle("second");
    let back = |here: &Here<'_, Log3>, event: Event<'_>, out: &mut Collector<'_>| {
        if let Event::Row(tuple) = &event {
            let n: i64 = tuple.get(0)?;
            here.log.push((here.task, Seen::Row(n)));
            // A row goes round until it is past the end: its time is as late as its watermark's.
            if n < ROWS {
                out.emit((n + ROWS,));
            }
            return Ok(());
        }
        write(here, event, out)
    };
    topology.bolt("second", each_event(&second, ONE, back)).shuffle("first");
    let (books, _) = run(topology).await;
    assert_books(&books, ROWS as u64, 0);
    assert!(assert_marks(&first) > 1 && assert_marks(&second) > 1);
}

/// Watermarks rise to the end of time; how many there were.
#[track_caller]
fn assert_marks(log: &Log3) -> usize {
    let marks: Vec<i64> =
        log.all().iter().filter_map(|(_, seen)| if let Seen::Mark(to) = seen { Some(*to) } else { None }).collect();
    assert!(marks.windows(2).all(|pair| pair[0] < pair[1]), "{marks:?}");
    assert_eq!(marks.last(), Some(&Timestamp::MAX.micros()));
    marks.len()
}
