//! Pending roots in the order in which they were opened, indexed by their dense sequence number.

use std::collections::VecDeque;

use squall_types::{EdgeId, Sequence};

/// The ring may be this many times as long as it has pending roots …
pub(super) const SLACK_FACTOR: usize = 4;
/// … and this much longer. Small in unit tests, so that short cases make stragglers too.
pub(super) const SLACK: usize = if cfg!(test) { 8 } else { 1_024 };

/// Marks a slot whose root has left. No clock shows it: nanoseconds last 584 years.
const VACANT: u64 = u64::MAX;

/// A pending root: 16 bytes and the id.
#[derive(Debug, Default)]
pub(super) struct Entry<Id> {
    /// The XOR of all edges made and not yet acked, as far as is known.
    pub xor: EdgeId,
    pub emitted_ns: u64,
    pub id: Id,
}

/// What an ack record did.
#[derive(Debug)]
pub(super) enum Hit<Id> {
    /// The root isn't here.
    Miss,
    /// It is, and waits for more.
    Incomplete,
    /// This was its last; it has left.
    Complete(Entry<Id>),
}

/// Invariant: the oldest slot is never vacant, and `pending` is the number of slots that aren't.
#[derive(Debug)]
pub(super) struct Ring<Id> {
    slots: VecDeque<Entry<Id>>,
    base: Sequence,
    pending: usize,
}

impl<Id: Default> Ring<Id> {
    pub fn starting_at(base: Sequence) -> Self {
        Self { slots: VecDeque::new(), base, pending: 0 }
    }

    #[inline]
    pub fn next_sequence(&self) -> Sequence {
        self.base.plus(self.slots.len() as u64)
    }

    #[inline]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Vacant slots included.
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it is too long for what it holds, so that its oldest roots should go elsewhere.
    #[inline]
    pub fn is_swollen(&self) -> bool {
        self.len() > SLACK_FACTOR * self.pending + SLACK
    }

    #[inline]
    pub fn push(&mut self, entry: Entry<Id>) -> Sequence {
        let sequence = self.next_sequence();
        self.slots.push_back(entry);
        self.pending += 1;
        sequence
    }

    #[inline]
    pub fn ack(&mut self, sequence: Sequence, xor: EdgeId) -> Hit<Id> {
        let offset = self.offset(sequence);
        match self.slots.get_mut(offset) {
            Some(slot) if slot.emitted_ns != VACANT => {
                slot.xor ^= xor;
                if slot.xor.is_zero() { Hit::Complete(self.vacate(offset)) } else { Hit::Incomplete }
            }
            _ => Hit::Miss,
        }
    }

    pub fn take(&mut self, sequence: Sequence) -> Option<Entry<Id>> {
        let offset = self.offset(sequence);
        let held = self.slots.get(offset).is_some_and(|slot| slot.emitted_ns != VACANT);
        held.then(|| self.vacate(offset))
    }

    pub fn oldest(&self) -> Option<(Sequence, &Entry<Id>)> {
        self.slots.front().map(|slot| (self.base, slot))
    }

    pub fn pop_oldest(&mut self) -> Option<(Sequence, Entry<Id>)> {
        let sequence = self.base;
        (!self.slots.is_empty()).then(|| (sequence, self.vacate(0)))
    }

    /// Forgets everything at or after `first`, which becomes the next sequence number; how many were pending.
    ///
    /// `first` is not after the next sequence number.
    pub fn truncate(&mut self, first: Sequence) -> usize {
        let keep = self.len().saturating_sub(self.distance(self.next_sequence(), first));
        let gone = self.slots.drain(keep..).filter(|slot| slot.emitted_ns != VACANT).count();
        self.pending -= gone;
        if self.slots.is_empty() {
            self.base = first;
        }
        gone
    }

    /// Empties a slot that holds a root, and drops the vacant slots that nothing older holds back any more.
    #[inline]
    fn vacate(&mut self, offset: usize) -> Entry<Id> {
        let slot = &mut self.slots[offset];
        let entry = Entry { xor: slot.xor, emitted_ns: slot.emitted_ns, id: std::mem::take(&mut slot.id) };
        slot.emitted_ns = VACANT;
        self.pending -= 1;
        if offset == 0 {
            self.drop_vacant();
        }
        entry
    }

    #[inline]
    fn drop_vacant(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.emitted_ns == VACANT) {
            self.slots.pop_front();
            self.base = self.base.plus(1);
        }
    }

    /// Past the end for a sequence that isn't in the ring, also for one before it.
    #[inline]
    fn offset(&self, sequence: Sequence) -> usize {
        self.distance(sequence, self.base)
    }

    #[inline]
    fn distance(&self, to: Sequence, from: Sequence) -> usize {
        usize::try_from(to.since(from)).unwrap_or(usize::MAX)
    }
}
