//! What has happened: one or more for each command that changed something.

use std::fmt;

use serde::{Deserialize, Serialize};
use squall_types::cluster::{
    AssignmentVersion, BlobId, Epoch, FeatureLevel, MasterName, RaftId, RequestId, Revision, Role, TopologyName,
    TopologyVersion, UnixMillis, UserName, WorkerIncarnation, WorkerName,
};

use crate::{Audit, Fate, Line, Rebirth, TokenId};

/// Something that has happened. The same on every master.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Where in the log.
    pub revision: Revision,
    /// When, by the state's time.
    pub at: UnixMillis,
    /// What.
    pub what: What,
    /// Who wanted it; none: the cluster itself.
    pub actor: Option<UserName>,
    /// Where from; none: the cluster itself.
    pub origin: Option<Line>,
    /// The request; none where Raft changed its members by itself.
    pub request: Option<RequestId>,
}

/// What can happen. Text is made when it is read, so that its wording is no replicated state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A topology was submitted, or given a new version.
    TopologySubmitted {
        /// The topology.
        name: TopologyName,
        /// Its version now.
        version: TopologyVersion,
        /// The earlier version whose content it has, if it was rolled back.
        rolled_back_to: Option<TopologyVersion>,
    },
    /// A topology's spouts may emit.
    TopologyActivated(TopologyName),
    /// A topology's spouts were stopped.
    TopologyDeactivated(TopologyName),
    /// A topology is to be spread otherwise.
    TopologyRebalanced {
        /// The topology.
        name: TopologyName,
        /// Whether workers are to be evenly filled.
        evenly: bool,
    },
    /// A topology's end has begun.
    TopologyKilled {
        /// The topology.
        name: TopologyName,
        /// When it will be stopped and forgotten.
        stops_at: UnixMillis,
    },
    /// A topology is no more.
    TopologyForgotten(TopologyName),
    /// A topology has a new assignment.
    TopologyAssigned {
        /// The topology.
        name: TopologyName,
        /// The assignment.
        version: AssignmentVersion,
        /// Executors with a place.
        placed: u32,
        /// Executors without.
        unplaced: u32,
    },
    /// A worker came, or says of itself what it didn't before.
    WorkerRegistered {
        /// The worker.
        name: WorkerName,
        /// Its daemon's life.
        incarnation: WorkerIncarnation,
    },
    /// A worker is being drained.
    WorkerDraining(WorkerName),
    /// A worker takes work again.
    WorkerOpened(WorkerName),
    /// A worker was forgotten.
    WorkerForgotten(WorkerName),
    /// What became of a worker.
    WorkerFate {
        /// The worker.
        name: WorkerName,
        /// What.
        fate: Fate,
    },
    /// New work is held off a worker.
    WorkerQuarantined {
        /// The worker.
        name: WorkerName,
        /// Until when.
        until: UnixMillis,
    },
    /// New work is no longer held off a worker.
    WorkerReleased(WorkerName),
    /// A master became a member.
    MasterJoined {
        /// Its name.
        name: MasterName,
        /// The life of its disk.
        raft_id: RaftId,
        /// Whether it has a vote.
        voter: bool,
    },
    /// A master was given a vote, or lost it.
    MasterVote {
        /// Its name.
        name: MasterName,
        /// Whether it has one.
        voter: bool,
    },
    /// A master is no member any more.
    MasterLeft {
        /// Its name.
        name: MasterName,
        /// The life of its disk.
        raft_id: RaftId,
    },
    /// A master said what it is.
    MasterReported {
        /// Its name.
        name: MasterName,
        /// The commands that it understands.
        level: FeatureLevel,
    },
    /// A package came.
    BlobStored {
        /// The package.
        id: BlobId,
        /// Its length in bytes.
        size: u64,
    },
    /// A package was forgotten.
    BlobCollected(BlobId),
    /// A token was made.
    TokenCreated {
        /// The token.
        id: TokenId,
        /// Whose it is.
        user: UserName,
        /// What its holder may do.
        role: Role,
    },
    /// A token was ended.
    TokenRevoked {
        /// The token.
        id: TokenId,
        /// Whose it was.
        user: UserName,
    },
    /// Commands up to a level may be proposed.
    LevelRaised(FeatureLevel),
    /// The cluster began a new life.
    EpochBegun {
        /// Its number.
        epoch: Epoch,
        /// Why.
        by: Rebirth,
    },
    /// Something that changed no replicated state.
    Audited(Audit),
}

/// What an event, a concern or a revision is about. Written as `topology word-count`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// The cluster as a whole.
    Cluster,
    /// A topology.
    Topology(TopologyName),
    /// A worker.
    Worker(WorkerName),
    /// A master.
    Master(MasterName),
    /// A package.
    Blob(BlobId),
    /// A token.
    Token(TokenId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster"),
            Self::Topology(name) => write!(f, "topology {name}"),
            Self::Worker(name) => write!(f, "worker {name}"),
            Self::Master(name) => write!(f, "master {name}"),
            Self::Blob(id) => write!(f, "blob {}", id.short()),
            Self::Token(id) => write!(f, "token {id}"),
        }
    }
}

impl Event {
    /// What kind of thing happened, as `topology-submitted`.
    pub const fn kind(&self) -> &'static str {
        self.what.kind()
    }

    /// What it is about.
    pub fn subject(&self) -> Subject {
        self.what.subject()
    }

    /// It in words.
    pub fn text(&self) -> String {
        self.what.to_string()
    }
}

impl What {
    /// The kind, as `topology-submitted`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::TopologySubmitted { rolled_back_to: None, .. } => "topology-submitted",
            Self::TopologySubmitted { rolled_back_to: Some(_), .. } => "topology-rolled-back",
            Self::TopologyActivated(_) => "topology-activated",
            Self::TopologyDeactivated(_) => "topology-deactivated",
            Self::TopologyRebalanced { .. } => "topology-rebalanced",
            Self::TopologyKilled { .. } => "topology-killed",
            Self::TopologyForgotten(_) => "topology-forgotten",
            Self::TopologyAssigned { .. } => "topology-assigned",
            Self::WorkerRegistered { .. } => "worker-registered",
            Self::WorkerDraining(_) => "worker-draining",
            Self::WorkerOpened(_) => "worker-opened",
            Self::WorkerForgotten(_) => "worker-forgotten",
            Self::WorkerFate { fate: Fate::Dead { .. }, .. } => "worker-dead",
            Self::WorkerFate { fate: Fate::CutOff, .. } => "worker-cut-off",
            Self::WorkerFate { fate: Fate::Back, .. } => "worker-back",
            Self::WorkerFate { fate: Fate::Left, .. } => "worker-left",
            Self::WorkerQuarantined { .. } => "worker-quarantined",
            Self::WorkerReleased(_) => "worker-released",
            Self::MasterJoined { .. } => "master-joined",
            Self::MasterVote { .. } => "master-vote",
            Self::MasterLeft { .. } => "master-left",
            Self::MasterReported { .. } => "master-reported",
            Self::BlobStored { .. } => "blob-stored",
            Self::BlobCollected(_) => "blob-collected",
            Self::TokenCreated { .. } => "token-created",
            Self::TokenRevoked { .. } => "token-revoked",
            Self::LevelRaised(_) => "level-raised",
            Self::EpochBegun { .. } => "epoch-begun",
            Self::Audited(Audit::BackupTaken) => "backup-taken",
            Self::Audited(Audit::LeadershipTransferred { .. }) => "leadership-transferred",
            Self::Audited(Audit::AccessDenied { .. }) => "access-denied",
        }
    }

    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::TopologySubmitted { name, .. }
            | Self::TopologyActivated(name)
            | Self::TopologyDeactivated(name)
            | Self::TopologyRebalanced { name, .. }
            | Self::TopologyKilled { name, .. }
            | Self::TopologyForgotten(name)
            | Self::TopologyAssigned { name, .. } => Subject::Topology(name.clone()),
            Self::WorkerRegistered { name, .. }
            | Self::WorkerDraining(name)
            | Self::WorkerOpened(name)
            | Self::WorkerForgotten(name)
            | Self::WorkerFate { name, .. }
            | Self::WorkerQuarantined { name, .. }
            | Self::WorkerReleased(name) => Subject::Worker(name.clone()),
            Self::MasterJoined { name, .. }
            | Self::MasterVote { name, .. }
            | Self::MasterLeft { name, .. }
            | Self::MasterReported { name, .. } => Subject::Master(name.clone()),
            Self::BlobStored { id, .. } | Self::BlobCollected(id) => Subject::Blob(*id),
            Self::TokenCreated { id, .. } | Self::TokenRevoked { id, .. } => Subject::Token(*id),
            Self::LevelRaised(_) | Self::EpochBegun { .. } | Self::Audited(_) => Subject::Cluster,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TopologySubmitted { name, version, rolled_back_to: None } => {
                write!(f, "{name} was submitted as version {version}")
            }
            Self::TopologySubmitted { name, version, rolled_back_to: Some(to) } => {
                write!(f, "{name} was rolled back to version {to}, as version {version}")
            }
            Self::TopologyActivated(name) => write!(f, "{name} was activated"),
            Self::TopologyDeactivated(name) => write!(f, "{name} was deactivated"),
            Self::TopologyRebalanced { name, evenly: false } => write!(f, "{name} was rebalanced"),
            Self::TopologyRebalanced { name, evenly: true } => write!(f, "{name} was rebalanced, evenly"),
            Self::TopologyKilled { name, stops_at } => write!(f, "{name} was killed; it stops at {}", stops_at.utc()),
            Self::TopologyForgotten(name) => write!(f, "{name} was stopped and forgotten"),
            Self::TopologyAssigned { name, version, placed, unplaced: 0 } => {
                write!(f, "{name} has assignment {version}: all {placed} executors are placed")
            }
            Self::TopologyAssigned { name, version, placed, unplaced } => {
                write!(f, "{name} has assignment {version}: {placed} executors are placed, {unplaced} are not")
            }
            Self::MasterJoined { name, voter: true, .. } => write!(f, "{name} is a member, with a vote"),
            Self::MasterJoined { name, voter: false, .. } => write!(f, "{name} is a member, and has no vote yet"),
            Self::MasterVote { name, voter: true } => write!(f, "{name} has a vote"),
            Self::MasterVote { name, voter: false } => write!(f, "{name} has no vote any more"),
            Self::MasterLeft { name, raft_id } => write!(f, "{name} ({raft_id}) is no member any more"),
            Self::MasterReported { name, level } => write!(f, "{name} understands feature level {level}"),
            Self::BlobStored { id, size } => write!(f, "package {} of {size} bytes was stored", id.short()),
            Self::BlobCollected(id) => write!(f, "package {} was forgotten: nothing referred to it", id.short()),
            Self::TokenCreated { id, user, role } => write!(f, "{user} has token {id} with role {role}"),
            Self::TokenRevoked { id, user } => write!(f, "token {id} of {user} was revoked"),
            Self::LevelRaised(level) => write!(f, "the cluster's feature level is {level}"),
            Self::EpochBegun { epoch, by: Rebirth::Restored } => write!(f, "epoch {epoch} began from a backup"),
            Self::EpochBegun { epoch, by: Rebirth::Recovered } => write!(f, "epoch {epoch} began from one survivor"),
            Self::Audited(Audit::BackupTaken) => write!(f, "a backup was taken"),
            Self::Audited(Audit::LeadershipTransferred { to }) => write!(f, "leadership was transferred to {to}"),
            Self::Audited(Audit::AccessDenied { call }) => write!(f, "{call} was turned away for lack of rights"),
            Self::WorkerRegistered { .. }
            | Self::WorkerDraining(_)
            | Self::WorkerOpened(_)
            | Self::WorkerForgotten(_)
            | Self::WorkerFate { .. }
            | Self::WorkerQuarantined { .. }
            | Self::WorkerReleased(_) => self.of_worker(f),
        }
    }
}

impl What {
    fn of_worker(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkerRegistered { name, incarnation } => write!(f, "{name} registered in its life {incarnation}"),
            Self::WorkerDraining(name) => write!(f, "{name} is being drained"),
            Self::WorkerOpened(name) => write!(f, "{name} takes work again"),
            Self::WorkerForgotten(name) => write!(f, "{name} was forgotten"),
            Self::WorkerFate { name, fate: Fate::Dead { silent_ms } } => {
                write!(f, "{name} is dead: nothing of it answered for {silent_ms} ms")
            }
            Self::WorkerFate { name, fate: Fate::CutOff } => {
                write!(f, "{name} is cut off: the masters don't hear it, and nobody has found it dead")
            }
            Self::WorkerFate { name, fate: Fate::Back } => write!(f, "{name} is heard again"),
            Self::WorkerFate { name, fate: Fate::Left } => write!(f, "{name} left"),
            Self::WorkerQuarantined { name, until } => {
                write!(f, "{name} comes and goes: it gets no new work until {}", until.utc())
            }
            Self::WorkerReleased(name) => write!(f, "{name} is no longer quarantined"),
            _ => Ok(()),
        }
    }
}
