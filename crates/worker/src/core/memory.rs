//! What a worker remembers when its daemon is started anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_types::cluster::{ClusterId, SlotIncarnation, WorkerIncarnation};

use super::desired::{Age, Wanted};

/// What a worker remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The cluster that it obeys; none: it has met none yet.
    pub cluster: Option<ClusterId>,
    /// Its own life.
    pub incarnation: WorkerIncarnation,
    /// The newest state that it has obeyed.
    pub age: Age,
    /// What it is to run.
    pub wanted: BTreeMap<u16, Wanted>,
    /// The latest life of each of its slots.
    pub incarnations: BTreeMap<u16, SlotIncarnation>,
    /// The port of each of its slots, which its next life gets too.
    pub ports: BTreeMap<u16, u16>,
    /// Where masters were last, besides those that are configured.
    pub masters: Vec<String>,
}

impl Memory {
    /// A new life of the worker. Numbers of lives begin at the wall time in milliseconds where nothing is remembered, so that a worker whose
    /// disk was lost is still newer than it was before.
    pub fn revive(&mut self, now_ms: u64) {
        let before = self.incarnation.get();
        self.incarnation = WorkerIncarnation::new(if before == 0 { now_ms } else { before.saturating_add(1) });
    }

    /// The next life of a slot.
    pub fn next_life(&mut self, number: u16) -> SlotIncarnation {
        let first = SlotIncarnation::new(self.incarnation.get());
        let next = self.incarnations.get(&number).map_or(first, |last| last.next());
        self.incarnations.insert(number, next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_life_is_newer_than_the_one_before_also_when_the_disk_was_lost() {
        let mut memory = Memory::default();
        memory.revive(1_000);
        let first = memory.next_life(3);
        assert_eq!((memory.incarnation.get(), first.get(), memory.next_life(3).get()), (1_000, 1_000, 1_001));
        memory.revive(5_000);
        assert_eq!((memory.incarnation.get(), memory.next_life(3).get()), (1_001, 1_002));
        let mut lost = Memory::default();
        lost.revive(9_000);
        assert!(lost.incarnation > memory.incarnation && lost.next_life(3) > first);
    }
}
