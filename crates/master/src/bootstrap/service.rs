//! The service `Formation`: answers who this master is, and takes a seed.

use std::sync::{Arc, OnceLock};

use squall_control::Supported;
use squall_proto::internal::{self, formation_server::Formation};
use squall_types::cluster::RaftId;
use tokio::sync::{mpsc, oneshot};
use tonic::{Request, Response, Status};

use super::Myself;
use super::matters::Matters;
use super::search::Offer;
use crate::core::{Core, Leader};

/// Answers other masters before there is a cluster, and afterwards.
#[derive(Clone)]
pub(crate) struct FormationService {
    pub me: Arc<Myself>,
    pub supported: Supported,
    pub offers: mpsc::Sender<Offer>,
    /// There once this master has a cluster.
    pub formed: Arc<OnceLock<Arc<Core>>>,
    pub matters: Matters,
}

#[tonic::async_trait]
impl Formation for FormationService {
    async fn identify(
        &self,
        request: Request<internal::IdentifyRequest>,
    ) -> Result<Response<internal::Identity>, Status> {
        let asker = RaftId::new(request.get_ref().raft_id);
        let core = self.formed.get();
        let status = core.map(|core| core.log.status().borrow().clone());
        let leader = core.map(|core| match &*core.leader.borrow() {
            Leader::Here => core.me.address.clone(),
            Leader::There { address, .. } => address.clone(),
            Leader::Nobody => String::new(),
        });
        let (denials, wanted_token) = match core.filter(|core| core.is_led_by(asker)) {
            Some(core) => self.matters.of(core),
            None => (Vec::new(), None),
        };
        let knows_you = status.as_ref().zip(asker).is_some_and(|(status, asker)| status.members.get(asker).is_some());
        let member_there = status.as_ref().and_then(|status| {
            let there = |(member, _): &(&squall_raft::Member, _)| member.address == request.get_ref().address;
            status.members.iter().find(there).map(|(member, _)| member.name.to_string())
        });
        Ok(Response::new(internal::Identity {
            name: self.me.name.to_string(),
            address: self.me.address.clone(),
            raft_id: self.me.id.get(),
            cluster_id: core.map_or(0, |core| core.me.cluster.get()),
            term: status.map_or(0, |status| status.term.get()),
            leader: leader.unwrap_or_default(),
            feature_level: self.supported.get().get(),
            knows_you,
            denials,
            wanted_token,
            listed: self.me.listed.clone(),
            member_there: member_there.unwrap_or_default(),
        }))
    }

    async fn seed(&self, request: Request<internal::SeedRequest>) -> Result<Response<internal::SeedResponse>, Status> {
        let refused = |reason: String| Response::new(internal::SeedResponse { accepted: false, reason });
        let (answer, answered) = oneshot::channel();
        let offer = Offer { request: request.into_inner(), answer };
        if self.formed.get().is_some() || self.offers.send(offer).await.is_err() {
            return Ok(refused("this master has a cluster".to_owned()));
        }
        Ok(match answered.await {
            Ok(Ok(())) => Response::new(internal::SeedResponse { accepted: true, reason: String::new() }),
            Ok(Err(reason)) => refused(reason),
            Err(_) => refused("this master has found another cluster".to_owned()),
        })
    }
}
