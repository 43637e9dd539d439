//! The receiving end of an ack channel: records to the ledgers here, words to the task that watches over the peers.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use squall_engine::losses::Word;
use squall_types::cluster::Refusal;
use squall_types::{Anchor, Batch};

use super::common::Common;
use super::door::lost_acks;
use crate::AckBatch;
use crate::lane::{AckOut, AckRoutes, Phase};
use crate::transport::{Hello, Inbound, Incoming, Left};

/// A peer's acks.
pub struct AcksIn {
    common: Arc<Common>,
    from: Hello,
    out: AckOut,
    lanes: usize,
    fence_seen: u64,
}

impl AcksIn {
    /// Of a peer that was let in.
    pub fn new(common: Arc<Common>, from: Hello) -> Self {
        let fence_seen = common.fence_version();
        Self { out: AckOut::new(AckRoutes::new(Vec::new(), 0)), lanes: 0, common, from, fence_seen }
    }

    async fn take(&mut self, parcel: Incoming) -> Result<(), Refusal> {
        self.look()?;
        match parcel {
            Incoming::Placement(placement) => self.common.hear(placement).await,
            Incoming::Acks(batch) => self.deal(batch),
            Incoming::Left(left) => self.heed(left)?,
            Incoming::Rows(_) | Incoming::Introduction(_) => return Err(Refusal::Malformed),
        }
        self.common.counts.received(0);
        Ok(())
    }

    /// Whether the peer may still ack.
    fn look(&mut self) -> Result<(), Refusal> {
        if self.common.control.phase() == Phase::Stopping {
            return Err(Refusal::Stopping);
        }
        let version = self.common.fence_version();
        if version != self.fence_seen {
            self.common.ask(|fence| fence.admit(&self.from.from, self.from.incarnation, self.from.version, []))?;
            self.fence_seen = version;
        }
        Ok(())
    }

    fn deal(&mut self, batch: AckBatch) {
        let lanes = self.common.lanes();
        let count = lanes.iter().count();
        if count != self.lanes {
            self.lanes = count;
            self.out.reroute(AckRoutes::new(lanes.ledgers(), usize::from(self.common.topology.task_count())));
        }
        batch.acked.into_iter().for_each(|(root, edge)| self.out.ack(Anchor { root, edge }));
        batch.failed.into_iter().for_each(|(root, kind)| self.out.fail(root, kind));
        batch.extended.into_iter().for_each(|root| self.out.extend(root));
        self.out.flush(self.common.clock.now_ns(), true, 0);
    }

    fn heed(&mut self, left: Left) -> Result<(), Refusal> {
        let Left { slot, incarnation, components } = left;
        let components = components.into_iter().map(usize::from).collect::<std::collections::BTreeSet<_>>();
        if components.last().is_some_and(|last| *last >= self.common.topology.components().len()) {
            return Err(Refusal::Malformed);
        }
        let word = Word { from: self.from.from.clone(), lost: slot, incarnation, components };
        self.common.post(|mail| mail.words.push(word));
        Ok(())
    }
}

impl Inbound for AcksIn {
    fn row_cost_ns(&self) -> u32 {
        0
    }

    fn spare(&mut self) -> Batch {
        Batch::default()
    }

    fn deliver(&mut self, parcel: Incoming) -> BoxFuture<'_, Result<(), Refusal>> {
        async move {
            let taken = self.take(parcel).await;
            taken.map_err(|refusal| self.common.refuse(refusal))
        }
        .boxed()
    }
}

impl Drop for AcksIn {
    fn drop(&mut self) {
        lost_acks(&self.common, &self.from);
    }
}
