//! The side table: roots that have been pending for long, and roots whose timeout was put off.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use squall_types::{EdgeId, Sequence};

use super::ring::{Entry, Hit};

/// A deadline that never comes.
pub(super) const NEVER: u64 = u64::MAX;

/// Deadlines of roots that have left may stay up to this much over one a root.
const STALE_DEADLINES: usize = 64;

#[derive(Debug)]
struct Straggler<Id> {
    entry: Entry<Id>,
    deadline_ns: u64,
}

/// Invariant: every root with a deadline has it in the heap, and the heap's top belongs to such a root; what else is in the
/// heap is stale, and no more than the roots again and a constant.
#[derive(Debug)]
pub(super) struct Stragglers<Id> {
    roots: HashMap<u64, Straggler<Id>, FixedState>,
    deadlines: BinaryHeap<Reverse<(u64, u64)>>,
}

impl<Id> Stragglers<Id> {
    pub fn new() -> Self {
        Self { roots: HashMap::with_hasher(FixedState::default()), deadlines: BinaryHeap::new() }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.roots.len()
    }

    pub fn insert(&mut self, sequence: Sequence, entry: Entry<Id>, deadline_ns: u64) {
        self.roots.insert(sequence.get(), Straggler { entry, deadline_ns });
        self.schedule(sequence.get(), deadline_ns);
    }

    pub fn ack(&mut self, sequence: Sequence, xor: EdgeId) -> Hit<Id> {
        let Some(straggler) = self.roots.get_mut(&sequence.get()) else { return Hit::Miss };
        straggler.entry.xor ^= xor;
        if !straggler.entry.xor.is_zero() {
            return Hit::Incomplete;
        }
        self.take(sequence).map_or(Hit::Miss, Hit::Complete)
    }

    pub fn take(&mut self, sequence: Sequence) -> Option<Entry<Id>> {
        let straggler = self.roots.remove(&sequence.get())?;
        self.drop_stale();
        Some(straggler.entry)
    }

    /// Gives a root another deadline; whether it is here.
    pub fn reschedule(&mut self, sequence: Sequence, deadline_ns: u64) -> bool {
        let Some(straggler) = self.roots.get_mut(&sequence.get()) else { return false };
        if straggler.deadline_ns != deadline_ns {
            straggler.deadline_ns = deadline_ns;
            self.schedule(sequence.get(), deadline_ns);
            self.drop_stale();
        }
        true
    }

    pub fn next_deadline(&self) -> Option<u64> {
        self.deadlines.peek().map(|&Reverse((deadline_ns, _))| deadline_ns)
    }

    pub fn pop_due(&mut self, now_ns: u64) -> Option<Entry<Id>> {
        let &Reverse((deadline_ns, sequence)) = self.deadlines.peek()?;
        if deadline_ns > now_ns { None } else { self.take(Sequence::new(sequence)) }
    }

    pub fn oldest_ns(&self) -> Option<u64> {
        self.roots.values().map(|straggler| straggler.entry.emitted_ns).min()
    }

    /// The roots here that were opened more than `distance` places before `next`, oldest first.
    pub fn older_than(&self, next: Sequence, distance: u64) -> Vec<Sequence> {
        let mut found: Vec<Sequence> = self.roots.keys().map(|&sequence| Sequence::new(sequence)).collect();
        found.retain(|&sequence| next.since(sequence) > distance);
        found.sort_unstable_by_key(|&sequence| Reverse(next.since(sequence)));
        found
    }

    /// Forgets the roots opened at most `distance` places before `next`; how many.
    pub fn forget_newer(&mut self, next: Sequence, distance: u64) -> usize {
        let before = self.len();
        self.roots.retain(|&sequence, _| next.since(Sequence::new(sequence)) > distance);
        self.drop_stale();
        before - self.len()
    }

    fn schedule(&mut self, sequence: u64, deadline_ns: u64) {
        if deadline_ns != NEVER {
            self.deadlines.push(Reverse((deadline_ns, sequence)));
        }
    }

    fn drop_stale(&mut self) {
        while let Some(&Reverse((deadline_ns, sequence))) = self.deadlines.peek()
            && self.roots.get(&sequence).is_none_or(|straggler| straggler.deadline_ns != deadline_ns)
        {
            self.deadlines.pop();
        }
        if self.deadlines.len() > 2 * self.roots.len() + STALE_DEADLINES {
            self.rebuild_deadlines();
        }
    }

    fn rebuild_deadlines(&mut self) {
        self.deadlines.clear();
        let live = self.roots.iter().map(|(&sequence, straggler)| Reverse((straggler.deadline_ns, sequence)));
        self.deadlines.extend(live.filter(|&Reverse((deadline_ns, _))| deadline_ns != NEVER));
    }

    #[cfg(test)]
    pub fn deadlines_kept(&self) -> usize {
        self.deadlines.len()
    }
}
