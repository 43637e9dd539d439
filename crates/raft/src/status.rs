//! What a host knows of itself and of the others.

use std::sync::Arc;

use squall_types::cluster::{ClusterId, RaftId, Revision, Term};

use crate::error::StopReason;
use crate::members::Members;

/// A host's part in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Takes what a leader sends, and votes.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Decides.
    Leader,
    /// Takes what a leader sends, and doesn't vote yet.
    Learner,
    /// Was a member, and isn't any more: it neither votes nor asks for votes.
    Removed,
}

/// A host at one moment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Status {
    /// The host.
    pub id: RaftId,
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its part.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// Whom it follows; itself if it leads.
    pub leader: Option<RaftId>,
    /// As leader: the index of the first entry of its own term, once that is applied. From then on it knows all that was ever committed, and
    /// answers reads.
    pub established: Option<Revision>,
    /// What is known to be committed.
    pub commit: Revision,
    /// What the state machine has applied.
    pub applied: Revision,
    /// The last entry of its log.
    pub last: Revision,
    /// Who the members are.
    pub members: Arc<Members>,
    /// As leader: how far each of the others is; brought up to date with each tick.
    pub progress: Arc<[Progress]>,
    /// Whether it runs, or why not.
    pub health: Health,
}

/// How far another member is, as the leader knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The member.
    pub id: RaftId,
    /// Up to where its log is known to be the leader's.
    pub matched: Revision,
    /// Whether it was heard of within the last election timeout.
    pub recent_active: bool,
    /// Whether a snapshot is on its way to it.
    pub snapshot: bool,
}

/// Whether a host runs.
#[derive(Clone, Debug)]
pub enum Health {
    /// It does.
    Running,
    /// It was asked to stop, and did.
    Shutdown,
    /// It stopped by itself, and the master with it.
    Stopped(Arc<StopReason>),
}
