//! What the daemon wants, read.

use squall_proto::internal;
use squall_types::cluster::{ClusterId, Placement, SlotId, SlotIncarnation, TopologyName};
use squall_types::topology::Topology;

use super::Misfit;

/// What a slot has to run, read and checked as far as it can be without the program.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    pub identity: internal::SlotIdentity,
    pub cluster: ClusterId,
    pub name: TopologyName,
    pub own: SlotId,
    pub incarnation: SlotIncarnation,
    pub topology: Topology,
    pub active: bool,
    pub placement: Placement,
    pub listen: String,
    pub advertised_host: String,
    pub log_bytes: u64,
    pub log_files: u32,
}

impl TryFrom<internal::Orders> for Orders {
    type Error = Misfit;

    fn try_from(orders: internal::Orders) -> Result<Self, Misfit> {
        let misfit = |what: &str, error: &dyn std::fmt::Display| Misfit(format!("its orders have no {what}: {error}"));
        let topology = serde_json::from_str(&orders.description).map_err(|error| misfit("topology", &error))?;
        let placement = orders.placement.unwrap_or_default();
        let identity = orders.identity.ok_or_else(|| misfit("identity", &"it is missing"))?;
        let worker = identity.worker.parse().map_err(|error| misfit("worker", &error))?;
        let number = u16::try_from(identity.number).map_err(|error| misfit("slot", &error))?;
        Ok(Self {
            cluster: identity.cluster_id.parse().map_err(|error| misfit("cluster", &error))?,
            name: identity.topology.parse().map_err(|error| misfit("topology", &error))?,
            own: SlotId { worker, number },
            incarnation: SlotIncarnation::new(identity.incarnation),
            identity,
            topology,
            active: orders.active,
            placement: placement.try_into().map_err(|error| misfit("placement", &error))?,
            listen: orders.listen,
            advertised_host: orders.advertised_host,
            log_bytes: orders.log_bytes,
            log_files: orders.log_files,
        })
    }
}
