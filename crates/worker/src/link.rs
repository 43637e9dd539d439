//! The stream to the leader, through whichever master carries it.

use std::sync::Arc;
use std::time::Duration;

use squall_daemon::{Peers, Prober, chain};
use squall_proto::Failure;
use squall_proto::v1::master_message::Kind as Down;
use squall_proto::v1::worker_link_client::WorkerLinkClient;
use squall_proto::v1::worker_message::Kind as Up;
use squall_proto::v1::{self, MasterMessage, WorkerMessage};
use squall_types::cluster::{ClusterId, WorkerName};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use crate::core::{Desired, Masters, Next};
use crate::wire;

/// How long a master may take to say welcome.
const WELCOME: Duration = Duration::from_millis(500);
/// Messages up that wait for a slow master.
const UP: usize = 64;
/// Probes under way at once. More are left to others.
const PROBES: usize = 256;

/// What a worker says of itself and its slots now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub hello: v1::Hello,
    pub concerns: Vec<v1::Concern>,
}

/// What a master says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It has let the worker in.
    Welcome { masters: Vec<String> },
    /// What is to run.
    Desired(Desired),
    /// It is silent, or has gone; why.
    Lost(String),
}

/// The stream's own task.
pub(crate) struct Link {
    /// What this worker is called.
    pub name: WorkerName,
    pub masters: Masters,
    /// For masters.
    pub peers: Peers,
    /// For those that are to be probed.
    pub prober: Prober,
    pub said: watch::Receiver<Arc<Said>>,
    pub heard: mpsc::Sender<Heard>,
    pub leave: CancellationToken,
}

/// Why a stream ended.
enum Over {
    /// The worker has said goodbye.
    Left,
    /// Nobody reads what is heard: the daemon ends.
    Unheard,
    Lost(String),
}

impl Link {
    /// Keeps a stream until the worker has left.
    pub(crate) async fn run(mut self) {
        let began = Instant::now();
        let mut told = String::new();
        loop {
            match self.masters.next(began.elapsed()) {
                Next::Nobody => return std::future::pending().await,
                Next::Wait(until) => sleep_until(began + until).await,
                Next::Try(master) => match self.keep(&master).await {
                    Over::Left | Over::Unheard => return,
                    Over::Lost(why) => {
                        self.masters.failed();
                        let line = format!("{master}: {why}");
                        if line != told {
                            tracing::warn!("no word from {line}");
                            told.clone_from(&line);
                        }
                        if self.heard.send(Heard::Lost(line)).await.is_err() {
                            return;
                        }
                    }
                },
            }
            if self.leave.is_cancelled() {
                return;
            }
        }
    }

    async fn keep(&mut self, master: &str) -> Over {
        let (up, upward) = mpsc::channel(UP);
        let hello = self.said.borrow_and_update().hello.clone();
        // There is room for the first.
        let _ = up.try_send(WorkerMessage { kind: Some(Up::Hello(hello)) });
        let upward = tokio_stream::wrappers::ReceiverStream::new(upward);
        let mut client = WorkerLinkClient::new(self.peers.channel(master));
        let opened = async {
            let mut down = client.link(upward).await.map_err(|status| reason(&status))?.into_inner();
            match down.message().await.map_err(|status| reason(&status))?.and_then(|message| message.kind) {
                Some(Down::Welcome(welcome)) => Ok((down, welcome)),
                Some(_) | None => Err("it said no welcome".to_owned()),
            }
        };
        let (down, welcome) = match timeout(WELCOME, opened).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(why)) => return Over::Lost(why),
            Err(_) => return Over::Lost("it doesn't answer".to_owned()),
        };
        let cluster = match welcome.cluster_id.parse::<ClusterId>() {
            Ok(cluster) => cluster,
            Err(error) => return Over::Lost(error.to_string()),
        };
        tracing::info!("linked to {cluster} through {master}");
        self.masters.told(&welcome.masters);
        if self.heard.send(Heard::Welcome { masters: welcome.masters }).await.is_err() {
            return Over::Unheard;
        }
        let pause = Duration::from_millis(welcome.heartbeat_ms.clamp(10, 10_000));
        let stream = Stream { link: self, cluster, up, down, number: 0, probing: JoinSet::new() };
        stream.run(pause).await
    }
}

/// A stream on which the worker is welcome.
struct Stream<'a> {
    link: &'a mut Link,
    cluster: ClusterId,
    up: mpsc::Sender<WorkerMessage>,
    down: Streaming<MasterMessage>,
    number: u64,
    probing: JoinSet<v1::ProbeResult>,
}

impl Stream<'_> {
    async fn run(mut self, pause: Duration) -> Over {
        let silence = Masters::silence().max(pause.saturating_mul(2));
        let mut beats = interval(pause);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard_at = Instant::now();
        let leave = self.link.leave.clone();
        loop {
            let over = tokio::select! {
                biased;
                () = leave.cancelled() => return self.goodbye().await,
                message = self.down.message() => {
                    heard_at = Instant::now();
                    match message {
                        Ok(Some(message)) => self.take(message).await,
                        Ok(None) => Some(Over::Lost("it ended the stream".to_owned())),
                        Err(status) => Some(Over::Lost(reason(&status))),
                    }
                }
                Some(probed) = self.probing.join_next() => {
                    probed.ok().and_then(|result| self.say(Up::ProbeResult(result)))
                }
                _ = beats.tick() => self.beat(),
                Ok(()) = self.link.said.changed() => self.beat(),
                () = sleep_until(heard_at + silence) => {
                    Some(Over::Lost(format!("it was silent for {:.1} s", silence.as_secs_f64())))
                }
            };
            if let Some(over) = over {
                return over;
            }
        }
    }

    async fn take(&mut self, message: MasterMessage) -> Option<Over> {
        match message.kind? {
            Down::Desired(state) => match wire::desired(self.cluster, &self.link.name, state) {
                Ok(desired) => {
                    let sent = self.link.heard.send(Heard::Desired(desired)).await;
                    sent.is_err().then_some(Over::Unheard)
                }
                Err(error) => Some(Over::Lost(format!("its state can't be read: {error}"))),
            },
            Down::Probe(probe) => {
                if self.probing.len() < PROBES {
                    let prober = self.link.prober.clone();
                    self.probing.spawn(async move { self::probe(&prober, probe).await });
                }
                None
            }
            Down::Welcome(_) | Down::Heartbeat(_) => None,
        }
    }

    fn beat(&mut self) -> Option<Over> {
        self.number += 1;
        let said = self.link.said.borrow_and_update().clone();
        self.say(Up::Heartbeat(v1::Heartbeat {
            number: self.number,
            reports: said.hello.reports.clone(),
            epoch: said.hello.epoch,
            revision: said.hello.revision,
            concerns: said.concerns.clone(),
            witnessed: Vec::new(),
        }))
    }

    /// A master that takes nothing is found out by its silence.
    fn say(&self, kind: Up) -> Option<Over> {
        match self.up.try_send(WorkerMessage { kind: Some(kind) }) {
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => None,
            Err(mpsc::error::TrySendError::Closed(_)) => Some(Over::Lost("it ended the stream".to_owned())),
        }
    }

    /// Says that the worker leaves, and lets it arrive.
    async fn goodbye(mut self) -> Over {
        let _ = self.say(Up::Goodbye(v1::Goodbye {}));
        drop(self.up);
        let _ = timeout(WELCOME, async { while let Ok(Some(_)) = self.down.message().await {} }).await;
        Over::Left
    }
}

async fn probe(prober: &Prober, probe: v1::Probe) -> v1::ProbeResult {
    let answered = prober.answers(&probe.address, Duration::from_millis(probe.timeout_ms)).await;
    v1::ProbeResult { id: probe.id, answered }
}

/// Why a master refused, in a line.
fn reason(status: &tonic::Status) -> String {
    match Failure::from_status(status) {
        Some(failure) => format!("{}: {}", failure.code, failure.cause),
        None => std::error::Error::source(status).map_or_else(|| status.message().to_owned(), chain),
    }
}
