//! The lane of a bolt that awaits: one executor, a bounded number of calls in flight.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::stream::{FuturesOrdered, FuturesUnordered, Stream};
use squall_engine::backoff::RestartPolicy;
use squall_engine::ledger::FailureKind;
use squall_types::{Anchor, Batch, EdgeId, Mark, OwnedTuple, Timestamp};

use super::bolt_lane::{MAX_AGE_NS, TURN_NS, Tick, send};
use super::chain::Chain;
use super::control::{Control, Phase};
use super::marks::Marks;
use super::outputs::Origin;
use super::target::FlushPolicy;
use crate::api::{AsyncCollector, BoltContext, DynAsyncBolt, Failure, TaskInfo};
use crate::clock::Clock;
use crate::inbox::{Inbox, Parcel};
use crate::metrics::{NodeMetrics, UserMetrics};

/// Makes an asynchronous bolt, for each task and for each start.
pub type AsyncFactory = Arc<dyn Fn() -> Box<dyn DynAsyncBolt> + Send + Sync>;

/// One call, done.
struct Called {
    task: u16,
    anchors: Vec<Anchor>,
    is_row: bool,
    began_ns: u64,
    sent_ns: u64,
    out: AsyncCollector,
    result: Result<(), Failure>,
    panicked: bool,
}

type Call = Pin<Box<dyn Future<Output = Called> + Send>>;

/// The calls under way.
enum InFlight {
    Ordered(FuturesOrdered<Call>),
    Unordered(FuturesUnordered<Call>),
}

impl InFlight {
    fn len(&self) -> usize {
        match self {
            Self::Ordered(calls) => calls.len(),
            Self::Unordered(calls) => calls.len(),
        }
    }

    fn push(&mut self, call: Call) {
        match self {
            Self::Ordered(calls) => calls.push_back(call),
            Self::Unordered(calls) => calls.push(call),
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Called>> {
        match self {
            Self::Ordered(calls) => Pin::new(calls).poll_next(cx),
            Self::Unordered(calls) => Pin::new(calls).poll_next(cx),
        }
    }
}

/// What a call is made with.
enum Work {
    Row(OwnedTuple),
    Tick,
    Watermark(Timestamp),
}

/// A task of the lane.
pub struct AsyncTask {
    /// What is fixed for it.
    pub info: TaskInfo,
    /// Its code.
    pub bolt: Arc<dyn DynAsyncBolt>,
    restart: RestartPolicy,
}

impl AsyncTask {
    /// A task whose bolt is prepared.
    pub fn new(info: TaskInfo, bolt: Arc<dyn DynAsyncBolt>) -> Self {
        Self { info, bolt, restart: RestartPolicy::default() }
    }
}

/// Awaits for an asynchronous bolt. Its outputs are the head of a chain that has no other node.
pub struct AsyncLane {
    pub chain: Chain,
    pub inbox: Arc<Inbox<Batch>>,
    pub marks: Marks,
    pub tick: Option<Tick>,
    pub control: Arc<Control>,
    pub feedback: Vec<bool>,
    pub tasks: Vec<AsyncTask>,
    pub factory: AsyncFactory,
    pub user_metrics: UserMetrics,
    pub limit: usize,
    calls: InFlight,
    /// Calls that may end together are taken together.
    done: VecDeque<Called>,
}

/// What an asynchronous lane is made of.
pub struct AsyncParts {
    pub chain: Chain,
    pub inbox: Arc<Inbox<Batch>>,
    pub marks: Marks,
    pub tick: Option<Tick>,
    pub control: Arc<Control>,
    pub feedback: Vec<bool>,
    pub tasks: Vec<AsyncTask>,
    pub factory: AsyncFactory,
    pub user_metrics: UserMetrics,
    pub limit: usize,
    pub ordered: bool,
}

/// Makes and prepares an asynchronous bolt.
///
/// # Errors
/// What its `prepare` said.
pub async fn prepare(
    factory: &AsyncFactory,
    info: &TaskInfo,
    clock: &Clock,
    metrics: &UserMetrics,
) -> Result<Arc<dyn DynAsyncBolt>, Failure> {
    let prepared = async {
        let mut bolt = factory();
        let mut context = BoltContext { info, clock, metrics, state: None };
        bolt.prepare(&mut context).await?;
        Ok(Arc::from(bolt))
    };
    let caught = AssertUnwindSafe(prepared).catch_unwind().await;
    caught.unwrap_or_else(|panic| Err(crate::panics::take_failure(&*panic)))
}

impl AsyncLane {
    /// A lane whose bolts are prepared.
    pub fn new(parts: AsyncParts) -> Self {
        let AsyncParts { chain, inbox, marks, tick, control, feedback, tasks, factory, user_metrics, limit, ordered } =
            parts;
        let calls = if ordered {
            InFlight::Ordered(FuturesOrdered::new())
        } else {
            InFlight::Unordered(FuturesUnordered::new())
        };
        Self {
            chain,
            inbox,
            marks,
            tick,
            control,
            feedback,
            tasks,
            factory,
            user_metrics,
            limit,
            calls,
            done: VecDeque::new(),
        }
    }

    /// Works until the slot stops.
    pub async fn run(mut self) {
        let mut turn_began_ns = self.chain.wake();
        while self.control.phase() != Phase::Stopping {
            self.follow_kills().await;
            self.chain.follow_ways();
            match self.inbox.take() {
                Some(batch) => self.batch(batch).await,
                None => {
                    self.rest().await;
                    turn_began_ns = self.chain.now_ns();
                }
            }
            self.tick().await;
            if self.chain.now_ns().saturating_sub(turn_began_ns) >= TURN_NS {
                tokio::task::yield_now().await;
                turn_began_ns = self.chain.wake();
            }
        }
        // Calls that are still under way when the slot stops are given up: they hold the bolt.
        self.calls = InFlight::Unordered(FuturesUnordered::new());
        for index in 0..self.tasks.len() {
            if let Some(bolt) = Arc::get_mut(&mut self.tasks[index].bolt)
                && let Err(panic) = AssertUnwindSafe(bolt.cleanup()).catch_unwind().await
            {
                let failure = crate::panics::take_failure(&*panic);
                self.chain.nodes[0].keep_error(index, &failure, true);
            }
        }
        self.inbox.close();
    }

    async fn follow_kills(&mut self) {
        for task in self.control.take_kills(|task| self.tasks.iter().any(|own| own.info.task == task)) {
            if let Some(index) = self.tasks.iter().position(|own| own.info.task == task) {
                self.restart(index).await;
            }
        }
    }

    /// Waits for a call to end or for something to do.
    async fn rest(&mut self) {
        send(&mut self.chain, FlushPolicy::All).await;
        let deadline = self.tick.map(|tick| self.chain.run.clock.instant(tick.next_ns));
        let resting = self.calls.len() == 0;
        {
            let (inbox, calls, done, chain) = (&self.inbox, &mut self.calls, &mut self.done, holder(&self.chain));
            let ready = poll_fn(|cx| {
                let inbox_ready = inbox.poll_ready(cx, resting).is_ready();
                if take_ended(calls, done, chain, cx) || inbox_ready { Poll::Ready(()) } else { Poll::Pending }
            });
            match deadline {
                None => ready.await,
                Some(deadline) => tokio::select! {
                    biased;
                    () = ready => {}
                    () = tokio::time::sleep_until(deadline) => {}
                },
            }
        }
        self.chain.wake();
        self.finish().await;
    }

    async fn batch(&mut self, mut batch: Batch) {
        let (rows, bytes, mark) = (batch.rows(), batch.bytes(), batch.mark);
        let (input, sender) = (batch.input, batch.sender);
        self.chain.meet(&batch);
        for row in 0..rows {
            self.one_ended_below(self.limit).await;
            if self.control.phase() == Phase::Stopping {
                return;
            }
            let (tuple, task) = self.chain.own_row(&batch, row);
            let anchors = own_anchors(&mut batch, row);
            self.start(task, Work::Row(tuple), anchors, batch.sent_ns);
        }
        self.inbox.done(rows, bytes, batch);
        if self.feedback[usize::from(input)] {
            self.control.add_feedback(-i64::try_from(rows).unwrap_or(i64::MAX));
        }
        self.poll_once().await;
        if let Some(mark) =
            mark.and_then(|mark| self.marks.advance(input, sender, self.chain.senders(input, sender), mark))
        {
            self.pass_mark(mark).await;
        }
    }

    async fn pass_mark(&mut self, mark: Mark) {
        // What came before ends first.
        self.one_ended_below(1).await;
        if self.control.phase() == Phase::Stopping {
            return;
        }
        if let Mark::Watermark(to) = mark {
            for task in 0..self.tasks.len() {
                self.start(task as u16, Work::Watermark(to), Vec::new(), self.chain.now_ns());
            }
            self.one_ended_below(1).await;
        }
        send(&mut self.chain, FlushPolicy::All).await;
        self.chain.mark(mark);
        send(&mut self.chain, FlushPolicy::All).await;
    }

    /// Waits until fewer than `limit` calls are under way, or the slot stops.
    async fn one_ended_below(&mut self, limit: usize) {
        while self.calls.len() >= limit && self.control.phase() != Phase::Stopping {
            self.poll_once().await;
            if self.calls.len() >= limit {
                // Nothing leaves by itself while the lane waits.
                send(&mut self.chain, FlushPolicy::All).await;
                let (calls, done, chain) = (&mut self.calls, &mut self.done, holder(&self.chain));
                let ended =
                    poll_fn(|cx| if take_ended(calls, done, chain, cx) { Poll::Ready(()) } else { Poll::Pending });
                tokio::select! {
                    biased;
                    () = ended => {}
                    () = self.control.stopping() => {}
                }
                self.chain.wake();
                self.finish().await;
            }
        }
    }

    /// Lets the calls under way go on, without waiting for one.
    async fn poll_once(&mut self) {
        let (calls, done, chain) = (&mut self.calls, &mut self.done, holder(&self.chain));
        poll_fn(|cx| {
            take_ended(calls, done, chain, cx);
            Poll::Ready(())
        })
        .await;
        self.chain.wake();
        self.finish().await;
    }

    fn start(&mut self, task: u16, work: Work, anchors: Vec<Anchor>, sent_ns: u64) {
        let bolt = self.tasks[usize::from(task)].bolt.clone();
        let began_ns = self.chain.now_ns();
        self.calls.push(Box::pin(async move {
            let mut out = AsyncCollector::default();
            let is_row = matches!(work, Work::Row(_));
            let call = async {
                match &work {
                    Work::Row(tuple) => bolt.execute(tuple, &mut out).await,
                    Work::Tick => bolt.tick(&mut out).await,
                    Work::Watermark(to) => bolt.watermark(*to, &mut out).await,
                }
            };
            let caught = AssertUnwindSafe(call).catch_unwind().await;
            let panicked = caught.is_err();
            let result = caught.unwrap_or_else(|panic| Err(crate::panics::take_failure(&*panic)));
            Called { task, anchors, is_row, began_ns, sent_ns, out, result, panicked }
        }));
    }

    /// Emits, acks and books the calls that have ended.
    async fn finish(&mut self) {
        while let Some(called) = self.done.pop_front() {
            let (task, panicked) = (called.task, called.panicked);
            self.emit(called);
            if panicked {
                self.restart(usize::from(task)).await;
            }
            send(&mut self.chain, FlushPolicy::Older(MAX_AGE_NS)).await;
        }
    }

    fn emit(&mut self, mut called: Called) {
        let now_ns = self.chain.now_ns();
        let Chain { nodes, acks, .. } = &mut self.chain;
        let head = &mut nodes[0];
        let (first, more) = called.anchors.split_first_mut().map_or((None, &mut [][..]), |(f, m)| (Some(f), m));
        let mut anchor = first.map_or(Anchor::NONE, |anchor| *anchor);
        let mut sums: Vec<Anchor> = more.iter().map(|a| Anchor { root: a.root, edge: EdgeId::ZERO }).collect();
        let mut sum = EdgeId::ZERO;
        head.outputs.begin();
        for index in 0..called.out.emits.len() {
            let mut origin = Origin {
                head: super::heads::NO_HEAD,
                root: anchor.root,
                sum: &mut sum,
                more: &mut sums,
                source: called.task,
            };
            called.out.emits.emit(index, &mut head.outputs, &mut origin);
        }
        let result = match head.outputs.error.take() {
            Some(error) => Err(Failure::from(*error)),
            None => called.result,
        };
        let ok = result.is_ok();
        if let Err(failure) = result {
            head.outputs.withdraw(acks);
            let task = usize::from(called.task);
            head.keep_error(task, &failure, called.panicked);
            head.metrics.tasks()[task].errors.outside += u64::from(!called.is_row);
            std::iter::once(&anchor).chain(&*more).for_each(|a| acks.fail(a.root, FailureKind::Failed));
        } else {
            anchor.edge ^= sum;
            acks.ack(anchor);
            more.iter().zip(&sums).for_each(|(a, sum)| acks.ack(Anchor { root: a.root, edge: a.edge ^ sum.edge }));
        }
        acks.touch(now_ns);
        let emitted = u64::from(head.outputs.emitted());
        head.route(now_ns, acks, false);
        let mut metrics = head.metrics.tasks();
        let task = &mut metrics[usize::from(called.task)];
        task.emitted += emitted;
        if called.is_row {
            task.executed += 1;
            task.acked += u64::from(ok && anchor.root.is_some());
            task.failed += u64::from(!ok);
            let spent = now_ns.saturating_sub(called.began_ns);
            task.busy_ns += spent;
            task.execute.record(spent, 1);
            task.process.record(now_ns.saturating_sub(called.sent_ns), 1);
        }
    }

    /// A call panicked: the task goes on with a new instance, at once or after a while. Calls under way keep the old one.
    async fn restart(&mut self, task: usize) {
        let info = self.tasks[task].info.clone();
        self.chain.nodes[0].metrics.tasks()[task].restarts += 1;
        let mut delay = self.tasks[task].restart.after_panic(self.chain.now_ns());
        loop {
            if delay > 0 {
                send(&mut self.chain, FlushPolicy::All).await;
                let until = self.chain.run.clock.instant(self.chain.now_ns() + delay);
                tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(until) => {}
                    () = self.control.stopping() => return,
                }
                self.chain.wake();
            }
            match prepare(&self.factory, &info, &self.chain.run.clock, &self.user_metrics).await {
                Ok(bolt) => {
                    self.tasks[task].bolt = bolt;
                    return;
                }
                Err(failure) => self.chain.nodes[0].keep_error(task, &failure, false),
            }
            delay = self.tasks[task].restart.after_panic(self.chain.now_ns()).max(RestartPolicy::FIRST_NS);
        }
    }

    async fn tick(&mut self) {
        let now_ns = self.chain.now_ns();
        if self.tick.as_mut().and_then(|tick| tick.due(now_ns)).is_some() {
            for task in 0..self.tasks.len() {
                self.one_ended_below(self.limit).await;
                self.start(task as u16, Work::Tick, Vec::new(), now_ns);
            }
        }
    }
}

/// Where it is noted how long calls hold the core.
fn holder(chain: &Chain) -> (&NodeMetrics, Clock) {
    (&chain.nodes[0].metrics, chain.run.clock)
}

/// Lets calls go on and moves those that have ended to `done`; says whether there was one. Meanwhile the calls hold the core.
fn take_ended(
    calls: &mut InFlight,
    done: &mut VecDeque<Called>,
    (metrics, clock): (&NodeMetrics, Clock),
    cx: &mut Context<'_>,
) -> bool {
    if calls.len() == 0 {
        return false;
    }
    metrics.run_begins(clock.now_ns());
    let before = done.len();
    while calls.len() > 0 {
        match calls.poll_next(cx) {
            Poll::Ready(Some(called)) => done.push_back(called),
            Poll::Ready(None) | Poll::Pending => break,
        }
    }
    metrics.run_ends(clock.now_ns());
    done.len() > before
}

fn own_anchors(batch: &mut Batch, row: usize) -> Vec<Anchor> {
    let first = batch.anchors.get(row).copied().filter(|anchor| anchor.root.is_some());
    let further = batch.more_anchors.iter().filter(|(of, _)| *of as usize == row).map(|(_, anchor)| *anchor);
    first.into_iter().chain(further).collect()
}
