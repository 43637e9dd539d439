//! A master as a whole: what it listens on, what it runs, how it ends.

mod life;
mod serve;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use squall_control::Supported;
use squall_types::cluster::{MasterName, RaftId};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::bootstrap::{FormationService, Myself};
use crate::certs::{Client, Server};
use crate::config::MasterConfig;
use crate::core::{Core, Leader};
use crate::env::Env;
use crate::error::NodeError;
use crate::gate::{Gate, Security};
use crate::leading::Settings;
use crate::peers::Peers;
use life::Life;

/// How long a master may take to hand over and end.
const FAREWELL: Duration = Duration::from_millis(1_500);

/// A running master.
pub struct Node {
    address: SocketAddr,
    name: MasterName,
    formed: Arc<OnceLock<Arc<Core>>>,
    waiting: watch::Receiver<String>,
    ready: watch::Receiver<bool>,
    stop: CancellationToken,
    supervisor: JoinHandle<Result<(), NodeError>>,
}

impl Node {
    /// Starts a master. It serves calls once it has a cluster, which it looks for by itself.
    ///
    /// # Errors
    /// If it can't listen, or what its disk holds is not to be trusted.
    pub async fn start(config: MasterConfig, security: Secured, env: Env) -> Result<Self, NodeError> {
        let listening = env.network.bind(config.listen).await;
        let (address, incoming) =
            listening.map_err(|source| NodeError::Listen { address: config.listen, source: Arc::new(source) })?;
        let advertised = config.advertised(address).to_string();
        let name = config.called(address);
        let blobs = life::blobs(&config).await?;
        let id = RaftId::new(env.random.number() | 1).expect("an odd number isn't 0");
        let listed: Vec<_> = config.masters.iter().map(ToString::to_string).collect();
        let peers = Peers::new(env.network.clone(), security.client);
        let (waiting, waits) = watch::channel("it has only just started".to_owned());
        let (ready, is_ready) = watch::channel(false);
        let (offers, offered) = mpsc::channel(8);
        let formed = Arc::new(OnceLock::new());
        let listed = if listed.is_empty() { vec![advertised.clone()] } else { listed };
        let me = Arc::new(Myself { id, name: name.clone(), address: advertised, listed });
        let supported = Supported::newest();
        let formation = FormationService { me: me.clone(), supported, offers, formed: formed.clone() };
        let shown = Security { tls: security.tls, tokens: config.wants_tokens() };
        let message = usize::try_from(config.limits.message.get()).unwrap_or(usize::MAX);
        let gate = Arc::new(Gate::new(waits.clone(), shown, config.limits.in_flight as usize, message));
        let stop = CancellationToken::new();
        let (health, health_service) = tonic_health::server::health_reporter();
        let served = serve::Served {
            server: security.server,
            gate: gate.clone(),
            formation,
            streams: config.limits.streams,
            message,
            stop: stop.clone(),
        };
        let settings = Settings { heartbeat: config.workers.heartbeat, dead_after: config.workers.dead_after };
        let life = Life {
            me,
            env,
            peers,
            blobs,
            supported,
            settings,
            gate,
            formed: formed.clone(),
            waiting,
            ready,
            offered,
            message,
            health,
            stop: stop.clone(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(served.run(incoming, health_service));
        tasks.spawn(life.run());
        let supervisor = tokio::spawn(supervise(tasks, stop.clone()));
        Ok(Self { address, name, formed, waiting: waits, ready: is_ready, stop, supervisor })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it is called.
    pub fn name(&self) -> &MasterName {
        &self.name
    }

    /// What it waits for, as long as it has no cluster.
    pub fn waits_for(&self) -> Option<String> {
        if self.formed.get().is_some() { None } else { Some(self.waiting.borrow().clone()) }
    }

    /// Waits until it has a cluster with a leader, so that calls are answered. Ends too if the master does.
    pub async fn ready(&self) {
        // Once the master has ended nothing more is sent.
        let _ = self.ready.clone().wait_for(|ready| *ready).await;
    }

    /// Whether it leads now.
    pub fn leads(&self) -> bool {
        self.formed.get().is_some_and(|core| *core.leader.borrow() == Leader::Here)
    }

    /// Hands leadership over, if it leads, and stops: within 2 s.
    ///
    /// # Errors
    /// If it had failed before.
    pub async fn shutdown(self) -> Result<(), NodeError> {
        if let Some(core) = self.formed.get() {
            let handed_over = core.log.clone().shutdown();
            if tokio::time::timeout(FAREWELL, handed_over).await.is_err() {
                tracing::warn!("the log did not stop in time");
            }
        }
        self.stop.cancel();
        self.ended().await
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it failed.
    pub async fn ended(self) -> Result<(), NodeError> {
        self.supervisor.await.unwrap_or_else(|error| Err(NodeError::part("the supervisor", Err(error))))
    }
}

/// How a master's connections are protected.
#[derive(Clone)]
pub struct Secured {
    server: Server,
    client: Client,
    tls: bool,
}

impl Secured {
    /// Not at all.
    pub const fn plain() -> Self {
        Self { server: Server::plain(), client: Client::plain(), tls: false }
    }

    /// By certificates.
    pub const fn tls(server: Server, client: Client) -> Self {
        Self { server, client, tls: true }
    }
}

/// Sees the end of each part; the first that fails ends all.
async fn supervise(mut tasks: JoinSet<Result<(), NodeError>>, stop: CancellationToken) -> Result<(), NodeError> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let failed = match ended {
            Ok(Ok(())) if stop.is_cancelled() => None,
            Ok(Ok(())) => Some(NodeError::part("a part of the master", Ok(()))),
            Ok(Err(error)) => Some(error),
            Err(error) => Some(NodeError::part("a part of the master", Err(error))),
        };
        if let (Some(error), Ok(())) = (failed, &outcome) {
            tracing::error!(code = %error.code(), "{}; next: {}", crate::error::chain(&error), error.next_step());
            outcome = Err(error);
        }
        stop.cancel();
    }
    outcome
}
