//! The other slots of a topology: who they are, how they are reached, and what happens when one is lost.

mod acks_in;
mod common;
mod door;
mod hub;
mod link;
mod rows_in;

use std::sync::Arc;

use squall_engine::fencing::{Fence, Identity};
use squall_types::cluster::{ClusterId, Placement, SlotId, SlotIncarnation, TopologyName};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(super) use common::Common;
pub use common::Traffic;

use crate::transport::{Acceptor, Transport};

/// A slot's place among the others of its topology.
#[derive(Clone)]
pub struct Membership {
    /// The cluster.
    pub cluster: ClusterId,
    /// What the cluster calls the topology.
    pub topology: TopologyName,
    /// The slot.
    pub own: SlotId,
    /// Its life.
    pub incarnation: SlotIncarnation,
    /// Where the topology's executors are. Those that this slot has in it, run here.
    pub placement: Placement,
    /// Reaches the other slots.
    pub transport: Arc<dyn Transport>,
}

impl Membership {
    /// What the slot knows of others at first.
    pub(super) fn fence(&self) -> Fence {
        let own = Identity {
            cluster: self.cluster,
            topology: self.topology.clone(),
            slot: self.own.clone(),
            incarnation: self.incarnation,
        };
        Fence::new(own, self.placement.clone())
    }
}

/// The peers of a running slot.
pub(super) struct Peers {
    pub common: Arc<Common>,
    changed: watch::Sender<()>,
    /// The task that watches over them; it ends with this.
    hub: JoinSet<()>,
}

impl Peers {
    /// Begins to reach the peers.
    pub fn meet(common: Arc<Common>, transport: Arc<dyn Transport>) -> Self {
        let (changed, changes) = watch::channel(());
        let mut hub = JoinSet::new();
        hub.spawn(hub::Hub::new(common.clone(), transport, changes).run());
        Self { common, changed, hub }
    }

    /// What lets others in.
    pub fn door(&self) -> Arc<dyn Acceptor> {
        Arc::new(door::Door(self.common.clone()))
    }

    /// Has the peers looked at anew.
    pub fn look_again(&self) {
        self.changed.send_replace(());
    }

    /// Ends: nobody waits for a peer any more.
    pub fn end(&mut self) {
        self.common.close();
        self.hub.abort_all();
    }
}
