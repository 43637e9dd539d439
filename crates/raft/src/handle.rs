//! What others hold of a host.

use std::sync::Arc;

use bytes::Bytes;
use squall_types::cluster::{RaftId, Revision};
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::{ChangeError, ProposeError, ReadError, TransferError};
use crate::host::{Change, Input};
use crate::machine::Applied;
use crate::members::{Member, Members};
use crate::status::Status;

/// A host, as everybody else sees it. Cheap to clone; the host ends when it is [shut down](Self::shutdown), not when handles are dropped.
pub struct Raft<R> {
    pub(crate) inputs: mpsc::Sender<Input<R>>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) stop: watch::Sender<bool>,
}

impl<R> Clone for Raft<R> {
    fn clone(&self) -> Self {
        Self { inputs: self.inputs.clone(), status: self.status.clone(), stop: self.stop.clone() }
    }
}

impl<R: Send + 'static> Raft<R> {
    /// Has a command committed and applied. On the leader only.
    ///
    /// Dropping the future withdraws nothing: the command may be applied all the same.
    ///
    /// # Errors
    /// [`ProposeError`] says for each case whether the command may still be applied.
    pub async fn propose(&self, command: Bytes) -> Result<Applied<R>, ProposeError> {
        let (answer, answered) = oneshot::channel();
        self.inputs.try_send(Input::Propose { command, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ProposeError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => ProposeError::Stopped,
        })?;
        answered.await.unwrap_or(Err(ProposeError::Stopped))
    }

    /// From here on what this master has applied is at least what was committed when this was asked: local reads are linearizable. Works on
    /// followers too.
    ///
    /// # Errors
    /// If no leader confirms it within two seconds.
    pub async fn read_barrier(&self) -> Result<Revision, ReadError> {
        let (answer, answered) = oneshot::channel();
        self.inputs.try_send(Input::Read { answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ReadError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => ReadError::Stopped,
        })?;
        answered.await.unwrap_or(Err(ReadError::Stopped))
    }

    /// What the host knows, and each change of it.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Lets a new member in: it gets everything, and doesn't vote yet.
    ///
    /// # Errors
    /// If it may not be one, if another change is under way, or if this master doesn't lead.
    pub async fn add_learner(&self, member: Member) -> Result<Revision, ChangeError> {
        self.change(Change::AddLearner(member), Terms::default()).await
    }

    /// The same changes of the members, on terms.
    pub const fn on_terms(&self, terms: Terms) -> OnTerms<'_, R> {
        OnTerms { raft: self, terms }
    }

    /// Lets a learner that has caught up vote.
    ///
    /// # Errors
    /// If it has not, is none, if another change is under way, or if this master doesn't lead.
    pub async fn promote(&self, id: RaftId) -> Result<Revision, ChangeError> {
        self.change(Change::Promote(id), Terms::default()).await
    }

    /// Takes a member out, for ever.
    ///
    /// # Errors
    /// If that would lose the quorum, if it leads, is no member, if another change is under way, or if this master doesn't lead.
    pub async fn remove(&self, id: RaftId) -> Result<Revision, ChangeError> {
        self.change(Change::Remove(id), Terms::default()).await
    }

    /// A member lost its disk: takes its old id out and lets the new one in as a learner. If it fails between the two, the old id is out, and
    /// [`add_learner`](Self::add_learner) is what is left to do.
    ///
    /// # Errors
    /// As [`remove`](Self::remove) and [`add_learner`](Self::add_learner).
    pub async fn replace(&self, old: RaftId, new: Member) -> Result<Revision, ChangeError> {
        self.remove(old).await?;
        self.add_learner(new).await
    }

    async fn change(&self, change: Change, terms: Terms) -> Result<Revision, ChangeError> {
        let (answer, answered) = oneshot::channel();
        self.inputs.send(Input::Change { change, terms, answer }).await.map_err(|_| ChangeError::Stopped)?;
        answered.await.unwrap_or(Err(ChangeError::Stopped))
    }

    /// Hands leadership over; with no name given, to the voter that has most of the log. Says who leads then.
    ///
    /// # Errors
    /// If there is nobody to hand it to, if that one doesn't take over within a second, or if this master doesn't lead.
    pub async fn transfer(&self, to: Option<RaftId>) -> Result<RaftId, TransferError> {
        let (answer, answered) = oneshot::channel();
        self.inputs.send(Input::Transfer { to, answer }).await.map_err(|_| TransferError::Stopped)?;
        answered.await.unwrap_or(Err(TransferError::Stopped))
    }

    /// Hands leadership over if this master has it, then stops the host and waits until it has. Takes at most two seconds. Says who leads
    /// then, if it was handed over.
    pub async fn shutdown(self) -> Option<RaftId> {
        let next = self.transfer(None).await.ok();
        self.halt().await;
        next
    }

    /// Stops the host as it is, without handing anything over, and waits until it has.
    pub async fn halt(self) {
        self.stop.send_replace(true);
        self.inputs.closed().await;
    }
}

/// What a change of the members is bound to.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The members as who asks has seen them: if they are others by then, nothing is changed.
    pub seen: Option<Arc<Members>>,
    /// Goes with the change into the log, for [`StateMachine::members_changed_by`](crate::StateMachine::members_changed_by).
    pub note: Vec<u8>,
}

/// Changes of the members, on [`Terms`].
pub struct OnTerms<'a, R> {
    raft: &'a Raft<R>,
    terms: Terms,
}

impl<R: Send + 'static> OnTerms<'_, R> {
    /// [`Raft::add_learner`].
    ///
    /// # Errors
    /// As that, and [`ChangeError::Changed`].
    pub async fn add_learner(self, member: Member) -> Result<Revision, ChangeError> {
        self.raft.change(Change::AddLearner(member), self.terms).await
    }

    /// [`Raft::remove`].
    ///
    /// # Errors
    /// As that, and [`ChangeError::Changed`].
    pub async fn remove(self, id: RaftId) -> Result<Revision, ChangeError> {
        self.raft.change(Change::Remove(id), self.terms).await
    }
}
