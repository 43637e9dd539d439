//! A worker as a whole: what it listens on, what it runs, how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use squall_daemon::certs::{Client, DefaultTimeProvider, Identity, Material, Peer, Server, TimeProvider};
use squall_daemon::http::{self, Denied, Monitoring, Readiness};
use squall_daemon::{Incoming, Machine, Network, Peers, Prober, chain, greeted};
use squall_proto::v1;
use squall_types::cluster::{UnixMillis, WorkerName};
use squall_types::codes;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::config::WorkerConfig;
use crate::core::Masters;
use crate::daemon::{Daemon, EVENTS, Parts};
use crate::error::WorkerError;
use crate::link::{Link, Said};
use crate::metrics::{Kind, Metrics};
use crate::packages::Packages;
use crate::store::Store;
use crate::wire::Reach;

/// How long what is served may take once the worker stops.
const GRACE: Duration = Duration::from_millis(200);

/// How a worker's connections are protected.
#[derive(Clone)]
pub struct Secured {
    server: Server,
    masters: Client,
    probes: Client,
    name: Option<WorkerName>,
    tls: bool,
}

impl Secured {
    /// Not at all.
    pub const fn plain() -> Self {
        Self { server: Server::plain(), masters: Client::plain(), probes: Client::plain(), name: None, tls: false }
    }

    /// As the configuration says: by certificates, or in plain text.
    ///
    /// # Errors
    /// If the certificate's files can't be read, don't belong together, or aren't good now.
    pub fn of(config: &WorkerConfig, now: UnixMillis) -> Result<Self, WorkerError> {
        let Some(files) = config.tls_files() else { return Ok(Self::plain()) };
        let material = Material::read(&files, now, "worker");
        let material = material.map_err(|error| WorkerError::Certificate(Arc::new(error)))?;
        let time: Arc<dyn TimeProvider> = Arc::new(DefaultTimeProvider);
        let name = match material.identity() {
            Identity::Worker(name) => Some(name.clone()),
            Identity::Master(_) | Identity::User { .. } => None,
        };
        Ok(Self {
            server: Server::with_certificate(&material, time.clone()),
            masters: Client::with_certificate(&material, time.clone()),
            probes: Client::for_probes(&material, time),
            name,
            tls: true,
        })
    }
}

/// A running worker.
pub struct Node {
    address: SocketAddr,
    monitoring: Option<SocketAddr>,
    name: WorkerName,
    readiness: watch::Receiver<Readiness>,
    leave: CancellationToken,
    stop: CancellationToken,
    supervisor: JoinHandle<Result<(), WorkerError>>,
}

impl Node {
    /// Starts a worker. It looks for its masters by itself, and for the slots that an earlier daemon left running.
    ///
    /// # Errors
    /// If it can't listen, or can't use its data directory.
    pub async fn start(config: WorkerConfig, secured: Secured) -> Result<Self, WorkerError> {
        let store = Arc::new(Store::open(&config.data_dir)?);
        let listening = Machine.bind(config.listen).await;
        let (address, incoming) =
            listening.map_err(|source| WorkerError::Listen { address: config.listen, source: Arc::new(source) })?;
        let name = secured.name.clone().filter(|_| config.name.is_none()).unwrap_or_else(|| config.called(address));
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
        let starting = Readiness::NotReady { reason: "it has only just started".to_owned() };
        let (readiness, is_ready) = watch::channel(starting);
        let leave = CancellationToken::new();
        let stop = CancellationToken::new();
        let monitoring = bind(&config, &secured, &metrics, &is_ready).await?;
        let network: Arc<dyn Network> = Arc::new(Machine);
        let peers = Peers::new(network.clone(), secured.masters);
        let (said, says) = watch::channel(Arc::new(Said::default()));
        let (heard, hears) = mpsc::channel(EVENTS);
        let advertised = config.advertised(address);
        let remembered = store.read()?.masters;
        let configured = config.masters.iter().map(ToString::to_string).collect();
        let link = Link {
            name: name.clone(),
            masters: Masters::new(configured, remembered),
            peers: peers.clone(),
            prober: Prober::new(&network, secured.probes),
            said: says,
            heard,
            leave: leave.clone(),
        };
        let daemon = Daemon::new(Parts {
            name: name.clone(),
            address: advertised.to_string(),
            reach: Reach { listen: config.listen.ip(), advertised: advertised.host().to_owned() },
            capacity: capacity(&config),
            clock: Arc::new(Machine),
            random: Arc::new(Machine),
            packages: Packages::new(store.packages(), peers),
            store,
            metrics: metrics.clone(),
            readiness: readiness.clone(),
            said,
            heard: hears,
            leave: leave.clone(),
            config,
        })?;
        let mut tasks = JoinSet::new();
        tasks.spawn(answer(secured.server.clone(), incoming, metrics, stop.clone()));
        let monitored = monitoring.as_ref().and_then(|(listener, _)| listener.local_addr().ok());
        if let Some((listener, monitoring)) = monitoring {
            let stop = stop.clone().cancelled_owned();
            tasks.spawn(async move {
                http::serve(listener, secured.server, monitoring, stop).await;
                Ok(())
            });
        }
        tasks.spawn(work(daemon, link, stop.clone()));
        let supervisor = tokio::spawn(supervise(tasks, stop.clone(), readiness));
        Ok(Self { address, monitoring: monitored, name, readiness: is_ready, leave, stop, supervisor })
    }

    /// Where it listens, to be seen to live.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves `/metrics`, if it does.
    pub const fn monitoring(&self) -> Option<SocketAddr> {
        self.monitoring
    }

    /// What it is called.
    pub const fn name(&self) -> &WorkerName {
        &self.name
    }

    /// Whether a master is heard, or why not.
    pub fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.clone()
    }

    /// Waits until a master is heard, or the worker has failed.
    pub async fn ready(&self) {
        let decided = |readiness: &Readiness| !matches!(readiness, Readiness::NotReady { .. });
        // Once it has ended nothing more is told.
        let _ = self.readiness().wait_for(decided).await;
    }

    /// Leaves: says goodbye to the masters, has its slots finish what is in flight, and stops.
    ///
    /// # Errors
    /// If it had failed before.
    pub async fn leave(self) -> Result<(), WorkerError> {
        self.leave.cancel();
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
    pub async fn ended(self) -> Result<(), WorkerError> {
        let ended = self.supervisor.await;
        ended.unwrap_or_else(|error| Err(WorkerError::Part { part: "the supervisor", panicked: error.is_panic() }))
    }
}

/// Works until the worker has left.
async fn work(daemon: Daemon, link: Link, stop: CancellationToken) -> Result<(), WorkerError> {
    let mut link = JoinSet::from_iter([link.run()]);
    let done = daemon.run().await;
    // The goodbye is on its way.
    link.join_next().await;
    stop.cancel();
    done
}

/// Sees the end of each part; the first that fails ends all.
async fn supervise(
    mut tasks: JoinSet<Result<(), WorkerError>>,
    stop: CancellationToken,
    readiness: watch::Sender<Readiness>,
) -> Result<(), WorkerError> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let failed = match ended {
            Ok(Ok(())) if stop.is_cancelled() => None,
            Ok(Err(error)) => Some(error),
            Ok(Ok(())) => Some(WorkerError::Part { part: "a part of the worker", panicked: false }),
            Err(error) => Some(WorkerError::Part { part: "a part of the worker", panicked: error.is_panic() }),
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

/// Answers probes: whether the daemon lives.
async fn answer(
    server: Server,
    incoming: Incoming,
    metrics: Metrics,
    stop: CancellationToken,
) -> Result<(), WorkerError> {
    let (health, service) = tonic_health::server::health_reporter();
    health.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let refused = metrics.refused.get_or_create(&Kind { kind: "api" }).clone();
    let incoming = greeted(server, incoming, move || {
        refused.inc();
    });
    let serving = tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => served.map_err(|_| WorkerError::Part { part: "what answers probes", panicked: false }),
        () = late => Ok(()),
    }
}

async fn bind(
    config: &WorkerConfig,
    secured: &Secured,
    metrics: &Metrics,
    readiness: &watch::Receiver<Readiness>,
) -> Result<Option<(tokio::net::TcpListener, Monitoring)>, WorkerError> {
    let Some(address) = config.http.listen else { return Ok(None) };
    let listener = http::bind(address).await.map_err(|error| WorkerError::Monitoring(Arc::new(error)))?;
    let (text, tls) = (metrics.clone(), secured.tls);
    let refused = metrics.refused.get_or_create(&Kind { kind: "monitoring" }).clone();
    let monitoring = Monitoring {
        metrics: Arc::new(move || text.text()),
        refused: Arc::new(move || {
            refused.inc();
        }),
        readiness: readiness.clone(),
        guard: Arc::new(move |_, peer| allow(tls, peer)),
    };
    Ok(Some((listener, monitoring)))
}

/// Tokens are the masters' to know: with TLS a certificate of the cluster has to do.
fn allow(tls: bool, peer: &Peer) -> Result<(), Denied> {
    if !tls || matches!(peer.identity, Ok(Some(_))) {
        return Ok(());
    }
    let code = codes::NO_CREDENTIALS;
    let text =
        format!("{code}: this worker wants to know who calls, and there is no certificate\ngive --cert and --key\n");
    Err(Denied { unknown: true, text })
}

/// What its slots may be given.
fn capacity(config: &WorkerConfig) -> v1::Resources {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpu_percent = config.capacity.cpu_percent.unwrap_or_else(|| u32::try_from(cores * 100).unwrap_or(u32::MAX));
    let memory_mib = config.capacity.memory.map_or_else(memory_mib, |size| size.get() >> 20);
    v1::Resources { cpu_percent, memory_mib }
}

/// The machine's memory, or a guess where it can't be known.
fn memory_mib() -> u64 {
    const GUESS: u64 = 4_096;
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.map_or(GUESS, |kib| kib >> 10)
}
