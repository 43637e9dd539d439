//! A worker's stream to the leader.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use squall_proto::v1;
use squall_proto::v1::master_message::Kind as Down;
use squall_proto::v1::worker_link_client::WorkerLinkClient;
use squall_proto::v1::worker_message::Kind as Up;
use squall_tests::Rng;
use squall_types::cluster::WorkerName;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{Hand, SILENCE};
use crate::invariants::Told;
use crate::master::PORT;
use crate::network;

/// How often it beats.
const BEAT: Duration = Duration::from_millis(500);
/// How long a master may take to let it in.
const WELCOME: Duration = Duration::from_secs(1);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// A daemon's life, as masters see it.
pub struct Link {
    hand: Hand,
    incarnation: u64,
    masters: Vec<Channel>,
    dice: Rng,
    beats: u64,
    /// Answers that it has reported, each with the number of the first beat after it.
    reported: Rc<RefCell<Vec<(u64, Told)>>>,
}

impl Link {
    pub fn new(hand: Hand, incarnation: u64, masters: usize, dice: Rng) -> Self {
        let channel = |place: usize| hand.breaks.channel(&network::address(&network::master(place), PORT));
        let masters = (0..masters).map(channel).collect();
        Self { hand, incarnation, masters, dice, beats: 0, reported: Rc::default() }
    }

    /// Keeps a stream to whichever master takes it, until it is dropped.
    pub async fn keep(mut self) {
        loop {
            let master = self.dice.pick(&self.masters).clone();
            self.stream(master).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One stream, for as long as it is answered.
    async fn stream(&mut self, master: Channel) -> Option<()> {
        let (up, upward) = mpsc::channel(64);
        up.send(said(Up::Hello(self.hand.hello(self.incarnation)))).await.ok()?;
        let mut client = WorkerLinkClient::new(master);
        let linked = tokio::time::timeout(WELCOME, client.link(ReceiverStream::new(upward))).await;
        let mut down = linked.ok()?.ok()?.into_inner();
        self.reported.borrow_mut().clear();
        let mut beats = tokio::time::interval(BEAT);
        let mut probes = JoinSet::new();
        let mut silent_at = Instant::now() + SILENCE;
        loop {
            tokio::select! {
                _ = beats.tick() => {
                    self.beats += 1;
                    up.send(said(Up::Heartbeat(self.hand.beat(self.beats)))).await.ok()?;
                }
                heard = next(&mut down, silent_at) => {
                    silent_at = Instant::now() + SILENCE;
                    match heard? {
                        Down::Welcome(welcome) => self.hand.belongs(welcome.cluster_id),
                        Down::Desired(desired) => self.hand.obey(desired),
                        Down::Heartbeat(beat) => self.heard(beat.number),
                        Down::Probe(probe) => drop(probes.spawn_local(ask(self.hand.clone(), probe))),
                    }
                }
                Some(Ok(asked)) = probes.join_next() => self.report(&up, asked).await?,
            }
        }
    }

    /// Tells what came of a probe.
    async fn report(&self, up: &mpsc::Sender<v1::WorkerMessage>, asked: Asked) -> Option<()> {
        let Asked { id, worker, answered } = asked;
        up.send(said(Up::ProbeResult(v1::ProbeResult { id, answered: answered.is_some() }))).await.ok()?;
        let reign = *self.hand.reigns.borrow();
        if let (Some(worker), Some(answered), Some(term)) = (worker, answered, reign) {
            let told = Told { worker, term, answered, known: Duration::ZERO };
            self.reported.borrow_mut().push((self.beats + 1, told));
        }
        Some(())
    }

    /// A beat was answered: what was said before it has arrived.
    fn heard(&self, number: u64) {
        let reign = *self.hand.reigns.borrow();
        let known = turmoil::sim_elapsed().unwrap_or_default();
        self.reported.borrow_mut().retain(|(beat, told)| {
            let arrived = *beat <= number;
            if arrived && reign == Some(told.term) {
                self.hand.tell(Told { known, ..told.clone() });
            }
            !arrived
        });
    }
}

/// What a master says next; none, if it says nothing until then.
async fn next(down: &mut Streaming<v1::MasterMessage>, until: Instant) -> Option<Down> {
    let message = tokio::time::timeout_at(until, down.message()).await;
    message.ok()?.ok()??.kind
}

/// What came of a probe.
struct Asked {
    id: u64,
    worker: Option<WorkerName>,
    /// When it was answered, if it was.
    answered: Option<Duration>,
}

async fn ask(hand: Hand, probe: v1::Probe) -> Asked {
    let v1::Probe { id, address, timeout_ms } = probe;
    let worker = address.split(':').next().and_then(|host| host.parse().ok());
    let mut client = HealthClient::new(hand.breaks.channel(&address));
    let asked = tokio::time::timeout(Duration::from_millis(timeout_ms), client.check(HealthCheckRequest::default()));
    let answered = matches!(asked.await, Ok(Ok(_)));
    Asked { id, worker, answered: answered.then(|| turmoil::sim_elapsed().unwrap_or_default()) }
}

fn said(kind: Up) -> v1::WorkerMessage {
    v1::WorkerMessage { kind: Some(kind) }
}
