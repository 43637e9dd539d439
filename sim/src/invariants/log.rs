//! Terms, commits, applied entries.

use std::collections::BTreeMap;

use super::{Seen, Violation};

/// One cluster; one leader a term; commit and apply never go back within a life; what is applied is committed; what is acknowledged is committed.
#[derive(Debug, Default)]
pub struct Log {
    leaders: BTreeMap<u64, u64>,
    cluster: Option<u64>,
    /// The last term in which each disk's life has led.
    led: BTreeMap<u64, u64>,
    /// By master and life: the last term, commit and applied.
    last: BTreeMap<usize, Last>,
    committed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    life: u64,
    term: u64,
    commit: u64,
    applied: u64,
}

impl Log {
    /// Looks at one master.
    pub fn see(&mut self, seen: &Seen) -> Result<(), Violation> {
        let &Seen { master, life, raft_id, term, leads, commit, applied, .. } = seen;
        let cluster = *self.cluster.get_or_insert(seen.cluster);
        if cluster != seen.cluster {
            return Err(format!("master {master} is of the cluster {:x}, and there is {cluster:x}", seen.cluster));
        }
        if leads && *self.leaders.entry(term).or_insert(raft_id) != raft_id {
            return Err(format!("two leaders in term {term}: {:x} and {raft_id:x}", self.leaders[&term]));
        }
        if applied > commit {
            return Err(format!("master {master} applied {applied} and knows of {commit} committed"));
        }
        if leads {
            self.led.insert(raft_id, term);
        }
        self.committed = self.committed.max(commit);
        let now = Last { life, term, commit, applied };
        match self.last.insert(master, now) {
            // A term that it had not written down yet is forgotten in a crash; but not one in which it has led.
            Some(last) if last.life == life && last.term > term || self.led.get(&raft_id) > Some(&term) => {
                Err(format!("master {master}'s term went from {} to {term}", last.term))
            }
            Some(last) if last.life == life && (last.commit > commit || last.applied > applied) => Err(format!(
                "master {master} went back: commit {} to {commit}, applied {} to {applied}",
                last.commit, last.applied
            )),
            _ => Ok(()),
        }
    }

    /// A client was told that its change stands here.
    pub fn acknowledged(&self, revision: u64) -> Result<(), Violation> {
        if revision <= self.committed {
            return Ok(());
        }
        Err(format!(
            "revision {revision} was acknowledged, and no master knows of more than {} committed",
            self.committed
        ))
    }
}
