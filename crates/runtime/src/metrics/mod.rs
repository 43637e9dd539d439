//! What a task counts and times, and what users count of their own.
//!
//! Counts are exact. Latencies are HDR histograms with two digits, in nanoseconds, from one clock reading a run.

mod snapshot;
mod user;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use snapshot::{ComponentSnapshot, LaneSnapshot, LatencySnapshot, Snapshot, TaskSnapshot};
pub use user::{Counter, Gauge, Histogram, UserMetrics, UserSnapshot};

/// A latency histogram that takes no memory before its first value.
#[derive(Clone, Debug, Default)]
pub struct Latency(Option<Box<hdrhistogram::Histogram<u64>>>);

impl Latency {
    /// Significant digits: at three a histogram takes 221 KB, and there are three a task.
    const DIGITS: u8 = 2;

    /// Records a latency of `count` rows.
    pub fn record(&mut self, ns: u64, count: u64) {
        let histogram = self.0.get_or_insert_with(|| {
            Box::new(hdrhistogram::Histogram::new(Self::DIGITS).expect("two digits are a legal precision"))
        });
        // It resizes itself, and saturates rather than overflow.
        let _ = histogram.record_n(ns, count);
    }

    /// Adds another one's values.
    pub fn merge(&mut self, other: &Self) {
        let Some(theirs) = &other.0 else { return };
        match &mut self.0 {
            Some(own) => {
                let _ = own.add(&**theirs);
            }
            none => *none = Some(theirs.clone()),
        }
    }

    /// The histogram, once there is a value.
    pub fn histogram(&self) -> Option<&hdrhistogram::Histogram<u64>> {
        self.0.as_deref()
    }
}

/// Errors of a task: how many, and the last.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    /// Calls that returned an error.
    pub failures: u64,
    /// Calls that panicked.
    pub panics: u64,
    /// Of both, calls for a tick or a watermark: what they would have emitted belongs to no root, so no root tells of them.
    pub outside: u64,
    /// What the last one said.
    pub last: Option<String>,
    /// Where the last one came from, where that is known.
    pub backtrace: Option<String>,
}

/// One task's figures.
#[derive(Clone, Debug, Default)]
pub struct TaskMetrics {
    /// Rows given to `execute`; for a spout, calls of `next`.
    pub executed: u64,
    /// Rows emitted.
    pub emitted: u64,
    /// Copies of rows sent to other tasks.
    pub transferred: u64,
    /// Rows acked; for a spout, roots.
    pub acked: u64,
    /// Rows failed by the component; for a spout, roots failed.
    pub failed: u64,
    /// For a spout: roots that timed out.
    pub timed_out: u64,
    /// For a spout: roots lost with a task.
    pub lost: u64,
    /// For a spout: roots that failed, timed out or were lost and aren't emitted again: all of them, unless the spout replays.
    pub given_up: u64,
    /// For a spout: roots pending.
    pub pending: u64,
    /// For a spout: since when the oldest root is pending, in nanoseconds of the process's clock.
    pub oldest_pending_ns: Option<u64>,
    /// Time in `execute`, in nanoseconds.
    pub busy_ns: u64,
    /// Starts after a panic.
    pub restarts: u64,
    /// Time in `execute`, a row.
    pub execute: Latency,
    /// From the hand-over of a row's batch to its ack: waiting and execution.
    pub process: Latency,
    /// For a spout: from emitting a root to its ack.
    pub complete: Latency,
    /// Errors.
    pub errors: Errors,
}

/// The figures of the tasks of one component in one lane: written by the lane once a run, read by whoever asks.
#[derive(Debug, Default)]
pub struct NodeMetrics {
    tasks: Mutex<Vec<TaskMetrics>>,
    blocked_ns: std::sync::atomic::AtomicU64,
    /// When the run under way began, or 0.
    running_since_ns: std::sync::atomic::AtomicU64,
    /// The longest run that has ended and wasn't looked at yet, of those worth a look.
    held_ns: std::sync::atomic::AtomicU64,
    /// When the call under way on a blocking spout's own thread began, or 0.
    thread_since_ns: std::sync::atomic::AtomicU64,
}

impl NodeMetrics {
    /// Figures for so many tasks.
    pub fn new(tasks: usize) -> Arc<Self> {
        Arc::new(Self { tasks: Mutex::new(vec![TaskMetrics::default(); tasks]), ..Self::default() })
    }

    /// All tasks' figures.
    pub fn tasks(&self) -> MutexGuard<'_, Vec<TaskMetrics>> {
        // Only plain sums happen under the lock.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to the time that the lane has waited for a receiver with room.
    pub fn add_blocked_ns(&self, ns: u64) {
        self.blocked_ns.fetch_add(ns, std::sync::atomic::Ordering::Relaxed);
    }

    /// How long the lane has waited for receivers, in nanoseconds.
    pub fn blocked_ns(&self) -> u64 {
        self.blocked_ns.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Says that a run begins.
    pub fn run_begins(&self, now_ns: u64) {
        self.running_since_ns.store(now_ns, std::sync::atomic::Ordering::Relaxed);
    }

    /// Says that the run under way has ended. A long one is kept until it is looked at.
    #[inline]
    pub fn run_ends(&self, now_ns: u64) {
        /// A stretch of rows takes a hundredth of this.
        const WORTH_A_LOOK_NS: u64 = 10_000_000;
        let Some(since_ns) = self.running_since() else { return };
        self.running_since_ns.store(0, std::sync::atomic::Ordering::Relaxed);
        let took_ns = now_ns.saturating_sub(since_ns);
        if took_ns >= WORTH_A_LOOK_NS {
            self.held_ns.fetch_max(took_ns, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// The longest run since this was last asked, the one under way included; 0 if none was worth a look.
    pub fn take_held_ns(&self, now_ns: u64) -> u64 {
        let ended = self.held_ns.swap(0, std::sync::atomic::Ordering::Relaxed);
        ended.max(self.running_since().map_or(0, |since| now_ns.saturating_sub(since)))
    }

    /// Says that a call begins on a blocking spout's own thread, or ends with 0.
    pub fn set_thread_since(&self, ns: u64) {
        self.thread_since_ns.store(ns, std::sync::atomic::Ordering::Relaxed);
    }

    /// Whether the user's code is being run.
    pub fn is_running(&self) -> bool {
        let on_thread = self.thread_since_ns.load(std::sync::atomic::Ordering::Relaxed) != 0;
        on_thread || self.running_since().is_some()
    }

    /// When the run under way began, in nanoseconds of the process's clock; `None` between runs.
    pub fn running_since(&self) -> Option<u64> {
        Some(self.running_since_ns.load(std::sync::atomic::Ordering::Relaxed)).filter(|ns| *ns != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_is_told_once_whether_it_is_over_or_not() {
        const MS: u64 = 1_000_000;
        let metrics = NodeMetrics::default();
        for (from, to) in [(100, 160), (200, 220), (300, 301)] {
            metrics.run_begins(from * MS);
            metrics.run_ends(to * MS);
        }
        assert_eq!(metrics.take_held_ns(400 * MS), 60 * MS, "the longest that has ended");
        assert_eq!(metrics.take_held_ns(500 * MS), 0);
        metrics.run_begins(500 * MS);
        assert_eq!(metrics.take_held_ns(570 * MS), 70 * MS, "the one under way");
        metrics.run_ends(580 * MS);
        assert_eq!(metrics.take_held_ns(600 * MS), 80 * MS);
    }
}
