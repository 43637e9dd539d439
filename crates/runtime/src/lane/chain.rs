//! A chain: a head and the bolts that its batches are handed to by reference, within one lane.
//!
//! One step runs one node over a stretch of rows, the deepest node that has rows left first, so a node appends to a stream
//! only when everyone in the chain is done with what it appended before. Between steps full batches can leave. A chain is
//! synchronous and takes its time as an argument: whoever drives it awaits.

use std::sync::Arc;

use squall_engine::ledger::FailureKind;
use squall_types::{Batch, Mark, OwnedTuple, Schema, TaskId, Timestamp};

use super::acks::AckOut;
use super::control::Control;
use super::node::{Node, Stretch};
use super::run::Run;
use super::senders::Senders;
use super::target::{Blocked, FlushPolicy};
use super::ways::{Follower, Ways};
use super::work::{Places, Rows};
use crate::api::{Failure, TaskInfo};
use crate::clock::Clock;
use crate::token::Returns;

/// One of the head's inputs.
pub struct Intake {
    /// Its stream.
    pub schema: Arc<Schema>,
    /// By sending lane: the tasks there, as far as they are known here.
    senders: Vec<Arc<[TaskId]>>,
    /// All that there are.
    all: Arc<Senders>,
}

impl Intake {
    /// An input that these lanes send to.
    pub fn new(schema: Arc<Schema>, all: Arc<Senders>) -> Self {
        Self { schema, senders: all.tasks_from(0), all }
    }

    #[cold]
    fn refresh(&mut self) {
        self.senders.extend(self.all.tasks_from(self.senders.len()));
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It ran a stretch; there may be more.
    Ran,
    /// A task starts again no earlier than this, in nanoseconds; the rows wait.
    Restarting(u64),
    /// All rows are done.
    Idle,
}

/// The nodes of a lane, parents before children.
pub struct Chain {
    pub nodes: Vec<Node>,
    /// For each node but the head: the node and the stream that it takes.
    parents: Vec<Option<(usize, usize)>>,
    pub run: Run,
    pub acks: AckOut,
    intakes: Vec<Intake>,
    batch: Option<Batch>,
    /// Where tasks are to be found, in a slot that isn't alone.
    ways: Option<Follower>,
    /// When the step before ended: the next one's beginning.
    last_ns: u64,
    sent_ns: u64,
    /// Time spent on the head rows since the batch began.
    spent_ns: u64,
    turn: usize,
}

impl Chain {
    /// A chain of these nodes. `parents[0]` is `None`: the head.
    pub fn new(
        nodes: Vec<Node>,
        parents: Vec<Option<(usize, usize)>>,
        intakes: Vec<Intake>,
        acks: AckOut,
        returns: Arc<Returns>,
        clock: Clock,
    ) -> Self {
        Self {
            nodes,
            parents,
            run: Run::new(clock, returns),
            acks,
            intakes,
            batch: None,
            ways: None,
            last_ns: 0,
            sent_ns: 0,
            spent_ns: 0,
            turn: 0,
        }
    }

    /// Follows changes of where tasks are.
    #[must_use]
    pub fn following(mut self, ways: Follower) -> Self {
        self.ways = Some(ways);
        self
    }

    /// Takes the ways that hold now: what is filled for a task goes where the task is.
    #[inline]
    pub fn follow_ways(&mut self) {
        if let Some(ways) = self.ways.as_mut().and_then(Follower::newer) {
            self.take_ways(&ways);
        }
    }

    #[cold]
    fn take_ways(&mut self, ways: &Ways) {
        self.nodes.iter_mut().for_each(|node| node.outputs.reroute(ways, self.last_ns));
        self.acks.reroute(ways.acks.clone());
    }

    /// Makes sure that a batch's sender is known. To be called before anything is asked of the batch.
    #[inline]
    pub fn meet(&mut self, batch: &Batch) {
        let intake = &mut self.intakes[usize::from(batch.input)];
        if usize::from(batch.sender) >= intake.senders.len() {
            intake.refresh();
        }
    }

    /// The tasks of a sender that was met.
    pub fn senders(&self, input: u16, sender: u16) -> &[TaskId] {
        &self.intakes[usize::from(input)].senders[usize::from(sender)]
    }

    /// Prepares all bolts.
    ///
    /// # Errors
    /// The first task that can't be, with what it said.
    pub fn prepare(&mut self) -> Result<(), (TaskInfo, Failure)> {
        self.nodes.iter_mut().try_for_each(|node| node.prepare(&self.run.clock))
    }

    /// Says that time begins to count: the lane has waited.
    pub fn wake(&mut self) -> u64 {
        self.last_ns = self.run.clock.now_ns();
        self.last_ns
    }

    /// The time at the end of the last step.
    pub fn now_ns(&self) -> u64 {
        self.last_ns
    }

    /// Takes a batch to work on. The one before is done.
    pub fn begin(&mut self, mut batch: Batch) {
        std::mem::swap(&mut self.run.heads.anchors, &mut batch.anchors);
        std::mem::swap(&mut self.run.heads.more, &mut batch.more_anchors);
        self.sent_ns = batch.sent_ns;
        self.spent_ns = 0;
        self.nodes[0].cursor = 0;
        self.batch = Some(batch);
    }

    /// The head's spouts were called, from `began_ns` on: routes what goes out at once. Returns the time.
    pub fn spout_called(&mut self, began_ns: u64) -> u64 {
        self.sent_ns = began_ns;
        self.last_ns = self.run.clock.now_ns();
        let head = &mut self.nodes[0];
        head.route(self.last_ns, &mut self.acks, false);
        self.last_ns
    }

    /// Gives the batch back, once all rows are done and acked: with its rows, for their credit.
    pub fn end(&mut self) -> Option<Batch> {
        self.run.heads.settle(&mut self.acks);
        self.acks.touch(self.last_ns);
        let mut batch = self.batch.take()?;
        std::mem::swap(&mut self.run.heads.anchors, &mut batch.anchors);
        std::mem::swap(&mut self.run.heads.more, &mut batch.more_anchors);
        Some(batch)
    }

    /// What a head row has cost since the batch began, with everything that the chain made of it; `None` without rows, and
    /// under simulated time, where work takes none and shuffles would else take every bolt for an infinitely fast one.
    pub fn head_row_cost_ns(&self, rows: usize) -> Option<u32> {
        (rows > 0 && self.spent_ns > 0).then(|| u32::try_from(self.spent_ns / rows as u64).unwrap_or(u32::MAX).max(1))
    }

    fn rows_left(&self, node: usize) -> usize {
        let rows = match self.parents[node] {
            Some((parent, stream)) => self.nodes[parent].outputs.streams[stream].rows,
            None => self.batch.as_ref().map_or(0, |batch| batch.rows),
        };
        rows as usize - self.nodes[node].cursor.min(rows as usize)
    }

    /// Runs a stretch of the deepest node that has rows.
    pub fn step(&mut self) -> Step {
        let Some(node) = (0..self.nodes.len()).rev().find(|node| self.rows_left(*node) > 0) else {
            for node in 0..self.nodes.len() {
                self.retire(node);
            }
            return Step::Idle;
        };
        self.retire(node);
        let began = self.last_ns;
        self.run.began_ns = began;
        self.nodes[node].metrics.run_begins(began);
        let stretch = match self.parents[node] {
            None => self.run_head(began),
            Some((parent, stream)) => self.run_chained(node, parent, stream, began),
        };
        self.last_ns = self.run.clock.now_ns();
        let spent = self.last_ns - began;
        self.spent_ns += spent;
        let node = &mut self.nodes[node];
        node.metrics.run_ends(self.last_ns);
        node.route(self.last_ns, &mut self.acks, false);
        node.book(spent, Some(self.sent_ns), self.last_ns);
        match stretch {
            Stretch::Restarting(until) => {
                self.settle_done();
                Step::Restarting(until)
            }
            Stretch::Done | Stretch::Full => Step::Ran,
        }
    }

    /// A task waits to start again: what is known of the rows before it isn't kept waiting. Where other bolts are chained behind the
    /// head, they may still have rows of these.
    fn settle_done(&mut self) {
        if let [head] = &*self.nodes {
            self.run.heads.settle_before(head.cursor, &mut self.acks);
            self.acks.touch(self.last_ns);
        }
    }

    /// The chain is done with what a node appended: sends on what also leaves, and makes room.
    fn retire(&mut self, node: usize) {
        let chained = |stream: &super::outputs::OutStream| stream.rows > 0 && !stream.chained.is_empty();
        if !self.nodes[node].outputs.streams.iter().any(chained) {
            return;
        }
        let children: Vec<usize> =
            self.nodes[node].outputs.streams.iter().flat_map(|stream| stream.chained.iter().copied()).collect();
        self.nodes[node].route(self.last_ns, &mut self.acks, true);
        for child in children {
            self.nodes[child].cursor = 0;
        }
    }

    fn run_head(&mut self, began: u64) -> Stretch {
        let Some(batch) = &self.batch else { return Stretch::Done };
        let intake = &self.intakes[usize::from(batch.input)];
        let sources = &intake.senders[usize::from(batch.sender)];
        let places =
            if batch.routes.is_empty() { Places::One(sources[0]) } else { Places::Routed(&batch.routes, sources) };
        let rows = Rows { values: &batch.values, schema: &intake.schema, rows: batch.rows as usize, places };
        self.run.began_ns = began;
        self.nodes[0].run(&rows, &mut self.run, &mut self.acks)
    }

    fn run_chained(&mut self, node: usize, parent: usize, stream: usize, began: u64) -> Stretch {
        let (parents, rest) = self.nodes.split_at_mut(node);
        let parent = &parents[parent];
        let stream = &parent.outputs.streams[stream];
        let node = &mut rest[0];
        self.turn += 1;
        let task = u16::try_from(self.turn % node.tasks.len()).expect("tasks fit u16");
        let places = Places::Chained(task, &stream.heads, &stream.sources, &parent.outputs.task_ids);
        let rows = Rows { values: &stream.values, schema: &stream.schema, rows: stream.rows as usize, places };
        self.run.began_ns = began;
        node.run(&rows, &mut self.run, &mut self.acks)
    }

    /// Sends what the policy asks for. Says whom it couldn't send to.
    pub fn flush(&mut self, policy: FlushPolicy) -> Option<Blocked> {
        let now_ns = self.last_ns;
        let mut blocked = None;
        for node in &mut self.nodes {
            if let Some(at) = node.flush(now_ns, policy) {
                blocked = Some(at);
            }
        }
        match policy {
            FlushPolicy::All => self.acks.flush(now_ns, true, 0),
            FlushPolicy::Older(age) => self.acks.flush(now_ns, false, age),
        }
        blocked
    }

    /// Starts a node's panicked tasks again. Says when to try again if one has to wait.
    pub fn restart(&mut self, node: usize) -> Option<u64> {
        self.nodes[node].restart(&self.run.clock, self.last_ns)
    }

    /// Gives one node's tasks a tick; all run. Its rows are for [`step`](Self::step).
    pub fn tick(&mut self, node: usize) {
        let began = self.last_ns;
        self.run.began_ns = began;
        self.nodes[node].tick(&mut self.run, &mut self.acks);
        self.called(node, began);
    }

    /// Tells one node's tasks of the watermark; all run.
    pub fn watermark(&mut self, node: usize, to: Timestamp) {
        let began = self.last_ns;
        self.run.began_ns = began;
        self.nodes[node].watermark(to, &mut self.run, &mut self.acks);
        self.called(node, began);
    }

    fn called(&mut self, node: usize, began: u64) {
        self.last_ns = self.run.clock.now_ns();
        let node = &mut self.nodes[node];
        node.route(self.last_ns, &mut self.acks, false);
        node.book(self.last_ns - began, None, self.last_ns);
    }

    /// Puts a mark on every edge that leaves, behind everything. All that came before has been flushed.
    pub fn mark(&mut self, mark: Mark) {
        for node in &mut self.nodes {
            node.outputs.mark(mark);
        }
    }

    /// Acks and fails what tokens say.
    pub fn take_returns(&mut self) {
        let said = self.run.returns.take();
        said.extended.into_iter().for_each(|root| self.acks.extend(root));
        for returned in said.returned {
            for anchor in &returned.anchors {
                if returned.acked {
                    self.acks.ack(*anchor);
                } else {
                    self.acks.fail(anchor.root, FailureKind::Failed);
                }
            }
            let node = &self.nodes[usize::from(returned.node)];
            let mut metrics = node.metrics.tasks();
            let Some(task) = returned.task.and_then(|task| metrics.get_mut(usize::from(task))) else { continue };
            if returned.acked {
                task.acked += 1;
                task.process.record(self.last_ns.saturating_sub(returned.taken_ns), 1);
            } else {
                task.failed += 1;
            }
        }
        self.acks.touch(self.last_ns);
    }

    /// Books time that the lane has waited for a receiver with room.
    pub fn add_blocked_ns(&self, ns: u64) {
        self.nodes.iter().for_each(|node| node.metrics.add_blocked_ns(ns));
    }

    /// A copy of a row of a batch, and the task that it is for.
    pub fn own_row(&self, batch: &Batch, row: usize) -> (OwnedTuple, u16) {
        let intake = &self.intakes[usize::from(batch.input)];
        let route = batch.route(row);
        let source = intake.senders[usize::from(batch.sender)][usize::from(route.source)];
        (OwnedTuple::new(batch.row(row).into(), intake.schema.clone(), source, route.group), route.task)
    }

    /// Kills the bolts' tasks that someone wants killed.
    pub fn follow_kills(&mut self, control: &Control) {
        let owns = |task| self.nodes.iter().any(|node| node.tasks.iter().any(|cell| cell.info.task == task));
        for task in control.take_kills(owns) {
            for node in &mut self.nodes {
                if let Some(index) = node.tasks.iter().position(|cell| cell.info.task == task) {
                    node.kill(index, &self.run.clock);
                }
            }
        }
    }

    /// Ends all bolts in an orderly way.
    pub fn cleanup(&mut self) {
        self.nodes.iter_mut().for_each(Node::cleanup);
    }
}
