//! The service `Topologies`.

use std::sync::Arc;

use squall_control::{Command, Deployed};
use squall_proto::v1::{self, topologies_server::Topologies};
use squall_types::cluster::{TopologyName, TopologyVersion};
use tonic::{Request, Response, Status, Streaming};

use super::{dry_run, read, show};
use crate::core::{Core, Wish};
use crate::fault::{Answer, Fault};
use crate::packages;

/// Answers what operators ask about topologies.
#[derive(Clone)]
pub(crate) struct TopologiesService(pub Arc<Core>);

impl TopologiesService {
    async fn change<T>(
        &self,
        request: Request<T>,
        command: impl FnOnce(T) -> Answer<(Option<v1::Mutation>, Command)>,
    ) -> Result<Response<v1::Applied>, Status> {
        let passage = read::passage(&request)?;
        let (mutation, command) = command(request.into_inner())?;
        let outcome = self.0.decide(read::wish(mutation, passage)?, command).await?;
        Ok(Response::new(show::applied(&outcome)))
    }

    /// What this master knows of a topology, once that is the latest.
    async fn latest<T>(&self, name: &str, show: impl FnOnce(&Deployed) -> T) -> Result<Response<T>, Status> {
        self.0.barrier().await?;
        let name: TopologyName = read::parsed("name", name)?;
        let state = self.0.read();
        let topology = state.topology(&name).ok_or_else(|| Fault::from(state.unknown_topology(&name)))?;
        Ok(Response::new(show(topology)))
    }

    /// The executors that a change left without a place, once the planner has looked at it.
    async fn unplaced(&self, name: &TopologyName) -> Vec<v1::Executor> {
        if let Ok(leading) = self.0.leading() {
            leading.planned().await;
        }
        self.0.read().topology(name).map(show::without_place).unwrap_or_default()
    }

    async fn submitted(
        &self,
        wish: Wish,
        name: TopologyName,
        command: Command,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let outcome = self.0.decide(wish, command).await?;
        Ok(Response::new(v1::SubmitResponse {
            applied: Some(show::applied(&outcome)),
            version: show::version(&outcome),
            unplaced: self.unplaced(&name).await,
            name: name.to_string(),
        }))
    }
}

#[tonic::async_trait]
impl Topologies for TopologiesService {
    async fn submit(
        &self,
        request: Request<Streaming<v1::SubmitRequest>>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let passage = read::passage(&request)?;
        let mut parts = packages::Parts::new(request.into_inner());
        let header = parts.header().await?;
        let wish = read::wish(header.mutation.clone(), passage)?;
        let (submit, size) = read::submit(header)?;
        if let Some(id) = submit.package {
            let by = Wish { actor: wish.actor.clone(), origin: wish.origin.clone(), ..self.0.own() };
            packages::put_unless_there(&self.0, by, id, size, &mut parts).await?;
        }
        let name = submit.name.clone();
        self.submitted(wish, name, Command::Submit(Box::new(submit))).await
    }

    async fn plan(&self, request: Request<v1::PlanRequest>) -> Result<Response<v1::PlanResponse>, Status> {
        self.0.barrier().await?;
        let what = request.into_inner().what.ok_or_else(|| Fault::field("what", "a plan is of something"))?;
        Ok(Response::new(dry_run::plan(&self.0, what).await?))
    }

    async fn list(
        &self,
        request: Request<v1::ListTopologiesRequest>,
    ) -> Result<Response<v1::ListTopologiesResponse>, Status> {
        let stale = read::passage(&request)?.stale;
        if !stale {
            self.0.barrier().await?;
        }
        let state = self.0.read();
        let topologies = state.topologies().values().map(show::summary).collect();
        Ok(Response::new(v1::ListTopologiesResponse { topologies, revision: state.revision().get(), stale }))
    }

    async fn get(&self, request: Request<v1::GetTopologyRequest>) -> Result<Response<v1::Topology>, Status> {
        let view = self.0.leading()?.view().await?;
        self.latest(&request.into_inner().name, |topology| show::topology(topology, &view.reported)).await
    }

    async fn activate(&self, request: Request<v1::ActivateRequest>) -> Result<Response<v1::Applied>, Status> {
        self.change(request, |it| Ok((it.mutation, Command::Activate(read::parsed("name", &it.name)?)))).await
    }

    async fn deactivate(&self, request: Request<v1::DeactivateRequest>) -> Result<Response<v1::Applied>, Status> {
        self.change(request, |it| Ok((it.mutation, Command::Deactivate(read::parsed("name", &it.name)?)))).await
    }

    async fn rebalance(
        &self,
        request: Request<v1::RebalanceRequest>,
    ) -> Result<Response<v1::RebalanceResponse>, Status> {
        let passage = read::passage(&request)?;
        let request = request.into_inner();
        let wish = read::wish(request.mutation.clone(), passage)?;
        let rebalance = read::rebalance(request)?;
        let name = rebalance.name.clone();
        let outcome = self.0.decide(wish, Command::Rebalance(rebalance)).await?;
        let unplaced = self.unplaced(&name).await;
        Ok(Response::new(v1::RebalanceResponse { applied: Some(show::applied(&outcome)), unplaced }))
    }

    async fn kill(&self, request: Request<v1::KillRequest>) -> Result<Response<v1::Applied>, Status> {
        self.change(request, |it| {
            let name = read::parsed("name", &it.name)?;
            Ok((it.mutation, Command::Kill { name, wait: read::wait(it.wait_ms) }))
        })
        .await
    }

    async fn versions(&self, request: Request<v1::VersionsRequest>) -> Result<Response<v1::VersionsResponse>, Status> {
        self.latest(&request.into_inner().name, show::versions).await
    }

    async fn rollback(&self, request: Request<v1::RollbackRequest>) -> Result<Response<v1::SubmitResponse>, Status> {
        let passage = read::passage(&request)?;
        let request = request.into_inner();
        let wish = read::wish(request.mutation, passage)?;
        let name: TopologyName = read::parsed("name", &request.name)?;
        let to = Some(request.version).filter(|version| *version > 0).map(TopologyVersion::new);
        self.submitted(wish, name.clone(), Command::Rollback { name, to }).await
    }
}
