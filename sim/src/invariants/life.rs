//! Whom leaders declare dead.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_control::plan::Standing;
use squall_types::cluster::WorkerName;

use super::{Seen, Violation};

/// How long a worker may be silent, as masters are configured.
const DEAD_AFTER: Duration = Duration::from_secs(3);
/// How long what a leader was told may lie in its inbox.
const UNREAD: Duration = Duration::from_millis(200);
/// How long after a fault a worker may take to be heard again.
const RECOVERY: Duration = Duration::from_millis(1_500);

/// No worker is declared dead that answered a probe, as the leader was told; nor one with which nothing was wrong for long enough.
#[derive(Debug, Default)]
pub struct Life {
    told: BTreeMap<WorkerName, Vec<Told>>,
    disturbed: BTreeMap<WorkerName, Duration>,
    /// By master: its life and term, and how it found workers last.
    found: BTreeMap<usize, (u64, u64, BTreeMap<WorkerName, Standing>)>,
}

/// A leader has been told that a worker answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who answers.
    pub worker: WorkerName,
    /// In which term the leader leads.
    pub term: u64,
    /// When the answer was there.
    pub answered: Duration,
    /// When it was certain that the leader had it.
    pub known: Duration,
}

impl Life {
    /// A leader was told.
    pub fn told(&mut self, told: Told) {
        let all = self.told.entry(told.worker.clone()).or_default();
        all.retain(|it| it.answered + DEAD_AFTER > told.answered);
        all.push(told);
    }

    /// Something is wrong with a worker.
    pub fn disturbed(&mut self, now: Duration, worker: &WorkerName) {
        self.disturbed.insert(worker.clone(), now);
    }

    /// Looks at one master.
    pub fn see(&mut self, now: Duration, seen: &Seen) -> Result<(), Violation> {
        let Some(workers) = &seen.workers else {
            self.found.remove(&seen.master);
            return Ok(());
        };
        let before = self.found.insert(seen.master, (seen.life, seen.term, workers.clone()));
        let before = before.filter(|(life, term, _)| (*life, *term) == (seen.life, seen.term));
        let was = |worker| before.as_ref().and_then(|(_, _, found)| found.get(worker)).copied();
        for worker in workers.iter().filter(|(_, is)| **is == Standing::Dead).map(|(worker, _)| worker) {
            if was(worker) != Some(Standing::Dead) {
                self.died(now, seen, worker)?;
            }
        }
        Ok(())
    }

    fn died(&self, now: Duration, seen: &Seen, worker: &WorkerName) -> Result<(), Violation> {
        let (master, term) = (seen.master, seen.term);
        let told = |it: &&Told| it.term == term && it.known + UNREAD < now && it.answered + DEAD_AFTER > now;
        if let Some(told) = self.told.get(worker).into_iter().flatten().find(told) {
            return Err(format!("master {master} declares {worker} dead, and was told that it answers: {told:?}"));
        }
        let since = self.disturbed.get(worker).copied().unwrap_or_default();
        if since + RECOVERY + DEAD_AFTER < now {
            return Err(format!(
                "master {master} declares {worker} dead, and nothing was wrong with it since {since:?}"
            ));
        }
        Ok(())
    }
}
