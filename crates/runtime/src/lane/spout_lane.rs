//! The lane of a spout: takes acks, lets roots time out, calls the spouts, drives the chain behind them.

use std::sync::Arc;

use squall_engine::marks::Watermarks;
use squall_types::{Mark, Timestamp};

use super::acks::AckBatch;
use super::bolt_lane::{MAX_AGE_NS, Tick};
use super::chain::{Chain, Step};
use super::control::{Control, Phase};
use super::run::Run;
use super::spout_cell::{Due, SpoutCell, SpoutEnv};
use super::target::FlushPolicy;
use crate::api::{Failure, TaskInfo};
use crate::inbox::{Inbox, Parcel};

/// A lane lets others run after this much work.
const TURN_NS: u64 = 100_000;
/// Figures are written at least this often.
const BOOK_NS: u64 = 50_000_000;

/// Awaits for spouts and the chain behind them.
pub struct SpoutLane {
    chain: Chain,
    inbox: Arc<Inbox<AckBatch>>,
    control: Arc<Control>,
    cells: Vec<Box<dyn SpoutCell>>,
    watermarks: Watermarks,
    ticks: Vec<Tick>,
    active: bool,
    ended: bool,
    /// Losses that the ledgers know of.
    losses: usize,
    turn_began_ns: u64,
    booked_ns: u64,
}

impl SpoutLane {
    /// A lane whose spouts are open and whose bolts are prepared.
    pub fn new(
        chain: Chain,
        inbox: Arc<Inbox<AckBatch>>,
        control: Arc<Control>,
        cells: Vec<Box<dyn SpoutCell>>,
        ticks: Vec<Tick>,
    ) -> Self {
        let watermarks = Watermarks::new(cells.len());
        control.add_spout_lane();
        Self {
            chain,
            inbox,
            control,
            cells,
            watermarks,
            ticks,
            active: false,
            ended: false,
            losses: 0,
            turn_began_ns: 0,
            booked_ns: 0,
        }
    }

    /// Prepares the chained bolts and opens the spouts.
    ///
    /// # Errors
    /// The first task that can't be, with what it said.
    pub fn prepare(&mut self) -> Result<(), (TaskInfo, Failure)> {
        self.chain.prepare()?;
        for cell in &mut self.cells {
            cell.open(&self.chain.run.clock).map_err(|failure| (cell.info().clone(), failure))?;
        }
        Ok(())
    }

    /// Works until the slot stops.
    pub async fn run(mut self) {
        self.wake();
        while self.control.phase() != Phase::Stopping {
            self.follow_phase();
            self.follow_kills();
            self.chain.follow_ways();
            self.take_acks();
            self.chain.take_returns();
            let called = self.call_spouts().await;
            self.tick().await;
            self.book(false);
            if called {
                self.send(FlushPolicy::Older(MAX_AGE_NS)).await;
                self.breathe().await;
            } else {
                self.rest().await;
            }
        }
        self.cells.iter_mut().for_each(|cell| cell.close());
        self.book(true);
        self.chain.cleanup();
        self.inbox.close();
    }

    fn wake(&mut self) {
        self.turn_began_ns = self.chain.wake();
    }

    fn follow_phase(&mut self) {
        let active = self.control.phase() == Phase::Active;
        if active != self.active {
            self.active = active;
            for cell in &mut self.cells {
                if active { cell.activate() } else { cell.deactivate() }
            }
        }
    }

    fn follow_kills(&mut self) {
        self.chain.follow_kills(&self.control);
        for task in self.control.take_kills(|task| self.cells.iter().any(|cell| cell.task() == task)) {
            let Chain { nodes, run: Run { heads, clock, .. }, acks, .. } = &mut self.chain;
            let now_ns = clock.now_ns();
            let mut env = SpoutEnv { outputs: &mut nodes[0].outputs, heads, acks, clock, now_ns };
            self.cells.iter_mut().filter(|cell| cell.task() == task).for_each(|cell| cell.kill(&mut env));
        }
    }

    /// Takes the acks that have come, and lets roots time out whose time has come.
    fn take_acks(&mut self) {
        let now_ns = self.chain.now_ns();
        while let Some(batch) = self.inbox.take() {
            let (rows, bytes) = (batch.rows(), batch.bytes());
            self.apply(&batch, now_ns);
            self.inbox.done(rows, bytes, batch);
        }
        self.cells.iter_mut().for_each(|cell| cell.expire(now_ns));
        self.follow_losses(now_ns);
    }

    /// Gives up the roots that may have been lost with another slot. The acks that came before that was known have been taken.
    fn follow_losses(&mut self, now_ns: u64) {
        for spouts in self.control.losses_since(self.losses) {
            self.losses += 1;
            let lost = self.cells.iter_mut().filter(|cell| spouts.contains(&cell.info().component));
            lost.for_each(|cell| cell.lose(now_ns));
        }
    }

    fn apply(&mut self, batch: &AckBatch, now_ns: u64) {
        // Before the rest: a root that is done in the same batch must not count as one that is extended too late.
        for root in &batch.extended {
            if let Some(cell) = self.cells.iter_mut().find(|cell| cell.task() == root.task()) {
                cell.extend(*root, now_ns);
            }
        }
        if let [cell] = &mut *self.cells {
            cell.ack(&batch.acked, now_ns);
        } else {
            for run in batch.acked.chunk_by(|a, b| a.0.task() == b.0.task()) {
                if let Some(cell) = self.cells.iter_mut().find(|cell| cell.task() == run[0].0.task()) {
                    cell.ack(run, now_ns);
                }
            }
        }
        for (root, kind) in &batch.failed {
            if let Some(cell) = self.cells.iter_mut().find(|cell| cell.task() == root.task()) {
                cell.fail(*root, *kind);
            }
        }
    }

    /// Calls every spout that may emit, once. Says whether there was one.
    async fn call_spouts(&mut self) -> bool {
        let mut called = false;
        for index in 0..self.cells.len() {
            if !self.active || self.control.holds_spouts() {
                break;
            }
            let now_ns = self.chain.now_ns();
            let cell = &mut self.cells[index];
            let woken = cell.take_call();
            let due = match cell.due() {
                Due::Now => true,
                Due::At(ns) => woken || ns <= now_ns,
                Due::After(ns) => ns <= now_ns,
                Due::OnCall => woken,
                Due::Never => false,
            };
            if !due || !cell.has_room() {
                // The call is kept until it can be answered.
                if woken {
                    cell.keep_call();
                }
                continue;
            }
            called = true;
            self.call(index).await;
        }
        self.end_input();
        called
    }

    async fn call(&mut self, index: usize) {
        let began = self.chain.now_ns();
        let cell = &mut self.cells[index];
        let Chain { nodes, run: Run { heads, clock, .. }, acks, .. } = &mut self.chain;
        let head = &mut nodes[0];
        head.metrics.run_begins(began);
        let mut env = SpoutEnv { outputs: &mut head.outputs, heads, acks, clock, now_ns: began };
        let watermark = cell.next(&mut env);
        let ended = self.chain.spout_called(began);
        self.chain.nodes[0].metrics.run_ends(ended);
        let cell = &mut self.cells[index];
        cell.add_busy_ns(ended - began);
        cell.book_counts();
        // A task that is done holds nobody up. What it said last still comes first: windows that it ends are ended one by one.
        let done = cell.is_done().then_some(Timestamp::MAX);
        if !self.pump().await {
            return;
        }
        for to in watermark.into_iter().chain(done) {
            if let Some(to) = self.watermarks.advance(index, to) {
                self.pass_mark(Mark::Watermark(to)).await;
            }
        }
    }

    /// Says so once all spouts are done: no row follows, and all have been told so.
    fn end_input(&mut self) {
        if !self.ended && self.cells.iter().all(|cell| cell.is_done()) {
            self.ended = true;
            self.control.spout_lane_ended();
        }
    }

    async fn pass_mark(&mut self, mark: Mark) {
        if let Mark::Watermark(to) = mark {
            for node in 0..self.chain.nodes.len() {
                if !self.all_run(node).await {
                    return;
                }
                self.chain.watermark(node, to);
                if !self.pump().await {
                    return;
                }
            }
        }
        self.send(FlushPolicy::All).await;
        self.chain.mark(mark);
        self.send(FlushPolicy::All).await;
    }

    /// Runs the chain until all its rows are done. Says so; the slot may stop before, and then nothing more is acked.
    async fn pump(&mut self) -> bool {
        loop {
            match self.chain.step() {
                Step::Ran => self.send(FlushPolicy::Older(MAX_AGE_NS)).await,
                Step::Restarting(until) => self.restart_later(until).await,
                Step::Idle => break,
            }
            if self.control.phase() == Phase::Stopping {
                return false;
            }
        }
        let _ = self.chain.end();
        true
    }

    /// Waits until all tasks of a node run, so that they can be called. Says so; the slot may stop before.
    async fn all_run(&mut self, node: usize) -> bool {
        while let Some(until) = self.chain.restart(node) {
            self.restart_later(until).await;
            if self.control.phase() == Phase::Stopping {
                return false;
            }
        }
        true
    }

    /// Waits until a task of the chain may start again, or the slot stops. Acks are taken and timeouts fire.
    async fn restart_later(&mut self, until_ns: u64) {
        self.send(FlushPolicy::All).await;
        while self.chain.now_ns() < until_ns && self.control.phase() != Phase::Stopping {
            let restart = self.chain.run.clock.instant(until_ns);
            let deadline = self.next_deadline().into_iter().chain([restart]).min();
            self.inbox.wait(deadline, false).await;
            self.wake();
            self.take_acks();
        }
    }

    /// Sends what the policy asks for. While it waits for room, acks are taken and timeouts fire.
    async fn send(&mut self, policy: FlushPolicy) {
        while self.chain.flush(policy).is_some() {
            let Some(blocked) = self.chain.flush(FlushPolicy::All) else { continue };
            let began = self.chain.now_ns();
            let deadline = self.next_deadline();
            // It may be for long.
            self.book(true);
            tokio::select! {
                biased;
                () = blocked.inbox.room_for(blocked.size) => {}
                () = self.inbox.wait(deadline, false) => {}
            }
            let waited = self.chain.wake() - began;
            blocked.inbox.add_blocked_ns(waited);
            self.chain.add_blocked_ns(waited);
            self.chain.follow_ways();
            self.take_acks();
        }
    }

    fn next_deadline(&self) -> Option<tokio::time::Instant> {
        let ns = self.cells.iter().filter_map(|cell| cell.next_deadline()).min();
        ns.map(|ns| self.chain.run.clock.instant(ns))
    }

    /// Sends everything and waits for something to do.
    async fn rest(&mut self) {
        self.send(FlushPolicy::All).await;
        self.book(true);
        let may_emit = self.active && !self.control.holds_spouts();
        let calls = self.cells.iter().filter_map(|cell| match cell.due() {
            Due::At(ns) | Due::After(ns) if may_emit && cell.has_room() => Some(ns),
            _ => None,
        });
        let ticks = self.ticks.iter().map(|tick| tick.next_ns);
        let next = calls.chain(ticks).min().map(|ns| self.chain.run.clock.instant(ns));
        let deadline = next.into_iter().chain(self.next_deadline()).min();
        self.inbox.wait(deadline, true).await;
        self.wake();
    }

    async fn breathe(&mut self) {
        if self.chain.now_ns().saturating_sub(self.turn_began_ns) >= TURN_NS {
            tokio::task::yield_now().await;
            self.wake();
        }
    }

    async fn tick(&mut self) {
        for index in 0..self.ticks.len() {
            if let Some(node) = self.ticks[index].due(self.chain.now_ns()) {
                if !self.all_run(node).await {
                    return;
                }
                self.chain.tick(node);
                self.pump().await;
            }
        }
    }

    fn book(&mut self, now: bool) {
        let now_ns = self.chain.now_ns();
        if now || now_ns.saturating_sub(self.booked_ns) >= BOOK_NS {
            self.booked_ns = now_ns;
            self.cells.iter_mut().for_each(|cell| cell.book());
        }
    }
}
