//! What masters say to each other while they form a cluster, to and from the wire.

use squall_proto::internal;
use squall_types::cluster::{ClusterId, FeatureLevel, RaftId};

use super::core::{Founder, Identity, Seed};

/// Why a message makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its {0} makes no sense")]
pub(crate) struct Nonsense(&'static str);

/// The most masters that a list or a seed may have.
const MOST: usize = 64;

/// What a master says of itself.
pub(crate) fn identity(answer: internal::Identity) -> Result<Identity, Nonsense> {
    if answer.listed.len() > MOST {
        return Err(Nonsense("list"));
    }
    Ok(Identity {
        id: RaftId::new(answer.raft_id).ok_or(Nonsense("raft id"))?,
        name: answer.name.parse().map_err(|_| Nonsense("name"))?,
        cluster: ClusterId::new(answer.cluster_id),
        knows_asker: answer.knows_you,
        member_there: answer.member_there.parse().ok(),
        listed: answer.listed,
        level: FeatureLevel::new(answer.feature_level),
    })
}

pub(crate) fn seed(request: &internal::SeedRequest) -> Result<Seed, Nonsense> {
    if request.members.len() > MOST {
        return Err(Nonsense("list"));
    }
    let founder = |member: &internal::SeedMember| {
        Ok(Founder {
            id: RaftId::new(member.raft_id).ok_or(Nonsense("raft id"))?,
            name: member.name.parse().map_err(|_| Nonsense("name"))?,
            address: member.address.clone(),
        })
    };
    let cluster = ClusterId::new(request.cluster_id).ok_or(Nonsense("cluster id"))?;
    Ok(Seed { cluster, founders: request.members.iter().map(founder).collect::<Result<_, _>>()? })
}

pub(super) fn seed_request(seed: &Seed, state: Vec<u8>) -> internal::SeedRequest {
    let member = |founder: &Founder| internal::SeedMember {
        name: founder.name.to_string(),
        raft_id: founder.id.get(),
        address: founder.address.clone(),
    };
    let members = seed.founders.iter().map(member).collect();
    internal::SeedRequest { cluster_id: seed.cluster.get(), members, state: state.into() }
}
