//! What the tests are made of: a numbered source, a bolt that does as a test says, and a run of the two.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use squall::{
    Bolt, Collector, DeadLetter, Declarer, FailureKind, Next, Outcome, Replay, ReplayPolicy, Result, Runner, Spout,
    SpoutCollector, Stopper, TopologyBuilder, Tuple, Undelivered,
};

/// What the tests look at afterwards.
#[derive(Default)]
pub struct Log {
    /// How often the bolt has seen each number.
    pub seen: BTreeMap<i64, u32>,
    /// Ids that the inner spout was told are acked.
    pub acked: Vec<i64>,
    /// Ids that the inner spout was told have failed.
    pub failed: Vec<(i64, FailureKind)>,
    /// Numbers given up, how often they had failed, and why.
    pub letters: Vec<(i64, u32, Undelivered)>,
}

pub type Shared = Arc<Mutex<Log>>;

pub fn lock(log: &Shared) -> MutexGuard<'_, Log> {
    log.lock().unwrap()
}

#[derive(Tuple)]
pub struct Number {
    pub number: i64,
}

/// Emits the numbers from `next` below `limit`, and hears of their fate.
pub struct Numbers {
    pub next: Arc<Mutex<i64>>,
    pub limit: i64,
    pub log: Shared,
    /// Called with each number before it is emitted.
    pub before: fn(i64),
}

impl Spout for Numbers {
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<Number>();
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        for _ in 0..out.room() {
            let number = {
                let mut next = self.next.lock().unwrap();
                if *next >= self.limit {
                    return Ok(Next::Done);
                }
                *next += 1;
                *next - 1
            };
            (self.before)(number);
            out.emit_with(number, Number { number });
        }
        Ok(Next::More)
    }

    fn ack(&mut self, id: i64) {
        lock(&self.log).acked.push(id);
    }

    fn fail(&mut self, id: i64, kind: FailureKind) {
        lock(&self.log).failed.push((id, kind));
    }
}

/// Takes a number for the so-manieth time, as `execute` says.
pub struct Work<F> {
    log: Shared,
    execute: F,
}

impl<F: FnMut(i64, u32, &mut Collector<'_>) -> Result + Send + 'static> Bolt for Work<F> {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        let Number { number } = tuple.read()?;
        let times = {
            let mut log = lock(&self.log);
            let seen = log.seen.entry(number).or_default();
            *seen += 1;
            *seen
        };
        (self.execute)(number, times, out)
    }
}

pub fn policy(max_failures: u32) -> ReplayPolicy {
    ReplayPolicy { base: Duration::from_millis(1), max: Duration::from_millis(4), jitter: 0.5, max_failures }
}

/// A source of numbers, replayed.
#[derive(Clone, Copy)]
pub struct Source {
    pub limit: i64,
    pub policy: ReplayPolicy,
    /// Called with each number before it is emitted.
    pub before: fn(i64),
    /// Called with each number that is given up.
    pub letter: fn(i64),
    /// Whether it has a thread of its own.
    pub blocking: bool,
}

impl Source {
    pub fn new(limit: i64, policy: ReplayPolicy) -> Self {
        Self { limit, policy, before: |_| {}, letter: |_| {}, blocking: false }
    }

    fn replay(self, next: Arc<Mutex<i64>>, log: Shared) -> Replay<Numbers> {
        let letters = log.clone();
        let make = move || Numbers { next: next.clone(), limit: self.limit, log: log.clone(), before: self.before };
        Replay::new(make, self.policy).dead_letters(move |letter: DeadLetter| {
            let Number { number } = letter.row.view().read().unwrap();
            (self.letter)(number);
            lock(&letters).letters.push((number, letter.failures, letter.why));
        })
    }
}

/// A run to be: what a test may change of it.
pub struct Run {
    pub log: Shared,
    pub topology: TopologyBuilder,
}

impl Run {
    /// A topology of a replayed source and a bolt.
    pub fn new(
        source: Source,
        execute: impl Fn(i64, u32, &mut Collector<'_>) -> Result + Clone + Send + Sync + 'static,
    ) -> Self {
        let log = Shared::default();
        let mut topology = TopologyBuilder::new("replayed");
        let (next, spouts, works) = (Arc::new(Mutex::new(0)), log.clone(), log.clone());
        let spout = topology.spout("numbers", move || source.replay(next.clone(), spouts.clone()));
        if source.blocking {
            spout.blocking();
        }
        topology.bolt("work", move || Work { log: works.clone(), execute: execute.clone() }).shuffle("numbers");
        Self { log, topology }
    }

    /// Runs it to its end; a run that doesn't end is stopped after a while, and fails.
    pub fn ends(self) -> (Outcome, Shared) {
        let outcome = Runner::new(self.topology.build().unwrap()).without_signals().run_for(LONG).run().unwrap();
        assert_eq!(outcome.cause, squall::Cause::Finished, "{outcome}");
        (outcome, self.log)
    }

    /// Runs it until `done`, then drains it.
    pub fn until(self, done: impl Fn(&Log) -> bool + Send) -> (Outcome, Shared) {
        let runner = Runner::new(self.topology.build().unwrap()).without_signals().run_for(LONG);
        let stopper: Stopper = runner.stopper();
        let log = self.log.clone();
        let outcome = runner
            .every(Duration::from_millis(1), move |progress| {
                if !progress.draining && done(&lock(&log)) {
                    stopper.stop();
                }
            })
            .run()
            .unwrap();
        assert_eq!(outcome.cause, squall::Cause::Stopped, "{outcome}");
        (outcome, self.log)
    }
}

/// Longer than any test takes.
pub const LONG: Duration = Duration::from_secs(30);

/// Waits for a condition.
pub fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LONG, "waited for {what}");
        std::thread::yield_now();
    }
}
