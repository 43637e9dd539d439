//! Pending roots in the order in which they were opened, indexed by their dense sequence number.

use squall_types::{EdgeId, Sequence};

/// The ring may be this many times as long as it has pending roots …
pub(super) const SLACK_FACTOR: usize = 4;
/// … and this much longer. Small in unit tests, so that short cases make stragglers and grow the ring too.
pub(super) const SLACK: usize = if cfg!(test) { 8 } else { 1_024 };

const FIRST_SLOTS: usize = if cfg!(test) { 4 } else { 64 };

/// Marks a slot whose root has left. No clock shows it: nanoseconds last 584 years.
const VACANT: u64 = u64::MAX;

/// A pending root: 16 bytes and the id.
#[derive(Debug)]
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

impl<Id: Default> Entry<Id> {
    fn vacant() -> Self {
        Self { xor: EdgeId::ZERO, emitted_ns: VACANT, id: Id::default() }
    }
}

/// Invariants: the oldest slot is never vacant; `pending` is the number of slots that aren't; slots outside
/// `oldest..next` are vacant; their number is zero or a power of two.
#[derive(Debug)]
pub(super) struct Ring<Id> {
    /// The root numbered `n` is in slot `n` modulo their number.
    slots: Vec<Entry<Id>>,
    /// Counted without wrapping; a sequence is the low bits.
    oldest: u64,
    next: u64,
    pending: usize,
}

impl<Id: Default> Ring<Id> {
    pub fn starting_at(first: Sequence) -> Self {
        Self { slots: Vec::new(), oldest: first.get(), next: first.get(), pending: 0 }
    }

    #[inline]
    pub fn next_sequence(&self) -> Sequence {
        Sequence::new(self.next)
    }

    #[inline]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Vacant slots between pending roots included.
    #[inline]
    pub fn len(&self) -> usize {
        (self.next - self.oldest) as usize
    }

    /// Whether it is too long for what it holds, so that its oldest roots should go elsewhere. A push never makes it so.
    #[inline]
    pub fn is_swollen(&self) -> bool {
        self.len() > SLACK_FACTOR * self.pending + SLACK
    }

    #[inline]
    pub fn push(&mut self, entry: Entry<Id>) -> Sequence {
        if self.len() == self.slots.len() {
            self.grow();
        }
        let slot = self.slot(self.next);
        self.slots[slot] = entry;
        self.next += 1;
        self.pending += 1;
        Sequence::new(self.next - 1)
    }

    #[inline]
    pub fn ack(&mut self, sequence: Sequence, xor: EdgeId) -> Hit<Id> {
        let Some(number) = self.locate(sequence) else { return Hit::Miss };
        let slot = self.slot(number);
        let entry = &mut self.slots[slot];
        if entry.emitted_ns == VACANT {
            return Hit::Miss;
        }
        entry.xor ^= xor;
        if entry.xor.is_zero() { Hit::Complete(self.vacate(number)) } else { Hit::Incomplete }
    }

    pub fn take(&mut self, sequence: Sequence) -> Option<Entry<Id>> {
        let number = self.locate(sequence).filter(|&number| !self.is_vacant(number))?;
        Some(self.vacate(number))
    }

    pub fn oldest(&self) -> Option<(Sequence, &Entry<Id>)> {
        (self.len() > 0).then(|| (Sequence::new(self.oldest), &self.slots[self.slot(self.oldest)]))
    }

    pub fn pop_oldest(&mut self) -> Option<(Sequence, Entry<Id>)> {
        let sequence = Sequence::new(self.oldest);
        (self.len() > 0).then(|| (sequence, self.vacate(self.oldest)))
    }

    /// Takes the last `count` sequence numbers back, whether their roots are still here or not; how many were pending.
    pub fn truncate(&mut self, count: u64) -> usize {
        let (before, first) = (self.pending, self.next.saturating_sub(count));
        for number in first.max(self.oldest)..self.next {
            if !self.is_vacant(number) {
                self.vacate(number);
            }
        }
        self.next = first;
        self.oldest = self.oldest.min(first);
        before - self.pending
    }

    #[inline]
    fn slot(&self, number: u64) -> usize {
        number as usize & self.slots.len().wrapping_sub(1)
    }

    #[inline]
    fn is_vacant(&self, number: u64) -> bool {
        self.slots[self.slot(number)].emitted_ns == VACANT
    }

    /// The number in `oldest..next` that a sequence stands for.
    #[inline]
    fn locate(&self, sequence: Sequence) -> Option<u64> {
        let offset = sequence.since(Sequence::new(self.oldest));
        (offset < self.next - self.oldest).then(|| self.oldest + offset)
    }

    /// Empties a slot that holds a root, and lets go of the vacant slots that nothing older holds back any more.
    #[inline]
    fn vacate(&mut self, number: u64) -> Entry<Id> {
        let slot = self.slot(number);
        let slot = &mut self.slots[slot];
        let entry = Entry { xor: slot.xor, emitted_ns: slot.emitted_ns, id: std::mem::take(&mut slot.id) };
        slot.emitted_ns = VACANT;
        self.pending -= 1;
        if number == self.oldest {
            self.oldest += 1;
            while self.oldest < self.next && self.is_vacant(self.oldest) {
                self.oldest += 1;
            }
        }
        entry
    }

    /// Doubles the slots. The ring is full, so each entry's place is among the old slots or as far into the new ones.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let old = self.slots.len();
        self.slots.resize_with((2 * old).max(FIRST_SLOTS), Entry::vacant);
        for number in self.oldest..self.next {
            let (from, to) = (number as usize & (old - 1), self.slot(number));
            self.slots.swap(from, to);
        }
    }

    #[cfg(test)]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }
}
