//! A master's life: it comes to its cluster, and works in it until it is stopped.

use std::sync::{Arc, OnceLock};

use squall_control::{Outcome, State, Supported};
use squall_proto::internal::packages_server::PackagesServer;
use squall_proto::v1::blobs_server::BlobsServer;
use squall_proto::v1::cluster_server::ClusterServer;
use squall_proto::v1::topologies_server::TopologiesServer;
use squall_proto::v1::worker_link_server::WorkerLinkServer;
use squall_raft::{Identity, Member, RaftService, Running};
use squall_types::cluster::ClusterId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use super::gauges;
use crate::blobs::{BlobError, BlobStore};
use crate::bootstrap::{self, Formation, Found, Myself, Offer, Search, Seed};
use crate::certs::Client;
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
use crate::storage::Kept;

/// All that a life begins with.
pub(super) struct Life {
    pub me: Arc<Myself>,
    pub env: Env,
    pub peers: Peers,
    pub client: Client,
    pub identity: Identity,
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
pub(super) async fn blobs(env: &Env, config: &MasterConfig) -> Result<BlobStore, NodeError> {
    let failed = |error| NodeError::Packages(Arc::new(error));
    let disk = env.storage.packages(config).map_err(|error| failed(BlobError::Disk(error)))?;
    BlobStore::open(disk, config.limits.package).await.map_err(failed)
}

/// The cluster that a master has come to, and what it has to bring to the other founders, if it forms it.
type Come = (ClusterId, Option<(Seed, Vec<u8>)>);

impl Life {
    pub(super) async fn run(mut self, mut kept: Kept) -> Result<(), NodeError> {
        let stop = self.stop.clone();
        let (cluster, sown) = match self.identity.cluster {
            Some(cluster) => (cluster, None),
            None => tokio::select! {
                found = self.search() => self.come_to(found, &mut kept)?,
                () = stop.cancelled() => return Ok(()),
            },
        };
        let mut parts = self.work(cluster, kept).await?;
        if let Some((seed, state)) = sown {
            let (me, peers) = ((*self.me).clone(), self.peers.clone());
            parts.spawn(async move {
                bootstrap::sow(seed, state, me, peers).await;
                Ok(())
            });
        }
        // Parts that are done with what they were for are not missed; what never ends of itself says so if it does.
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(ended) = parts.join_next() => ended.unwrap_or_else(|error| Err(NodeError::part("a part of the master", Err(error))))?,
            }
        }
    }

    /// Makes what was found that of this disk. What is to be sown, if this master founds a cluster.
    fn come_to(&self, found: Found, kept: &mut Kept) -> Result<Come, NodeError> {
        let identity = self.identity.clone();
        let (seed, state, answer) = match found {
            Found::Founded { seed, state } => (seed, state, None),
            Found::Seeded { seed, state, answer } => (seed, state, Some(answer)),
            Found::Joined(cluster) => {
                kept.join(identity, cluster).map_err(NodeError::storage)?;
                tracing::info!("this master was let into the cluster {cluster}");
                return Ok((cluster, None));
            }
        };
        let founders = seed.founders.iter();
        let founders = founders.map(|it| Member { id: it.id, name: it.name.clone(), address: it.address.clone() });
        let identity = Identity { cluster: Some(seed.cluster), ..identity };
        let encoded = state.encode();
        kept.seed(identity, founders.collect(), encoded.clone()).map_err(NodeError::storage)?;
        tracing::info!("this master is a founder of the cluster {}", seed.cluster);
        let Some(answer) = answer else { return Ok((seed.cluster, Some((seed, encoded)))) };
        // Whoever offered it asks again if it hears nothing.
        let _ = answer.send(Ok(()));
        Ok((seed.cluster, None))
    }

    /// Begins to work in the cluster.
    async fn work(&self, cluster: ClusterId, kept: Kept) -> Result<JoinSet<Result<(), NodeError>>, NodeError> {
        const SNAPSHOT_EVERY: u64 = 10_000;
        const TAIL: u64 = 5_000;
        let (machine, shared) = Machine::new(empty(cluster), self.supported);
        let (disk, contents) = kept.into_parts();
        let settings = squall_raft::Settings {
            contents,
            writer: self.env.storage.writer(disk),
            address: self.me.address.clone(),
            // Connections of their own: what callers send must never stand before what masters have to say to each other.
            dial: Arc::new(Peers::new(self.env.network.clone(), self.client.clone())),
            seed: self.env.random.number(),
            snapshot_every: SNAPSHOT_EVERY,
            tail: TAIL,
        };
        let Running { handle, service, ended } =
            squall_raft::start(settings, machine).map_err(|reason| NodeError::Log(Arc::new(reason)))?;
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
            blobs: self.blobs.clone(),
            metrics: self.metrics.clone(),
        });
        self.open(&core, service).await;
        let reign = Reign { core: core.clone(), leader, leading, settings: self.settings, supported: self.supported };
        let mut parts = JoinSet::new();
        parts.spawn(async move {
            match ended.await {
                Ok(None) => Ok(()),
                Ok(Some(reason)) => Err(NodeError::Log(reason)),
                Err(error) => Err(NodeError::part("the log", Err(error))),
            }
        });
        parts.spawn(reign.run());
        parts.spawn(endless("the sweep of packages", packages::sweep(core.clone())));
        parts.spawn(endless("readiness", gauges::tell_readiness(core.clone(), self.readiness.clone())));
        parts.spawn(endless("the gauges", gauges::keep(core, self.metrics.clone())));
        Ok(parts)
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
    async fn open(&self, core: &Arc<Core>, raft: RaftService<Outcome>) {
        let limit = self.message;
        let mut routes = Routes::builder();
        routes
            .add_service(TopologiesServer::new(TopologiesService(core.clone())).max_decoding_message_size(limit))
            .add_service(ClusterServer::new(ClusterService(core.clone())).max_decoding_message_size(limit))
            .add_service(BlobsServer::new(BlobsService(core.clone())).max_decoding_message_size(limit))
            .add_service(WorkerLinkServer::new(LinkService(core.clone())).max_decoding_message_size(limit))
            .add_service(PackagesServer::new(FetchService(core.clone())).max_decoding_message_size(limit))
            .add_service(raft.into_server());
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

/// A part that only ends with the master.
async fn endless(name: &'static str, part: impl Future<Output = ()>) -> Result<(), NodeError> {
    part.await;
    Err(NodeError::part(name, Ok(())))
}
