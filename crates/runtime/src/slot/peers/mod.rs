//! The other slots of a topology: who they are, how they are reached, and what happens when one is lost.

mod acks_in;
mod common;
mod door;
mod hub;
mod link;
mod rows_in;

use std::collections::BTreeSet;
use std::sync::Arc;

use squall_engine::fencing::{Fence, Identity};
use squall_engine::plan::{Plan, local_edges};
use squall_types::TaskId;
use squall_types::cluster::{
    AssignmentVersion, ClusterId, ExecutorId, Placement, SlotId, SlotIncarnation, TopologyName,
};
use tokio::task::JoinSet;

pub(super) use common::Common;
pub use common::Traffic;

use super::Applied;
use super::lanes::{Lanes, LocalLane};
use super::life::Life;
use super::options::Options;
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
    /// What this slot runs by a placement.
    pub(super) fn executors(&self, placement: &Placement) -> BTreeSet<ExecutorId> {
        placement.slots.get(&self.own).map(|peer| peer.executors.clone()).unwrap_or_default()
    }

    /// What tells executors that are started by a version from others.
    pub(super) fn life(&self, seed: u64, version: AssignmentVersion) -> Life {
        Life::among_others(seed, &self.own, self.incarnation, version)
    }

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
    membership: Membership,
    options: Options,
    seed: u64,
    /// The task that watches over them; it ends with this.
    hub: JoinSet<()>,
}

/// Lanes to be started, with all that there are then, and what tells them from others.
type Fresh = (Vec<Arc<LocalLane>>, Lanes, Life);

impl Peers {
    /// Begins to reach the peers; returns once lanes know where to find them.
    pub async fn meet(common: Arc<Common>, membership: Membership, options: &Options, seed: u64) -> Self {
        let mut hub = JoinSet::new();
        hub.spawn(hub::Hub::new(common.clone(), membership.transport.clone()).run());
        common.shown(membership.placement.version).await;
        Self { common, membership, options: options.clone(), seed, hub }
    }

    /// What lets others in.
    pub fn door(&self) -> Arc<dyn Acceptor> {
        Arc::new(door::Door(self.common.clone()))
    }

    /// The lanes that a placement adds to this slot, if it adds any.
    ///
    /// # Errors
    /// It can't be taken while the slot runs.
    pub fn prepare(&self, placement: &Placement) -> Result<Option<Fresh>, Applied> {
        if self.common.ask(|fence| placement.version < fence.placement().version) {
            return Err(Applied::Older);
        }
        let (wanted, mut lanes) = (self.membership.executors(placement), self.common.lanes());
        let topology = &self.common.topology;
        let run: BTreeSet<TaskId> = lanes.tasks().collect();
        let keeps: BTreeSet<TaskId> = wanted.iter().flat_map(|executor| executor.tasks()).collect();
        if !run.is_subset(&keeps) {
            return Err(Applied::StartAnew);
        }
        let fresh: BTreeSet<ExecutorId> =
            wanted.into_iter().filter(|executor| !run.contains(&executor.first)).collect();
        if fresh.is_empty() {
            return Ok(None);
        }
        let local = local_edges(topology, Some(placement));
        let plan = Plan::for_slot(topology, self.options.lane_cores(), &fresh, &local);
        let made = lanes.add(topology, &plan, &local, self.options.bound);
        Ok(Some((made, lanes, self.membership.life(self.seed, placement.version))))
    }

    /// A placement holds from now on, and these lanes are there, also if they don't run yet. Returns once lanes know where to find all.
    pub async fn take(&self, placement: Placement, lanes: Option<Lanes>) {
        if let Some(lanes) = lanes {
            self.common.set_lanes(lanes);
        }
        let version = placement.version;
        self.common.teach(|fence| fence.learn(placement));
        self.common.show(AssignmentVersion::ZERO);
        self.common.post(|mail| mail.placement = true);
        self.common.shown(version).await;
    }

    /// Ends: nobody waits for a peer any more.
    pub fn end(&mut self) {
        self.common.close();
        self.hub.abort_all();
    }
}
