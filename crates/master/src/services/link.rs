//! The service `WorkerLink`: one stream from each worker, to the leader.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use squall_control::{Capacity, Command, Line, Registration};
use squall_proto::v1::worker_message::Kind;
use squall_proto::v1::{self, worker_link_server::WorkerLink};
use squall_types::cluster::{ClusterId, WorkerIncarnation, WorkerName};
use squall_types::codes;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::read;
use crate::core::Core;
use crate::fault::{Answer, Fault};
use crate::gate::Passage;
use crate::leading::{Attached, Leading, Link, Said, Witnessed};
use crate::tokens::{Caller, Denied};

/// How long a worker may take to say who it is.
const HELLO: Duration = Duration::from_secs(5);
/// Messages down that wait for a slow worker. One that takes none for so long is cut off by its own heartbeats.
const DOWN: usize = 64;
/// The most slots, and reports of them.
const MOST_SLOTS: usize = 1_024;
/// The most workers that one speaks of.
const MOST_WITNESSED: usize = 4_096;

/// The most concerns of a worker that are shown.
const MOST_CONCERNS: usize = 64;

/// Keeps the streams of workers.
#[derive(Clone)]
pub(crate) struct LinkService(pub Arc<Core>);

/// What goes down to a worker.
type Down = Pin<Box<dyn Stream<Item = Result<v1::MasterMessage, Status>> + Send>>;

#[tonic::async_trait]
impl WorkerLink for LinkService {
    type LinkStream = Down;

    async fn link(&self, request: Request<Streaming<v1::WorkerMessage>>) -> Result<Response<Down>, Status> {
        let leading = self.0.leading()?;
        let (down, downward) = mpsc::channel(DOWN);
        let passage = read::passage(&request)?;
        let serving = Serving { core: self.0.clone(), leading, passage, up: request.into_inner(), down };
        // Dropped with the stream: a worker that goes away takes this with it.
        let served = futures_util::stream::once(serving.run())
            .filter_map(|ended| async move { ended.err().map(|fault| Err(fault.into())) });
        let messages = tokio_stream::wrappers::ReceiverStream::new(downward).map(Ok);
        Ok(Response::new(Box::pin(futures_util::stream::select(messages, served))))
    }
}

/// Whether who calls may say that it is this worker: its certificate says who it is. A master carries streams of workers that it has let in.
fn may_be(caller: &Caller, worker: &WorkerName) -> Answer<()> {
    match caller {
        Caller::Worker(name) if name != worker => {
            Err(Denied::NotA { who: caller.to_string(), needs: "worker of that name" }.into())
        }
        Caller::Worker(_) | Caller::Master(_) | Caller::Anyone | Caller::User { .. } => Ok(()),
    }
}

/// One worker's stream.
struct Serving {
    core: Arc<Core>,
    leading: Arc<Leading>,
    passage: Passage,
    up: Streaming<v1::WorkerMessage>,
    down: mpsc::Sender<v1::MasterMessage>,
}

impl Serving {
    async fn run(mut self) -> Answer<()> {
        let hello = self.hello().await?;
        let worker: WorkerName = read::parsed("hello.name", &hello.name)?;
        may_be(&self.passage.caller, &worker)?;
        let registration = registration(&hello)?;
        let (reports, witnessed) = (reports(&hello.reports)?, witnessed(&hello.witnessed)?);
        self.belongs(&hello)?;
        self.register(&worker, &registration).await?;
        self.welcome().await;
        let (incarnation, down) = (registration.incarnation, self.down.clone());
        let attached = Attached { worker, incarnation, reports, witnessed, down };
        let link = self.leading.attach(attached).await?;
        let ended = self.listen(&link).await;
        // A leader that is none any more needs not be told.
        let _ = self.leading.say(Said::Closed(link)).await;
        ended
    }

    async fn hello(&mut self) -> Answer<v1::Hello> {
        let first =
            tokio::time::timeout(HELLO, self.up.message()).await.map_err(|_| out_of_turn("a worker said no hello"))?;
        match first.ok().flatten().and_then(|message| message.kind) {
            Some(Kind::Hello(hello)) => Ok(hello),
            Some(_) | None => Err(out_of_turn("a worker's first word was no hello")),
        }
    }

    fn belongs(&self, hello: &v1::Hello) -> Answer<()> {
        let cluster = self.core.me.cluster;
        let belongs = hello.cluster_id.is_empty() || hello.cluster_id == cluster.to_string();
        if belongs { Ok(()) } else { Err(stranger(&hello.cluster_id, cluster)) }
    }

    async fn register(&self, worker: &WorkerName, registration: &Registration) -> Answer<()> {
        let known = self.core.read().worker(worker).is_some_and(|it| it.registration == *registration);
        if known {
            return Ok(());
        }
        let command = Command::RegisterWorker { name: worker.clone(), registration: registration.clone() };
        self.core.decide(self.core.on_behalf_of(self.passage.clone()), command).await.map(|_| ())
    }

    async fn welcome(&self) {
        let welcome = {
            let state = self.core.read();
            v1::Welcome {
                cluster_id: self.core.me.cluster.to_string(),
                epoch: state.epoch().get(),
                heartbeat_ms: self.leading.heartbeat_millis(),
                masters: state.members().values().map(|member| member.seat.address.to_string()).collect(),
            }
        };
        // One that can't be told is gone, which listening finds out.
        let _ = self.down.send(message(v1::master_message::Kind::Welcome(welcome))).await;
    }

    async fn listen(&mut self, link: &Link) -> Answer<()> {
        loop {
            let next = tokio::select! {
                next = self.up.message() => next,
                () = self.leading.over() => return Err(self.core.leading().err().unwrap_or_else(|| out_of_turn("another leader has taken over"))),
            };
            let Ok(Some(message)) = next else { return Ok(()) };
            let said = match message.kind.ok_or_else(|| out_of_turn("a worker said nothing"))? {
                Kind::Hello(_) => return Err(out_of_turn("a worker said hello twice")),
                Kind::Heartbeat(beat) => {
                    let answer = v1::MasterHeartbeat { number: beat.number };
                    // A worker that takes no answers is deaf; its own clock tells it so.
                    let _ = self.down.try_send(self::message(v1::master_message::Kind::Heartbeat(answer)));
                    let (reports, witnessed) = (reports(&beat.reports)?, witnessed(&beat.witnessed)?);
                    let concerns = beat.concerns.into_iter().take(MOST_CONCERNS).collect();
                    Said::Beat { link: link.clone(), reports, concerns, witnessed }
                }
                Kind::ProbeResult(result) => Said::Probed { id: result.id, answered: result.answered },
                Kind::Goodbye(_) => Said::Goodbye(link.clone()),
            };
            self.leading.say(said).await?;
        }
    }
}

pub(crate) fn message(kind: v1::master_message::Kind) -> v1::MasterMessage {
    v1::MasterMessage { kind: Some(kind) }
}

pub(super) fn registration(hello: &v1::Hello) -> Answer<Registration> {
    let capacity = hello.capacity.unwrap_or_default();
    let slots = u16::try_from(hello.slots).ok().filter(|slots| usize::from(*slots) <= MOST_SLOTS);
    let tags = hello.tags.iter().map(|tag| Line::new(tag).map_err(|error| Fault::field("hello.tags", error)));
    Ok(Registration {
        incarnation: WorkerIncarnation::new(hello.incarnation),
        address: read::parsed("hello.address", &hello.address)?,
        zone: read::parsed("hello.zone", &hello.zone)?,
        tags: tags.collect::<Answer<_>>()?,
        slots: slots.ok_or_else(|| Fault::field("hello.slots", format!("a worker has at most {MOST_SLOTS}")))?,
        capacity: Capacity { cpu_percent: capacity.cpu_percent, memory_mib: capacity.memory_mib },
    })
}

/// Slots as reported, checked.
pub(super) fn reports(reports: &[v1::SlotReport]) -> Answer<Vec<v1::SlotReport>> {
    if reports.len() > MOST_SLOTS {
        return Err(Fault::field("reports", format!("a worker has at most {MOST_SLOTS} slots")));
    }
    for report in reports {
        Line::new(&report.address).map_err(|error| Fault::field("reports.address", error))?;
    }
    Ok(reports.to_vec())
}

/// What a worker says of others, checked.
fn witnessed(said: &[v1::Witnessed]) -> Answer<Vec<Witnessed>> {
    if said.len() > MOST_WITNESSED {
        return Err(Fault::field("witnessed", format!("at most {MOST_WITNESSED} others are taken")));
    }
    let one = |it: &v1::Witnessed| -> Answer<Witnessed> {
        let worker = read::parsed("witnessed.worker", &it.worker)?;
        Ok(Witnessed { worker, silent: Duration::from_millis(it.silent_ms) })
    };
    said.iter().map(one).collect()
}

fn out_of_turn(cause: &str) -> Fault {
    Fault::new(
        tonic::Code::InvalidArgument,
        codes::LINK_OUT_OF_TURN,
        cause,
        "run workers and masters of releases that fit together",
    )
}

fn stranger(theirs: &str, ours: ClusterId) -> Fault {
    let cause = format!("the worker belongs to the cluster {}, and this is {ours}", Line::lossy(theirs));
    let next_step =
        "give the worker the masters of its own cluster; or, to move it here, start it on an empty data directory";
    Fault::new(tonic::Code::FailedPrecondition, codes::LINK_OUT_OF_TURN, cause, next_step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_who_its_certificate_says_and_no_other() {
        let named = |name: &str| -> WorkerName { name.parse().unwrap() };
        let caller = Caller::Worker(named("w1"));
        assert!(may_be(&caller, &named("w1")).is_ok());
        assert!(may_be(&caller, &named("w2")).is_err());
        assert!(may_be(&Caller::Master("m1".parse().unwrap()), &named("w2")).is_ok());
    }
}
