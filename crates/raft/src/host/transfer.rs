//! Handing leadership over.

use squall_types::cluster::RaftId;

use super::{Answer, Host, tell};
use crate::error::TransferError;
use crate::machine::StateMachine;

/// How many ticks the other has.
const PATIENCE: u64 = 20;

pub(super) struct Transferring {
    to: RaftId,
    since: u64,
    answer: Answer<RaftId, TransferError>,
}

impl<M: StateMachine> Host<M> {
    pub(super) fn transfer(&mut self, to: Option<RaftId>, answer: Answer<RaftId, TransferError>) {
        match self.target(to) {
            Ok(to) if to == self.id => tell(answer, Ok(to)),
            Ok(to) => {
                self.raw.transfer_leader(to.get());
                self.transferring = Some(Transferring { to, since: self.ticks, answer });
            }
            Err(error) => tell(answer, Err(error)),
        }
    }

    fn target(&self, to: Option<RaftId>) -> Result<RaftId, TransferError> {
        if !self.is_leader() {
            return Err(TransferError::NotLeader { leader: self.leader() });
        }
        let alive = |id: &RaftId| self.members.voters().any(|member| member.id == *id) && self.is_alive(*id);
        let others = self.members.voters().map(|member| member.id).filter(|id| *id != self.id && alive(id));
        to.map_or_else(|| others.max_by_key(|id| self.matched(*id)), |to| Some(to).filter(alive))
            .ok_or(TransferError::NoTarget)
    }

    pub(super) fn settle_transfer(&mut self) {
        let leader = self.leader();
        if let Some(done) = self.transferring.take_if(|it| leader.is_some_and(|leader| leader == it.to)) {
            tell(done.answer, Ok(done.to));
        }
    }

    pub(super) fn tick_transfer(&mut self) {
        let now = self.ticks;
        if let Some(late) = self.transferring.take_if(|it| now - it.since >= PATIENCE) {
            tell(late.answer, Err(TransferError::TimedOut { to: late.to }));
        }
    }
}
