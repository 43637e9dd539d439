//! A client of the public API that knows all masters, asks the next one when one fails, and keeps a request's id when it asks again.

use std::fmt;
use std::time::Duration;

use squall_proto::Failure;
use squall_proto::v1::topologies_client::TopologiesClient;
use squall_proto::v1::{
    ActivateRequest, DeactivateRequest, GetTopologyRequest, Mutation, RebalanceRequest, SubmitHeader, SubmitOptions,
    SubmitRequest, Topology, TopologyState, submit_request,
};
use squall_types::cluster::{RequestId, UnixMillis};
use squall_types::codes;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::Rng;
use crate::linear::{Answer, Request, Seen};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_millis(1_000);
/// How long it waits before it asks the next master.
const PAUSE: Duration = Duration::from_millis(50);

/// What a client comes to know of a request.
#[derive(Debug)]
pub enum Asked {
    /// The answer.
    Answered(Answer),
    /// Nothing: no master answered in time.
    Unknown,
    /// An answer that no such request should get.
    Refused(Box<Refused>),
}

/// An error of the API, in full.
#[derive(Debug)]
pub struct Refused {
    /// The status.
    pub status: Status,
    /// What a master says of it, if a master made it.
    pub failure: Option<Failure>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.status.code(), self.status.message())?;
        self.failure.iter().try_for_each(|failure| write!(f, " ({})", failure.next_step))
    }
}

impl std::error::Error for Refused {}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        let failure = Failure::from_status(&status);
        Self { status, failure }
    }
}

/// A client.
pub struct Client {
    masters: Vec<Channel>,
    preferred: usize,
    rng: Rng,
    now: Box<dyn Fn() -> UnixMillis + Send>,
    patience: Duration,
}

impl Client {
    /// A client of these masters, that gives a request up after `patience`. `now` tells the wall time.
    pub fn new(
        masters: Vec<Channel>,
        mut rng: Rng,
        patience: Duration,
        now: impl Fn() -> UnixMillis + Send + 'static,
    ) -> Self {
        let preferred = rng.below(masters.len());
        Self { masters, preferred, rng, now: Box::new(now), patience }
    }

    /// The id of a new request.
    pub fn request_id(&mut self) -> RequestId {
        let random = u128::from(self.rng.draw()) << 64 | u128::from(self.rng.draw());
        RequestId::new((self.now)(), random)
    }

    /// Asks until there is an answer or its patience is over.
    pub async fn ask(&mut self, topology: &str, request: &Request) -> Asked {
        let id = self.request_id();
        let deadline = tokio::time::Instant::now() + self.patience;
        loop {
            let channel = self.masters[self.preferred % self.masters.len()].clone();
            let until = deadline.min(tokio::time::Instant::now() + ATTEMPT);
            match tokio::time::timeout_at(until, attempt(channel, topology, request, id)).await {
                Ok(Ok(answer)) => return Asked::Answered(answer),
                Ok(Err(status)) => {
                    if let Some(final_) = finally(status) {
                        return final_;
                    }
                }
                Err(_) => {}
            }
            self.preferred = self.preferred.wrapping_add(1);
            if tokio::time::Instant::now() + PAUSE >= deadline {
                return Asked::Unknown;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// What an error says of the request, unless it may be asked again.
fn finally(status: Status) -> Option<Asked> {
    let refused = Refused::from(status);
    let code = refused.failure.as_ref().map(|failure| failure.code);
    match (refused.status.code(), code) {
        (_, Some(codes::NOT_AS_EXPECTED)) => Some(Asked::Answered(Answer::Conflict)),
        (Code::NotFound, _) => Some(Asked::Answered(Answer::Missing)),
        (Code::AlreadyExists, _) => Some(Asked::Answered(Answer::Taken)),
        (
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Aborted
            | Code::ResourceExhausted
            | Code::Unknown
            | Code::Internal,
            _,
        ) => None,
        _ => Some(Asked::Refused(Box::new(refused))),
    }
}

async fn attempt(channel: Channel, topology: &str, request: &Request, id: RequestId) -> Result<Answer, Status> {
    let mut client = TopologiesClient::new(channel);
    let name = topology.to_owned();
    let mutation = |expected_revision| Some(Mutation { request_id: id.to_string(), expected_revision });
    let applied = |applied: Option<squall_proto::v1::Applied>| {
        let applied = applied.ok_or_else(|| Status::data_loss("an answer without `applied`"))?;
        Ok(Answer::Applied { revision: applied.revision })
    };
    match *request {
        Request::Submit { slots } => {
            let header = submission(topology, slots, mutation(None));
            let parts = vec![SubmitRequest { part: Some(submit_request::Part::Header(header)) }];
            applied(client.submit(tokio_stream::iter(parts)).await?.into_inner().applied)
        }
        Request::Write { slots, expected } => {
            let mutation = mutation(expected);
            let request = RebalanceRequest { mutation, name, max_slots: Some(slots), ..RebalanceRequest::default() };
            applied(client.rebalance(request).await?.into_inner().applied)
        }
        Request::Activate(true) => {
            applied(Some(client.activate(ActivateRequest { mutation: mutation(None), name }).await?.into_inner()))
        }
        Request::Activate(false) => {
            applied(Some(client.deactivate(DeactivateRequest { mutation: mutation(None), name }).await?.into_inner()))
        }
        Request::Get => Ok(seen(&client.get(GetTopologyRequest { name }).await?.into_inner())),
    }
}

fn seen(topology: &Topology) -> Answer {
    let summary = topology.summary.as_ref();
    Answer::Found(Seen {
        revision: summary.map_or(0, |it| it.revision),
        active: summary.is_some_and(|it| it.state() == TopologyState::Active),
        slots: topology.options.as_ref().map_or(0, |it| it.max_slots),
    })
}

/// A small topology: words that are counted by two tasks.
pub fn submission(topology: &str, slots: u32, mutation: Option<Mutation>) -> SubmitHeader {
    SubmitHeader {
        mutation,
        description: description(topology),
        options: Some(SubmitOptions { max_slots: slots, ..SubmitOptions::default() }),
        ..SubmitHeader::default()
    }
}

fn description(name: &str) -> String {
    use squall_types::topology::{Component, Fields, Grouping, Input, Kind, StreamDecl, Topology};
    let mut words = Component::new("words".into(), Kind::Spout);
    words.streams = vec![StreamDecl::new("default".into(), Fields::new(["word"]))];
    let mut count = Component::new("count".into(), Kind::Bolt);
    count.inputs = vec![Input::new("words".into(), "default".into(), Grouping::Fields(Fields::new(["word"])))];
    (count.parallelism, count.tasks) = (2, 2);
    let mut topology = Topology::new(name);
    topology.components = vec![words, count];
    serde_json::to_string(&topology).expect("plain data is written as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_submitted_is_a_valid_topology() {
        use squall_types::topology::Topology;
        let topology: Topology = serde_json::from_str(&description("words")).unwrap();
        assert_eq!(topology.validate().err(), None);
    }
}
