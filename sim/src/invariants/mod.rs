//! What must hold at each step, whatever goes wrong. They know what masters show of themselves, and nothing of how they are built
//! or of what might be broken in them.

mod agreement;
mod chain;
mod durable;
mod life;
mod log;
mod packages;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use squall_control::plan::Standing;
use squall_control::{Assignment, Event};
use squall_types::cluster::{BlobId, RaftId, TopologyName, WorkerName};

use self::agreement::Agreement;
use self::chain::Chain;
pub use self::durable::Durable;
use self::life::Life;
pub use self::life::Told;
use self::log::Log;
pub use self::packages::packages;

/// What one running master shows of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Its host's place.
    pub master: usize,
    /// Which of its processes: one more at each start.
    pub life: u64,
    /// Its cluster.
    pub cluster: u64,
    /// Its disk's life, as Raft knows it.
    pub raft_id: u64,
    /// Its term.
    pub term: u64,
    /// Whether it leads.
    pub leads: bool,
    /// What it knows to be committed.
    pub commit: u64,
    /// What it has applied.
    pub applied: u64,
    /// Whose vote counts, as it knows: lives of disks.
    pub voters: Vec<u64>,
    /// How it finds workers, if it leads.
    pub workers: Option<BTreeMap<WorkerName, Standing>>,
    /// What is new in its state; none, if nothing is.
    pub fresh: Option<Fresh>,
}

/// What is new in a state since it was looked at last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fresh {
    /// The last command in it.
    pub revision: u64,
    /// The hash of the whole state, if it was taken.
    pub digest: Option<u64>,
    /// What has happened since.
    pub events: Vec<Event>,
    /// Each topology's assignment now.
    pub assignments: Vec<(TopologyName, Arc<Assignment>)>,
    /// Who is said to have each package.
    pub packages: Vec<(BlobId, BTreeSet<RaftId>)>,
}

/// An invariant that doesn't hold, in words.
pub type Violation = String;

/// All invariants over masters.
#[derive(Debug, Default)]
pub struct Invariants {
    log: Log,
    agreement: Agreement,
    chain: Chain,
    life: Life,
}

impl Invariants {
    /// Looks at all running masters after a step.
    ///
    /// # Errors
    /// Names what doesn't hold.
    pub fn step(&mut self, now: Duration, masters: &[Seen]) -> Result<(), Violation> {
        masters.iter().try_for_each(|seen| {
            self.log.see(seen)?;
            self.life.see(now, seen)?;
            seen.fresh.iter().try_for_each(|fresh| {
                self.agreement.see(seen.master, fresh)?;
                self.chain.see(seen.master, fresh)
            })
        })
    }

    /// A client was told that its change stands at this revision.
    pub fn acknowledged(&mut self, revision: u64) -> Result<(), Violation> {
        self.log.acknowledged(revision)
    }

    /// A leader was told that a worker answers.
    pub fn told(&mut self, told: Told) {
        self.life.told(told);
    }

    /// Something is wrong with a worker, or between it and others.
    pub fn disturbed(&mut self, now: Duration, worker: &WorkerName) {
        self.life.disturbed(now, worker);
    }

    /// All that has happened, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.agreement.events()
    }
}

#[cfg(test)]
mod tests;
