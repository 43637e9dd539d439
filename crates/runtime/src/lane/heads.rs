//! The head rows of a run: the rows that came into the chain, with the sums of what was made of them.
//!
//! Within a chain a row has no edge of its own. Everything that is made of a head row, in whatever bolt of the chain, is
//! XORed into that head's anchor; when the chain has run, the anchor is what is left to ack.

use squall_engine::edges::EdgeIds;
use squall_engine::ledger::FailureKind;
use squall_types::{Anchor, EdgeId};

use super::acks::AckOut;

/// The head of a row that isn't anchored to any.
pub const NO_HEAD: u32 = u32::MAX;

/// The anchors of the rows that a chain works on. Empty if nothing is tracked.
#[derive(Debug, Default)]
pub struct Heads {
    /// The first anchor of each head. Heads made within the chain follow those that came in.
    pub anchors: Vec<Anchor>,
    /// Further anchors, by head.
    pub more: Vec<(u32, Anchor)>,
    /// Heads that failed.
    failed: Vec<(u32, FailureKind)>,
}

impl Heads {
    /// The first anchor of a head.
    #[inline]
    pub fn get(&self, head: u32) -> Anchor {
        self.anchors.get(head as usize).copied().unwrap_or(Anchor::NONE)
    }

    /// XORs what a call made into the head's anchor.
    #[inline]
    pub fn add_sum(&mut self, head: u32, sum: EdgeId) {
        if let Some(anchor) = self.anchors.get_mut(head as usize) {
            anchor.edge ^= sum;
        }
    }

    /// The head's further roots, with empty sums, into `roots`.
    #[cold]
    pub fn further(&self, head: u32, roots: &mut Vec<Anchor>) {
        let of_head = self.more.iter().filter(|(of, _)| *of == head);
        roots.extend(of_head.map(|(_, anchor)| Anchor { root: anchor.root, edge: EdgeId::ZERO }));
    }

    /// XORs sums into the head's further anchors; `sums` are in the order of [`further`](Self::further).
    #[cold]
    pub fn add_further(&mut self, head: u32, sums: &[Anchor]) {
        let of_head = self.more.iter_mut().filter(|(of, _)| *of == head);
        for ((_, anchor), sum) in of_head.zip(sums) {
            anchor.edge ^= sum.edge;
        }
    }

    /// New edges below a head, one for each of its roots.
    pub fn branch(&mut self, head: u32, ids: &mut EdgeIds) -> Vec<Anchor> {
        let first = self.anchors.get_mut(head as usize).filter(|anchor| anchor.root.is_some());
        let more = self.more.iter_mut().filter(|(of, _)| *of == head).map(|(_, anchor)| anchor);
        first
            .into_iter()
            .chain(more)
            .map(|anchor| {
                let edge = ids.next();
                anchor.edge ^= edge;
                Anchor { root: anchor.root, edge }
            })
            .collect()
    }

    /// A head made within the chain, with these anchors.
    pub fn add(&mut self, anchors: &[Anchor]) -> u32 {
        let head = u32::try_from(self.anchors.len()).expect("heads fit u32");
        self.anchors.push(anchors.first().copied().unwrap_or(Anchor::NONE));
        self.more.extend(anchors.iter().skip(1).map(|anchor| (head, *anchor)));
        head
    }

    /// Fails a head: its roots will not be done.
    #[cold]
    pub fn fail(&mut self, head: u32, kind: FailureKind) {
        if head != NO_HEAD {
            self.failed.push((head, kind));
        }
    }

    /// The heads before `end` are done, while others wait: what is left of them is acked or failed, and they are forgotten.
    #[cold]
    pub fn settle_before(&mut self, end: usize, acks: &mut AckOut) {
        let is_before = |head: u32| (head as usize) < end;
        let (mut first, mut later) = (Self::default(), std::mem::take(&mut self.failed));
        first.anchors = self.anchors.iter().copied().take(end).collect();
        first.more = self.more.iter().copied().filter(|(head, _)| is_before(*head)).collect();
        first.failed = later.extract_if(.., |(head, _)| is_before(*head)).collect();
        first.settle(acks);
        self.failed = later;
        self.more.retain(|(head, _)| !is_before(*head));
        self.anchors.iter_mut().take(end).for_each(|anchor| *anchor = Anchor::NONE);
    }

    /// The chain is done with all heads: what is left of each is acked or failed.
    pub fn settle(&mut self, acks: &mut AckOut) {
        if self.failed.is_empty() && self.more.is_empty() {
            acks.ack_all(&self.anchors);
        } else {
            self.settle_each(acks);
        }
        self.anchors.clear();
        self.more.clear();
        self.failed.clear();
    }

    #[cold]
    fn settle_each(&mut self, acks: &mut AckOut) {
        self.failed.sort_by_key(|(head, _)| *head);
        let fate = |head: u32| {
            let first = self.failed.partition_point(|(of, _)| *of < head);
            self.failed.get(first).filter(|(of, _)| *of == head).map(|(_, kind)| *kind)
        };
        let firsts = self.anchors.iter().enumerate().map(|(head, anchor)| (head as u32, *anchor));
        for (head, anchor) in firsts.chain(self.more.iter().copied()) {
            match fate(head) {
                Some(kind) => acks.fail(anchor.root, kind),
                None => acks.ack(anchor),
            }
        }
    }
}
