//! A master's life: it comes to its cluster, and works in it until it is stopped.

use std::sync::{Arc, OnceLock};

use squall_control::{Outcome, State, Supported};
use squall_proto::internal::packages_server::PackagesServer;
use squall_proto::v1::blobs_server::BlobsServer;
use squall_proto::v1::cluster_server::ClusterServer;
use squall_proto::v1::topologies_server::TopologiesServer;
use squall_proto::v1::worker_link_server::WorkerLinkServer;
use squall_raft::{Member, Raft};
use squall_types::cluster::ClusterId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use super::gauges;
use crate::blobs::{BlobError, BlobStore, FileDisk};
use crate::bootstrap::{self, Formation, Found, Myself, Offer, Search};
use crate::config::MasterConfig;
use crate::core::{Core, Leader, Me};
use crate::env::Env;
use crate::error::NodeError;
use crate::gate::Gate;
use crate::http::Readiness;
use crate::leading::Settings;
use crate::machine::Machine;
use crate::metrics::Metrics;
use crate::packages::{self, BlobsService, FetchService};
use crate::peers::Peers;
use crate::reign::Reign;
use crate::services::cluster::ClusterService;
use crate::services::link::LinkService;
use crate::services::topologies::TopologiesService;

/// All that a life begins with.
pub(super) struct Life {
    pub me: Arc<Myself>,
    pub env: Env,
    pub peers: Peers,
    pub blobs: BlobStore,
    pub metrics: Metrics,
    pub supported: Supported,
    pub settings: Settings,
    pub gate: Arc<Gate>,
    pub formed: Arc<OnceLock<Arc<Core>>>,
    pub readiness: watch::Sender<Readiness>,
    pub offered: mpsc::Receiver<Offer>,
    pub message: usize,
    pub health: HealthReporter,
    pub stop: CancellationToken,
}

/// The packages on this master's disk.
pub(super) async fn blobs(config: &MasterConfig) -> Result<BlobStore, NodeError> {
    let disk =
        FileDisk::open(&config.blobs_dir()).map_err(|error| NodeError::Packages(Arc::new(BlobError::Disk(error))))?;
    BlobStore::open(Arc::new(disk), config.limits.package).await.map_err(|error| NodeError::Packages(Arc::new(error)))
}

impl Life {
    pub(super) async fn run(mut self) -> Result<(), NodeError> {
        let stop = self.stop.clone();
        let found = tokio::select! {
            found = self.search() => found,
            () = stop.cancelled() => return Ok(()),
        };
        let (seed, state, cluster) = match found {
            Found::Founded { seed, state } => (Some(seed.clone()), state, seed.cluster),
            Found::Seeded { seed, state, answer } => {
                let _ = answer.send(Ok(()));
                (None, state, seed.cluster)
            }
            Found::Joined(cluster) => (None, empty(cluster), cluster),
        };
        let encoded = state.encode();
        let (machine, shared) = Machine::new(state, self.supported);
        let member = Member { id: self.me.id, name: self.me.name.clone(), address: self.me.address.clone() };
        let log: Raft<Outcome> = Raft::alone(machine, member, cluster);
        let (leader, leads) = watch::channel(Leader::Nobody);
        let (leading, is_leading) = watch::channel(None);
        let me = Me { id: self.me.id, name: self.me.name.clone(), address: self.me.address.clone(), cluster };
        let core = Arc::new(Core {
            me,
            env: self.env.clone(),
            log,
            shared,
            leader: leads,
            leading: is_leading,
            peers: self.peers.clone(),
            blobs: self.blobs.clone(),
            metrics: self.metrics.clone(),
        });
        self.open(&core).await;
        let mut parts = JoinSet::new();
        let reign = Reign { core: core.clone(), leader, leading, settings: self.settings, supported: self.supported };
        parts.spawn(reign.run());
        parts.spawn(never_ends(packages::sweep(core.clone())));
        parts.spawn(never_ends(gauges::tell_readiness(core.clone(), self.readiness)));
        parts.spawn(never_ends(gauges::keep(core.clone(), self.metrics)));
        if let Some(seed) = seed {
            let sown = bootstrap::sow(seed, encoded, (*self.me).clone(), self.peers.clone());
            parts.spawn(never_ends(async move {
                sown.await;
                std::future::pending().await
            }));
        }
        tokio::select! {
            Some(ended) = parts.join_next() => {
                ended.unwrap_or_else(|error| Err(NodeError::part("a part of the master", Err(error))))
            }
            () = stop.cancelled() => Ok(()),
        }
    }

    async fn search(&mut self) -> Found {
        let (_, none) = mpsc::channel(1);
        let offers = std::mem::replace(&mut self.offered, none);
        let Myself { id, name, address, listed } = (*self.me).clone();
        let search = Search {
            me: &self.me,
            formation: Formation::new(id, name, address, listed),
            peers: &self.peers,
            offers,
            readiness: &self.readiness,
            supported: self.supported,
        };
        let cluster = ClusterId::new(self.env.random.number() | 1).expect("an odd number isn't 0");
        let clock = self.env.clock.clone();
        search.run(cluster, move || clock.now()).await
    }

    /// From now on calls are answered.
    async fn open(&self, core: &Arc<Core>) {
        let limit = self.message;
        let mut routes = Routes::builder();
        routes
            .add_service(TopologiesServer::new(TopologiesService(core.clone())).max_decoding_message_size(limit))
            .add_service(ClusterServer::new(ClusterService(core.clone())).max_decoding_message_size(limit))
            .add_service(BlobsServer::new(BlobsService(core.clone())).max_decoding_message_size(limit))
            .add_service(WorkerLinkServer::new(LinkService(core.clone())).max_decoding_message_size(limit))
            .add_service(PackagesServer::new(FetchService(core.clone())).max_decoding_message_size(limit));
        self.gate.open(core.clone(), routes.routes());
        // Set once: a master has one cluster.
        let _ = self.formed.set(core.clone());
        self.health.set_service_status("", tonic_health::ServingStatus::Serving).await;
    }
}

/// Before a new member is sent its first snapshot.
fn empty(cluster: ClusterId) -> State {
    State::new(squall_control::Seed {
        cluster,
        at: squall_types::cluster::UnixMillis::ZERO,
        level: Supported::OLDEST,
        members: std::collections::BTreeMap::new(),
    })
}

async fn never_ends(part: impl Future<Output = ()>) -> Result<(), NodeError> {
    part.await;
    Ok(())
}
