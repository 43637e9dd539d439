//! What is committed outlives any minority.

use std::collections::BTreeMap;

use super::{Seen, Violation};

/// What a leader calls committed is on the disks of a majority of those that vote.
#[derive(Debug, Default)]
pub struct Durable {
    /// By master: its life, its commit, and who voted, when it was looked at last.
    last: BTreeMap<usize, (u64, u64, Vec<u64>)>,
}

impl Durable {
    /// Looks at one master. `term_at` tells the term of an entry on a disk; 0, if a snapshot has taken its place; none, if it isn't there.
    pub fn see(&mut self, seen: &Seen, term_at: impl Fn(u64, u64) -> Option<u64>) -> Result<(), Violation> {
        let now = (seen.life, seen.commit, seen.voters.clone());
        let before = self.last.insert(seen.master, now).filter(|(life, ..)| *life == seen.life);
        let (commit, voted) = before.map_or((0, seen.voters.clone()), |(_, commit, voted)| (commit, voted));
        if !seen.leads || seen.commit == commit {
            return Ok(());
        }
        // Who votes may have changed since it was committed.
        let is_on_most = |voters: &[u64]| {
            let terms: Vec<_> = voters.iter().filter_map(|disk| term_at(*disk, seen.commit)).collect();
            let same = |term: &u64| terms.iter().filter(|it| **it == 0 || *it == term).count();
            terms.iter().map(same).max().unwrap_or_default() * 2 > voters.len()
        };
        if is_on_most(&seen.voters) || is_on_most(&voted) {
            return Ok(());
        }
        let Seen { master, commit, voters, .. } = seen;
        Err(format!("master {master} calls {commit} committed, and it isn't on the disks of a majority of {voters:x?}"))
    }
}
