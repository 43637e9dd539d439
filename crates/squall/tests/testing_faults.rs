//! Faults on purpose, and the books under them.

use std::time::Duration;

use squall::testing::{
    CompleteError, CompleteOptions, Completed, Fate, Faults, Mock, assert_same_rows, complete_topology,
};
use squall::{
    AsyncBolt, AsyncCollector, Bolt, BoltContext, Collector, Declarer, FailureKind, Next, Options, OwnedTuple, Result,
    Slot, Spout, SpoutCollector, StateHandle, Token, TopologyBuilder, Tuple,
};

const ROWS: i64 = 60;

struct Numbers;

impl Spout for Numbers {
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]);
    }

    fn next(&mut self, _: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        Ok(Next::Done)
    }
}

struct Pass;

impl Bolt for Pass {
    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        out.emit(tuple);
        Ok(())
    }
}

impl AsyncBolt for Pass {
    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]);
    }

    async fn execute(&self, tuple: &OwnedTuple, out: &mut AsyncCollector) -> Result {
        tokio::time::sleep(Duration::from_millis(3)).await;
        out.emit(tuple);
        Ok(())
    }
}

/// Keeps every tuple until the next comes, and counts in keyed state.
#[derive(Default)]
struct Keep {
    counts: Option<StateHandle<i64, i64>>,
    last: Option<Token>,
}

impl Bolt for Keep {
    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n", "times"]);
    }

    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.counts = Some(context.keyed_state("counts")?);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let n: i64 = tuple.get(0)?;
        let times = out.state(self.counts.as_ref().expect("prepared")).get_or_default(&n);
        *times += 1;
        let times = *times;
        out.emit((n, times));
        if let Some(last) = self.last.replace(out.keep()) {
            last.ack();
        }
        Ok(())
    }

    fn tick(&mut self, _: &mut Collector<'_>) -> Result {
        if let Some(last) = self.last.take() {
            last.ack();
        }
        Ok(())
    }
}

fn topology() -> TopologyBuilder {
    let mut topology = TopologyBuilder::new("faults");
    topology.message_timeout(Duration::from_secs(5));
    topology.spout("numbers", || Numbers).parallelism(2);
    topology.bolt("pass", || Pass).parallelism(2).shuffle("numbers");
    topology.async_bolt("wait", || Pass).parallelism(2).in_flight(8).shuffle("pass");
    topology.bolt("keep", Keep::default).parallelism(3).fields("wait", ["n"]).tick(Duration::from_millis(50));
    topology
}

fn all_faults(seed: u64) -> Faults {
    Faults::new(seed)
        .fail("pass", 0.1)
        .panic("pass", 0.05)
        .delay("pass", 0.2, Duration::from_millis(7))
        .fail("wait", 0.1)
        .panic("wait", 0.05)
        .delay("wait", 0.1, Duration::from_secs(1))
        .panic("keep", 0.05)
        .kill_task("keep", Duration::from_millis(40))
        .kill_task("pass", Duration::from_millis(60))
        .kill_task("wait", Duration::from_millis(90))
        .kill_task("numbers", Duration::from_millis(120))
}

fn run(seed: u64, replay: bool, faults: Faults) -> Completed {
    let numbers = Mock::rows((0..ROWS).map(|n| (n,))).every(Duration::from_millis(10)).replay(replay);
    let options = CompleteOptions::new().mock("numbers", numbers).seed(seed).faults(faults);
    complete_topology(topology(), options).unwrap_or_else(|error| panic!("seed {seed}: {error}"))
}

/// Every emission is in the books once.
fn assert_balanced(done: &Completed, seed: u64) {
    let books = done.books();
    let settled = books.acked + books.failed + books.timed_out + books.lost;
    assert_eq!((books.left, books.emitted), (0, settled), "seed {seed}: {books:?}");
    let attempts: u64 = done.roots("numbers").iter().map(|root| u64::from(root.attempts)).sum();
    assert_eq!(attempts, books.emitted, "seed {seed}");
}

#[test]
fn under_any_faults_every_row_has_one_fate_and_the_books_agree_with_it() {
    for seed in 0..20 {
        let done = run(seed, false, all_faults(seed));
        assert_balanced(&done, seed);
        let roots = done.roots("numbers");
        let with = |fate| roots.iter().filter(|root| root.fate == fate).count() as u64;
        let rows: Vec<_> = roots.iter().filter_map(|root| root.row).collect();
        assert_eq!(rows, (0..ROWS as usize).collect::<Vec<_>>(), "seed {seed}");
        let books = done.books();
        assert_eq!(with(Fate::Acked), books.acked, "seed {seed}");
        assert_eq!(with(Fate::Failed(FailureKind::Failed)), books.failed, "seed {seed}");
        assert_eq!(with(Fate::Failed(FailureKind::Lost)), books.lost, "seed {seed}");
        assert!(books.failed > 0, "seed {seed} injects something");
    }
}

#[test]
fn with_replay_every_row_is_acked_in_the_end_and_none_is_missing() {
    for seed in 0..20 {
        let done = run(seed, true, all_faults(seed));
        done.assert_all_acked();
        assert_balanced(&done, seed);
        assert!(done.books().emitted > ROWS as u64, "seed {seed} replays something");
        let mut seen = vec![false; ROWS as usize];
        for row in done.rows("keep", "default") {
            seen[row.tuple().get::<i64>(0).expect("a number") as usize] = true;
        }
        assert!(seen.iter().all(|seen| *seen), "seed {seed}");
    }
}

#[test]
fn a_seed_repeats_its_faults() {
    let (first, again, other) = (run(3, true, all_faults(3)), run(3, true, all_faults(3)), run(3, true, all_faults(4)));
    assert_eq!(first.roots("numbers"), again.roots("numbers"));
    assert_eq!(first.rows("keep", "default"), again.rows("keep", "default"));
    assert_ne!(first.roots("numbers"), other.roots("numbers"));
}

#[test]
fn a_delay_is_simulated_time_that_the_bolt_is_busy() {
    let delayed = run(1, false, Faults::new(1).delay("keep", 1.0, Duration::from_secs(2)));
    assert!(delayed.elapsed() >= Duration::from_secs(40), "60 rows in 3 tasks of one core: {:?}", delayed.elapsed());
    let metrics = delayed.metrics().component("keep").expect("there");
    assert_eq!(metrics.total.busy_ns, metrics.total.executed * 2_000_000_000);
}

#[test]
fn a_killed_bolt_loses_its_instance_and_its_tokens_and_keeps_its_keyed_state() {
    let numbers = Mock::rows([(7,)]).wait(Duration::from_millis(20)).row((7,)).wait(Duration::from_millis(60));
    let mut topology = TopologyBuilder::new("kill");
    topology.spout("numbers", || Numbers);
    topology.bolt("keep", Keep::default).fields("numbers", ["n"]).tick(Duration::from_millis(50));
    let faults = Faults::new(0).kill_task("keep", Duration::from_millis(10));
    let done =
        complete_topology(topology, CompleteOptions::new().mock("numbers", numbers).faults(faults)).expect("ends");
    let fates: Vec<_> = done.roots("numbers").iter().map(|root| root.fate).collect();
    assert_eq!(fates, [Fate::Failed(FailureKind::Failed), Fate::Acked]);
    assert_same_rows(done.rows("keep", "default"), [(7, 1), (7, 2)]);
    assert_eq!(done.metrics().component("keep").expect("there").total.restarts, 1);
}

#[test]
fn a_killed_spout_loses_its_pending_roots() {
    let mut topology = TopologyBuilder::new("kill");
    topology.spout("numbers", || Numbers);
    topology.bolt("keep", Keep::default).fields("numbers", ["n"]).tick(Duration::from_millis(50));
    let numbers = Mock::rows([(1,), (2,)]).wait(Duration::from_millis(20)).row((3,));
    let faults = Faults::new(0).kill_task("numbers", Duration::from_millis(10));
    let done =
        complete_topology(topology, CompleteOptions::new().mock("numbers", numbers).faults(faults)).expect("ends");
    let fates: Vec<_> = done.roots("numbers").iter().map(|root| root.fate).collect();
    assert_eq!(fates, [Fate::Acked, Fate::Failed(FailureKind::Lost), Fate::Acked]);
}

#[test]
fn faults_name_bolts_of_the_topology() {
    let refused = |faults| complete_topology(topology(), CompleteOptions::new().faults(faults)).expect_err("refused");
    assert!(matches!(refused(Faults::new(0).fail("pas", 1.0)), CompleteError::NoSuchComponent(_)));
    assert!(matches!(refused(Faults::new(0).kill_task("kept", Duration::ZERO)), CompleteError::NoSuchComponent(_)));
    assert!(matches!(refused(Faults::new(0).fail("numbers", 1.0)), CompleteError::NotABolt { .. }));
}

/// Replays what failed, a thousand numbers in all.
#[derive(Default)]
struct Replaying {
    emitted: i64,
    again: Vec<i64>,
    open: usize,
}

impl Spout for Replaying {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]);
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        for n in self.again.drain(..) {
            out.emit_with(n, (n,));
            self.open += 1;
        }
        if self.emitted < 1_000 {
            out.emit_with(self.emitted, (self.emitted,));
            self.emitted += 1;
            self.open += 1;
            return Ok(Next::More);
        }
        Ok(if self.open == 0 { Next::Done } else { Next::WaitFor(Duration::from_millis(1)) })
    }

    fn ack(&mut self, _: i64) {
        self.open -= 1;
    }

    fn fail(&mut self, n: i64, _: FailureKind) {
        self.open -= 1;
        self.again.push(n);
    }
}

#[tokio::test]
async fn a_topology_that_really_runs_takes_the_same_faults() {
    let faults = Faults::new(5).fail("pass", 0.05).panic("pass", 0.001).kill_task("pass", Duration::from_millis(1));
    let mut topology = TopologyBuilder::new("real");
    topology.spout("numbers", Replaying::default);
    topology.bolt("pass", || Pass).parallelism(2).shuffle("numbers");
    faults.inject_into(&mut topology).expect("they fit");
    let slot = Slot::start(&topology.build().expect("it is right"), &Options::default()).await.expect("it starts");
    let all = async { tokio::join!(faults.kill_tasks(&slot), slot.ended()) };
    tokio::time::timeout(Duration::from_secs(30), all).await.expect("it ends");
    let pass = slot.metrics().component("pass").expect("there").total.clone();
    let books = slot.drain(Duration::from_secs(5)).await;
    assert_eq!((books.acked, books.left, books.lost), (1_000, 0, 0), "{books:?}");
    assert_eq!(books.emitted, books.acked + books.failed);
    assert!(books.failed > 0 && pass.restarts > 0, "{books:?}, {} restarts", pass.restarts);
}

/// Panics in its first call, behind two rows; a new instance emits three.
struct PanicsOnce {
    panicked: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Spout for PanicsOnce {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]);
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        (0..2).for_each(|n| out.emit_with(n, (n,)));
        assert!(self.panicked.swap(true, std::sync::atomic::Ordering::Relaxed), "the first call");
        out.emit_with(2, (2,));
        Ok(Next::Done)
    }
}

#[test]
fn what_a_spout_emitted_in_a_call_that_panicked_is_withdrawn_and_not_in_the_books() {
    let mut topology = TopologyBuilder::new("panics");
    let panicked = std::sync::Arc::default();
    topology.spout("numbers", move || PanicsOnce { panicked: std::sync::Arc::clone(&panicked) });
    topology.bolt("pass", || Pass).shuffle("numbers");
    let done = complete_topology(topology, CompleteOptions::new()).expect("ends");
    assert_same_rows(done.rows("numbers", "default"), [(0,), (1,), (2,)]);
    assert_eq!((done.books().emitted, done.books().acked, done.books().lost), (3, 3, 0));
    assert_eq!(done.roots("numbers").len(), 3);
}
