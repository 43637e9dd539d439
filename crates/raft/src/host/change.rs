//! Changes of the members: one at a time, each decided here and carried out once it is committed.

use std::sync::Arc;

use raft::Storage as _;
use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2, Entry};
use squall_types::cluster::{RaftId, Revision};

use super::{Answer, Change, Host, tell};
use crate::error::{ChangeError, StopReason};
use crate::handle::Terms;
use crate::machine::StateMachine;
use crate::members::{Member, Members, Standing};

/// A learner that lacks more entries than this is not promoted: it would slow down every commit.
const CAUGHT_UP: u64 = 256;

/// A change under way: where it stands in the log, in which term, and who waits.
pub(super) struct Changing {
    index: u64,
    term: u64,
    answer: Answer<Revision, ChangeError>,
}

impl<M: StateMachine> Host<M> {
    pub(super) fn change(&mut self, change: Change, terms: Terms, answer: Answer<Revision, ChangeError>) {
        match self.propose_change(change, terms) {
            Ok((index, term)) => self.changing = Some(Changing { index, term, answer }),
            Err(error) => tell(answer, Err(error)),
        }
    }

    fn propose_change(&mut self, change: Change, terms: Terms) -> Result<(u64, u64), ChangeError> {
        if !self.is_leader() {
            return Err(ChangeError::NotLeader { leader: self.leader() });
        }
        if self.changing.is_some() || self.raw.raft.has_pending_conf() {
            return Err(ChangeError::InProgress);
        }
        if terms.seen.is_some_and(|seen| seen != self.members) {
            return Err(ChangeError::Changed);
        }
        let (kind, id, context) = self.checked(change)?;
        let mut single = ConfChangeSingle { node_id: id.get(), ..Default::default() };
        single.set_change_type(kind);
        let mut proposal = ConfChangeV2::default();
        proposal.mut_changes().push(single);
        proposal.context = terms.note.into();
        self.raw.propose_conf_change(context, proposal).map_err(|_| ChangeError::InProgress)?;
        Ok((self.raw.raft.raft_log.last_index(), self.raw.raft.term))
    }

    /// What to propose, if it may be.
    fn checked(&self, change: Change) -> Result<(ConfChangeType, RaftId, Vec<u8>), ChangeError> {
        match change {
            Change::AddLearner(member) => {
                let id = member.id;
                if self.members.was_removed(id) {
                    return Err(ChangeError::IdUsedBefore { id });
                }
                let there = self.members.get(id).or_else(|| self.members.named(&member.name));
                if let Some((member, _)) = there {
                    return Err(ChangeError::AlreadyMember { id: member.id });
                }
                Ok((ConfChangeType::AddLearnerNode, id, encode(&member)))
            }
            Change::Promote(id) => {
                let (_, standing) = self.members.get(id).ok_or(ChangeError::UnknownMember { id })?;
                if standing == Standing::Voter {
                    return Err(ChangeError::NotALearner { id });
                }
                let behind = self.raw.raft.raft_log.committed.saturating_sub(self.matched(id));
                if behind > CAUGHT_UP || !self.is_alive(id) {
                    return Err(ChangeError::NotCaughtUp { id, behind });
                }
                Ok((ConfChangeType::AddNode, id, Vec::new()))
            }
            Change::Remove(id) => {
                let (_, standing) = self.members.get(id).ok_or(ChangeError::UnknownMember { id })?;
                if id == self.id {
                    return Err(ChangeError::Leads { id });
                }
                if standing == Standing::Voter {
                    self.quorum_without(id)?;
                }
                Ok((ConfChangeType::RemoveNode, id, Vec::new()))
            }
        }
    }

    fn quorum_without(&self, id: RaftId) -> Result<(), ChangeError> {
        let left: Vec<RaftId> = self.members.voters().map(|member| member.id).filter(|voter| *voter != id).collect();
        let alive = left.iter().filter(|voter| self.is_alive(**voter)).count();
        if alive > left.len() / 2 { Ok(()) } else { Err(ChangeError::WouldLoseQuorum { alive, voters: left.len() }) }
    }

    /// Brings the list up to date with a committed change, and answers who asked for it.
    pub(super) fn members_changed(&mut self, entry: &Entry, change: &ConfChangeV2) {
        let members = Arc::make_mut(&mut self.members);
        carry_out(members, entry, change);
        if members.was_removed(self.id) {
            self.leave();
        }
        self.machine.members_changed_by(Revision::new(entry.index), &self.members, &change.context);
        if let Some(changing) = self.changing.take_if(|changing| changing.index <= entry.index) {
            let made = changing.index == entry.index && changing.term == entry.term;
            let answer = if made { Ok(Revision::new(entry.index)) } else { Err(ChangeError::Unknown) };
            tell(changing.answer, answer);
        }
    }

    /// Another leader's entries took the place of those from this index on.
    pub(super) fn change_replaced(&mut self, from: u64) {
        let term_at = |index| self.raw.store().term(index).ok();
        let gone = self.changing.as_ref().is_some_and(|it| it.index >= from && term_at(it.index) != Some(it.term));
        if let Some(changing) = self.changing.take_if(|_| gone) {
            tell(changing.answer, Err(ChangeError::Unknown));
        }
    }

    pub(super) fn change_covered(&mut self, index: u64) {
        if let Some(changing) = self.changing.take_if(|changing| changing.index <= index) {
            tell(changing.answer, Err(ChangeError::Unknown));
        }
    }
}

/// Brings a list up to date with a committed change.
pub(crate) fn carry_out(members: &mut Members, entry: &Entry, change: &ConfChangeV2) {
    for single in change.get_changes() {
        let Some(id) = RaftId::new(single.node_id) else { continue };
        match single.get_change_type() {
            ConfChangeType::RemoveNode => members.remove(id),
            ConfChangeType::AddNode => members.set_standing(id, Standing::Voter),
            ConfChangeType::AddLearnerNode => {
                if let Some(member) = decode(&entry.context) {
                    members.put(member, Standing::Learner);
                }
            }
        }
    }
}

/// The change of members that an entry is.
pub(crate) fn read(entry: &Entry) -> Result<ConfChangeV2, StopReason> {
    protobuf::Message::parse_from_bytes(&entry.data)
        .map_err(|_| StopReason::Defect { what: "a committed change of members can't be read".to_owned() })
}

fn encode(member: &Member) -> Vec<u8> {
    postcard::to_stdvec(member).expect("a member is plain data, which postcard can always write")
}

fn decode(context: &[u8]) -> Option<Member> {
    postcard::from_bytes(context).ok()
}
