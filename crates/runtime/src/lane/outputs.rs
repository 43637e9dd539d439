//! What a component emits: appended row by row, then routed as a whole batch.
//!
//! Emitting only appends, so what a failed call emitted can be withdrawn by cutting the columns. Routing is a pass over all
//! rows of a run: it moves each row to the batch of the lane that it goes to, and copies it only where it has several
//! receivers. The edges of a row's copies XOR to the edge that was drawn when it was emitted, so routing needs no ack record.

use std::sync::Arc;

use squall_engine::edges::EdgeIds;
use squall_types::{Anchor, EdgeId, IntoRow, Mark, RootId, RowWriter, Schema, TaskId, Timestamp, Value};

use super::acks::AckOut;
use super::edge::Edge;
use super::heads::{Heads, NO_HEAD};
use super::moving::Chosen;
use super::router::Router;
use super::target::{Blocked, FlushPolicy};
use super::ways::Ways;
use crate::api::{EmitError, RouteError, StreamHandle};
use crate::tap::Tap;

/// Rows at which a batch is full.
pub const BATCH: usize = 512;
/// Bytes at which a batch is full.
pub const BATCH_BYTES: usize = 1 << 20;

/// One output stream's rows, until they are routed.
pub struct OutStream {
    pub schema: Arc<Schema>,
    /// Values a row.
    width: usize,
    pub direct: bool,
    pub rows: u32,
    /// Rows when the current call began: a failed call's are cut back to here.
    mark: u32,
    pub values: Vec<Value>,
    pub heap_bytes: usize,
    /// One a row, if tuples are tracked and the stream leaves the chain.
    pub anchors: Vec<Anchor>,
    pub more_anchors: Vec<(u32, Anchor)>,
    /// One a row, if tuples are tracked and the stream stays within the chain: which head row it belongs to.
    pub heads: Vec<u32>,
    /// One a row, if the component has several tasks here.
    pub sources: Vec<u16>,
    /// Where rows go by their keys: kept between runs for its buffer.
    pub chosen: Vec<Chosen>,
    /// Receivers that the emitter named: a row, an edge, and a task of its consumer.
    pub named: Vec<(u32, u16, u16)>,
    /// Rows that a grouping has failed, until the node keeps the errors: the emitting task, and what was wrong.
    pub misrouted: Vec<(u16, RouteError)>,
    /// Edges that leave the chain.
    pub edges: Vec<Edge>,
    /// Chained bolts that take this stream, as indices into the chain's nodes.
    pub chained: Vec<usize>,
    /// The time of the oldest row that waits here, where rows wait.
    since_ns: u64,
    /// Rows that the tap has seen.
    tapped: u32,
}

impl OutStream {
    /// A stream without rows.
    pub fn new(schema: Arc<Schema>, direct: bool, edges: Vec<Edge>, chained: Vec<usize>) -> Self {
        Self {
            width: schema.fields().len(),
            schema,
            direct,
            rows: 0,
            mark: 0,
            values: Vec::new(),
            heap_bytes: 0,
            anchors: Vec::new(),
            more_anchors: Vec::new(),
            heads: Vec::new(),
            sources: Vec::new(),
            chosen: Vec::new(),
            named: Vec::new(),
            misrouted: Vec::new(),
            edges,
            chained,
            since_ns: u64::MAX,
            tapped: 0,
        }
    }

    /// Rows go to one task and nothing about them depends on the row: the columns are handed over as they are.
    fn passes_through(&self) -> bool {
        self.chained.is_empty() && self.edges.len() == 1 && self.edges[0].takes_all()
    }

    /// Rows handed over within the chain count as sent, like any others.
    fn count_chained(&self, count: &mut impl FnMut(u16, u64)) {
        let takers = self.chained.len() as u64;
        if takers > 0 && self.sources.is_empty() {
            count(0, takers * u64::from(self.rows));
        } else if takers > 0 {
            self.sources.iter().for_each(|source| count(*source, takers));
        }
    }

    fn clear(&mut self) {
        self.rows = 0;
        super::moving::empty(&mut self.values, self.heap_bytes);
        self.heap_bytes = 0;
        self.anchors.clear();
        self.more_anchors.clear();
        self.heads.clear();
        self.sources.clear();
        self.named.clear();
        self.since_ns = u64::MAX;
        self.tapped = 0;
    }

    /// Shows the tap what it hasn't seen. A call's rows are cut only while the call runs, and seen only after it.
    #[cold]
    fn show(&mut self, tap: &dyn Tap, tasks: &[TaskId], now_ns: u64) {
        for row in std::mem::replace(&mut self.tapped, self.rows) as usize..self.rows as usize {
            let values = &self.values[row * self.width..][..self.width];
            let source = self.sources.get(row).copied().unwrap_or(0);
            tap.emitted(tasks[usize::from(source)], &self.schema, values, now_ns);
        }
    }

    fn cut(&mut self, acks: &mut AckOut) {
        let rows = self.mark as usize;
        self.rows = self.mark;
        for value in self.values.drain(rows * self.width..) {
            self.heap_bytes -= value.heap_bytes();
        }
        if self.anchors.len() > rows {
            self.anchors.drain(rows..).for_each(|anchor| acks.ack(anchor));
        }
        while self.more_anchors.last().is_some_and(|(row, _)| *row >= self.mark) {
            self.more_anchors.pop().into_iter().for_each(|(_, anchor)| acks.ack(anchor));
        }
        self.named.retain(|(row, _, _)| *row < self.mark);
        self.heads.truncate(rows);
        self.sources.truncate(rows);
    }
}

/// Whom an emitted row is anchored to.
pub struct Origin<'a> {
    /// The head row, or [`NO_HEAD`].
    pub head: u32,
    /// Its root.
    pub root: RootId,
    /// The XOR of the edges that the current call has made below it.
    pub sum: &'a mut EdgeId,
    /// The head row's further roots, with the sums of their edges.
    pub more: &'a mut [Anchor],
    /// The emitting task, as an index into the node's tasks.
    pub source: u16,
}

impl Origin<'_> {
    /// The same origin, for one more row.
    pub fn again(&mut self) -> Origin<'_> {
        Origin { head: self.head, root: self.root, sum: self.sum, more: self.more, source: self.source }
    }
}

/// All of a component's output streams in one lane.
pub struct Outputs {
    pub streams: Vec<OutStream>,
    pub ids: EdgeIds,
    /// The tasks that emit here.
    pub task_ids: Arc<[TaskId]>,
    tracked: bool,
    several_tasks: bool,
    /// Rows appended since the run began.
    pub appended: usize,
    /// The first thing that the current call emitted wrongly.
    pub error: Option<Box<EmitError>>,
    /// Nobody takes the streams, so any task may be named as a receiver: a harness's.
    pub lead_nowhere: bool,
    /// Sees what is emitted.
    pub tap: Option<Arc<dyn Tap>>,
    /// The watermark that was sent last: who is new among the receivers gets it first.
    watermark: Option<Timestamp>,
}

impl Outputs {
    /// The outputs of a component with these streams.
    pub fn new(streams: Vec<OutStream>, ids: EdgeIds, tracked: bool, task_ids: Arc<[TaskId]>) -> Self {
        let several_tasks = task_ids.len() > 1;
        Self {
            streams,
            ids,
            task_ids,
            tracked,
            several_tasks,
            appended: 0,
            error: None,
            lead_nowhere: false,
            tap: None,
            watermark: None,
        }
    }

    /// Says that a call begins: what it emits can be withdrawn.
    #[inline]
    pub fn begin(&mut self) {
        // Most components have one stream or none: a loop would cost them more than its body.
        match &mut *self.streams {
            [] => {}
            [only] => only.mark = only.rows,
            all => all.iter_mut().for_each(|stream| stream.mark = stream.rows),
        }
    }

    /// Rows that the current call has emitted.
    #[inline]
    pub fn emitted(&self) -> u32 {
        self.streams.iter().map(|stream| stream.rows - stream.mark).sum()
    }

    /// Bytes that rows which wait here hold.
    pub fn held_bytes(&self) -> usize {
        self.streams.iter().map(|stream| stream.heap_bytes).sum()
    }

    /// Whether enough rows or bytes wait here to be routed first.
    #[inline]
    pub fn is_full(&self) -> bool {
        let heavy = |stream: &OutStream| stream.heap_bytes >= BATCH_BYTES;
        self.appended >= BATCH
            || match &*self.streams {
                [] => false,
                [only] => heavy(only),
                all => all.iter().any(heavy),
            }
    }

    /// Takes back what the current call emitted. Edges that it made below other roots are acked, so they cancel.
    #[cold]
    pub fn withdraw(&mut self, acks: &mut AckOut) {
        self.appended -= self.emitted() as usize;
        for stream in &mut self.streams {
            stream.cut(acks);
        }
        self.error = None;
    }

    /// Appends a row, on a direct stream to the task that is named.
    pub fn append_to<R: IntoRow>(
        &mut self,
        handle: StreamHandle,
        to: Option<TaskId>,
        row: R,
        origin: &mut Origin<'_>,
    ) -> Option<usize> {
        let index = self.append(handle, row, to.is_some(), || origin.again())?;
        if let Some(to) = to {
            self.name_receiver(handle, index, to);
        }
        Some(index)
    }

    /// Names the task that gets a row just appended on a direct stream.
    fn name_receiver(&mut self, handle: StreamHandle, row: usize, to: TaskId) {
        let Some(stream) = self.streams.get_mut(handle.index()) else { return };
        let row = u32::try_from(row).expect("rows fit u32");
        let before = stream.named.len();
        for (index, edge) in stream.edges.iter().enumerate() {
            if let Some(task) = edge.tasks.iter().position(|task| *task == to) {
                let index = u16::try_from(index).expect("edges fit u16");
                stream.named.push((row, index, u16::try_from(task).expect("tasks fit u16")));
            }
        }
        if stream.named.len() == before && !self.lead_nowhere {
            let name = stream.schema.stream().to_string();
            self.error.get_or_insert_with(|| Box::new(EmitError::NoSuchReceiver { stream: name, task: to.get() }));
        }
    }

    /// Appends a row; `direct` says that it names its receiver. Wrong rows are remembered, and fail the call.
    ///
    /// The origin is asked for only where something of it is kept: at most once, with one task, nothing is.
    #[inline(always)]
    pub fn append<'o, R: IntoRow>(
        &mut self,
        handle: StreamHandle,
        row: R,
        direct: bool,
        origin: impl FnOnce() -> Origin<'o>,
    ) -> Option<usize> {
        let Some(stream) = self.streams.get_mut(handle.index()) else {
            return self.refuse(EmitError::NoSuchStream { stream: handle.index() });
        };
        if stream.direct != direct {
            let error = EmitError::Directness { stream: stream.schema.stream().to_string(), direct: stream.direct };
            return self.refuse(error);
        }
        if let Some(fields) = R::fields()
            && !stream.schema.matches(fields)
        {
            let error = EmitError::other_fields(&stream.schema, fields);
            return self.refuse(error);
        }
        let before = stream.values.len();
        row.write(&mut RowWriter::new(&mut stream.values, &mut stream.heap_bytes));
        let written = stream.values.len() - before;
        if written != stream.width {
            for value in stream.values.drain(before..) {
                stream.heap_bytes -= value.heap_bytes();
            }
            let error = EmitError::wrong_width(&stream.schema, written);
            return self.refuse(error);
        }
        let index = stream.rows as usize;
        stream.rows += 1;
        self.appended += 1;
        if self.several_tasks || self.tracked {
            let mut origin = origin();
            if self.several_tasks {
                stream.sources.push(origin.source);
            }
            if self.tracked {
                Self::anchor(stream, &mut self.ids, &mut origin);
            }
        }
        Some(index)
    }

    /// Whether a row of these fields may go to a stream; if not, the call has failed.
    pub fn accepts(&mut self, handle: StreamHandle, fields: Option<&'static [&'static str]>) -> bool {
        let Some(stream) = self.streams.get(handle.index()) else {
            self.refuse(EmitError::NoSuchStream { stream: handle.index() });
            return false;
        };
        match fields {
            Some(fields) if !stream.schema.matches(fields) => {
                let error = EmitError::other_fields(&stream.schema, fields);
                self.refuse(error);
                false
            }
            _ => true,
        }
    }

    /// Whether bolts of the chain take this stream.
    #[inline]
    pub fn is_chained(&self, handle: StreamHandle) -> bool {
        self.streams.get(handle.index()).is_some_and(|stream| !stream.chained.is_empty())
    }

    /// Whether anybody takes this stream.
    pub fn has_takers(&self, handle: StreamHandle) -> bool {
        let takes = |stream: &OutStream| !stream.chained.is_empty() || !stream.edges.is_empty();
        self.streams.get(handle.index()).is_some_and(takes)
    }

    /// Inlined, for else the origin must lie in memory: written for each row, also where nothing is tracked.
    #[inline(always)]
    fn anchor(stream: &mut OutStream, ids: &mut EdgeIds, origin: &mut Origin<'_>) {
        if !stream.chained.is_empty() {
            stream.heads.push(origin.head);
        }
        if stream.edges.is_empty() {
            return;
        }
        if origin.root.is_some() {
            let edge = ids.next();
            *origin.sum ^= edge;
            stream.anchors.push(Anchor { root: origin.root, edge });
        } else {
            stream.anchors.push(Anchor::NONE);
        }
        if !origin.more.is_empty() {
            Self::anchor_more(stream, ids, origin.more);
        }
    }

    #[cold]
    fn anchor_more(stream: &mut OutStream, ids: &mut EdgeIds, more: &mut [Anchor]) {
        for more in more {
            let edge = ids.next();
            more.edge ^= edge;
            stream.more_anchors.push((stream.rows - 1, Anchor { root: more.root, edge }));
        }
    }

    /// Anchors the row at `index` to one more edge, already accounted for below its root.
    pub fn anchor_also(&mut self, handle: StreamHandle, index: usize, mut anchors: Vec<Anchor>, heads: &mut Heads) {
        let stream = &mut self.streams[handle.index()];
        if !self.tracked || anchors.is_empty() {
            return;
        }
        if !stream.chained.is_empty() {
            // The chain knows one head a row: the joined row gets a head of its own, which is done when the chain is.
            let own = stream.heads[index];
            let below = if own == NO_HEAD { Vec::new() } else { heads.branch(own, &mut self.ids) };
            let mut within = anchors.iter().copied().chain(below).collect::<Vec<_>>();
            if !stream.edges.is_empty() {
                // The copies that leave share each edge with the one that stays.
                for (stays, leaves) in within.iter_mut().zip(&mut anchors) {
                    leaves.edge = self.ids.next();
                    stays.edge ^= leaves.edge;
                }
            }
            stream.heads[index] = heads.add(&within);
        }
        if stream.edges.is_empty() {
            return;
        }
        for anchor in anchors {
            if stream.anchors[index].root.is_some() {
                stream.more_anchors.push((u32::try_from(index).expect("rows fit u32"), anchor));
            } else {
                stream.anchors[index] = anchor;
            }
        }
    }

    #[cold]
    fn refuse(&mut self, error: EmitError) -> Option<usize> {
        self.error.get_or_insert_with(|| Box::new(error));
        None
    }

    /// Routes what was appended on streams that nobody in the chain takes, and with `chained_too` on all: then the chain must
    /// be done with them. `count` is told how many copies a task sent.
    pub fn route(&mut self, now_ns: u64, acks: &mut AckOut, chained_too: bool, mut count: impl FnMut(u16, u64)) {
        if let Some(tap) = &self.tap {
            self.streams.iter_mut().for_each(|stream| stream.show(&**tap, &self.task_ids, now_ns));
        }
        for stream in &mut self.streams {
            if stream.rows == 0 || !stream.chained.is_empty() && !chained_too {
                continue;
            }
            stream.count_chained(&mut count);
            if stream.passes_through() {
                if stream.since_ns == u64::MAX {
                    stream.since_ns = now_ns;
                }
                if stream.rows as usize >= BATCH {
                    Self::hand_over(stream, now_ns, &mut count);
                }
                continue;
            }
            super::scatter::scatter(stream, &mut self.ids, self.tracked, now_ns, acks, &mut count);
            stream.clear();
        }
        self.appended = 0;
    }

    /// Whether a grouping has failed rows, whose errors are to be kept.
    pub fn has_misrouted(&self) -> bool {
        self.streams.iter().any(|stream| !stream.misrouted.is_empty())
    }

    fn hand_over(stream: &mut OutStream, now_ns: u64, count: &mut impl FnMut(u16, u64)) {
        let since = if stream.since_ns == u64::MAX { now_ns } else { stream.since_ns };
        let target = &mut stream.edges[0].targets[0];
        if target.batch.rows > 0 {
            // The last one hasn't left: the lane waits for it before it runs again.
            return;
        }
        let batch = &mut target.batch;
        std::mem::swap(&mut batch.values, &mut stream.values);
        std::mem::swap(&mut batch.anchors, &mut stream.anchors);
        std::mem::swap(&mut batch.more_anchors, &mut stream.more_anchors);
        count(0, u64::from(stream.rows));
        batch.rows = stream.rows;
        batch.heap_bytes = stream.heap_bytes;
        target.since_ns = since;
        stream.clear();
    }

    /// Sends what the policy asks for. Says whom it couldn't send to. When everything is sent, shuffles begin anew, so that
    /// receivers take turns row by row while rows come one by one.
    pub fn flush(&mut self, now_ns: u64, policy: FlushPolicy, mut count: impl FnMut(u16, u64)) -> Option<Blocked> {
        let mut blocked = None;
        for stream in &mut self.streams {
            loop {
                let waiting = stream.rows > 0 && stream.passes_through();
                let leaves = waiting && policy.wants(stream.rows, stream.heap_bytes, stream.since_ns, now_ns);
                if leaves {
                    Self::hand_over(stream, now_ns, &mut count);
                }
                // A younger batch that couldn't leave before stands in the way of the columns.
                let policy = if leaves { FlushPolicy::All } else { policy };
                for edge in &mut stream.edges {
                    if let (FlushPolicy::All, Router::Shuffle(dealer)) = (policy, &mut edge.router) {
                        dealer.end_run();
                    }
                    for target in &mut edge.targets {
                        blocked = target.flush(now_ns, policy).or(blocked);
                    }
                }
                // Columns that couldn't be handed over, as the batch before hadn't left, may be now.
                if !leaves || stream.rows == 0 || blocked.is_some() {
                    break;
                }
            }
        }
        blocked
    }

    /// Puts a mark behind everything on every edge that marks cross. The caller has routed, and flushed what came before.
    pub fn mark(&mut self, mark: Mark) {
        if let Mark::Watermark(to) = mark {
            self.watermark = Some(to);
        }
        for stream in &mut self.streams {
            for edge in stream.edges.iter_mut().filter(|edge| !edge.feedback) {
                // Who isn't to be found is told later, when it is.
                for target in edge.targets.iter_mut().filter(|target| !target.held) {
                    debug_assert!(target.batch.is_empty(), "a mark closes what was flushed");
                    target.batch.mark = Some(mark);
                }
            }
        }
    }

    /// Tasks are elsewhere from now on: what is filled for them, or waits to be routed, goes there.
    #[cold]
    pub fn reroute(&mut self, ways: &Ways, now_ns: u64) {
        for stream in &mut self.streams {
            let width = stream.width;
            stream.edges.iter_mut().for_each(|edge| edge.reroute(ways, width, self.watermark, now_ns));
        }
    }
}
