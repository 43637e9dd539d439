//! The at-least-once ledger of one spout task: which of its roots are pending, and how each ends.
//!
//! A tracked tuple's tree starts with one edge. Each tuple, when a bolt is done with it, leaves one ack record: its own edge
//! XOR the edges of the tuples that were made from it. So every edge comes up twice, in any order, and the sum over the tree
//! is zero once all its tuples are acked. The ledger lives with the spout and keeps that sum, a time and the spout's id a
//! root: no init message, no acker task, no hash map.
//!
//! **Where a root is.** Sequence numbers are dense, so pending roots lie in a ring indexed by them. Ring order is the order
//! of opening, hence of deadlines: timeouts need no wheel, and fire at their time. A root that stays pending while the ring
//! moves on, or whose timeout was put off, moves to a side table. So the ring is never longer than four times what it holds
//! pending plus 1,024, and one root that is held for minutes costs nothing to the rest. Each root moves at most once: all
//! operations are O(1), amortised, but for the deadlines of the side table (a heap).
//!
//! **What may come in.** Records for another task or another incarnation, for roots that have settled or never were, are
//! counted and ignored. A root settles once. A record that is applied twice takes its first application back, so the root
//! misses it, times out and is replayed: a duplicate can delay a root, never complete it early, because the edge of the
//! topmost duplicated tuple has been consumed and nothing else cancels it. (Transports don't duplicate records.)
//!
//! **False completion.** Edges are 64 pseudo-random bits. A record that arrives while its tree is incomplete leaves the sum
//! of the edges outstanding, which is zero by accident with probability 2⁻⁶⁴ at most. One such record a root at 20 M roots/s
//! is 2·10⁷ chances a second, of 5.4·10⁻²⁰ each: 1.1·10⁻¹² a second, once in 29,000 years; ten a root, once in 2,900.
//!
//! **Age.** A sequence has 36 bits. A root still pending when 2³⁶ − 2³³ later ones have been opened (50 minutes at 20 M/s)
//! times out, whatever its deadline, so that no two pending roots share an id.

mod ring;
mod settled;
mod stragglers;
#[cfg(test)]
mod tests;

use squall_types::{EdgeId, Incarnation, RootId, Sequence, TaskId};

use ring::{Entry, Hit, Ring};
use stragglers::{NEVER, Stragglers};

pub use settled::{FailureKind, LedgerStats, Outcome, Settled};

/// How far a root may fall behind before its sequence number is needed again.
const MAX_AGE: u64 = (1 << 36) - (1 << 33);
/// The age is looked at once in so many roots; less than the room that [`MAX_AGE`] leaves.
const AGE_CHECK_MASK: u64 = (1 << 32) - 1;
/// A sequence less than this many places ahead of another is taken to lie after it.
const HALF: u64 = 1 << 35;

/// What a ledger is made for.
#[derive(Clone, Copy, Debug)]
pub struct LedgerConfig {
    /// The spout task.
    pub task: TaskId,
    /// That task's life.
    pub incarnation: Incarnation,
    /// How long a root may stay pending, in nanoseconds; `u64::MAX`: for ever.
    pub timeout_ns: u64,
    /// How many roots the spout may have pending. The ledger tells the room left; it refuses nothing.
    pub max_pending: usize,
}

/// The ledger of one spout task.
///
/// `Id` is what the spout knows a root by; it is handed back when the root settles. A type without a default goes in as an
/// `Option`. Times are nanoseconds of one clock that doesn't run backwards.
#[derive(Debug)]
pub struct Ledger<Id> {
    config: LedgerConfig,
    ring: Ring<Id>,
    stragglers: Stragglers<Id>,
    /// The latest time seen by `open`, so that ring order stays deadline order whatever the clock does.
    now_ns: u64,
    /// All but `opened`, which follows from the others and what is pending.
    stats: LedgerStats,
}

impl<Id: Default> Ledger<Id> {
    /// An empty ledger; sequence numbers start at 0.
    pub fn new(config: LedgerConfig) -> Self {
        Self::starting_at(config, Sequence::default())
    }

    /// An empty ledger whose first root has this sequence number.
    pub fn starting_at(config: LedgerConfig, first: Sequence) -> Self {
        let (ring, stragglers) = (Ring::starting_at(first), Stragglers::new());
        Self { config, ring, stragglers, now_ns: 0, stats: LedgerStats::default() }
    }

    /// Opens a root with its first edge, or the XOR of several. It is pending until it settles or is withdrawn.
    ///
    /// A row that goes nowhere is opened all the same and its edge acked at once: then it completes at once.
    #[inline]
    pub fn open(&mut self, id: Id, edge: EdgeId, now_ns: u64) -> RootId {
        // One short of the end of time, which marks vacant slots.
        self.now_ns = self.now_ns.max(now_ns).min(u64::MAX - 1);
        let sequence = self.ring.push(Entry { xor: edge, emitted_ns: self.now_ns, id });
        if sequence.get() & AGE_CHECK_MASK == 0 {
            self.retire_aged();
        }
        RootId::new(self.config.task, self.config.incarnation, sequence)
    }

    /// Applies an ack record: a tuple's edge XOR the edges of the tuples made from it, or several of these XORed.
    #[inline]
    pub fn ack(&mut self, root: RootId, xor: EdgeId, on: &mut impl FnMut(Settled<Id>)) {
        let Some(sequence) = self.own(root) else { return };
        match self.ring.ack(sequence, xor) {
            Hit::Incomplete => {}
            Hit::Complete(entry) => {
                self.relieve();
                self.settle(entry, Outcome::Acked, on);
            }
            Hit::Miss => self.ack_straggler(sequence, xor, on),
        }
    }

    /// Applies ack records one after another.
    #[inline]
    pub fn ack_all(&mut self, records: &[(RootId, EdgeId)], on: &mut impl FnMut(Settled<Id>)) {
        for &(root, xor) in records {
            self.ack(root, xor, on);
        }
    }

    /// Settles a root as failed by a bolt.
    pub fn fail(&mut self, root: RootId, on: &mut impl FnMut(Settled<Id>)) {
        let Some(sequence) = self.own(root) else { return };
        match self.take(sequence) {
            Some(entry) => self.settle(entry, Outcome::Failed(FailureKind::Failed), on),
            None => self.stats.late += 1,
        }
    }

    /// Gives a root its whole timeout again, from now.
    pub fn extend(&mut self, root: RootId, now_ns: u64) {
        let Some(sequence) = self.own(root) else { return };
        self.now_ns = self.now_ns.max(now_ns).min(u64::MAX - 1);
        let deadline_ns = self.deadline(self.now_ns);
        if let Some(entry) = self.ring.take(sequence) {
            self.stragglers.insert(sequence, entry, deadline_ns);
            self.relieve();
        } else if !self.stragglers.reschedule(sequence, deadline_ns) {
            self.stats.late += 1;
        }
    }

    /// Settles the roots whose deadline has come. To be called at [`next_deadline`](Self::next_deadline).
    pub fn expire(&mut self, now_ns: u64, on: &mut impl FnMut(Settled<Id>)) {
        while let Some(entry) = self.stragglers.pop_due(now_ns) {
            self.settle(entry, Outcome::Failed(FailureKind::TimedOut), on);
        }
        while self.oldest_deadline().is_some_and(|deadline_ns| deadline_ns <= now_ns)
            && let Some((_, entry)) = self.ring.pop_oldest()
        {
            self.settle(entry, Outcome::Failed(FailureKind::TimedOut), on);
        }
        self.relieve();
    }

    /// When [`expire`](Self::expire) has something to do next; `None` while nothing can time out.
    pub fn next_deadline(&self) -> Option<u64> {
        [self.oldest_deadline(), self.stragglers.next_deadline()].into_iter().flatten().min()
    }

    /// Gives up the roots opened before `bound`, a former [`next_sequence`](Self::next_sequence): what they led to may have
    /// been lost. Stragglers first, else in the order of opening.
    pub fn lose_before(&mut self, bound: Sequence, on: &mut impl FnMut(Settled<Id>)) {
        let next = self.next_sequence();
        // A bound after the next sequence was noted before a withdrawal; everything was opened before it.
        let kept = if bound.since(next) < HALF { 0 } else { next.since(bound) };
        for sequence in self.stragglers.older_than(next, kept) {
            if let Some(entry) = self.stragglers.take(sequence) {
                self.settle(entry, Outcome::Failed(FailureKind::Lost), on);
            }
        }
        while self.ring.oldest().is_some_and(|(sequence, _)| next.since(sequence) > kept)
            && let Some((_, entry)) = self.ring.pop_oldest()
        {
            self.settle(entry, Outcome::Failed(FailureKind::Lost), on);
        }
        self.relieve();
    }

    /// Gives up every pending root.
    pub fn lose_all(&mut self, on: &mut impl FnMut(Settled<Id>)) {
        self.lose_before(self.next_sequence(), on);
    }

    /// Forgets the roots opened at or after `first`, a former [`next_sequence`](Self::next_sequence), whose rows were taken
    /// back before they went anywhere; how many. They don't settle, and their sequence numbers are given out again.
    pub fn withdraw_from(&mut self, first: Sequence) -> usize {
        let next = self.next_sequence();
        if first.since(next) < HALF {
            return 0;
        }
        let count = next.since(first);
        let gone = self.stragglers.forget_newer(next, count) + self.ring.truncate(count);
        self.relieve();
        gone
    }

    /// The spout task starts anew: gives up every pending root, and begins the next incarnation at sequence 0.
    pub fn restart(&mut self, on: &mut impl FnMut(Settled<Id>)) {
        self.lose_all(on);
        self.config.incarnation = self.config.incarnation.next();
        self.ring = Ring::starting_at(Sequence::default());
    }

    /// The sequence number that the next root gets.
    #[inline]
    pub fn next_sequence(&self) -> Sequence {
        self.ring.next_sequence()
    }

    /// The life of the task whose roots are taken.
    pub fn incarnation(&self) -> Incarnation {
        self.config.incarnation
    }

    /// Roots pending.
    #[inline]
    pub fn pending(&self) -> usize {
        self.ring.pending() + self.stragglers.len()
    }

    /// How many more roots may be opened within the limit.
    #[inline]
    pub fn room(&self) -> usize {
        self.config.max_pending.saturating_sub(self.pending())
    }

    /// When the oldest pending root was opened, in nanoseconds. Walks the side table: for reports, not for every row.
    pub fn oldest_pending_ns(&self) -> Option<u64> {
        let in_ring = self.ring.oldest().map(|(_, entry)| entry.emitted_ns);
        [in_ring, self.stragglers.oldest_ns()].into_iter().flatten().min()
    }

    /// The counts.
    pub fn stats(&self) -> LedgerStats {
        LedgerStats { opened: self.stats.settled() + self.pending() as u64, ..self.stats }
    }

    /// The sequence of a root that this ledger gave out in this life.
    #[inline]
    fn own(&mut self, root: RootId) -> Option<Sequence> {
        let sequence = root.sequence();
        if root == RootId::new(self.config.task, self.config.incarnation, sequence) {
            return Some(sequence);
        }
        self.count_misdirected(root);
        None
    }

    #[cold]
    fn count_misdirected(&mut self, root: RootId) {
        if root.task() == self.config.task {
            self.stats.stale += 1;
        } else {
            self.stats.foreign += 1;
        }
    }

    #[cold]
    #[inline(never)]
    fn ack_straggler(&mut self, sequence: Sequence, xor: EdgeId, on: &mut impl FnMut(Settled<Id>)) {
        match self.stragglers.ack(sequence, xor) {
            Hit::Miss => self.stats.late += 1,
            Hit::Incomplete => {}
            Hit::Complete(entry) => self.settle(entry, Outcome::Acked, on),
        }
    }

    fn take(&mut self, sequence: Sequence) -> Option<Entry<Id>> {
        let entry = self.ring.take(sequence);
        self.relieve();
        entry.or_else(|| self.stragglers.take(sequence))
    }

    #[inline]
    fn settle(&mut self, entry: Entry<Id>, outcome: Outcome, on: &mut impl FnMut(Settled<Id>)) {
        let count = match outcome {
            Outcome::Acked => &mut self.stats.acked,
            Outcome::Failed(FailureKind::Failed) => &mut self.stats.failed,
            Outcome::Failed(FailureKind::TimedOut) => &mut self.stats.timed_out,
            Outcome::Failed(FailureKind::Lost) => &mut self.stats.lost,
        };
        *count += 1;
        on(Settled { id: entry.id, outcome, emitted_ns: entry.emitted_ns });
    }

    #[inline]
    fn deadline(&self, from_ns: u64) -> u64 {
        from_ns.saturating_add(self.config.timeout_ns)
    }

    fn oldest_deadline(&self) -> Option<u64> {
        let (_, oldest) = self.ring.oldest()?;
        Some(self.deadline(oldest.emitted_ns)).filter(|&deadline_ns| deadline_ns != NEVER)
    }

    #[inline]
    fn relieve(&mut self) {
        if self.ring.is_swollen() {
            self.evict();
        }
    }

    /// Moves the oldest roots to the side table until the ring has a fair length.
    #[cold]
    #[inline(never)]
    fn evict(&mut self) {
        while self.ring.is_swollen()
            && let Some((sequence, entry)) = self.ring.pop_oldest()
        {
            let deadline_ns = self.deadline(entry.emitted_ns);
            self.stragglers.insert(sequence, entry, deadline_ns);
        }
    }

    /// Makes the stragglers due whose sequence numbers come up again before long.
    #[cold]
    #[inline(never)]
    fn retire_aged(&mut self) {
        for sequence in self.stragglers.older_than(self.next_sequence(), MAX_AGE) {
            self.stragglers.reschedule(sequence, 0);
        }
    }
}
