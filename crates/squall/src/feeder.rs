//! A spout that is fed by other code of the same process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use squall_engine::ledger::FailureKind;
use squall_runtime::{Declarer, Next, Result, Spout, SpoutCollector, SpoutContext, SpoutWaker};
use squall_types::{IntoRow, TaskId};

/// A row can't be fed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes rows from this feeder any more: it was closed, or its topology has ended")]
pub struct FeedError;

/// A row can't be fed now. It is handed back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TryFeedError<R> {
    /// The queue is full.
    #[error("the feeder's queue is full")]
    Full(R),
    /// It was closed, or its topology has ended.
    #[error(transparent)]
    Closed(#[from] FeedError),
}

/// Makes a feeder and the spout that emits what it is fed, with a queue of so many rows between them (1 at least).
///
/// ```
/// # use squall::{Runner, TopologyBuilder, Tuple};
/// # #[derive(Tuple)]
/// # struct Word { word: String }
/// let mut topology = TopologyBuilder::new("embedded");
/// let (feeder, spout) = squall::feeder::<Word>(1_024);
/// topology.spout("words", move || spout.clone());
/// // bolts …
/// # struct Sink;
/// # impl squall::Bolt for Sink {
/// #     fn execute(&mut self, _: &Tuple<'_>, _: &mut squall::Collector<'_>) -> squall::Result { Ok(()) }
/// # }
/// # topology.bolt("sink", || Sink).shuffle("words");
/// # let program = topology.build().unwrap();
/// # let running = std::thread::spawn(|| Runner::new(program).run().unwrap());
/// feeder.feed(Word { word: "storm".to_owned() }).unwrap();
/// feeder.close();
/// # assert!(running.join().unwrap().is_whole());
/// # assert_eq!(feeder.acked(), 1);
/// ```
pub fn feeder<R: IntoRow + Send + 'static>(capacity: usize) -> (Feeder<R>, FeederSpout<R>) {
    let queue =
        Queue { rows: VecDeque::new(), closed: false, ended: false, fate: Fate::default(), wakers: BTreeMap::new() };
    let shared = Arc::new(Shared { queue: Mutex::new(queue), capacity: capacity.max(1), changed: Condvar::new() });
    (Feeder { hold: Arc::new(Hold(shared.clone())) }, FeederSpout { shared, task: None })
}

/// Feeds rows to a [`FeederSpout`], from any thread. Clones feed the same queue; when the last is dropped, it is closed.
pub struct Feeder<R> {
    hold: Arc<Hold<R>>,
}

/// Emits what its [`Feeder`] is fed, tracked. Clones, as a topology makes them for each task, share the queue.
pub struct FeederSpout<R> {
    shared: Arc<Shared<R>>,
    /// Once it is open.
    task: Option<TaskId>,
}

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    fed: u64,
    acked: u64,
    failed: u64,
}

struct Queue<R> {
    rows: VecDeque<R>,
    closed: bool,
    /// The topology takes no more.
    ended: bool,
    fate: Fate,
    wakers: BTreeMap<TaskId, SpoutWaker>,
}

struct Shared<R> {
    queue: Mutex<Queue<R>>,
    capacity: usize,
    /// There is room, a row is settled, or nothing will follow.
    changed: Condvar,
}

/// Closes the queue when the last feeder lets go of it.
struct Hold<R>(Arc<Shared<R>>);

impl<R> Drop for Hold<R> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<R> Shared<R> {
    fn lock(&self) -> MutexGuard<'_, Queue<R>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.wake();
        drop(queue);
        self.changed.notify_all();
    }

    fn settle(&self, count: impl FnOnce(&mut Fate)) {
        count(&mut self.lock().fate);
        self.changed.notify_all();
    }
}

impl<R> Queue<R> {
    fn is_open(&self) -> std::result::Result<(), FeedError> {
        if self.closed || self.ended { Err(FeedError) } else { Ok(()) }
    }

    fn put(&mut self, row: R) {
        self.rows.push_back(row);
        self.fate.fed += 1;
        self.wake();
    }

    fn wake(&self) {
        self.wakers.values().for_each(SpoutWaker::wake);
    }

    fn is_settled(&self) -> bool {
        self.fate.acked + self.fate.failed == self.fate.fed
    }
}

impl<R> Clone for Feeder<R> {
    fn clone(&self) -> Self {
        Self { hold: self.hold.clone() }
    }
}

impl<R> Feeder<R> {
    fn shared(&self) -> &Shared<R> {
        &self.hold.0
    }

    /// Feeds a row. Blocks while the queue is full.
    ///
    /// # Errors
    /// The feeder was closed, or the topology has ended.
    pub fn feed(&self, row: R) -> std::result::Result<(), FeedError> {
        let shared = self.shared();
        let full = |queue: &mut Queue<R>| queue.is_open().is_ok() && queue.rows.len() >= shared.capacity;
        let mut queue = shared.changed.wait_while(shared.lock(), full).unwrap_or_else(PoisonError::into_inner);
        queue.is_open()?;
        queue.put(row);
        Ok(())
    }

    /// Feeds a row if there is room.
    ///
    /// # Errors
    /// There is none, or the feeder was closed, or the topology has ended.
    pub fn try_feed(&self, row: R) -> std::result::Result<(), TryFeedError<R>> {
        let mut queue = self.shared().lock();
        queue.is_open()?;
        if queue.rows.len() >= self.shared().capacity {
            return Err(TryFeedError::Full(row));
        }
        queue.put(row);
        Ok(())
    }

    /// No row follows: once all that were fed are emitted and settled, the spout is done.
    pub fn close(&self) {
        self.shared().close();
    }

    /// Rows fed.
    pub fn fed(&self) -> u64 {
        self.shared().lock().fate.fed
    }

    /// Rows acked. In an at-most-once topology nobody knows: 0.
    pub fn acked(&self) -> u64 {
        self.shared().lock().fate.acked
    }

    /// Rows failed, whatever the reason. A [`Replay`](crate::Replay) around the spout counts those given up.
    pub fn failed(&self) -> u64 {
        self.shared().lock().fate.failed
    }

    /// Waits until every row fed so far is acked or failed, but no longer than this. Says whether they are. Rows lost with a
    /// panicking spout are not.
    pub fn wait_settled(&self, timeout: Duration) -> bool {
        let (shared, until) = (self.shared(), Instant::now() + timeout);
        let mut queue = shared.lock();
        while !queue.is_settled() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = shared.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl<R> Clone for FeederSpout<R> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), task: None }
    }
}

impl<R: IntoRow + Send + 'static> Spout for FeederSpout<R> {
    type Id = ();

    fn declare(&self, streams: &mut Declarer) {
        streams.emits::<R>();
    }

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        self.task = Some(context.task());
        self.shared.lock().wakers.insert(context.task(), context.waker());
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, ()>) -> Result<Next> {
        let mut queue = self.shared.lock();
        let rows = out.room().min(queue.rows.len());
        queue.rows.drain(..rows).for_each(|row| out.emit_with((), row));
        let next = match (queue.rows.is_empty(), queue.closed) {
            (false, _) => Next::More,
            (true, false) => Next::Wait,
            (true, true) => Next::Done,
        };
        drop(queue);
        if rows > 0 {
            self.shared.changed.notify_all();
        }
        Ok(next)
    }

    fn ack(&mut self, (): ()) {
        self.shared.settle(|fate| fate.acked += 1);
    }

    fn fail(&mut self, (): (), _: FailureKind) {
        self.shared.settle(|fate| fate.failed += 1);
    }

    fn close(&mut self) {
        let mut queue = self.shared.lock();
        if let Some(task) = self.task {
            queue.wakers.remove(&task);
        }
        queue.ended = true;
        drop(queue);
        self.shared.changed.notify_all();
    }
}

impl<R> std::fmt::Debug for Feeder<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queue = self.shared().lock();
        write!(f, "Feeder({} rows queued, {:?})", queue.rows.len(), queue.fate)
    }
}
