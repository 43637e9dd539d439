//! Which task gets a row.

use std::collections::BTreeSet;
use std::sync::Arc;

use squall::{CustomGrouping, Delivery, Next, TaskId, TopologyBuilder, Tuple, Value};

use crate::common::*;

const ROWS: i64 = 20_000;

fn tasks(log: &Log<(i64, TaskId)>) -> Vec<(TaskId, usize)> {
    counted(log.all().into_iter().map(|(_, task)| task))
}

#[tokio::test]
async fn shuffle_is_even_and_loses_nothing() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, ROWS));
    topology.bolt("b", sink(&log)).parallelism(4).shuffle("s");
    // On one core all tasks are loaded alike, whatever else the machine does.
    let (books, _) = run_on(topology, &one_core()).await;
    assert_books(&books, ROWS as u64, 0);
    assert_eq!(numbers(&log), up_to(ROWS));
    let shares = tasks(&log);
    assert_eq!(shares.len(), 4);
    assert!(shares.iter().all(|(_, rows)| (4_700..=5_300).contains(rows)), "{shares:?}");
}

#[tokio::test]
async fn fields_bring_a_key_to_one_task_with_the_keys_group() {
    let fates = Fates::new();
    let log: Arc<Log<(i64, TaskId, u16)>> = Log::new();
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, ROWS));
    let keyed = each(&Arc::new(()), &[("default", &["key", "n"], false)], |_, event, out| {
        if let Some(n) = event.n() {
            out.emit((n % 97, n));
        }
        Ok(())
    });
    topology.bolt("keyed", keyed).parallelism(2).shuffle("s");
    let write = |here: &Here<'_, Log<_>>, event: Event<'_>, _: &mut squall::Collector<'_>| {
        if let Event::Row(tuple) = event {
            here.log.push((tuple.get(0)?, here.task, tuple.group().get()));
        }
        Ok(())
    };
    topology.bolt("b", each(&log, NONE, write)).parallelism(3).tasks(6).fields("keyed", ["key"]);
    let (books, _) = run(topology).await;
    assert_books(&books, ROWS as u64, 0);
    let seen = counted(log.all());
    assert_eq!(seen.len(), 97, "one task and one group a key");
    assert_eq!(seen.iter().map(|(_, rows)| rows).sum::<usize>(), ROWS as usize);
    assert!(seen.iter().map(|((_, task, _), _)| task).collect::<BTreeSet<_>>().len() == 6, "every task has keys");
}

#[tokio::test]
async fn partial_key_uses_two_tasks_a_key_evenly() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    let next = {
        let mut n = 0;
        move |out: &mut squall::SpoutCollector<'_, i64>| {
            while n < ROWS && out.room() > 0 {
                out.emit_with(n, (n % 5,));
                n += 1;
            }
            Ok(if n < ROWS { Next::More } else { Next::Done })
        }
    };
    topology.spout("s", from(&fates, ONE, next));
    topology.bolt("b", sink(&log)).parallelism(4).partial_key("s", ["n"]);
    let (books, _) = run(topology).await;
    assert_books(&books, ROWS as u64, 0);
    for key in 0..5 {
        let of_key = counted(log.all().into_iter().filter(|(n, _)| *n == key).map(|(_, task)| task));
        assert!(of_key.len() <= 2, "key {key} went to {of_key:?}");
    }
    let busiest = tasks(&log).into_iter().map(|(_, rows)| rows).max();
    assert!(busiest < Some(ROWS as usize / 2), "{:?}", tasks(&log));
}

#[tokio::test]
async fn all_copies_to_every_task_and_the_root_is_acked_once() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 1_000));
    topology.bolt("b", sink(&log)).parallelism(2).tasks(5).all("s");
    let (books, _) = run(topology).await;
    assert_books(&books, 1_000, 0);
    assert_eq!(fates.acked.sorted(), up_to(1_000));
    assert!(tasks(&log).iter().all(|(_, rows)| *rows == 1_000) && tasks(&log).len() == 5, "{:?}", tasks(&log));
}

#[tokio::test]
async fn global_goes_to_the_lowest_task_and_none_to_any() {
    let (fates, global, none) = (Fates::new(), Log::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 1_000));
    topology.bolt("g", sink(&global)).parallelism(4).global("s");
    topology.bolt("n", sink(&none)).parallelism(3).none("s");
    let program = topology.build().expect("valid");
    let index = program.topology().components().iter().position(|c| c.id.as_str() == "g").expect("declared");
    let lowest = program.topology().tasks_of(index).iter().min().expect("it has tasks");
    let slot = squall::Slot::start(&program, &two_cores()).await.expect("starts");
    let (books, _) = finish(slot).await;
    assert_books(&books, 1_000, 0);
    assert_eq!(tasks(&global), [(lowest, 1_000)]);
    assert_eq!(numbers(&none), up_to(1_000));
}

#[tokio::test]
async fn local_or_shuffle_is_complete_chained_or_not() {
    for options in [one_core(), two_cores()] {
        let (fates, chained, queued) = (Fates::new(), Log::new(), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.spout("s", count(&fates, 5_000)).parallelism(2);
        topology.bolt("c", sink(&chained)).parallelism(2).local_or_shuffle("s");
        topology.bolt("q", sink(&queued)).parallelism(2).local_or_shuffle("s").unchained();
        let (books, _) = run_on(topology, &options).await;
        assert_books(&books, 10_000, 0);
        assert_eq!((chained.len(), queued.len()), (10_000, 10_000));
    }
}

const DIRECT: Streams = &[("default", &["n"], true), ("plain", &["n"], false)];

#[tokio::test]
async fn direct_goes_to_the_task_that_is_named() {
    let (fates, log, other) = (Fates::new(), Log::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 1_000));
    // Tasks are numbered from 1: the spout's, the emitter's, then the receivers'.
    let emitter = each(&Arc::new(()), DIRECT, |_, event, out| {
        if let Some(n) = event.n() {
            let to = TaskId::new(u16::try_from(3 + n % 3).expect("small"));
            out.emit_direct(squall::StreamHandle::DEFAULT, to, (n,));
        }
        Ok(())
    });
    topology.bolt("e", emitter).global("s");
    topology.bolt("b", sink(&log)).parallelism(2).tasks(3).direct("e");
    topology.bolt("o", sink(&other)).direct("e");
    let (books, _) = run(topology).await;
    assert_books(&books, 1_000, 0);
    assert_eq!(numbers(&log), up_to(1_000));
    assert!(log.all().iter().all(|(n, task)| i64::from(task.get()) == 3 + n % 3));
    assert_eq!(other.len(), 0, "nobody named the other subscriber");
}

/// Runs one row through a bolt that emits it wrongly; how it failed.
async fn emitted_wrongly(emit: fn(&mut squall::Collector<'_>)) -> String {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 1));
    let emitter = each(&Arc::new(emit), DIRECT, |here, event, out| {
        if event.n().is_some() {
            (here.log)(out);
            let error = out.error().expect("what was emitted doesn't fit").code();
            return Err(error.to_string().into());
        }
        Ok(())
    });
    topology.bolt("e", emitter).global("s");
    topology.bolt("b", sink(&log)).direct("e");
    topology.bolt("p", sink(&log)).shuffle(("e", "plain"));
    let (books, metrics) = run(topology).await;
    assert_books(&books, 0, 1);
    assert_eq!(log.len(), 0);
    metrics.component("e").expect("declared").total.errors.last.clone().expect("kept")
}

#[tokio::test]
async fn direct_and_plain_emits_on_the_wrong_stream_fail_the_tuple() {
    assert_eq!(emitted_wrongly(|out| out.emit((1,))).await, "SQ2104");
    let to_sink = |out: &mut squall::Collector<'_>| {
        let b = TaskId::new(3);
        out.emit_direct(PLAIN.get().copied().expect("set"), b, (1,));
    };
    let _ = PLAIN.set(plain_handle().await);
    assert_eq!(emitted_wrongly(to_sink).await, "SQ2104");
    let nobody = |out: &mut squall::Collector<'_>| {
        out.emit_direct(squall::StreamHandle::DEFAULT, TaskId::new(77), (1,));
    };
    assert_eq!(emitted_wrongly(nobody).await, "SQ2105");
}

static PLAIN: std::sync::OnceLock<squall::StreamHandle> = std::sync::OnceLock::new();

/// The handle of the second stream of [`DIRECT`].
async fn plain_handle() -> squall::StreamHandle {
    struct Asks(Arc<Log<squall::StreamHandle>>);
    impl squall::Bolt for Asks {
        fn declare(&self, streams: &mut squall::Declarer) {
            streams.direct_stream("default", ["n"]).stream("plain", ["n"]);
        }
        fn prepare(&mut self, context: &mut squall::BoltContext<'_>) -> squall::Result {
            self.0.push(context.stream("plain")?);
            Ok(())
        }
        fn execute(&mut self, _: &Tuple<'_>, _: &mut squall::Collector<'_>) -> squall::Result {
            Ok(())
        }
    }
    let (fates, handles) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 0));
    let told = handles.clone();
    topology.bolt("b", move || Asks(told.clone())).shuffle("s");
    run(topology).await;
    handles.all()[0]
}

/// Row `n` goes to tasks `0..n % 4`; 3 is one too many, and 4 panics.
struct Some3;

impl CustomGrouping for Some3 {
    fn choose(&mut self, values: &[Value], chosen: &mut Vec<usize>) {
        let Value::Int(n) = &values[0] else { panic!("a number") };
        match n % 5 {
            4 => panic!("no idea where to"),
            3 => chosen.push(3),
            copies => chosen.extend(0..usize::try_from(copies).expect("small")),
        }
    }
}

#[tokio::test]
async fn custom_may_choose_none_or_several_and_fails_what_it_gets_wrong() {
    let (fates, log) = (Fates::new(), Log::new());
    let mut topology = TopologyBuilder::new("t");
    topology.spout("s", count(&fates, 1_000));
    topology.bolt("b", sink(&log)).parallelism(3).custom("s", || Some3);
    let (books, _) = run(topology).await;
    assert_books(&books, 600, 400);
    assert_eq!(fates.acked.sorted(), up_to(1_000).into_iter().filter(|n| n % 5 < 3).collect::<Vec<_>>());
    let copies = counted(numbers(&log).into_iter().map(|n| n % 5));
    assert_eq!(copies, [(1, 200), (2, 400)]);
}

#[tokio::test]
async fn what_a_custom_grouping_gets_wrong_is_an_error_of_the_emitter_whatever_it_is_and_in_either_mode() {
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let (fates, log) = (Fates::new(), Log::new());
        let mut topology = TopologyBuilder::new("t");
        topology.delivery(delivery);
        topology.spout("s", count(&fates, 1_000));
        topology.bolt("pass", || Pass).parallelism(2).shuffle("s");
        topology.async_bolt("awaits", || Awaits).shuffle("s");
        for emitter in ["s", "pass", "awaits"] {
            topology.bolt(&format!("after-{emitter}"), sink(&log)).parallelism(3).custom(emitter, || Some3);
        }
        let (books, metrics) = run(topology).await;
        for emitter in ["s", "pass", "awaits"] {
            let errors = &metrics.component(emitter).expect("declared").total.errors;
            assert_eq!((errors.failures, errors.panics), (400, 0), "{emitter}");
            let last = errors.last.as_deref().expect("kept");
            let wrong =
                last.starts_with("SQ2106: a custom grouping of stream \"default\" chose index 3, but its bolt has 3");
            let panicked =
                last.starts_with("SQ2106: a custom grouping of stream \"default\" panicked: no idea where to");
            assert!(wrong || panicked, "{last}");
        }
        assert_eq!(log.len(), 3 * 600, "whoever was chosen rightly has the row");
        if delivery == Delivery::AtLeastOnce {
            assert_books(&books, 600, 400);
        }
    }
}

/// Emits each number again.
struct Awaits;

impl squall::AsyncBolt for Awaits {
    fn declare(&self, streams: &mut squall::Declarer) {
        streams.stream("default", ["n"]);
    }

    async fn execute(&self, tuple: &squall::OwnedTuple, out: &mut squall::AsyncCollector) -> squall::Result {
        out.emit((tuple.view().get::<i64>(0)?,));
        Ok(())
    }
}

const TWO: Streams = &[("default", &["n"], false), ("odd", &["n"], false)];

#[tokio::test]
async fn every_subscriber_of_every_stream_gets_every_row_and_each_root_is_acked_once() {
    for options in [one_core(), two_cores()] {
        let fates = Fates::new();
        let odd = plain_handle().await;
        let logs: Vec<_> = (0..5).map(|_| Log::new()).collect();
        let mut topology = TopologyBuilder::new("t");
        topology.spout("s", count(&fates, 4_000)).parallelism(2);
        let split = each(&Arc::new(odd), TWO, |here, event, out| {
            if let Some(n) = event.n() {
                out.emit((n,));
                if n % 2 == 1 {
                    out.emit_on(*here.log, (n,));
                    out.emit_on(*here.log, (-n,));
                }
            }
            Ok(())
        });
        topology.bolt("split", split).parallelism(2).shuffle("s");
        topology.bolt("chained", sink(&logs[0])).parallelism(2).local_or_shuffle("split");
        topology.bolt("queued", sink(&logs[1])).parallelism(3).fields("split", ["n"]);
        topology.bolt("copied", sink(&logs[2])).parallelism(2).all("split");
        topology.bolt("odd-chained", sink(&logs[3])).parallelism(2).local_or_shuffle(("split", "odd"));
        topology.bolt("odd-blocking", sink(&logs[4])).blocking().shuffle(("split", "odd"));
        let (books, metrics) = run_on(topology, &options).await;
        assert_books(&books, 8_000, 0);
        assert_eq!(logs.iter().map(|log| log.len()).collect::<Vec<_>>(), [8_000, 8_000, 16_000, 8_000, 8_000]);
        let split = &metrics.component("split").expect("declared").total;
        assert_eq!((split.executed, split.acked, split.emitted), (8_000, 8_000, 16_000));
        assert_eq!(split.transferred, 8_000 + 8_000 + 16_000 + 8_000 + 8_000);
    }
}
