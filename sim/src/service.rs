//! The public API's calls about topologies, as far as clients make them here: on the shipped log and state, without the daemon around them.

use squall_control::{Command, Envelope, Options, Outcome, Rebalance, Refusal, Submit};
use squall_proto::v1;
use squall_proto::v1::topologies_server::Topologies;
use squall_proto::{Failure, v1::Mutation};
use squall_raft::Raft;
use squall_types::Retry;
use squall_types::cluster::{Revision, TopologyName};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::clients;
use crate::machine::Machine;
use crate::plant::Plant;

/// What one master answers with.
pub struct Service {
    /// Its log.
    pub log: Raft<Outcome>,
    /// Its state.
    pub machine: Machine,
    /// What is wrong with it.
    pub plant: Plant,
}

type Answer<T> = Result<Response<T>, Status>;

fn name(text: &str) -> Result<TopologyName, Status> {
    text.parse().map_err(|error| Status::invalid_argument(format!("{error}")))
}

impl Service {
    async fn decide(&self, mutation: Option<Mutation>, command: Command) -> Result<v1::Applied, Status> {
        let mutation = mutation.ok_or_else(|| Status::invalid_argument("no mutation"))?;
        let request = mutation.request_id.parse().map_err(|_| Status::invalid_argument("no request id"))?;
        let expected = mutation.expected_revision.map(Revision::new);
        let envelope = Envelope { request, at: clients::now(), actor: None, origin: None, expected, command };
        let bytes = envelope.encode().map_err(refused)?;
        let applied = self.log.propose(bytes.into()).await.map_err(|error| Status::unavailable(error.to_string()))?;
        let Outcome { revision, reply, repeated, .. } = applied.reply;
        reply.map_err(refused)?;
        Ok(v1::Applied { revision: revision.get(), repeated })
    }
}

fn refused(refusal: Refusal) -> Status {
    let grpc = match refusal {
        Refusal::UnknownTopology { .. } => Code::NotFound,
        Refusal::NameTaken(_) => Code::AlreadyExists,
        _ => Code::FailedPrecondition,
    };
    let (code, cause, next_step) = (refusal.code(), refusal.to_string(), refusal.next_step().to_owned());
    Failure { grpc, code, cause, next_step, retry: Retry::No, leader: None }.into()
}

fn not_here<T>() -> Answer<T> {
    Err(Status::unimplemented("clients of the simulation don't ask for this"))
}

#[tonic::async_trait]
impl Topologies for Service {
    async fn submit(&self, request: Request<Streaming<v1::SubmitRequest>>) -> Answer<v1::SubmitResponse> {
        let first = request.into_inner().message().await?.and_then(|request| request.part);
        let Some(v1::submit_request::Part::Header(header)) = first else {
            return Err(Status::invalid_argument("no header"));
        };
        let description: serde_json::Value =
            serde_json::from_str(&header.description).map_err(|_| Status::invalid_argument("no JSON"))?;
        let named = description.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
        let options = header.options.unwrap_or_default();
        let submit = Submit {
            name: name(named)?,
            description: header.description.into(),
            package: None,
            config: std::collections::BTreeMap::new(),
            options: Options { max_slots: Some(options.max_slots), ..Options::default() },
            inactive: options.inactive,
            update: options.update,
        };
        let applied = self.decide(header.mutation, Command::Submit(Box::new(submit))).await?;
        Ok(Response::new(v1::SubmitResponse { applied: Some(applied), ..v1::SubmitResponse::default() }))
    }

    async fn get(&self, request: Request<v1::GetTopologyRequest>) -> Answer<v1::Topology> {
        if self.plant != Plant::ReadWithoutQuorum {
            self.log.read_barrier().await.map_err(|error| Status::unavailable(error.to_string()))?;
        }
        let name = name(&request.into_inner().name)?;
        let state = self.machine.state();
        let topology = state.topology(&name).ok_or_else(|| refused(state.unknown_topology(&name)))?;
        let active = matches!(topology.lifecycle(), squall_control::Lifecycle::Active);
        let state = if active { v1::TopologyState::Active } else { v1::TopologyState::Inactive };
        let summary = v1::TopologySummary {
            name: name.to_string(),
            state: state.into(),
            revision: topology.revision().get(),
            ..v1::TopologySummary::default()
        };
        let max_slots = topology.options().max_slots.unwrap_or_default();
        let options = Some(v1::SubmitOptions { max_slots, ..v1::SubmitOptions::default() });
        Ok(Response::new(v1::Topology { summary: Some(summary), options, ..v1::Topology::default() }))
    }

    async fn activate(&self, request: Request<v1::ActivateRequest>) -> Answer<v1::Applied> {
        let v1::ActivateRequest { mutation, name: of } = request.into_inner();
        self.decide(mutation, Command::Activate(name(&of)?)).await.map(Response::new)
    }

    async fn deactivate(&self, request: Request<v1::DeactivateRequest>) -> Answer<v1::Applied> {
        let v1::DeactivateRequest { mutation, name: of } = request.into_inner();
        self.decide(mutation, Command::Deactivate(name(&of)?)).await.map(Response::new)
    }

    async fn rebalance(&self, request: Request<v1::RebalanceRequest>) -> Answer<v1::RebalanceResponse> {
        let v1::RebalanceRequest { mutation, name: of, max_slots, evenly, .. } = request.into_inner();
        let (name, parallelism) = (name(&of)?, std::collections::BTreeMap::new());
        let command = Command::Rebalance(Rebalance { name, parallelism, max_slots, evenly });
        let applied = Some(self.decide(mutation, command).await?);
        Ok(Response::new(v1::RebalanceResponse { applied, unplaced: Vec::new() }))
    }

    async fn plan(&self, _: Request<v1::PlanRequest>) -> Answer<v1::PlanResponse> {
        not_here()
    }

    async fn list(&self, _: Request<v1::ListTopologiesRequest>) -> Answer<v1::ListTopologiesResponse> {
        not_here()
    }

    async fn kill(&self, _: Request<v1::KillRequest>) -> Answer<v1::Applied> {
        not_here()
    }

    async fn versions(&self, _: Request<v1::VersionsRequest>) -> Answer<v1::VersionsResponse> {
        not_here()
    }

    async fn rollback(&self, _: Request<v1::RollbackRequest>) -> Answer<v1::SubmitResponse> {
        not_here()
    }
}
