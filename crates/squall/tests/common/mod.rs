//! Components made of closures, and how a topology is run to its end.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use squall::metrics::Snapshot;
use squall::{
    Bolt, BoltContext, Books, Collector, Declarer, FailureKind, Next, Options, Result, Slot, Spout, SpoutCollector,
    SpoutContext, SpoutWaker, TaskId, Timestamp, TopologyBuilder, Tuple,
};

/// Streams by name, fields, and whether they are direct.
pub type Streams = &'static [(&'static str, &'static [&'static str], bool)];
/// No streams.
pub const NONE: Streams = &[];
/// One stream of one number.
pub const ONE: Streams = &[("default", &["n"], false)];

/// Nothing in these tests takes this long unless it hangs.
pub const LONG: Duration = Duration::from_secs(30);

fn declare(streams: Streams, to: &mut Declarer) {
    for (name, fields, direct) in streams {
        if *direct {
            to.direct_stream(name, *fields)
        } else {
            to.stream(name, *fields)
        };
    }
}

/// A list that components write and tests read.
#[derive(Debug)]
pub struct Log<T>(Mutex<Vec<T>>);

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Log<T> {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn push(&self, item: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(item);
    }

    pub fn all(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn sorted(&self) -> Vec<T>
    where
        T: Ord,
    {
        let mut all = self.all();
        all.sort();
        all
    }
}

/// What a bolt is called for.
pub enum Event<'a> {
    Row(Tuple<'a>),
    Tick,
    Watermark(Timestamp),
}

impl Event<'_> {
    /// The row's first value, as a number.
    pub fn n(&self) -> Option<i64> {
        match self {
            Self::Row(tuple) => Some(tuple.get(0).expect("the first value is a number")),
            Self::Tick | Self::Watermark(_) => None,
        }
    }
}

/// Where a bolt is called.
pub struct Here<'a, L> {
    pub log: &'a L,
    pub task: TaskId,
    pub index: usize,
}

/// A bolt made of a closure.
pub struct Each<L, F> {
    log: Arc<L>,
    streams: Streams,
    call: F,
    watermarks: bool,
    task: Option<TaskId>,
    index: usize,
}

impl<L, F> Bolt for Each<L, F>
where
    L: Send + Sync + 'static,
    F: FnMut(&Here<'_, L>, Event<'_>, &mut Collector<'_>) -> Result + Send + 'static,
{
    fn declare(&self, streams: &mut Declarer) {
        declare(self.streams, streams);
    }

    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        (self.task, self.index) = (Some(context.task()), context.task_index());
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        self.on(Event::Row(*tuple), out)
    }

    fn tick(&mut self, out: &mut Collector<'_>) -> Result {
        self.on(Event::Tick, out)
    }

    fn watermark(&mut self, watermark: Timestamp, out: &mut Collector<'_>) -> Result {
        if self.watermarks { self.on(Event::Watermark(watermark), out) } else { Ok(()) }
    }
}

impl<L, F> Each<L, F>
where
    F: FnMut(&Here<'_, L>, Event<'_>, &mut Collector<'_>) -> Result,
{
    /// A bolt that calls `call` for rows and ticks.
    pub fn new(log: &Arc<L>, streams: Streams, call: F) -> Self {
        Self { log: log.clone(), streams, call, watermarks: false, task: None, index: 0 }
    }

    fn on(&mut self, event: Event<'_>, out: &mut Collector<'_>) -> Result {
        let task = self.task.expect("a bolt is prepared before it is called");
        (self.call)(&Here { log: &*self.log, task, index: self.index }, event, out)
    }
}

/// Makes bolts that call `call` for rows and ticks.
pub fn each<L, F>(log: &Arc<L>, streams: Streams, call: F) -> impl Fn() -> Each<L, F> + Send + Sync + 'static
where
    L: Send + Sync + 'static,
    F: FnMut(&Here<'_, L>, Event<'_>, &mut Collector<'_>) -> Result + Clone + Send + Sync + 'static,
{
    let log = log.clone();
    move || Each::new(&log, streams, call.clone())
}

/// Makes bolts that call `call` for rows, ticks and watermarks.
pub fn each_event<L, F>(log: &Arc<L>, streams: Streams, call: F) -> impl Fn() -> Each<L, F> + Send + Sync + 'static
where
    L: Send + Sync + 'static,
    F: FnMut(&Here<'_, L>, Event<'_>, &mut Collector<'_>) -> Result + Clone + Send + Sync + 'static,
{
    let make = each(log, streams, call);
    move || Each { watermarks: true, ..make() }
}

/// Makes bolts that write down each row's number and the task that got it.
pub fn sink(log: &Arc<Log<(i64, TaskId)>>) -> impl Fn() -> Numbers + Send + Sync + 'static {
    let log = log.clone();
    move || Numbers { log: log.clone(), task: None }
}

/// A bolt that writes down each row's number and the task that got it.
pub struct Numbers {
    log: Arc<Log<(i64, TaskId)>>,
    task: Option<TaskId>,
}

impl Bolt for Numbers {
    fn prepare(&mut self, context: &mut BoltContext<'_>) -> Result {
        self.task = Some(context.task());
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut Collector<'_>) -> Result {
        self.log.push((tuple.get(0)?, self.task.expect("a bolt is prepared before it is called")));
        Ok(())
    }
}

/// The numbers of a sink's log, ascending.
pub fn numbers(log: &Log<(i64, TaskId)>) -> Vec<i64> {
    log.sorted().into_iter().map(|(n, _)| n).collect()
}

/// A bolt that emits each number again.
pub struct Pass;

impl Bolt for Pass {
    fn declare(&self, streams: &mut Declarer) {
        declare(ONE, streams);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
        out.emit(tuple);
        Ok(())
    }
}

/// What a spout was told.
#[derive(Debug, Default)]
pub struct Fates {
    pub acked: Log<i64>,
    pub failed: Log<(i64, FailureKind)>,
    pub closed: Log<()>,
    pub waker: Mutex<Option<SpoutWaker>>,
}

impl Fates {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn failed_ids(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = self.failed.all().into_iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    pub fn wake(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        waker.expect("the spout is open").wake();
    }
}

/// A spout made of a closure.
pub struct From<F> {
    fates: Arc<Fates>,
    streams: Streams,
    next: F,
}

impl<F> Spout for From<F>
where
    F: FnMut(&mut SpoutCollector<'_, i64>) -> Result<Next> + Send + 'static,
{
    type Id = i64;

    fn declare(&self, streams: &mut Declarer) {
        declare(self.streams, streams);
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        *self.fates.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker());
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, i64>) -> Result<Next> {
        (self.next)(out)
    }

    fn ack(&mut self, id: i64) {
        self.fates.acked.push(id);
    }

    fn fail(&mut self, id: i64, kind: FailureKind) {
        self.fates.failed.push((id, kind));
    }

    fn close(&mut self) {
        self.fates.closed.push(());
    }
}

/// Makes spouts that call `next`.
pub fn from<F>(fates: &Arc<Fates>, streams: Streams, next: F) -> impl Fn() -> From<F> + Send + Sync + 'static
where
    F: FnMut(&mut SpoutCollector<'_, i64>) -> Result<Next> + Clone + Send + Sync + 'static,
{
    let fates = fates.clone();
    move || From { fates: fates.clone(), streams, next: next.clone() }
}

type BoxedNext = Box<dyn FnMut(&mut SpoutCollector<'_, i64>) -> Result<Next> + Send>;

/// Makes spouts that emit `0..to`, tracked, each number in a row of its own, and are done.
pub fn count(fates: &Arc<Fates>, to: i64) -> impl Fn() -> From<BoxedNext> + Send + Sync + 'static {
    let fates = fates.clone();
    move || {
        let mut n = 0;
        let next = move |out: &mut SpoutCollector<'_, i64>| {
            while n < to && out.room() > 0 {
                out.emit_with(n, (n,));
                n += 1;
            }
            Ok(if n < to { Next::More } else { Next::Done })
        };
        From { fates: fates.clone(), streams: ONE, next: Box::new(next) }
    }
}

/// Two cores, whatever the machine has.
pub fn two_cores() -> Options {
    Options { cores: 2, ..Options::default() }
}

/// One core.
pub fn one_core() -> Options {
    Options { cores: 1, ..Options::default() }
}

/// Starts a topology.
pub async fn start(topology: TopologyBuilder, options: &Options) -> Slot {
    let program = topology.build().expect("the topology is valid");
    Slot::start(&program, options).await.expect("the topology starts")
}

/// Runs a topology to the end of its spouts. What it counted, and its books.
pub async fn run_on(topology: TopologyBuilder, options: &Options) -> (Books, Snapshot) {
    finish(start(topology, options).await).await
}

/// Runs a topology on two cores to the end of its spouts.
pub async fn run(topology: TopologyBuilder) -> (Books, Snapshot) {
    run_on(topology, &two_cores()).await
}

/// Waits for the end of a topology's spouts, and ends it.
pub async fn finish(slot: Slot) -> (Books, Snapshot) {
    if tokio::time::timeout(LONG, slot.ended()).await.is_err() {
        panic!("the topology doesn't end: {:?}", slot.books());
    }
    let monitor = slot.monitor();
    let books = slot.drain(LONG).await;
    (books, monitor.snapshot())
}

/// Ends a topology that never ends by itself.
pub async fn drain(slot: Slot) -> (Books, Snapshot) {
    let monitor = slot.monitor();
    let books = slot.drain(LONG).await;
    (books, monitor.snapshot())
}

/// Waits until `holds`, or panics with what it is about.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(tokio::time::timeout(LONG, waited).await.is_ok(), "never: {what}");
}

/// Holds the books to these figures: acked, failed, and nothing else.
#[track_caller]
pub fn assert_books(books: &Books, acked: u64, failed: u64) {
    let told = (books.acked, books.failed, books.timed_out, books.lost, books.left, &*books.hung);
    assert_eq!(told, (acked, failed, 0, 0, 0, &[][..]), "{books:?}");
}

/// The ids `0..to`.
pub fn up_to(to: i64) -> Vec<i64> {
    (0..to).collect()
}

/// Each item with how often it comes up, ascending.
pub fn counted<T: Ord + Debug>(items: impl IntoIterator<Item = T>) -> Vec<(T, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    items.into_iter().for_each(|item| *counts.entry(item).or_insert(0) += 1);
    counts.into_iter().collect()
}
