//! The lane of a bolt that computes or blocks: awaits batches, drives its chain, sends what comes out.

use std::sync::Arc;

use squall_types::{Batch, Mark};
use tokio::time::sleep_until;

use super::chain::{Chain, Step};
use super::control::{Control, Phase};
use super::marks::Marks;
use super::target::FlushPolicy;
use crate::inbox::{Inbox, Parcel};

/// A partial batch leaves once its first row is this old.
pub const MAX_AGE_NS: u64 = 1_000_000;
/// A lane lets others run after this much work.
pub const TURN_NS: u64 = 100_000;

/// A node's ticks.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// The node.
    pub node: usize,
    /// How often, in nanoseconds.
    pub every_ns: u64,
    /// When next.
    pub next_ns: u64,
}

impl Tick {
    /// The node to tick, if it is time. Ticks that a busy lane has missed are not made up for.
    pub fn due(&mut self, now_ns: u64) -> Option<usize> {
        if now_ns < self.next_ns {
            return None;
        }
        self.next_ns += self.every_ns * (1 + (now_ns - self.next_ns) / self.every_ns);
        Some(self.node)
    }
}

/// Awaits for a chain whose head is a bolt.
pub struct BoltLane {
    pub chain: Chain,
    pub inbox: Arc<Inbox<Batch>>,
    pub marks: Marks,
    pub ticks: Vec<Tick>,
    pub control: Arc<Control>,
    /// By input: whether it closes a cycle.
    pub feedback: Vec<bool>,
    turn_began_ns: u64,
}

impl BoltLane {
    /// A lane whose bolts are prepared.
    pub fn new(
        chain: Chain,
        inbox: Arc<Inbox<Batch>>,
        marks: Marks,
        ticks: Vec<Tick>,
        control: Arc<Control>,
        feedback: Vec<bool>,
    ) -> Self {
        Self { chain, inbox, marks, ticks, control, feedback, turn_began_ns: 0 }
    }

    /// Works until the slot stops.
    pub async fn run(mut self) {
        self.wake();
        while self.control.phase() != Phase::Stopping {
            self.chain.follow_kills(&self.control);
            self.chain.follow_ways();
            match self.inbox.take() {
                Some(batch) => self.batch(batch).await,
                None => self.rest().await,
            }
            self.chain.take_returns();
            self.tick().await;
        }
        self.chain.cleanup();
        self.inbox.close();
    }

    fn wake(&mut self) {
        self.turn_began_ns = self.chain.wake();
    }

    /// Sends everything and waits for something to do.
    async fn rest(&mut self) {
        send(&mut self.chain, FlushPolicy::All).await;
        let next = self.ticks.iter().map(|tick| tick.next_ns).min();
        let deadline = next.map(|ns| self.chain.run.clock.instant(ns));
        self.inbox.wait(deadline, true).await;
        self.wake();
    }

    async fn batch(&mut self, batch: Batch) {
        let (rows, bytes, mark) = (batch.rows(), batch.bytes(), batch.mark);
        let (input, sender) = (batch.input, batch.sender);
        self.chain.meet(&batch);
        self.chain.begin(batch);
        if !self.pump().await {
            return;
        }
        let cost = self.chain.head_row_cost_ns(rows);
        if let Some(batch) = self.chain.end() {
            self.inbox.done(rows, bytes, batch);
        }
        if let Some(ns) = cost {
            self.inbox.set_row_cost_ns(ns);
        }
        if self.feedback[usize::from(input)] {
            self.control.add_feedback(-i64::try_from(rows).unwrap_or(i64::MAX));
        }
        if let Some(mark) =
            mark.and_then(|mark| self.marks.advance(input, sender, self.chain.senders(input, sender), mark))
        {
            self.pass_mark(mark).await;
        }
        self.breathe().await;
    }

    /// Runs the chain until all its rows are done. Says so; the slot may stop before, and then nothing more is acked.
    async fn pump(&mut self) -> bool {
        loop {
            match self.chain.step() {
                Step::Ran => {
                    send(&mut self.chain, FlushPolicy::Older(MAX_AGE_NS)).await;
                    self.breathe().await;
                }
                Step::Restarting(until) => restart_later(&mut self.chain, &self.control, until).await,
                Step::Idle => return true,
            }
            if self.control.phase() == Phase::Stopping {
                return false;
            }
        }
    }

    /// Waits until all tasks of a node run, so that they can be called. Says so; the slot may stop before.
    async fn all_run(&mut self, node: usize) -> bool {
        while let Some(until) = self.chain.restart(node) {
            restart_later(&mut self.chain, &self.control, until).await;
            if self.control.phase() == Phase::Stopping {
                return false;
            }
        }
        true
    }

    /// Tells all bolts of the chain of a mark, parents first, and sends it on behind all that they emit.
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
            let _ = self.chain.end();
        }
        send(&mut self.chain, FlushPolicy::All).await;
        self.chain.mark(mark);
        send(&mut self.chain, FlushPolicy::All).await;
    }

    /// Lets other lanes of the core run, after a turn.
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
                if !self.pump().await {
                    return;
                }
                let _ = self.chain.end();
            }
        }
    }
}

/// Waits until a task may start again, or the slot stops.
async fn restart_later(chain: &mut Chain, control: &Control, until_ns: u64) {
    send(chain, FlushPolicy::All).await;
    tokio::select! {
        biased;
        () = sleep_until(chain.run.clock.instant(until_ns)) => {}
        () = control.stopping() => {}
    }
    chain.wake();
}

/// Sends what the policy asks for, and waits where there is no room. Before it waits, everything leaves that can.
pub async fn send(chain: &mut Chain, policy: FlushPolicy) {
    while chain.flush(policy).is_some() {
        let Some(blocked) = chain.flush(FlushPolicy::All) else { continue };
        let began = chain.now_ns();
        blocked.inbox.room_for(blocked.size).await;
        let waited = chain.wake() - began;
        blocked.inbox.add_blocked_ns(waited);
        chain.add_blocked_ns(waited);
        chain.follow_ways();
    }
}
