//! Masters: who is one is Raft's to say, what they understand is theirs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use squall_types::cluster::{FeatureLevel, MasterName, RaftId, Revision};

use super::{Done, Reply, State};
use crate::{Author, Event, LevelBlocker, Line, Refusal, Subject, What};

/// A master, as Raft's membership has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Its name.
    pub name: MasterName,
    /// Where it listens.
    pub address: Line,
    /// Whether it has a vote.
    pub voter: bool,
}

/// A master, as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What Raft's membership says, with the name and the address that it reported last.
    pub seat: Seat,
    /// The commands that it understands, as it reported; [`FeatureLevel::ZERO`] until it has.
    pub level: FeatureLevel,
}

impl Member {
    pub(super) fn new(seat: Seat, level: FeatureLevel) -> Self {
        Self { seat, level }
    }
}

impl State {
    /// Raft has changed its members. What members have reported before stays; who has left holds no packages any more.
    ///
    /// Members as they are listed already change nothing, the revision neither: a master that restores a snapshot is told of them once more,
    /// and the others are not.
    pub fn members_changed(&mut self, revision: Revision, members: &BTreeMap<RaftId, Seat>) -> Vec<Event> {
        self.members_changed_by(revision, members, None)
    }

    /// The same, by someone: the request is answered by this from now on.
    pub fn members_changed_by(
        &mut self,
        revision: Revision,
        members: &BTreeMap<RaftId, Seat>,
        author: Option<&Author>,
    ) -> Vec<Event> {
        if revision <= self.revision || self.lists(members) {
            return Vec::new();
        }
        self.revision = revision;
        if let Some(author) = author {
            self.now = self.now.max(self.believed(author.at, author.request));
            self.requests.forget(self.now);
            self.requests.remember(author.request, self.now, revision, &Ok(Reply::Done));
        }
        let mut whats = Vec::new();
        for (id, seat) in members {
            whats.extend(self.seat(*id, seat));
        }
        let gone: Vec<_> = self.members.keys().copied().filter(|id| !members.contains_key(id)).collect();
        for raft_id in gone {
            let left = self.members.remove(&raft_id).map(|it| What::MasterLeft { name: it.seat.name, raft_id });
            whats.extend(left);
            self.holds_no_blobs(raft_id);
        }
        let event = |what| Event {
            revision,
            at: self.now,
            what,
            actor: author.and_then(|it| it.actor.clone()),
            origin: author.and_then(|it| it.origin.clone()),
            request: author.map(|it| it.request),
        };
        let events: Vec<_> = whats.into_iter().map(event).collect();
        self.events.add(&events);
        events
    }

    /// Whether the members have not changed since a revision, as far as that can be told: events that are no longer kept may have said so.
    ///
    /// # Errors
    /// If they have.
    pub fn members_as_at(&self, expected: Revision) -> Result<(), Refusal> {
        let changes =
            |what: &What| matches!(what, What::MasterJoined { .. } | What::MasterVote { .. } | What::MasterLeft { .. });
        let actual = match self.events_since(expected.next()) {
            Ok(events) => events.filter(|event| changes(&event.what)).map(|event| event.revision).last(),
            Err(compacted) => Some(compacted.oldest),
        };
        match actual {
            None => Ok(()),
            Some(actual) => Err(Refusal::NotAsExpected { subject: Subject::Cluster, expected, actual }),
        }
    }

    fn lists(&self, members: &BTreeMap<RaftId, Seat>) -> bool {
        self.members.iter().map(|(id, member)| (id, &member.seat)).eq(members)
    }

    fn seat(&mut self, raft_id: RaftId, seat: &Seat) -> Option<What> {
        let (name, voter) = (seat.name.clone(), seat.voter);
        match self.members.get_mut(&raft_id) {
            Some(member) => {
                let changed = member.seat.voter != voter;
                member.seat = seat.clone();
                changed.then_some(What::MasterVote { name, voter })
            }
            None => {
                self.members.insert(raft_id, Member::new(seat.clone(), FeatureLevel::ZERO));
                Some(What::MasterJoined { name, raft_id, voter })
            }
        }
    }

    pub(super) fn report_member(
        &mut self,
        raft_id: RaftId,
        name: &MasterName,
        address: &Line,
        level: FeatureLevel,
    ) -> Done {
        let member = self.members.get_mut(&raft_id).ok_or(Refusal::UnknownMaster(raft_id))?;
        let seat = Seat { name: name.clone(), address: address.clone(), voter: member.seat.voter };
        let reported = Member { seat, level };
        if *member == reported {
            return Ok((Reply::Done, Vec::new()));
        }
        *member = reported;
        Ok((Reply::Done, vec![What::MasterReported { name: name.clone(), level }]))
    }

    pub(super) fn raise_level(&mut self, asked: FeatureLevel) -> Done {
        let blocker = if asked <= self.level {
            Some(LevelBlocker::NotHigher)
        } else {
            let behind = self.members.values().find(|member| member.level < asked);
            behind.map(|member| LevelBlocker::Member { name: member.seat.name.clone(), reported: member.level })
        };
        if let Some(blocker) = blocker {
            return Err(Refusal::Level { asked, current: self.level, blocker });
        }
        self.level = asked;
        Ok((Reply::Done, vec![What::LevelRaised(asked)]))
    }
}
