//! Who the masters are, as the log has decided it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use squall_types::cluster::{MasterName, RaftId};

/// A member of the cluster, as its conf change introduced it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its disk's life.
    pub id: RaftId,
    /// What people call it.
    pub name: MasterName,
    /// Where the others reach it: `host:port`.
    pub address: String,
}

/// What a member's word counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It votes, and its disk counts towards a majority.
    Voter,
    /// It gets everything and counts for nothing, until it is promoted.
    Learner,
}

/// All members, and who was one before.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Members {
    members: BTreeMap<RaftId, (Member, Standing)>,
    removed: BTreeSet<RaftId>,
}

impl Members {
    /// Voters alone, as a new cluster has them.
    pub fn of_voters(voters: impl IntoIterator<Item = Member>) -> Self {
        let members = voters.into_iter().map(|member| (member.id, (member, Standing::Voter))).collect();
        Self { members, removed: BTreeSet::new() }
    }

    /// One voter alone, in a new life of the cluster: whoever was a member before never will be again.
    #[must_use]
    pub fn succeeded_by(self, only: Member) -> Self {
        let removed = self.members.into_keys().chain(self.removed).collect();
        Self { removed, ..Self::of_voters([only]) }
    }

    /// The member with this id.
    pub fn get(&self, id: RaftId) -> Option<(&Member, Standing)> {
        self.members.get(&id).map(|(member, standing)| (member, *standing))
    }

    /// The member with this name.
    pub fn named(&self, name: &MasterName) -> Option<(&Member, Standing)> {
        self.iter().find(|(member, _)| member.name == *name)
    }

    /// All, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&Member, Standing)> {
        self.members.values().map(|(member, standing)| (member, *standing))
    }

    /// The voters, in the order of their ids.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.iter().filter(|(_, standing)| *standing == Standing::Voter).map(|(member, _)| member)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none: a master that has joined, and has not been sent anything yet.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether this id was a member once, and never will be again.
    pub fn was_removed(&self, id: RaftId) -> bool {
        self.removed.contains(&id)
    }

    pub(crate) fn put(&mut self, member: Member, standing: Standing) {
        self.members.insert(member.id, (member, standing));
    }

    pub(crate) fn set_standing(&mut self, id: RaftId, standing: Standing) {
        if let Some((_, current)) = self.members.get_mut(&id) {
            *current = standing;
        }
    }

    pub(crate) fn remove(&mut self, id: RaftId) {
        if self.members.remove(&id).is_some() {
            self.removed.insert(id);
        }
    }
}
