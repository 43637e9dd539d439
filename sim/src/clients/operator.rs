//! Who changes the masters: asks how things are, takes the next step, and looks again, as a person would with `squall masters`.

use std::time::Duration;

use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;
use squall_tests::Rng;
use squall_types::cluster::RequestId;
use tonic::Status;
use tonic::transport::Channel;

use super::{Desk, Job};
use crate::master::{PORT, Site};
use crate::network;
use crate::surroundings::now;

/// How long the operator waits for an answer.
const CALL: Duration = Duration::from_secs(3);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// The operator.
pub struct Operator {
    masters: Vec<Channel>,
    rng: Rng,
    sites: Vec<Site>,
    desk: Desk,
}

impl Operator {
    /// Of these masters.
    pub fn new(masters: Vec<Channel>, rng: Rng, sites: Vec<Site>, desk: Desk) -> Self {
        Self { masters, rng, sites, desk }
    }

    /// Does what there is to do, for ever.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            let Some(job) = self.desk.next() else { continue };
            // Whoever answers an error, or nothing, is asked again: or another is.
            if let Ok(Ok(true)) = tokio::time::timeout(CALL, self.carry_out(&job)).await {
                self.desk.did(job);
            }
        }
    }

    /// Takes the next step towards what is to be; whether it is so.
    async fn carry_out(&mut self, job: &Job) -> Result<bool, Status> {
        let master = self.rng.pick(&self.masters).clone();
        let mut cluster = ClusterClient::new(master);
        let place = match *job {
            Job::Transfer => {
                let mutation = self.mutation();
                cluster.transfer_leadership(v1::TransferLeadershipRequest { mutation, ..Default::default() }).await?;
                return Ok(true);
            }
            Job::Replace(place) | Job::Remove(place) | Job::Add(place) => place,
        };
        let name = network::master(place);
        let all = cluster.masters(v1::MastersRequest {}).await?.into_inner();
        if all.stale {
            return Ok(false);
        }
        let there = all.masters.into_iter().find(|master| master.name == name);
        let mutation = self.mutation();
        match (job, there) {
            (Job::Remove(_), None) => return Ok(true),
            (Job::Remove(_), Some(it)) if it.role() == v1::MasterRole::Leader => {
                cluster.transfer_leadership(v1::TransferLeadershipRequest { mutation, ..Default::default() }).await?;
            }
            (Job::Remove(_), Some(_)) => {
                cluster.remove_master(v1::RemoveMasterRequest { mutation, name }).await?;
            }
            (_, Some(it)) if self.is_new(place, &it.raft_id) => return Ok(it.role() != v1::MasterRole::Learner),
            (_, Some(_)) => {
                cluster.replace_master(v1::ReplaceMasterRequest { mutation, name }).await?;
            }
            (_, None) => {
                let address = network::address(&name, PORT);
                cluster.add_master(v1::AddMasterRequest { mutation, address }).await?;
            }
        }
        Ok(false)
    }

    /// Whether a master's disk is the one that it has now.
    fn is_new(&self, place: usize, raft_id: &str) -> bool {
        self.sites[place].disk().is_some_and(|id| format!("{id:016x}") == raft_id)
    }

    fn mutation(&mut self) -> Option<v1::Mutation> {
        let random = u128::from(self.rng.draw()) << 64 | u128::from(self.rng.draw());
        let request_id = RequestId::new(now(), random).to_string();
        Some(v1::Mutation { request_id, expected_revision: None })
    }
}
