//! A master's life: it comes to its cluster, and works in it until it is stopped.

use std::sync::{Arc, OnceLock};

use squall_control::{Outcome, State, Supported};
use squall_proto::internal::packages_server::PackagesServer;
use squall_proto::v1::blobs_server::BlobsServer;
use squall_proto::v1::cluster_server::ClusterServer;
use squall_proto::v1::topologies_server::TopologiesServer;
use squall_proto::v1::worker_link_server::WorkerLinkServer;
use squall_raft::{RaftService, Running, StopReason};
use squall_types::cluster::ClusterId;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use super::gauges;
use super::store::Store;
use crate::blobs::{BlobError, BlobStore};
use crate::bootstrap::{self, Formation, Found, Myself, Offer, Search, Seed};
use crate::config::MasterConfig;
use crate::core::{Core, Leader, Me};
use crate::env::Env;
use crate::error::NodeError;
use crate::gate::Gate;
use crate::http::Readiness;
use crate::leading::Settings;
use crate::machine::{Machine, empty};
use crate::metrics::Metrics;
use crate::own_time::OwnTime;
use crate::packages::{self, BlobsService, FetchService};
use crate::reign::Reign;
use crate::services::cluster::ClusterService;
use crate::services::link::LinkService;
use crate::services::topologies::TopologiesService;
use squall_daemon::{Peers, Prober};

/// All that a life begins with.
pub(super) struct Life {
    pub me: Arc<Myself>,
    pub store: Store,
    pub env: Env,
    pub peers: Peers,
    pub prober: Prober,
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
pub(crate) async fn blobs(config: &MasterConfig, env: &Env) -> Result<BlobStore, NodeError> {
    let failed = |error| NodeError::Packages(Arc::new(error));
    let disk = env.disks.packages(&config.blobs_dir()).map_err(|error| failed(BlobError::Disk(error)))?;
    BlobStore::open(disk, config.limits.package).await.map_err(failed)
}

impl Life {
    pub(super) async fn run(mut self) -> Result<(), NodeError> {
        let stop = self.stop.clone();
        let come = tokio::select! {
            come = self.come() => come?,
            () = stop.cancelled() => return Ok(()),
        };
        let Come { cluster, state, sown } = come;
        let (machine, shared) = Machine::new(state, self.supported);
        #[cfg(feature = "simulation")]
        let machine = machine.with_planted(&self.env);
        let Running { handle, service, ended } = self.store.start(&self.me, &self.env, self.peers.apart(), machine)?;
        let (leader, leads) = watch::channel(Leader::Nobody);
        let (leading, is_leading) = watch::channel(None);
        let me = Me { id: self.me.id, name: self.me.name.clone(), address: self.me.address.clone(), cluster };
        let core = Arc::new(Core {
            me,
            env: self.env.clone(),
            log: handle,
            shared,
            leader: leads,
            leading: is_leading,
            peers: self.peers.clone(),
            prober: self.prober.clone(),
            blobs: self.blobs.clone(),
            metrics: self.metrics.clone(),
            time: OwnTime::default(),
        });
        open(&self.gate, self.message, &self.formed, &self.health, &core, service).await;
        let mut parts = JoinSet::new();
        let reign = Reign { core: core.clone(), leader, leading, settings: self.settings, supported: self.supported };
        parts.spawn(reign.run());
        parts.spawn(log_ends(ended));
        parts.spawn(never_ends(packages::sweep(core.clone())));
        parts.spawn(never_ends(gauges::tell_readiness(core.clone(), self.readiness)));
        parts.spawn(never_ends(gauges::keep(core.clone(), self.metrics)));
        if let Some((seed, encoded)) = sown {
            let sown = bootstrap::sow(seed, encoded, (*self.me).clone(), self.peers.clone());
            parts.spawn(never_ends(async move {
                sown.await;
                std::future::pending::<()>().await;
            }));
        }
        let ended = tokio::select! {
            Some(ended) = parts.join_next() => {
                ended.unwrap_or_else(|error| Err(NodeError::part("a part of the master", Err(error))))
            }
            () = stop.cancelled() => return Ok(()),
        };
        // The log is stopped before the rest is: that is no failure.
        if ended.is_ok() {
            stop.cancelled().await;
        }
        ended
    }

    /// Comes to a cluster: to the one that the disk belongs to, or to one that is looked for.
    async fn come(&mut self) -> Result<Come, NodeError> {
        if let Some(cluster) = self.store.cluster() {
            return Ok(Come { cluster, state: empty(cluster), sown: None });
        }
        match self.search().await {
            Found::Founded { seed, state } => {
                self.store.seed(seed.cluster, &seed.founders, &state)?;
                let encoded = state.encode();
                Ok(Come { cluster: seed.cluster, state, sown: Some((seed, encoded)) })
            }
            Found::Seeded { seed, state, answer } => {
                self.store.seed(seed.cluster, &seed.founders, &state)?;
                // Whoever offered it may be gone by now.
                let _ = answer.send(Ok(()));
                Ok(Come { cluster: seed.cluster, state, sown: None })
            }
            Found::Joined(cluster) => {
                self.store.join(cluster)?;
                Ok(Come { cluster, state: empty(cluster), sown: None })
            }
        }
    }

    async fn search(&mut self) -> Found {
        let (_, none) = mpsc::channel(1);
        let offers = std::mem::replace(&mut self.offered, none);
        let Myself { id, address, listed, .. } = (*self.me).clone();
        let search = Search {
            me: &self.me,
            formation: Formation::new(id, address, listed),
            peers: &self.peers,
            offers,
            readiness: &self.readiness,
            supported: self.supported,
            faults: std::collections::BTreeMap::new(),
        };
        let cluster = ClusterId::new(self.env.random.number() | 1).expect("an odd number isn't 0");
        let clock = self.env.clock.clone();
        search.run(cluster, move || clock.now()).await
    }
}

/// How a master has come to its cluster.
struct Come {
    cluster: ClusterId,
    state: State,
    /// What the other founders have to be brought.
    sown: Option<(Seed, Vec<u8>)>,
}

/// From now on calls are answered.
async fn open(
    gate: &Gate,
    limit: usize,
    formed: &OnceLock<Arc<Core>>,
    health: &HealthReporter,
    core: &Arc<Core>,
    raft: RaftService<Outcome>,
) {
    let mut routes = Routes::builder();
    routes
        .add_service(raft.into_server())
        .add_service(TopologiesServer::new(TopologiesService(core.clone())).max_decoding_message_size(limit))
        .add_service(ClusterServer::new(ClusterService(core.clone())).max_decoding_message_size(limit))
        .add_service(BlobsServer::new(BlobsService(core.clone())).max_decoding_message_size(limit))
        .add_service(WorkerLinkServer::new(LinkService(core.clone())).max_decoding_message_size(limit))
        .add_service(PackagesServer::new(FetchService(core.clone())).max_decoding_message_size(limit));
    gate.open(core.clone(), routes.routes());
    // Set once: a master has one cluster.
    let _ = formed.set(core.clone());
    health.set_service_status("", tonic_health::ServingStatus::Serving).await;
}

/// Sees how the log ends.
async fn log_ends(ended: JoinHandle<Option<Arc<StopReason>>>) -> Result<(), NodeError> {
    match ended.await {
        Ok(None) => Ok(()),
        Ok(Some(reason)) => Err(NodeError::Log(reason)),
        Err(error) => Err(NodeError::part("the log", Err(error))),
    }
}

async fn never_ends(part: impl Future<Output = ()>) -> Result<(), NodeError> {
    part.await;
    Ok(())
}
