//! Rows kept until they are acked, and emitted again when they fail: the core of the `Replay` wrapper around a spout whose
//! source can't repeat itself.

use std::collections::BTreeSet;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::ledger::FailureKind;

/// How failed rows are tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayPolicy {
    /// The delay after a row's first failure; it doubles with each further one.
    pub base: Duration,
    /// The longest delay.
    pub max: Duration,
    /// The share of each delay that is left to chance, 0 to 1: at 0.2 a delay of 10 s becomes 8 to 10 s.
    pub jitter: f64,
    /// A row that has failed this often is given up; `u32::MAX`: never. At 0 and 1, the first failure is the last.
    pub max_failures: u32,
}

impl Default for ReplayPolicy {
    /// From 100 ms up to 10 s, a fifth left to chance, given up at the fifth failure.
    fn default() -> Self {
        Self { base: Duration::from_millis(100), max: Duration::from_secs(10), jitter: 0.2, max_failures: 5 }
    }
}

impl ReplayPolicy {
    /// Nanoseconds until the next try, after `failures` failures (1 at least); `random` is uniform over all of `u64`.
    fn delay_ns(&self, failures: u32, random: u64) -> u64 {
        let doublings = failures.saturating_sub(1).min(63);
        let delay_ns = nanos(self.base).saturating_mul(1 << doublings).min(nanos(self.max));
        let share = self.jitter.clamp(0.0, 1.0) * (random as f64 / u64::MAX as f64);
        delay_ns - (delay_ns as f64 * share) as u64
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Names a row for as long as it is kept, over all its tries. Never given out twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayId(u64);

/// What becomes of a row that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<Row> {
    /// [`due`](ReplayQueue::due) hands it out again.
    Retry {
        /// When, in nanoseconds.
        due_ns: u64,
    },
    /// It has failed too often and is no longer kept: it is for the dead letters.
    GiveUp {
        /// The row.
        row: Row,
        /// How often it failed.
        failures: u32,
        /// Why, the last time.
        last: FailureKind,
    },
}

#[derive(Debug)]
struct Kept<Row> {
    row: Row,
    failures: u32,
    /// When it is to be emitted again; `None` while it is out.
    due_ns: Option<u64>,
}

/// The rows that have been emitted and not yet acked.
///
/// A row is out (emitted, unsettled) or waits to be emitted again, so it is never out twice. What comes in for a row that
/// isn't kept is ignored, and so is a failure of one that waits already.
#[derive(Debug)]
pub struct ReplayQueue<Row> {
    policy: ReplayPolicy,
    rows: HashMap<ReplayId, Kept<Row>, FixedState>,
    /// The waiting rows: exactly those with a `due_ns`.
    waiting: BTreeSet<(u64, ReplayId)>,
    next: ReplayId,
}

impl<Row> ReplayQueue<Row> {
    /// An empty queue.
    pub fn new(policy: ReplayPolicy) -> Self {
        let rows = HashMap::with_hasher(FixedState::default());
        Self { policy, rows, waiting: BTreeSet::new(), next: ReplayId::default() }
    }

    /// Keeps a row that is emitted now.
    pub fn keep(&mut self, row: Row) -> ReplayId {
        let id = self.next;
        self.next = ReplayId(id.0 + 1);
        self.rows.insert(id, Kept { row, failures: 0, due_ns: None });
        id
    }

    /// The row is processed: it is kept no longer, and handed back. `None` if it wasn't kept.
    pub fn acked(&mut self, id: ReplayId) -> Option<Row> {
        let kept = self.rows.remove(&id)?;
        if let Some(due_ns) = kept.due_ns {
            self.waiting.remove(&(due_ns, id));
        }
        Some(kept.row)
    }

    /// The row failed: what becomes of it. `None` if it isn't out. `random` is uniform over all of `u64`.
    pub fn failed(&mut self, id: ReplayId, kind: FailureKind, now_ns: u64, random: u64) -> Option<Verdict<Row>> {
        let kept = self.rows.get_mut(&id).filter(|kept| kept.due_ns.is_none())?;
        kept.failures = kept.failures.saturating_add(1);
        let failures = kept.failures;
        let may_retry = self.policy.max_failures == u32::MAX || failures < self.policy.max_failures;
        if !may_retry {
            let Kept { row, .. } = self.rows.remove(&id)?;
            return Some(Verdict::GiveUp { row, failures, last: kind });
        }
        let due_ns = now_ns.saturating_add(self.policy.delay_ns(failures, random));
        kept.due_ns = Some(due_ns);
        self.waiting.insert((due_ns, id));
        Some(Verdict::Retry { due_ns })
    }

    /// The row to emit again now, longest due first. It counts as out from here.
    pub fn due(&mut self, now_ns: u64) -> Option<(ReplayId, &Row)> {
        let &(due_ns, id) = self.waiting.first()?;
        if due_ns > now_ns {
            return None;
        }
        self.waiting.pop_first();
        let kept = self.rows.get_mut(&id)?;
        kept.due_ns = None;
        Some((id, &kept.row))
    }

    /// Lets go of all rows, out or waiting, in the order in which they were kept: each with how often it has failed.
    pub fn release_all(&mut self) -> Vec<(Row, u32)> {
        self.waiting.clear();
        let mut rows: Vec<_> = self.rows.drain().collect();
        rows.sort_unstable_by_key(|(id, _)| *id);
        rows.into_iter().map(|(_, kept)| (kept.row, kept.failures)).collect()
    }

    /// When [`due`](Self::due) has a row next, in nanoseconds.
    pub fn next_due(&self) -> Option<u64> {
        self.waiting.first().map(|&(due_ns, _)| due_ns)
    }

    /// Rows kept, out or waiting.
    pub fn outstanding(&self) -> usize {
        self.rows.len()
    }

    /// Rows that wait to be emitted again.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests;
