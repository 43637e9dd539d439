//! What the coordinator tells all lanes of a slot.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use squall_types::{ComponentId, TaskId};

use crate::token::Notify;

/// What lanes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Components get ready; nothing flows.
    Preparing,
    /// Spouts pause.
    Inactive,
    /// Everything flows.
    Active,
    /// Spouts have ended; what is in flight finishes.
    Draining,
    /// Lanes end.
    Stopping,
}

impl Phase {
    fn from_bits(bits: u8) -> Self {
        match bits {
            0 => Self::Preparing,
            1 => Self::Inactive,
            2 => Self::Active,
            3 => Self::Draining,
            _ => Self::Stopping,
        }
    }
}

/// The slot's phase, and the pressure of its cycles.
pub struct Control {
    phase: AtomicU8,
    /// Rows queued on edges that close a cycle, and how many of them hold the spouts.
    feedback_rows: AtomicI64,
    holding: AtomicBool,
    feedback_limit: i64,
    /// Spout lanes that may still emit.
    spout_lanes: AtomicUsize,
    ended: tokio::sync::Notify,
    stopping: tokio::sync::Notify,
    lanes: Mutex<Vec<Arc<dyn Notify>>>,
    /// Tasks to kill, and how many: lanes look at the number before they take the lock.
    kills: Mutex<Vec<TaskId>>,
    kill_count: AtomicUsize,
    /// Spouts whose roots were lost with a slot, loss by loss, and how many losses: looked at likewise.
    losses: Mutex<Vec<Arc<[ComponentId]>>>,
    loss_count: AtomicUsize,
}

impl Control {
    /// A slot that prepares.
    pub fn new(feedback_limit: usize) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Preparing as u8),
            feedback_rows: AtomicI64::new(0),
            holding: AtomicBool::new(false),
            feedback_limit: i64::try_from(feedback_limit).unwrap_or(i64::MAX),
            spout_lanes: AtomicUsize::new(0),
            ended: tokio::sync::Notify::new(),
            stopping: tokio::sync::Notify::new(),
            lanes: Mutex::default(),
            kills: Mutex::default(),
            kill_count: AtomicUsize::new(0),
            losses: Mutex::default(),
            loss_count: AtomicUsize::new(0),
        }
    }

    /// Counts a lane whose spouts may emit.
    pub fn add_spout_lane(&self) {
        self.spout_lanes.fetch_add(1, Ordering::AcqRel);
    }

    /// A lane's spouts will never emit again.
    pub fn spout_lane_ended(&self) {
        self.spout_lanes.fetch_sub(1, Ordering::AcqRel);
        self.ended.notify_waiters();
    }

    /// Returns once no spout will emit again.
    pub async fn spouts_ended(&self) {
        loop {
            let notified = self.ended.notified();
            if self.spout_lanes.load(Ordering::Acquire) == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Has a lane woken when something changes.
    pub fn enlist(&self, lane: Arc<dyn Notify>) {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
    }

    /// The phase.
    pub fn phase(&self) -> Phase {
        Phase::from_bits(self.phase.load(Ordering::Acquire))
    }

    /// Changes the phase and wakes all lanes. Draining and stopping are not gone back on.
    pub fn set_phase(&self, phase: Phase) {
        let keep = |now: u8| (now < Phase::Draining as u8 || phase as u8 > now).then_some(phase as u8);
        if self.phase.fetch_update(Ordering::AcqRel, Ordering::Acquire, keep).is_ok() {
            self.wake_all();
            if phase == Phase::Stopping {
                self.stopping.notify_waiters();
            }
        }
    }

    /// Returns once lanes are to end.
    pub async fn stopping(&self) {
        loop {
            let notified = self.stopping.notified();
            if self.phase() == Phase::Stopping {
                return;
            }
            notified.await;
        }
    }

    /// Wakes all lanes.
    pub fn wake_all(&self) {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        lanes.iter().for_each(|lane| lane.notify());
    }

    /// Has a task's lane stop it between two rows and start it anew, as if it had panicked.
    pub fn kill(&self, task: TaskId) {
        let mut kills = self.kills.lock().unwrap_or_else(PoisonError::into_inner);
        kills.push(task);
        self.kill_count.store(kills.len(), Ordering::Release);
        drop(kills);
        self.wake_all();
    }

    /// The tasks to kill that a lane owns.
    #[inline]
    pub fn take_kills(&self, owns: impl Fn(TaskId) -> bool) -> Vec<TaskId> {
        if self.kill_count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let mut kills = self.kills.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = kills.extract_if(.., |task| owns(*task)).collect();
        self.kill_count.store(kills.len(), Ordering::Release);
        taken
    }

    /// Has the ledgers of these spouts give up all roots that they have opened so far.
    pub fn lose(&self, spouts: Arc<[ComponentId]>) {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.push(spouts);
        self.loss_count.store(losses.len(), Ordering::Release);
        drop(losses);
        self.wake_all();
    }

    /// The losses that a lane hasn't seen, of which it has seen so many.
    #[inline]
    pub fn losses_since(&self, seen: usize) -> Vec<Arc<[ComponentId]>> {
        if self.loss_count.load(Ordering::Acquire) == seen {
            return Vec::new();
        }
        self.losses.lock().unwrap_or_else(PoisonError::into_inner)[seen..].to_vec()
    }

    /// Rows were put on (or, negative, taken off) an edge that closes a cycle.
    pub fn add_feedback(&self, rows: i64) {
        let mut now = self.feedback_rows.fetch_add(rows, Ordering::SeqCst) + rows;
        if now > self.feedback_limit {
            self.holding.store(true, Ordering::SeqCst);
            // Whoever took the rows off in between has found nothing held: it falls to us to let go.
            now = self.feedback_rows.load(Ordering::SeqCst);
        }
        if now <= self.feedback_limit / 2 && self.holding.swap(false, Ordering::SeqCst) {
            self.wake_all();
        }
    }

    /// Whether cycles are so full that spouts wait.
    pub fn holds_spouts(&self) -> bool {
        self.holding.load(Ordering::Acquire)
    }
}
