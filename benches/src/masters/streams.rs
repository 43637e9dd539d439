//! What a leader costs whom a thousand workers talk to.

use std::time::Duration;

use squall_proto::v1::master_message::Kind as Down;
use squall_proto::v1::worker_link_client::WorkerLinkClient;
use squall_proto::v1::worker_message::Kind as Up;
use squall_proto::v1::{self, Heartbeat, Hello, Resources, SlotReport, SlotState, WorkerMessage};
use squall_tests::Cluster;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use super::{AT_ONCE, block_on, connection, start, submit};
use crate::error::Error;
use crate::harness::{Figures, figures};
use crate::meter::{cpu_seconds, cpu_seconds_of, rss_mb_of};

const WORKERS: usize = 1_000;
const SLOTS: u32 = 4;
const TOPOLOGIES: usize = 200;
const BEAT: Duration = Duration::from_millis(500);
/// After all have come, until the leader has come to rest.
const SETTLE: Duration = Duration::from_secs(3);

/// The leader's CPU, with a connection for each worker; each beats, reports its slots and is answered.
///
/// # Errors
/// A worker's stream ends, or an answer is missing.
pub fn run(seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let cluster = start().await?;
        let leader = cluster.leader_of(&[0, 1, 2]).await;
        let answers = watch::Sender::new(0_u64);
        let mut running = attach(&cluster, leader, &answers).await?;
        submit(&cluster, 0..TOPOLOGIES).await?;
        tokio::time::sleep(SETTLE).await;
        let pid = cluster.pid(leader).to_string();
        let (cpu, own, beats) = (cpu_seconds_of(&pid)?, cpu_seconds()?, *answers.borrow());
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs_f64(seconds)) => {}
            ended = running.join_next() => return Err(ended.map_or(Error::Shape("no worker"), why)),
        }
        let (cpu, own, beats) = (cpu_seconds_of(&pid)? - cpu, cpu_seconds()? - own, *answers.borrow() - beats);
        let rate = beats as f64 / seconds;
        if rate < 0.95 * WORKERS as f64 / BEAT.as_secs_f64() {
            return Err(Error::Shape("not every beat was answered"));
        }
        Ok(figures([
            ("cpu_percent", 100.0 * cpu / seconds),
            ("rss_mb", rss_mb_of(&pid)?),
            ("beats_s", rate),
            ("workers_cores", own / seconds),
        ]))
    })
}

fn why(ended: Result<Status, tokio::task::JoinError>) -> Error {
    ended.map_or(Error::Shape("a worker panicked"), |status| Box::new(status).into())
}

/// Has all workers come to the leader, a few at the same time.
async fn attach(cluster: &Cluster, leader: usize, answers: &watch::Sender<u64>) -> Result<JoinSet<Status>, Error> {
    let mut running = JoinSet::new();
    for first in (0..WORKERS).step_by(AT_ONCE) {
        let mut coming = JoinSet::new();
        for number in first..WORKERS.min(first + AT_ONCE) {
            coming.spawn(Worker::attach(connection(cluster, leader), number));
        }
        while let Some(worker) = coming.join_next().await {
            let worker = worker.map_err(|_| Error::Shape("a worker panicked"))??;
            running.spawn(worker.run(answers.clone()));
        }
    }
    Ok(running)
}

/// A worker's side of its stream: it does as it is told at once.
struct Worker {
    up: mpsc::Sender<WorkerMessage>,
    down: tonic::Streaming<v1::MasterMessage>,
    number: usize,
    reports: Vec<SlotReport>,
}

impl Worker {
    async fn attach(channel: Channel, number: usize) -> Result<Self, Box<Status>> {
        let (up, upward) = mpsc::channel(8);
        let hello = Hello {
            name: format!("worker-{number:04}"),
            incarnation: 1,
            zone: format!("zone-{}", number % 3),
            address: format!("worker-{number:04}:7500"),
            slots: SLOTS,
            capacity: Some(Resources { cpu_percent: 800, memory_mib: 16_384 }),
            ..Hello::default()
        };
        let gone = |_| Box::new(Status::unavailable("the stream has ended"));
        up.send(said(Up::Hello(hello))).await.map_err(gone)?;
        let down = WorkerLinkClient::new(channel).link(ReceiverStream::new(upward)).await.map_err(Box::new)?;
        Ok(Self { up, down: down.into_inner(), number, reports: Vec::new() })
    }

    /// Beats until the stream ends, which it shouldn't.
    async fn run(mut self, answers: watch::Sender<u64>) -> Status {
        // All at the same moment would be no load but a burst.
        let offset = BEAT.mul_f64(self.number as f64 / WORKERS as f64);
        let mut beats = interval_at(Instant::now() + offset, BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut number = 0;
        loop {
            tokio::select! {
                _ = beats.tick() => {
                    number += 1;
                    let beat = Heartbeat { number, reports: self.reports.clone(), ..Heartbeat::default() };
                    if self.up.send(said(Up::Heartbeat(beat))).await.is_err() {
                        return Status::unavailable("the stream has ended");
                    }
                }
                message = self.down.message() => match message {
                    Ok(Some(v1::MasterMessage { kind: Some(kind) })) => self.told(kind, &answers),
                    Ok(_) => return Status::unavailable("the stream has ended"),
                    Err(status) => return status,
                },
            }
        }
    }

    fn told(&mut self, kind: Down, answers: &watch::Sender<u64>) {
        match kind {
            Down::Heartbeat(_) => {
                answers.send_if_modified(|count| {
                    *count += 1;
                    false
                });
            }
            Down::Desired(desired) => self.reports = desired.slots.iter().map(|slot| self.report(slot)).collect(),
            Down::Welcome(_) | Down::Probe(_) => {}
        }
    }

    fn report(&self, slot: &v1::DesiredSlot) -> SlotReport {
        SlotReport {
            number: slot.number,
            topology: slot.topology.clone(),
            assignment_version: slot.assignment_version,
            incarnation: 1,
            state: SlotState::Running.into(),
            address: format!("worker-{:04}:{}", self.number, 7_600 + slot.number),
            text: String::new(),
            ..SlotReport::default()
        }
    }
}

fn said(kind: Up) -> WorkerMessage {
    WorkerMessage { kind: Some(kind) }
}
