//! Figures as they were at one moment.

use squall_types::{ComponentId, TaskId};

use super::{Latency, TaskMetrics, UserSnapshot};

/// A whole slot's figures.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When, in nanoseconds of the process's clock.
    pub at_ns: u64,
    /// By component, in declared order.
    pub components: Vec<ComponentSnapshot>,
}

/// One component's figures.
#[derive(Clone, Debug)]
pub struct ComponentSnapshot {
    /// Its name.
    pub id: ComponentId,
    /// Whether it is a spout.
    pub is_spout: bool,
    /// All tasks together.
    pub total: TaskMetrics,
    /// Each task.
    pub tasks: Vec<TaskSnapshot>,
    /// Each lane.
    pub lanes: Vec<LaneSnapshot>,
    /// The user's own.
    pub user: UserSnapshot,
}

/// One task's figures.
#[derive(Clone, Debug)]
pub struct TaskSnapshot {
    /// The task.
    pub task: TaskId,
    /// Its figures.
    pub metrics: TaskMetrics,
}

/// A lane's queue.
#[derive(Clone, Debug)]
pub struct LaneSnapshot {
    /// The component's tasks in the lane.
    pub tasks: Vec<TaskId>,
    /// Its batches are handed over within the lane: it has no queue of its own.
    pub chained: bool,
    /// Rows queued or being worked on.
    pub queued_rows: u32,
    /// How many may be.
    pub bound_rows: u32,
    /// How long others have waited for room here, in nanoseconds, added up.
    pub senders_blocked_ns: u64,
    /// How long the lane has waited for room elsewhere, in nanoseconds.
    pub blocked_ns: u64,
}

/// A latency's figures, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencySnapshot {
    /// Values.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Their median.
    pub p50: u64,
    /// 99 in 100 are at most this.
    pub p99: u64,
    /// 999 in 1,000 are at most this.
    pub p999: u64,
    /// The largest.
    pub max: u64,
}

impl LatencySnapshot {
    /// The figures of a latency.
    pub fn of(latency: &Latency) -> Self {
        let Some(histogram) = latency.histogram() else { return Self::default() };
        Self {
            count: histogram.len(),
            mean: histogram.mean(),
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        }
    }
}

impl TaskMetrics {
    /// Adds another task's figures.
    pub fn add(&mut self, other: &Self) {
        self.executed += other.executed;
        self.emitted += other.emitted;
        self.transferred += other.transferred;
        self.acked += other.acked;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.lost += other.lost;
        self.given_up += other.given_up;
        self.pending += other.pending;
        self.oldest_pending_ns = [self.oldest_pending_ns, other.oldest_pending_ns].into_iter().flatten().min();
        self.busy_ns += other.busy_ns;
        self.restarts += other.restarts;
        self.execute.merge(&other.execute);
        self.process.merge(&other.process);
        self.complete.merge(&other.complete);
        self.errors.failures += other.errors.failures;
        self.errors.panics += other.errors.panics;
        self.errors.outside += other.errors.outside;
        if other.errors.last.is_some() {
            self.errors.last.clone_from(&other.errors.last);
            self.errors.backtrace.clone_from(&other.errors.backtrace);
        }
    }
}

impl ComponentSnapshot {
    /// The share of the time between two snapshots that the component's tasks were busy, 1 for one task all the time.
    pub fn capacity_since(&self, earlier: &Self, between_ns: u64) -> f64 {
        let busy = self.total.busy_ns.saturating_sub(earlier.total.busy_ns);
        busy as f64 / (between_ns.max(1) as f64 * self.tasks.len().max(1) as f64)
    }
}

impl Snapshot {
    /// The figures of a component.
    pub fn component(&self, id: &str) -> Option<&ComponentSnapshot> {
        self.components.iter().find(|component| component.id.as_str() == id)
    }

    /// All spouts together.
    pub fn spouts(&self) -> TaskMetrics {
        let mut sum = TaskMetrics::default();
        self.components.iter().filter(|component| component.is_spout).for_each(|spout| sum.add(&spout.total));
        sum
    }
}
