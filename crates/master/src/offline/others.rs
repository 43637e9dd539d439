//! The cluster's other masters: while they have a leader nothing is lost that a rebirth could bring back, and much that it would take away.

use std::collections::BTreeSet;
use std::time::Duration;

use squall_control::State;
use squall_proto::internal::formation_client::FormationClient;
use squall_proto::internal::{self, IdentifyRequest};
use squall_types::cluster::{ClusterId, MasterName, RaftId};

use super::{Offline, OfflineError};
use crate::config::HostPort;
use squall_daemon::Peers;

/// How long one may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// Another member of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its name.
    pub name: MasterName,
    /// The life of its disk.
    pub raft_id: RaftId,
    /// Where it listens.
    pub address: String,
    /// Whether it has a vote.
    pub voter: bool,
    /// What is heard of it.
    pub answers: Answers,
}

/// What is heard of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Nothing.
    No,
    /// It runs, and knows of no leader.
    WithoutLeader,
    /// Another disk answers there.
    AsAnother,
}

/// What came back from an address.
pub(super) struct Answer {
    pub address: String,
    pub identity: Option<internal::Identity>,
}

/// Whom to ask: all that the state lists and the configuration names, but not the master that this is about.
pub(super) fn of(state: &State, me: &str, listed: &[HostPort]) -> Vec<String> {
    let members = state.members().values().map(|member| member.seat.address.to_string());
    let all: BTreeSet<_> = members.chain(listed.iter().map(ToString::to_string)).collect();
    all.into_iter().filter(|address| address != me).collect()
}

/// Asks them all at once.
pub(super) async fn ask(offline: &Offline<'_>, addresses: Vec<String>) -> Vec<Answer> {
    let peers = Peers::new(offline.env.network.clone(), offline.secured.client());
    let request = IdentifyRequest { address: offline.address(), raft_id: 0 };
    let asked = addresses.into_iter().map(|address| {
        let (mut client, request) = (FormationClient::new(peers.channel(&address)), request.clone());
        async move {
            let answer = tokio::time::timeout(PATIENCE, client.identify(request)).await;
            Answer { address, identity: answer.ok().and_then(Result::ok).map(tonic::Response::into_inner) }
        }
    });
    futures_util::future::join_all(asked).await
}

/// Whether the cluster is without a leader, as far as can be heard from here.
pub(super) fn none_leads(ours: ClusterId, answers: &[Answer]) -> Result<(), OfflineError> {
    let heard = answers.iter().filter_map(|it| Some((&it.address, it.identity.as_ref()?)));
    for (at, identity) in heard {
        match ClusterId::new(identity.cluster_id) {
            Some(theirs) if theirs != ours => return Err(OfflineError::OtherCluster { at: at.clone(), theirs, ours }),
            Some(_) if !identity.leader.is_empty() => {
                return Err(OfflineError::Lives { cluster: ours, at: at.clone(), leader: identity.leader.clone() });
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// The members besides this one, with what was heard of each.
pub(super) fn members(state: &State, me: &MasterName, answers: &[Answer]) -> Vec<Other> {
    let heard = |address: &str, id: RaftId| {
        let identity = answers.iter().find(|it| it.address == address).and_then(|it| it.identity.as_ref());
        match identity {
            None => Answers::No,
            Some(identity) if identity.raft_id == id.get() => Answers::WithoutLeader,
            Some(_) => Answers::AsAnother,
        }
    };
    let others = state.members().iter().filter(|(_, member)| member.seat.name != *me);
    let other = |(id, member): (&RaftId, &squall_control::Member)| Other {
        name: member.seat.name.clone(),
        raft_id: *id,
        address: member.seat.address.to_string(),
        voter: member.seat.voter,
        answers: heard(member.seat.address.as_str(), *id),
    };
    others.map(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(number: u64) -> ClusterId {
        ClusterId::new(number).unwrap()
    }

    fn answer(cluster_id: u64, leader: &str) -> Answer {
        let identity = internal::Identity { cluster_id, leader: leader.to_owned(), ..internal::Identity::default() };
        Answer { address: "m2:7400".to_owned(), identity: Some(identity) }
    }

    #[test]
    fn a_rebirth_begins_only_while_nobody_leads_and_in_this_cluster_alone() {
        let silent = Answer { address: "m1:7400".to_owned(), identity: None };
        assert!(none_leads(cluster(7), &[silent, answer(7, ""), answer(0, "")]).is_ok());
        let lives = none_leads(cluster(7), &[answer(7, ""), answer(7, "m3:7400")]).unwrap_err();
        assert_eq!(lives.code().to_string(), "SQ6525");
        assert!(lives.next_step().contains("--connect m3:7400"), "{}", lives.next_step());
        assert_eq!(none_leads(cluster(7), &[answer(8, "")]).unwrap_err().code().to_string(), "SQ6526");
    }
}
