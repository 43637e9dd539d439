//! Ack records on their way to the ledgers.

use std::sync::Arc;

use squall_engine::ledger::FailureKind;
use squall_types::{Anchor, EdgeId, RootId};

use crate::inbox::{Inbox, Parcel};

/// What a lane tells a spout lane's ledgers: edges that are done, roots that failed, and roots that take longer.
#[derive(Clone, Debug, Default)]
pub struct AckBatch {
    /// A root and the XOR of edges that are done or new.
    pub acked: Vec<(RootId, EdgeId)>,
    /// Roots that will not be done.
    pub failed: Vec<(RootId, FailureKind)>,
    /// Roots that get their whole timeout again.
    pub extended: Vec<RootId>,
}

impl Parcel for AckBatch {
    fn rows(&self) -> usize {
        self.acked.len() + self.failed.len() + self.extended.len()
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.acked) + size_of_val(&*self.failed) + size_of_val(&*self.extended)
    }

    /// All the same: ack lanes have no bound.
    fn sender(&self) -> (u16, u16) {
        (0, 0)
    }

    fn recycle(&mut self) {
        self.acked.clear();
        self.failed.clear();
        self.extended.clear();
    }
}

impl AckBatch {
    fn is_empty(&self) -> bool {
        self.acked.is_empty() && self.failed.is_empty() && self.extended.is_empty()
    }
}

/// Where each spout task's ledger is: an index into the ack lanes, by task number.
#[derive(Clone)]
pub struct AckRoutes {
    lane_of: Arc<[u16]>,
    lanes: Arc<[Arc<Inbox<AckBatch>>]>,
}

impl AckRoutes {
    const NOWHERE: u16 = u16::MAX;

    /// Routes to spout lanes, each with the numbers of its tasks.
    pub fn new(lanes: Vec<(Arc<Inbox<AckBatch>>, Vec<u16>)>, tasks: usize) -> Self {
        let mut lane_of = vec![Self::NOWHERE; tasks + 1];
        for (index, (_, numbers)) in lanes.iter().enumerate() {
            for &number in numbers {
                lane_of[usize::from(number)] = u16::try_from(index).expect("lanes are no more than tasks");
            }
        }
        Self { lane_of: lane_of.into(), lanes: lanes.into_iter().map(|(inbox, _)| inbox).collect() }
    }
}

/// A lane's ack records, gathered per spout lane until the lane flushes.
pub struct AckOut {
    routes: AckRoutes,
    pending: Vec<AckBatch>,
    since_ns: u64,
    /// Records that name no spout task of this topology.
    foreign: u64,
}

impl AckOut {
    /// Records that make a batch full.
    const FULL: usize = 1_024;

    /// Nothing gathered.
    pub fn new(routes: AckRoutes) -> Self {
        let pending = routes.lanes.iter().map(|_| AckBatch::default()).collect();
        Self { routes, pending, since_ns: u64::MAX, foreign: 0 }
    }

    #[inline]
    fn batch(&mut self, root: RootId) -> Option<&mut AckBatch> {
        let lane = self.routes.lane_of.get(root.task().index()).copied().unwrap_or(AckRoutes::NOWHERE);
        if lane == AckRoutes::NOWHERE {
            self.foreign += 1;
        }
        self.pending.get_mut(usize::from(lane))
    }

    /// Edges are done. Neighbours of one root are merged before their ledger is looked for.
    pub fn ack_all(&mut self, anchors: &[Anchor]) {
        let mut run = Anchor::NONE;
        for anchor in anchors {
            if anchor.root == run.root {
                run.edge ^= anchor.edge;
            } else {
                self.ack(run);
                run = *anchor;
            }
        }
        self.ack(run);
    }

    /// An edge is done. Neighbours of one root are merged.
    #[inline]
    pub fn ack(&mut self, anchor: Anchor) {
        if !anchor.root.is_some() {
            return;
        }
        let Some(batch) = self.batch(anchor.root) else { return };
        match batch.acked.last_mut() {
            Some(last) if last.0 == anchor.root => last.1 ^= anchor.edge,
            _ => batch.acked.push((anchor.root, anchor.edge)),
        }
    }

    /// A root failed.
    #[cold]
    pub fn fail(&mut self, root: RootId, kind: FailureKind) {
        if root.is_some()
            && let Some(batch) = self.batch(root)
        {
            batch.failed.push((root, kind));
        }
    }

    /// A root gets its whole timeout again.
    #[cold]
    pub fn extend(&mut self, root: RootId) {
        if root.is_some()
            && let Some(batch) = self.batch(root)
        {
            batch.extended.push(root);
        }
    }

    /// Ledgers are elsewhere from now on: what is gathered goes there.
    #[cold]
    pub fn reroute(&mut self, routes: AckRoutes) {
        let fresh = routes.lanes.iter().map(|_| AckBatch::default()).collect();
        let gathered = std::mem::replace(&mut self.pending, fresh);
        self.routes = routes;
        for batch in gathered {
            batch.acked.into_iter().for_each(|(root, edge)| self.ack(Anchor { root, edge }));
            batch.failed.into_iter().for_each(|(root, kind)| self.fail(root, kind));
            batch.extended.into_iter().for_each(|root| self.extend(root));
        }
        // They have waited.
        self.since_ns = 0;
    }

    /// Says that records may have come in at this time; their age counts from the first such call after a flush.
    pub fn touch(&mut self, now_ns: u64) {
        if self.since_ns == u64::MAX && self.pending.iter().any(|batch| !batch.is_empty()) {
            self.since_ns = now_ns;
        }
    }

    /// Sends what is full, or everything if `all` or if the first record is older than `max_age_ns`.
    pub fn flush(&mut self, now_ns: u64, all: bool, max_age_ns: u64) {
        let everything = all || self.since_ns != u64::MAX && now_ns.saturating_sub(self.since_ns) >= max_age_ns;
        for (batch, inbox) in self.pending.iter_mut().zip(&*self.routes.lanes) {
            if batch.acked.len() >= Self::FULL || everything && !batch.is_empty() {
                // Rows in flight bound the records, so their lane has no bound of its own.
                let full = std::mem::take(batch);
                // One that is left keeps nothing back: the ledger is elsewhere, as the lane is about to learn.
                *batch = inbox.push(full).unwrap_or_else(|full| full);
            }
        }
        if everything {
            self.since_ns = u64::MAX;
        }
    }
}
