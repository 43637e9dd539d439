//! Completing topologies under simulated time.

use std::time::{Duration, Instant};

use squall::testing::{
    BoltHarness, CompleteError, CompleteOptions, Completed, Fate, Mock, RowFate, assert_same_rows, complete_topology,
};
use squall::{
    AsyncBolt, AsyncCollector, Bolt, BoltContext, Collector, Declarer, Delivery, FailureKind, Next, OwnedTuple, Result,
    Spout, SpoutCollector, StateHandle, StreamHandle, TaskId, Timestamp, TopologyBuilder, Tuple,
};

#[derive(Tuple, Debug, PartialEq)]
struct Word<'a> {
    word: &'a str,
}

#[derive(Tuple, Debug, PartialEq)]
struct Count<'a> {
    word: &'a str,
    count: i64,
}

/// Never ends, and blocks: only a mock makes a test of it.
struct Sentences;

impl Spout for Sentences {
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["sentence"]);
    }

    fn next(&mut self, _: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        panic!("the real spout is called");
    }
}

struct Split;

impl Bolt for Split {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Word>();
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let sentence: &str = tuple.get(0)?;
        if sentence.is_empty() {
            return Err("an empty sentence".into());
        }
        sentence.split(' ').for_each(|word| out.emit(Word { word }));
        Ok(())
    }
}

#[derive(Default)]
struct Counts {
    counts: Option<StateHandle<String, i64>>,
}

impl Bolt for Counts {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Count>();
    }

    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.counts = Some(context.keyed_state("counts")?);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let Word { word } = tuple.read()?;
        let count = out.state(self.counts.as_ref().expect("prepared")).get_or_default(word);
        *count += 1;
        let count = *count;
        out.emit(Count { word, count });
        Ok(())
    }

    fn tick(&mut self, out: &mut Collector<'_>) -> Result {
        out.emit(Count { word: "tick", count: 0 });
        Ok(())
    }
}

fn word_count() -> TopologyBuilder {
    let mut topology = TopologyBuilder::new("word-count");
    topology.spout("sentences", || Sentences).parallelism(2).blocking();
    topology.bolt("split", || Split).parallelism(3).shuffle("sentences");
    topology.bolt("count", Counts::default).parallelism(4).fields("split", ["word"]);
    topology
}

fn complete(topology: TopologyBuilder, options: CompleteOptions) -> Completed {
    complete_topology(topology, options).expect("it completes")
}

#[test]
fn a_word_count_is_a_function_of_its_sentences() {
    let sentences = [("the cow jumped",), ("over the moon",), ("the end",)];
    let done = complete(word_count(), CompleteOptions::new().mock("sentences", sentences));

    assert_same_rows(done.rows("sentences", "default"), sentences);
    let expected =
        [("cow", 1), ("end", 1), ("jumped", 1), ("moon", 1), ("over", 1), ("the", 1), ("the", 2), ("the", 3)];
    assert_same_rows(done.rows("count", "default"), expected);
    assert_eq!(done.read::<Word>("split").len(), 8);
    done.assert_all_acked();
    let rows: Vec<_> = done.roots("sentences").iter().map(|root| (root.row, root.attempts)).collect();
    assert_eq!(rows, [(Some(0), 1), (Some(1), 1), (Some(2), 1)]);
    assert_eq!((done.books().emitted, done.books().acked, done.books().left), (3, 3, 0));
    assert_eq!(done.metrics().component("count").expect("there").total.executed, 8);
}

#[test]
fn the_same_seed_gives_the_same_rows_in_the_same_order_on_the_same_tasks() {
    let sentences = || Mock::rows((0..500).map(|n| (format!("a{} b{} c{}", n % 7, n % 11, n % 13),)));
    let run = |seed| complete(word_count(), CompleteOptions::new().mock("sentences", sentences()).seed(seed));
    let (first, again) = (run(7), run(7));
    for ((component, stream, rows), (.., other)) in first.streams().zip(again.streams()) {
        assert!(!rows.is_empty());
        assert_eq!(rows, other, "{component}/{stream}");
    }
    assert_eq!(first.roots("sentences"), again.roots("sentences"));
    assert_eq!(first.elapsed(), again.elapsed());
    // Another seed may change the order, never the content.
    assert_same_rows(run(8).rows("count", "default"), first.rows("count", "default"));
}

#[test]
fn a_failed_row_is_told_by_its_number() {
    let done = complete(word_count(), CompleteOptions::new().mock("sentences", [("fine",), ("",), ("fine too",)]));
    let fates: Vec<_> = done.roots("sentences").iter().map(|root| root.fate).collect();
    assert_eq!(fates, [Fate::Acked, Fate::Failed(FailureKind::Failed), Fate::Acked]);
    assert_eq!((done.books().acked, done.books().failed), (2, 1));
    assert_eq!(
        done.metrics().component("split").expect("there").total.errors.last.as_deref(),
        Some("an empty sentence")
    );
}

#[test]
fn nothing_is_tracked_at_most_once_and_everything_runs() {
    let mut topology = word_count();
    topology.delivery(Delivery::AtMostOnce);
    let done = complete(topology, CompleteOptions::new().mock("sentences", [("a b",), ("",)]));
    assert_same_rows(done.rows("split", "default"), [("a",), ("b",)]);
    assert!(done.roots("sentences").iter().all(|root| root.fate == Fate::Untracked));
}

#[test]
fn an_hour_of_pauses_takes_no_time() {
    let began = Instant::now();
    let minute = Duration::from_secs(60);
    let sentences = Mock::rows((0..60).map(|n| (format!("s{n}"),))).every(minute);
    let done = complete(word_count(), CompleteOptions::new().mock("sentences", sentences));
    let at: Vec<_> = done.rows("sentences", "default").iter().map(squall::testing::CapturedRow::at).collect();
    assert_eq!(at[59].since(at[1]), 29 * minute, "two tasks, dealt a row in turn");
    assert!(done.elapsed() >= 30 * minute);
    assert!(began.elapsed() < Duration::from_secs(5), "took {:?}", began.elapsed());
}

#[test]
fn ticks_come_in_simulated_time_also_after_the_last_row() {
    let mut topology = TopologyBuilder::new("ticks");
    topology.spout("words", || Mocked);
    topology.bolt("count", Counts::default).fields("words", ["word"]).tick(Duration::from_secs(1));
    let options = CompleteOptions::new().mock("words", [("a",)]).linger(Duration::from_millis(5_500));
    let done = complete(topology, options);
    let ticks = done.rows("count", "default").iter().filter(|row| row.read::<Count>().word == "tick");
    let seconds: Vec<_> = ticks.map(|row| row.at().since(squall::testing::EPOCH).as_millis()).collect();
    assert_eq!(seconds, [1_000, 2_000, 3_000, 4_000, 5_000]);
}

struct Mocked;

impl Spout for Mocked {
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Word>();
    }

    fn next(&mut self, _: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        Ok(Next::Done)
    }
}

/// 20 numbers, 5 a second, as a rate-limited source emits them.
#[derive(Default)]
struct FiveASecond {
    emitted: i64,
}

impl Spout for FiveASecond {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]);
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        out.emit_with(self.emitted, (self.emitted,));
        self.emitted += 1;
        Ok(if self.emitted == 20 { Next::Done } else { Next::WaitFor(Duration::from_millis(200)) })
    }
}

/// Counts over 1 s of event time, told by watermarks; holds every tuple until its window closes.
#[derive(Default)]
struct Held {
    tokens: Vec<squall::Token>,
}

impl Bolt for Held {
    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["held"]);
    }

    fn execute(&mut self, _: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        self.tokens.push(out.keep());
        Ok(())
    }

    fn watermark(&mut self, _: Timestamp, out: &mut Collector<'_>) -> Result {
        out.emit((i64::try_from(self.tokens.len())?,));
        self.tokens.drain(..).for_each(squall::Token::ack);
        Ok(())
    }
}

#[test]
fn a_spout_that_limits_its_rate_does_so_in_simulated_time_and_its_roots_are_told() {
    let mut topology = TopologyBuilder::new("rate");
    topology.spout("numbers", FiveASecond::default);
    topology.bolt("held", Held::default).shuffle("numbers");
    let done = complete(topology, CompleteOptions::new());
    let at: Vec<_> = done.rows("numbers", "default").iter().map(|row| row.at().since(squall::testing::EPOCH)).collect();
    assert_eq!(at[19] - at[0], Duration::from_millis(19 * 200));
    assert_same_rows(done.rows("held", "default"), [(20,)]);
    assert_eq!(done.roots("numbers").len(), 20);
    done.assert_all_acked();
}

#[test]
fn a_watermark_takes_effect_between_the_rows_around_it() {
    let mut topology = TopologyBuilder::new("marks");
    topology.spout("words", || Mocked);
    topology.bolt("held", Held::default).shuffle("words");
    let words = Mock::rows([("a",), ("b",)]).watermark(Timestamp::from_millis(1)).row(("c",));
    let done = complete(topology, CompleteOptions::new().mock("words", words));
    let held: Vec<_> = done.rows("held", "default").iter().map(|row| row.values()[0].clone()).collect();
    assert_eq!(held, [2.into(), 1.into()]);
    done.assert_all_acked();
}

/// Keeps both of two rows for 100 s; the first asks for more time every 20 s.
#[derive(Default)]
struct TakesLong {
    tokens: Vec<squall::Token>,
    ticks: u32,
}

impl Bolt for TakesLong {
    fn execute(&mut self, _: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        self.tokens.push(out.keep());
        Ok(())
    }

    fn tick(&mut self, _: &mut Collector<'_>) -> Result {
        self.ticks += 1;
        if self.ticks < 5 {
            self.tokens[0].extend();
        } else {
            self.tokens.drain(..).for_each(squall::Token::ack);
        }
        Ok(())
    }
}

#[test]
fn a_token_that_asks_for_more_time_outlives_the_timeout_and_one_that_does_not_times_out() {
    for chained in [true, false] {
        let mut topology = TopologyBuilder::new("long");
        topology.message_timeout(Duration::from_secs(30));
        topology.spout("words", || Mocked);
        let bolt = topology.bolt("long", TakesLong::default).local_or_shuffle("words").tick(Duration::from_secs(20));
        if !chained {
            bolt.unchained();
        }
        let done = complete(topology, CompleteOptions::new().mock("words", [("a",), ("b",)]));
        let fates: Vec<_> = done.roots("words").iter().map(|root| root.fate).collect();
        assert_eq!(fates, [Fate::Acked, Fate::Failed(FailureKind::TimedOut)]);
        let books = done.books();
        assert_eq!((books.acked, books.timed_out, books.left), (1, 1, 0), "{books:?}");
    }
}

/// Answers after a time that depends on the row.
struct Slow;

impl AsyncBolt for Slow {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Word>();
    }

    async fn execute(&self, tuple: &OwnedTuple, out: &mut AsyncCollector) -> Result {
        let Word { word } = tuple.view().read()?;
        tokio::time::sleep(Duration::from_secs(word.len() as u64)).await;
        out.emit(Word { word });
        Ok(())
    }
}

#[test]
fn what_an_asynchronous_bolt_waits_for_takes_simulated_time_only() {
    let mut topology = TopologyBuilder::new("async");
    topology.spout("words", || Mocked);
    topology.async_bolt("slow", || Slow).shuffle("words");
    let words = [("aaaaaaaaaa",), ("aa",), ("aaaaa",)];
    let done = complete(topology, CompleteOptions::new().mock("words", words));
    let order: Vec<_> = done.read::<Word>("slow").iter().map(|row| row.word.len()).collect();
    assert_eq!(order, [2, 5, 10], "unordered: as they end");
    assert!((10..11).contains(&done.elapsed().as_secs()), "{:?}", done.elapsed());
    done.assert_all_acked();
}

#[test]
fn rows_of_a_shuffle_are_spread_though_work_takes_no_time() {
    let mut topology = TopologyBuilder::new("spread");
    topology.spout("words", || Mocked);
    topology.bolt("echo", || Echo).parallelism(4).shuffle("words");
    let words = |mock: Mock| (0..40).fold(mock, |mock, n| mock.row((format!("w{n}"),)));
    // By the second lot the bolt has been measured.
    let twice = words(words(Mock::new()).wait(Duration::from_millis(10)));
    let done = complete(topology, CompleteOptions::new().mock("words", twice));
    let mut tasks = std::collections::BTreeMap::new();
    done.rows("echo", "default").iter().for_each(|row| *tasks.entry(row.task()).or_insert(0) += 1);
    assert_eq!(tasks.into_values().collect::<Vec<_>>(), [20, 20, 20, 20]);
}

struct Echo;

impl Bolt for Echo {
    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Word>();
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        out.emit(tuple);
        Ok(())
    }
}

/// Always has more.
struct Endless;

impl Spout for Endless {
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Word>();
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        out.emit_with((), Word { word: "more" });
        Ok(Next::More)
    }
}

#[test]
fn a_topology_without_end_is_an_error_at_the_limit() {
    let mut topology = TopologyBuilder::new("endless");
    topology.spout("endless", || Endless);
    topology.bolt("echo", || Echo).shuffle("endless");
    let error = complete_topology(topology, CompleteOptions::new().limit(Duration::from_secs(1))).expect_err("endless");
    assert!(matches!(error, CompleteError::Unfinished { .. }), "{error}");
}

#[test]
fn a_mock_that_does_not_fit_is_refused_before_anything_runs() {
    let refused = |options| complete_topology(word_count(), options).expect_err("refused").to_string();
    let two_values = CompleteOptions::new().mock("sentences", [("a", 1)]);
    assert_eq!(
        refused(two_values),
        "row 0 of the mock for sentences has 2 values, but stream \"default\" has the fields sentence"
    );
    assert!(refused(CompleteOptions::new().mock("sentence", [("a",)])).contains("sentences"));
    assert!(refused(CompleteOptions::new().mock("split", [("a",)])).contains("split is a bolt"));
}

/// Passes a number on, on a direct stream and to task 4.
struct Sends;

impl Bolt for Sends {
    fn declare(&self, streams: &mut Declarer) {
        streams.direct_stream("default", ["to"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        out.emit_direct(StreamHandle::DEFAULT, TaskId::new(4), (tuple.get::<i64>(0)?,));
        Ok(())
    }
}

#[test]
fn a_mocked_spout_and_a_bolt_alone_can_name_receivers() {
    struct Ends;
    impl Bolt for Ends {
        fn execute(&mut self, _: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
            Ok(())
        }
    }
    struct Numbers;
    impl Spout for Numbers {
        type Id = ();
        fn declare(&self, streams: &mut Declarer) {
            streams.direct_stream("default", ["to"]);
        }
        fn next(&mut self, _: &mut SpoutCollector<'_, ()>) -> Result<Next> {
            panic!("it is mocked")
        }
    }
    let topology = || {
        let mut topology = TopologyBuilder::new("direct");
        topology.spout("numbers", || Numbers);
        topology.bolt("sends", || Sends).parallelism(2).direct("numbers");
        topology.bolt("ends", || Ends).parallelism(2).direct("sends");
        topology
    };
    let mock = Mock::new().row_to("default", TaskId::new(3), (3,)).row_to("default", TaskId::new(2), (2,));
    let done = complete_topology(topology(), CompleteOptions::new().mock("numbers", mock)).expect("it is valid");
    done.assert_all_acked();
    let sent: Vec<_> = done.rows("sends", "default").iter().map(|row| (row.task(), row.values()[0].clone())).collect();
    assert!(sent.contains(&(TaskId::new(2), 2.into())) && sent.contains(&(TaskId::new(3), 3.into())), "{sent:?}");
    assert_eq!(sent.len(), 2);
    let unnamed = complete_topology(topology(), CompleteOptions::new().mock("numbers", [(3,)]));
    assert!(unnamed.expect_err("refused").to_string().contains("names no receiver"));

    let mut alone = BoltHarness::new(|| Sends).input(["to"]);
    let executed = alone.execute((7,));
    assert_eq!((executed.fate, executed.rows.len()), (RowFate::Acked, 1));
}

#[test]
fn rows_that_differ_are_listed() {
    let caught = std::panic::catch_unwind(|| assert_same_rows([("a", 1), ("b", 2), ("b", 2)], [("a", 1), ("c", 3)]));
    let message = *caught.expect_err("they differ").downcast::<String>().expect("a message");
    assert!(message.contains("3 rows, 2 expected"), "{message}");
    assert!(message.contains("+ [\"b\", 2]  2 times") && message.contains("- [\"c\", 3]"), "{message}");
    assert!(!message.contains("\"a\""), "{message}");
}
