//! One bolt or one spout alone.

use std::collections::BTreeMap;
use std::time::Duration;

use squall::testing::{BoltHarness, EPOCH, RowFate, SpoutHarness, assert_same_rows};
use squall::{
    Bolt, BoltContext, Collector, Declarer, FailureKind, Next, Result, Spout, SpoutCollector, SpoutContext, SpoutWaker,
    StateHandle, StreamHandle, Timestamp, Token, Tuple,
};

/// Sums by key, keeps the tuples of a key until its sum is 10, and tells the time.
#[derive(Default)]
struct Sums {
    sums: Option<StateHandle<String, i64>>,
    full: Option<StreamHandle>,
    kept: BTreeMap<String, Vec<Token>>,
    most: i64,
}

impl Bolt for Sums {
    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["key", "sum"]).stream("full", ["key"]).stream("time", ["now"]);
    }

    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.sums = Some(context.keyed_state("sums")?);
        self.full = Some(context.stream("full")?);
        self.most = context.setting("most")?.unwrap_or(10);
        context.counter("prepared").increment();
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let (key, n): (&str, i64) = (tuple.field("key")?, tuple.field("n")?);
        let sum = out.state(self.sums.as_ref().expect("prepared")).get_or_default(key);
        *sum += n;
        let sum = *sum;
        out.emit((key, sum));
        assert_ne!(n, 13, "thirteen");
        if n < 0 {
            return Err("negative".into());
        }
        let kept = self.kept.entry(key.to_owned()).or_default();
        if sum < self.most {
            kept.push(out.keep());
        } else {
            out.emit_on(self.full.expect("prepared"), (key,));
            kept.drain(..).for_each(Token::ack);
        }
        Ok(())
    }

    fn tick(&mut self, out: &mut Collector<'_>) -> Result {
        // The third stream declared.
        let now = out.now();
        out.emit_on(self.full.expect("prepared"), (format!("{now}"),));
        if now == EPOCH { Err("too early".into()) } else { Ok(()) }
    }

    fn watermark(&mut self, to: Timestamp, _: &mut Collector<'_>) -> Result {
        if to == Timestamp::MAX {
            self.kept.clear();
        }
        Ok(())
    }
}

fn sums() -> BoltHarness {
    BoltHarness::new(Sums::default).input(["key", "n"]).keyed(["key"])
}

#[test]
fn a_row_is_kept_until_its_token_is_acked() {
    let mut bolt = sums();
    let first = bolt.execute(("a", 4));
    assert_eq!(first.fate, RowFate::Kept);
    assert_same_rows(&first.rows.on("default"), [("a", 4)]);
    let other = bolt.execute(("b", 1));
    let second = bolt.execute(("a", 6));
    assert_eq!(second.fate, RowFate::Acked);
    assert_same_rows(&second.rows.on("full"), [("a",)]);
    assert_eq!((bolt.fate(first.number), bolt.fate(other.number)), (RowFate::Acked, RowFate::Kept));
}

#[test]
fn a_failed_row_says_why_and_what_it_emitted_is_withdrawn() {
    let mut bolt = sums();
    let failed = bolt.execute(("a", -1));
    assert_eq!(failed.fate, RowFate::Failed(Some("negative".to_owned())));
    assert!(failed.rows.is_empty());
}

#[test]
fn after_a_panic_a_new_instance_finds_the_keyed_state() {
    let mut bolt = sums();
    let kept = bolt.execute(("a", 1));
    let RowFate::Failed(Some(said)) = bolt.execute(("a", 13)).fate else { panic!("it panicked") };
    assert!(said.contains("thirteen"), "{said}");
    assert!(matches!(bolt.fate(kept.number), RowFate::Failed(_)), "the instance held its token");
    assert_eq!(bolt.metrics().counters["prepared"], 2);
    assert_eq!(bolt.state::<String, i64>("sums"), BTreeMap::from([("a".to_owned(), 14)]));
}

#[test]
fn a_kill_fails_what_was_kept_and_nothing_else() {
    let mut bolt = sums();
    let (kept, done) = (bolt.execute(("a", 1)), bolt.execute(("b", 10)));
    assert!(bolt.kill().rows.is_empty());
    assert!(matches!(bolt.fate(kept.number), RowFate::Failed(None)));
    assert_eq!(bolt.fate(done.number), RowFate::Acked);
    assert_eq!(bolt.execute(("a", 9)).fate, RowFate::Acked, "keyed state stays: 1 + 9");
}

#[test]
fn time_stands_still_until_it_is_advanced() {
    let mut bolt = sums();
    let early = bolt.tick();
    assert_eq!((early.failure.as_deref(), early.rows.len()), (Some("too early"), 0));
    bolt.advance(Duration::from_secs(90));
    let later = bolt.tick();
    assert_same_rows(&later.rows, [("2026-01-01T00:01:30Z",)]);
    assert_eq!((later.failure, later.rows[0].at(), bolt.now()), (None, bolt.now(), EPOCH + Duration::from_secs(90)));
}

#[test]
fn a_watermark_reaches_the_bolt() {
    let mut bolt = sums();
    let kept = bolt.execute(("a", 1));
    bolt.watermark(Timestamp::from_millis(1));
    assert_eq!(bolt.fate(kept.number), RowFate::Kept);
    bolt.watermark(Timestamp::MAX);
    assert_eq!(bolt.fate(kept.number), RowFate::Failed(None), "dropped tokens fail");
}

#[test]
fn settings_and_what_prepare_says_are_the_tests_to_see() {
    assert_eq!(sums().config("most", 3).execute(("a", 3)).fate, RowFate::Acked);
    let unkeyed = BoltHarness::new(Sums::default).input(["key", "n"]).prepare().expect_err("no key");
    assert!(unkeyed.chain().contains("by shuffle grouping, which has no key"), "{unkeyed:?}");
}

/// Emits pairs on two streams, the second of which is untracked; replays what fails.
#[derive(Default)]
struct Pairs {
    next: i64,
    again: Vec<i64>,
    odd: Option<StreamHandle>,
    waker: Option<SpoutWaker>,
}

impl Spout for Pairs {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.stream("default", ["n"]).stream("odd", ["n"]);
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        self.odd = Some(context.stream("odd")?);
        self.waker = Some(context.waker());
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        for n in self.again.drain(..) {
            out.emit_with(n, (n,));
        }
        while out.room() >= 2 {
            out.emit_on(self.odd.expect("open"), (self.next + 1,));
            out.emit_with(self.next, (self.next,));
            self.next += 2;
        }
        if self.next > 100 {
            out.emit((1, 2, 3));
        }
        out.watermark(out.now());
        Ok(Next::WaitFor(Duration::from_secs(1)))
    }

    fn fail(&mut self, n: i64, _: FailureKind) {
        self.again.push(n);
        self.waker.as_ref().expect("open").wake();
    }
}

#[test]
fn a_spouts_call_is_seen_with_ids_watermark_and_what_it_returned() {
    let mut spout = SpoutHarness::open(Pairs::default()).expect("opens");
    let call = spout.call_with_room(4).expect("emits");
    let rows: Vec<_> =
        call.iter().map(|(id, row)| (id.copied(), row.stream().as_str(), row.values()[0].clone())).collect();
    assert_eq!(
        rows,
        [
            (None, "odd", 1.into()),
            (Some(0), "default", 0.into()),
            (None, "odd", 3.into()),
            (Some(2), "default", 2.into())
        ]
    );
    assert_eq!((call.watermark, call.next), (Some(EPOCH), Next::WaitFor(Duration::from_secs(1))));
    assert!(!spout.was_woken());
    spout.fail(2, FailureKind::TimedOut);
    assert!(spout.was_woken());
    spout.advance(Duration::from_secs(1));
    let again = spout.call_with_room(1).expect("emits");
    assert_eq!((again.ids, again.watermark), (vec![Some(2)], Some(EPOCH + Duration::from_secs(1))));
}

#[test]
fn a_spouts_row_that_does_not_fit_fails_the_call() {
    let mut spout = SpoutHarness::open(Pairs { next: 100, ..Pairs::default() }).expect("opens");
    assert!(spout.call_with_room(2).expect_err("it doesn't fit").chain().contains("3 values"));
    spout.spout().next = 0;
    assert_eq!(spout.call_with_room(2).expect("emits").rows.len(), 2, "the failed call's rows are gone");
}
