//! When a slot's ledgers give up what was lost with another slot, or with the way to it.
//!
//! Each slot that sends to a lost one leaves it: from then on it sends nothing there. Then it says so to every slot with spouts. Whatever
//! it has lost belongs to roots that were opened before its word comes, so to give up all older roots at each word would be right. But the
//! words of many come one after another, and what a spout emits again at the first would fail again at the second. So the ledger waits for
//! the last, but not for long: who shares the loss is known only if the slot itself is lost and not a single way to it, and one that
//! should have spoken may be gone too.
//!
//! Invariant: after each word, all roots that were opened before it and reach what was lost are given up, [`GRACE_NS`] later at the latest.

use std::collections::{BTreeMap, BTreeSet};

use squall_types::cluster::{SlotId, SlotIncarnation};

/// How long the first word of a loss waits for the others, at the most: 50 ms.
pub const GRACE_NS: u64 = 50_000_000;

/// A slot's word that it has left another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Who has left.
    pub from: SlotId,
    /// Who is lost.
    pub lost: SlotId,
    /// In which life.
    pub incarnation: SlotIncarnation,
    /// The components whose tasks there were sent to.
    pub components: BTreeSet<usize>,
}

#[derive(Clone, Debug, Default)]
struct Loss {
    since_ns: u64,
    said: BTreeSet<SlotId>,
    components: BTreeSet<usize>,
}

/// The losses that not all have spoken of yet.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    open: BTreeMap<(SlotId, SlotIncarnation), Loss>,
}

impl Losses {
    /// A word has come. Gives the components whose tasks have lost something: roots that reach one of them are to be given up, now.
    ///
    /// `expected` are the slots that send to the lost one and can still say so.
    pub fn word(&mut self, word: Word, expected: &BTreeSet<SlotId>, now_ns: u64) -> Option<BTreeSet<usize>> {
        let key = (word.lost, word.incarnation);
        let loss = self.open.entry(key.clone()).or_insert_with(|| Loss { since_ns: now_ns, ..Loss::default() });
        loss.said.insert(word.from);
        loss.components.extend(word.components);
        if expected.is_subset(&loss.said) { self.open.remove(&key).map(|loss| loss.components) } else { None }
    }

    /// Time has passed: the components of losses that have waited long enough.
    pub fn due(&mut self, now_ns: u64) -> Option<BTreeSet<usize>> {
        let is_due = |loss: &Loss| now_ns.saturating_sub(loss.since_ns) >= GRACE_NS;
        let due = self.open.extract_if(.., |_, loss| is_due(loss));
        due.map(|(_, loss)| loss.components).reduce(|all, more| &all | &more)
    }

    /// When to call [`due`](Self::due) next.
    pub fn next_deadline(&self) -> Option<u64> {
        self.open.values().map(|loss| loss.since_ns.saturating_add(GRACE_NS)).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slot(number: u16) -> SlotId {
        SlotId { worker: "w".parse().unwrap(), number }
    }

    fn slots(numbers: &[u16]) -> BTreeSet<SlotId> {
        numbers.iter().map(|number| slot(*number)).collect()
    }

    fn word(from: u16, lost: u16, components: &[usize]) -> Word {
        Word {
            from: slot(from),
            lost: slot(lost),
            incarnation: SlotIncarnation::new(1),
            components: components.iter().copied().collect(),
        }
    }

    #[test]
    fn roots_are_given_up_at_the_last_word() {
        let (mut losses, expected) = (Losses::default(), slots(&[1, 2, 3]));
        assert_eq!(losses.word(word(1, 9, &[4]), &expected, 0), None);
        assert_eq!(losses.word(word(1, 9, &[4]), &expected, 1), None, "one slot is not two");
        assert_eq!(losses.word(word(3, 9, &[5]), &expected, 2), None);
        assert_eq!(losses.word(word(2, 9, &[4]), &expected, 3), Some([4, 5].into()));
        assert_eq!(losses.next_deadline(), None);
    }

    #[test]
    fn a_word_that_nobody_shares_is_not_waited_for_long() {
        let (mut losses, expected) = (Losses::default(), slots(&[1, 2]));
        assert_eq!(losses.word(word(1, 9, &[4]), &expected, 10), None);
        assert_eq!(losses.next_deadline(), Some(10 + GRACE_NS));
        assert_eq!(losses.due(9 + GRACE_NS), None);
        assert_eq!(losses.due(10 + GRACE_NS), Some([4].into()));
        // The other one's, late, is a loss of its own: something may have been sent in between.
        assert_eq!(losses.word(word(2, 9, &[4]), &expected, 11 + GRACE_NS), None);
        assert_eq!(losses.due(11 + 2 * GRACE_NS), Some([4].into()));
    }

    #[test]
    fn the_only_sender_is_not_waited_for_at_all() {
        let mut losses = Losses::default();
        assert_eq!(losses.word(word(1, 9, &[4]), &slots(&[1]), 0), Some([4].into()));
        assert_eq!(losses.word(word(1, 9, &[4]), &slots(&[]), 0), Some([4].into()), "it is lost again");
    }

    #[test]
    fn losses_of_two_slots_are_two() {
        let (mut losses, expected) = (Losses::default(), slots(&[1, 2]));
        assert_eq!(losses.word(word(1, 8, &[4]), &expected, 0), None);
        assert_eq!(losses.word(word(2, 9, &[5]), &expected, 0), None);
        assert_eq!(losses.word(word(2, 8, &[4]), &expected, 0), Some([4].into()));
        assert_eq!(losses.due(GRACE_NS), Some([5].into()));
    }

    proptest! {
        /// No word is forgotten: what it speaks of is given up no earlier than it comes, and within the grace.
        #[test]
        fn every_word_is_heeded_within_the_grace(
            words in prop::collection::vec((0..30u64, 1..5u16, 8..10u16, 0..4usize), 0..30),
            expected in prop::collection::btree_set(1..5u16, 0..4),
        ) {
            let expected: BTreeSet<SlotId> = expected.into_iter().map(slot).collect();
            let mut losses = Losses::default();
            let mut now = 0;
            let mut unheeded: Vec<(u64, usize)> = Vec::new();
            for (pause, from, lost, component) in words {
                now += pause * 1_000_000;
                let due = losses.due(now);
                unheeded.retain(|(_, of)| !due.as_ref().is_some_and(|due| due.contains(of)));
                unheeded.push((now, component));
                let told = losses.word(word(from, lost, &[component]), &expected, now);
                unheeded.retain(|(_, of)| !told.as_ref().is_some_and(|told| told.contains(of)));
                let waits = losses.next_deadline();
                for (since, _) in &unheeded {
                    prop_assert!(waits.is_some_and(|deadline| deadline <= since + GRACE_NS));
                }
            }
            losses.due(now + GRACE_NS);
            prop_assert_eq!(losses.next_deadline(), None);
        }
    }
}
