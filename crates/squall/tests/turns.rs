//! Who gets what, and when, at low rates: rows take turns, and spout tasks that are done hold nobody up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::{
    Bolt, BoltContext, Collector, Declarer, Next, Options, Program, Result, Slot, Spout, SpoutCollector, SpoutContext,
    Timestamp, TopologyBuilder, Tuple,
};

/// Runs a topology to its end on this thread, under simulated time.
async fn run(program: &Program) {
    let options = Options { one_thread: true, seed: Some(1), ..Options::default() };
    let slot = Slot::start(program, &options).await.expect("it starts");
    slot.ended().await;
    assert!(slot.drain(Duration::from_secs(5)).await.is_whole());
}

/// Emits 40 rows, one a millisecond.
#[derive(Default)]
struct Slow(i64);

impl Spout for Slow {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]);
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        out.emit_with(self.0, (self.0,));
        self.0 += 1;
        Ok(if self.0 == 40 { Next::Done } else { Next::WaitFor(Duration::from_millis(1)) })
    }
}

/// Counts its task's rows where the test sees them.
struct Tally {
    index: usize,
    rows: Arc<Mutex<[usize; 2]>>,
}

impl Bolt for Tally {
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.index = context.task_index();
        Ok(())
    }

    fn execute(&mut self, _: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        self.rows.lock().expect("nobody panics with it")[self.index] += 1;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_shuffle_takes_turns_row_by_row_while_rows_come_one_by_one() {
    let rows = Arc::new(Mutex::new([0; 2]));
    let seen = rows.clone();
    let mut topology = TopologyBuilder::new("turns");
    topology.spout("slow", Slow::default);
    let make = move || Tally { index: 0, rows: seen.clone() };
    topology.bolt("tally", make).parallelism(2).shuffle("slow").unchained();
    run(&topology.build().expect("it is valid")).await;
    assert_eq!(*rows.lock().expect("nobody panics with it"), [20, 20]);
}

/// The first task is done at once; the second says how far it has come before it is, and once more with its end.
#[derive(Default)]
struct Uneven {
    index: usize,
    calls: usize,
}

impl Spout for Uneven {
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]);
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        self.index = context.task_index();
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        self.calls += 1;
        if self.index == 0 {
            return Ok(Next::Done);
        }
        if self.calls == 2 {
            out.watermark(Timestamp::from_micros(9));
            return Ok(Next::Done);
        }
        out.watermark(Timestamp::from_micros(7));
        Ok(Next::WaitFor(Duration::from_millis(1)))
    }
}

/// Notes the watermarks that it is told of.
struct Watch(Arc<Mutex<Vec<Timestamp>>>);

impl Bolt for Watch {
    fn execute(&mut self, _: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        Ok(())
    }

    fn watermark(&mut self, watermark: Timestamp, _: &mut Collector<'_>) -> Result {
        self.0.lock().expect("nobody panics with it").push(watermark);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_spout_task_that_is_done_holds_no_watermark_up_and_the_end_comes_once() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let marks = seen.clone();
    let mut topology = TopologyBuilder::new("marks");
    topology.spout("uneven", Uneven::default).tasks(2);
    topology.bolt("watch", move || Watch(marks.clone())).global("uneven");
    run(&topology.build().expect("it is valid")).await;
    let marks = [Timestamp::from_micros(7), Timestamp::from_micros(9), Timestamp::MAX];
    assert_eq!(*seen.lock().expect("nobody panics with it"), marks);
}
