//! A master as a whole: what it listens on, what it runs, how it ends.

mod gauges;
mod life;
#[cfg(feature = "simulation")]
mod look;
mod monitoring;
mod run;
mod serve;
mod store;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use squall_control::Supported;
use squall_types::cluster::{MasterName, RaftId};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::bootstrap::matters::Matters;
use crate::bootstrap::{FormationService, Myself};
use crate::certs::{Client, Material, Server, TimeProvider};
use crate::config::MasterConfig;
use crate::core::{Core, Leader};
use crate::env::Env;
use crate::error::{NodeError, chain};
use crate::gate::{Gate, Limits, Security};
use crate::http::Readiness;
use crate::leading::Settings;
use crate::metrics::Metrics;
use life::Life;
pub(crate) use life::blobs as packages_of;
pub use run::run;
use squall_daemon::{Peers, Prober};

/// How long a master may take to hand over and end.
const FAREWELL: Duration = Duration::from_millis(1_500);

/// A running master.
pub struct Node {
    address: SocketAddr,
    monitoring: Option<SocketAddr>,
    name: MasterName,
    formed: Arc<OnceLock<Arc<Core>>>,
    readiness: watch::Receiver<Readiness>,
    stop: CancellationToken,
    supervisor: JoinHandle<Result<(), NodeError>>,
}

/// How a master's connections are protected.
#[derive(Clone)]
pub struct Secured {
    server: Server,
    client: Client,
    probes: Client,
    tls: bool,
}

impl Secured {
    /// Not at all.
    pub const fn plain() -> Self {
        Self { server: Server::plain(), client: Client::plain(), probes: Client::plain(), tls: false }
    }

    /// How others are called.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// By certificates.
    pub fn tls(material: &Material, time: &Arc<dyn TimeProvider>) -> Self {
        Self {
            server: Server::with_certificate(material, time.clone()),
            client: Client::with_certificate(material, time.clone()),
            probes: Client::for_probes(material, time.clone()),
            tls: true,
        }
    }
}

impl Node {
    /// Starts a master. It answers calls once it has a cluster, which it looks for by itself.
    ///
    /// # Errors
    /// If it can't listen, or what its disk holds is not to be trusted.
    pub async fn start(config: MasterConfig, secured: Secured, env: Env) -> Result<Self, NodeError> {
        let listening = env.network.bind(config.listen).await;
        let (address, incoming) =
            listening.map_err(|source| NodeError::Listen { address: config.listen, source: Arc::new(source) })?;
        let blobs = life::blobs(&config, &env).await?;
        let name = config.called(address);
        let store = store::Store::open(&config, &name, &env)?;
        let me = Arc::new(myself(&config, address, &name, store.id()));
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
        let starting = Readiness::NotReady { reason: "it has only just started".to_owned() };
        let (readiness, is_ready) = watch::channel(starting);
        let (offers, offered) = mpsc::channel(8);
        let formed = Arc::new(OnceLock::new());
        let stop = CancellationToken::new();
        let security = Security { tls: secured.tls, tokens: config.wants_tokens() };
        let monitoring = monitoring::Monitored {
            server: secured.server.clone(),
            metrics: metrics.clone(),
            readiness: is_ready.clone(),
            formed: formed.clone(),
            tokens: security.tokens,
        };
        let monitoring = monitoring.bind(config.http.listen).await?;
        let message = usize::try_from(config.limits.message.get()).unwrap_or(usize::MAX);
        let limits = Limits { in_flight: config.limits.in_flight as usize, message };
        let gate = Arc::new(Gate::new(is_ready.clone(), security, limits, metrics.clone()));
        let supported = Supported::newest();
        let (health, health_service) = tonic_health::server::health_reporter();
        let matters = Matters { denials: gate.denials(), data_dir: config.data_dir.clone() };
        let served = serve::Served {
            server: secured.server,
            gate: gate.clone(),
            formation: FormationService { me: me.clone(), supported, offers, formed: formed.clone(), matters },
            metrics: metrics.clone(),
            streams: config.limits.streams,
            message,
            stop: stop.clone(),
        };
        let life = Life {
            me,
            store,
            peers: Peers::new(env.network.clone(), secured.client),
            prober: Prober::new(&env.network, secured.probes),
            env,
            blobs,
            metrics,
            supported,
            settings: Settings { heartbeat: config.workers.heartbeat, dead_after: config.workers.dead_after },
            gate,
            formed: formed.clone(),
            readiness: readiness.clone(),
            offered,
            message,
            health,
            stop: stop.clone(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(served.run(incoming, health_service));
        tasks.spawn(life.run());
        let monitored = monitoring.as_ref().map(monitoring::Bound::address);
        if let Some(monitoring) = monitoring {
            tasks.spawn(monitoring.run(stop.clone()));
        }
        let supervisor = tokio::spawn(supervise(tasks, stop.clone(), readiness));
        Ok(Self { address, monitoring: monitored, name, formed, readiness: is_ready, stop, supervisor })
    }

    /// Where it listens for calls.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves `/metrics`, if it does.
    pub fn monitoring(&self) -> Option<SocketAddr> {
        self.monitoring
    }

    /// What it is called.
    pub fn name(&self) -> &MasterName {
        &self.name
    }

    /// Whether it answers calls, or why not.
    pub fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.clone()
    }

    /// Waits until it has a cluster with a leader, so that calls are answered; or until it has failed.
    pub async fn ready(&self) {
        let decided = |readiness: &Readiness| !matches!(readiness, Readiness::NotReady { .. });
        // Once the master has ended nothing more is told.
        let _ = self.readiness().wait_for(decided).await;
    }

    /// Whether it leads now.
    pub fn leads(&self) -> bool {
        self.formed.get().is_some_and(|core| *core.leader.borrow() == Leader::Here)
    }

    /// Ends it at once, as a crash would: nothing is handed over.
    pub async fn kill(self) {
        self.supervisor.abort();
        if let Some(core) = self.formed.get() {
            core.log.clone().halt().await;
        }
        // That it was ended from outside is no news.
        let _ = self.supervisor.await;
    }

    /// Hands leadership over, if it leads, and stops: within 2 s.
    ///
    /// # Errors
    /// If it had failed before.
    pub async fn shutdown(self) -> Result<(), NodeError> {
        if let Some(core) = self.formed.get() {
            let handed_over = core.log.clone().shutdown();
            match tokio::time::timeout(FAREWELL, handed_over).await {
                Ok(Some(next)) => tracing::info!("this master has handed leadership over to {}", called(core, next)),
                Ok(None) => {}
                Err(_) => tracing::warn!("the log did not stop in time"),
            }
        }
        self.stop.cancel();
        self.ended().await
    }

    /// Waits until it stops by itself, which it does only if it fails.
    pub async fn over(&self) {
        self.stop.cancelled().await;
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it failed.
    pub async fn ended(self) -> Result<(), NodeError> {
        self.supervisor.await.unwrap_or_else(|error| Err(NodeError::part("the supervisor", Err(error))))
    }
}

fn called(core: &Core, master: RaftId) -> String {
    core.read().members().get(&master).map_or_else(|| master.to_string(), |it| it.seat.name.to_string())
}

fn myself(config: &MasterConfig, address: SocketAddr, name: &MasterName, id: RaftId) -> Myself {
    let advertised = config.advertised(address).to_string();
    let listed: Vec<_> = config.masters.iter().map(ToString::to_string).collect();
    let listed = if listed.is_empty() { vec![advertised.clone()] } else { listed };
    Myself { id, name: name.clone(), listed, address: advertised }
}

/// Sees the end of each part; the first that fails ends all.
async fn supervise(
    mut tasks: JoinSet<Result<(), NodeError>>,
    stop: CancellationToken,
    readiness: watch::Sender<Readiness>,
) -> Result<(), NodeError> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let failed = match ended {
            Ok(Ok(())) if stop.is_cancelled() => None,
            Ok(Err(error)) => Some(error),
            Ok(Ok(())) => Some(NodeError::part("a part of the master", Ok(()))),
            Err(error) => Some(NodeError::part("a part of the master", Err(error))),
        };
        if let (Some(error), Ok(())) = (failed, &outcome) {
            tracing::error!(code = %error.code(), "{}; next: {}", chain(&error), error.next_step());
            readiness.send_replace(Readiness::Failed { reason: chain(&error) });
            outcome = Err(error);
        }
        stop.cancel();
    }
    outcome
}
