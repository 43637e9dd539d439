//! A worker as masters see it: a link that beats, slots that are as they should be, probes that are carried out and answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use squall_proto::v1::worker_link_client::WorkerLinkClient;
use squall_proto::v1::{
    DesiredState, Heartbeat, Hello, MasterMessage, Probe, ProbeResult, Resources, SlotReport, SlotState, WorkerMessage,
    master_message, worker_message,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::clients::address;
use crate::net::Breaks;
use crate::network;
use crate::scenario::Scenario;

/// Where a worker's daemon and its slots answer.
const PORT: u16 = 7500;
/// How long a worker hears nothing before it turns to the next master.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long it waits before it tries again.
const PAUSE: Duration = Duration::from_millis(200);
const SLOTS: u32 = 4;

/// One worker's place, whatever lives there.
#[derive(Clone)]
pub struct Post {
    place: usize,
    masters: usize,
    breaks: Breaks,
    lives: Arc<AtomicU64>,
    answered: Arc<Mutex<Vec<Duration>>>,
}

impl Post {
    /// The place with this number.
    pub fn new(place: usize, scenario: &Scenario, breaks: Breaks) -> Self {
        let (lives, answered) = (Arc::default(), Arc::default());
        Self { place, masters: scenario.masters, breaks, lives, answered }
    }

    /// Its number.
    pub const fn place(&self) -> usize {
        self.place
    }

    /// When its program's answers to probes reached another worker, since this was asked last.
    pub fn answered(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.answered.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The worker's program.
    ///
    /// # Errors
    /// If its port is taken.
    pub async fn run(self) -> turmoil::Result {
        let life = self.lives.fetch_add(1, Ordering::Relaxed) + 1;
        let incoming = self.breaks.listen(PORT).await?;
        let answering = Answering(self.answered.clone());
        tokio::spawn(Server::builder().add_service(HealthServer::new(answering)).serve_with_incoming(incoming));
        let mut master = self.place;
        let mut obeyed = DesiredState::default();
        loop {
            let _ = self.link(master % self.masters, life, &mut obeyed).await;
            master += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One stream to one master, until it breaks or falls silent.
    async fn link(&self, master: usize, life: u64, obeyed: &mut DesiredState) -> Result<(), Status> {
        let (up, stream) = mpsc::channel(64);
        let send = |kind| up.try_send(WorkerMessage { kind: Some(kind) }).map_err(|_| Status::aborted("full"));
        send(worker_message::Kind::Hello(self.hello(life, obeyed)))?;
        let mut client = WorkerLinkClient::new(self.breaks.channel(&address(master)));
        let call = tokio::time::timeout(PATIENCE, client.link(ReceiverStream::new(stream))).await;
        let mut down = call.map_err(|_| Status::deadline_exceeded("silent"))??.into_inner();
        let mut beats = tokio::time::interval(Duration::from_millis(500));
        let mut number = 0;
        let mut heard = tokio::time::Instant::now();
        loop {
            tokio::select! {
                biased;
                message = down.message() => {
                    heard = tokio::time::Instant::now();
                    let Some(MasterMessage { kind: Some(kind) }) = message? else { return Ok(()) };
                    match kind {
                        master_message::Kind::Desired(state) => *obeyed = state,
                        master_message::Kind::Probe(probe) => self.probe(probe, up.clone()),
                        master_message::Kind::Welcome(_) | master_message::Kind::Heartbeat(_) => {}
                    }
                }
                _ = beats.tick() => {
                    if heard.elapsed() > PATIENCE {
                        return Err(Status::deadline_exceeded("silent"));
                    }
                    number += 1;
                    let (reports, epoch, revision) = (self.reports(life, obeyed), obeyed.epoch, obeyed.revision);
                    send(worker_message::Kind::Heartbeat(Heartbeat { number, reports, epoch, revision }))?;
                }
            }
        }
    }

    fn hello(&self, life: u64, obeyed: &DesiredState) -> Hello {
        Hello {
            name: network::worker(self.place),
            incarnation: life,
            zone: format!("z{}", self.place % 2),
            address: self.address(),
            slots: SLOTS,
            capacity: Some(Resources { cpu_percent: 400, memory_mib: 8_192 }),
            epoch: obeyed.epoch,
            revision: obeyed.revision,
            reports: self.reports(life, obeyed),
            ..Hello::default()
        }
    }

    fn address(&self) -> String {
        format!("{}:{PORT}", network::worker(self.place))
    }

    fn reports(&self, life: u64, obeyed: &DesiredState) -> Vec<SlotReport> {
        let report = |slot: &squall_proto::v1::DesiredSlot| SlotReport {
            number: slot.number,
            topology: slot.topology.clone(),
            assignment_version: slot.assignment_version,
            incarnation: life,
            state: SlotState::Running.into(),
            address: self.address(),
            text: String::new(),
        };
        obeyed.slots.iter().map(report).collect()
    }

    fn probe(&self, probe: Probe, up: mpsc::Sender<WorkerMessage>) {
        let channel = self.breaks.channel(&probe.address);
        let limit = Duration::from_millis(probe.timeout_ms);
        tokio::spawn(async move {
            let mut health = HealthClient::new(channel);
            let asked = tokio::time::timeout(limit, health.check(HealthCheckRequest::default())).await;
            let answered = asked.is_ok_and(|answer| answer.is_ok());
            let result = worker_message::Kind::ProbeResult(ProbeResult { id: probe.id, answered });
            // A link that is gone or full has other troubles.
            let _ = up.try_send(WorkerMessage { kind: Some(result) });
        });
    }
}

/// The program that probes ask for.
struct Answering(Arc<Mutex<Vec<Duration>>>);

#[tonic::async_trait]
impl Health for Answering {
    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let at = turmoil::sim_elapsed().unwrap_or_default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(at);
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("probes ask once"))
    }
}

