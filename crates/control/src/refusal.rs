//! Why a command changed nothing.

use serde::{Deserialize, Serialize};
use squall_types::cluster::{
    AssignmentVersion, BlobId, ExecutorId, FeatureLevel, MasterName, RaftId, Revision, SlotId, TopologyName,
    TopologyVersion, UnixMillis, WorkerIncarnation, WorkerName,
};
use squall_types::{Code, ComponentId, Retry, codes};

use crate::{Phase, Step, Subject, TokenId};

/// Why a command was refused. It has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// There is no such topology.
    #[error("there is no topology {name}{}", Meant(.nearest))]
    UnknownTopology {
        /// The name that was given.
        name: TopologyName,
        /// The one that was probably meant.
        nearest: Option<TopologyName>,
    },
    /// There is no such worker.
    #[error("there is no worker {name}{}", Meant(.nearest))]
    UnknownWorker {
        /// The name that was given.
        name: WorkerName,
        /// The one that was probably meant.
        nearest: Option<WorkerName>,
    },
    /// The topology has no such component.
    #[error("topology {name} has no component {component:?}{}", Meant(.nearest))]
    UnknownComponent {
        /// The topology.
        name: TopologyName,
        /// The component that was given.
        component: ComponentId,
        /// The one that was probably meant.
        nearest: Option<ComponentId>,
    },
    /// The request is older than requests are remembered.
    #[error(
        "the request was made {} s before the cluster's time; whether it was run before is no longer known, so it is not run",
        seconds(.made_at, .now)
    )]
    RequestTooOld {
        /// When the request was made, by its maker's clock.
        made_at: UnixMillis,
        /// The cluster's time.
        now: UnixMillis,
    },
    /// The request was made further in the future than requests are remembered.
    #[error("the request was made {} s after the cluster's time", seconds(.now, .made_at))]
    RequestFromTheFuture {
        /// When the request was made, by its maker's clock.
        made_at: UnixMillis,
        /// The cluster's time.
        now: UnixMillis,
    },
    /// What was to be changed is not as the caller has seen it.
    #[error("{subject} was last changed at revision {actual}, not {expected}")]
    NotAsExpected {
        /// What was to be changed.
        subject: Subject,
        /// The revision that the caller has seen.
        expected: Revision,
        /// The revision of its last change; zero: it isn't there.
        actual: Revision,
    },
    /// The topology is in a phase where this can't be done.
    #[error("topology {name} is {phase}, so this can't be done: {step}")]
    NotNow {
        /// The topology.
        name: TopologyName,
        /// Where in its life it is.
        phase: Phase,
        /// What was asked for.
        step: Step,
    },
    /// The topology's wait is not over.
    #[error("topology {name} is to run until {}, and it is {}", stops_at.utc(), now.utc())]
    WaitNotOver {
        /// The topology.
        name: TopologyName,
        /// When its wait is over.
        stops_at: UnixMillis,
        /// The cluster's time.
        now: UnixMillis,
    },
    /// The topology has no such version any more, or never had.
    #[error(
        "topology {name} has no version {version} to go back to; it keeps versions {oldest} to {current}, and {current} is the current one"
    )]
    UnknownVersion {
        /// The topology.
        name: TopologyName,
        /// The version that was asked for; none: the one before the current.
        version: TopologyVersion,
        /// The oldest that is kept.
        oldest: TopologyVersion,
        /// The current one.
        current: TopologyVersion,
    },
    /// The topology's name is taken.
    #[error("there is a topology {0} already")]
    NameTaken(TopologyName),
    /// A new version has another number of key groups.
    #[error(
        "topology {name} has {current} key groups, the new version {asked}; their number is fixed for a topology's life"
    )]
    KeyGroupsChanged {
        /// The topology.
        name: TopologyName,
        /// Key groups it has.
        current: u16,
        /// Key groups of the new version.
        asked: u16,
    },
    /// The description is no topology in JSON.
    #[error("the description of topology {name} can't be read as a topology, from line {line}, column {column} on")]
    Unreadable {
        /// The topology.
        name: TopologyName,
        /// Counted from 1.
        line: u32,
        /// Counted from 1.
        column: u32,
    },
    /// The topology is not valid.
    #[error("topology {name} is not valid: {problem}{}", Others(*.others))]
    Invalid {
        /// The topology.
        name: TopologyName,
        /// The code of the first problem.
        problem: Code,
        /// How many more problems there are.
        others: u32,
    },
    /// The cluster has no such package.
    #[error("the cluster has no package {}", .0.short())]
    UnknownBlob(BlobId),
    /// The package is in use, or was until just now.
    #[error("package {} can't be forgotten yet: {blocker}", .id.short())]
    BlobInUse {
        /// The package.
        id: BlobId,
        /// What keeps it.
        blocker: BlobUse,
    },
    /// The assignment was derived from one that is not the current.
    #[error(
        "the assignment of topology {name} was derived from version {parent}, but version {current} is the current one"
    )]
    StaleAssignment {
        /// The topology.
        name: TopologyName,
        /// What it was derived from.
        parent: AssignmentVersion,
        /// The current one.
        current: AssignmentVersion,
    },
    /// The assignment does not fit what it assigns.
    #[error("the assignment of topology {name} does not fit: {misfit}")]
    Misfit {
        /// The topology.
        name: TopologyName,
        /// What does not fit.
        misfit: Misfit,
    },
    /// The worker's daemon is one of the past.
    #[error("worker {name} has registered in its life {known}, this is its life {given}")]
    StaleWorker {
        /// The worker.
        name: WorkerName,
        /// The life that is known.
        known: WorkerIncarnation,
        /// The life that was given.
        given: WorkerIncarnation,
    },
    /// Executors are placed on the worker.
    #[error("worker {name} can't be forgotten: executors of topology {topology} are placed on it")]
    WorkerInUse {
        /// The worker.
        name: WorkerName,
        /// A topology with executors on it.
        topology: TopologyName,
    },
    /// There is no such master.
    #[error("there is no master with the raft id {0}")]
    UnknownMaster(RaftId),
    /// Not all masters understand the feature level, or the cluster has it already.
    #[error("the cluster has feature level {current} and can't go to {asked}: {blocker}")]
    Level {
        /// The level that was asked for.
        asked: FeatureLevel,
        /// The level that the cluster has.
        current: FeatureLevel,
        /// What stands in the way.
        blocker: LevelBlocker,
    },
    /// There is no such token.
    #[error("there is no token {0}")]
    UnknownToken(TokenId),
    /// There is a token with this id or this secret.
    #[error("there is a token with the id or the secret of {0} already")]
    TokenTaken(TokenId),
    /// There is too much of something.
    #[error("{what}: at most {most}")]
    TooMuch {
        /// Of what.
        what: Limit,
        /// The most that there may be.
        most: u64,
    },
    /// The command's place in the log is not after the last.
    #[error("the command stands at revision {given} in the log, and the state is at {current} already")]
    NotNewer {
        /// Where the command stands.
        given: Revision,
        /// Where the state is.
        current: Revision,
    },
}

/// What does not fit of an assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Misfit {
    /// It is for another version of the topology.
    #[error("it places version {given}, but version {current} is the current one")]
    Version {
        /// The version that it places.
        given: TopologyVersion,
        /// The current version.
        current: TopologyVersion,
    },
    /// Its own version is not the one after its parent's.
    #[error("its version is {given}, and the one after its parent's is {next}")]
    Gap {
        /// Its version.
        given: AssignmentVersion,
        /// The one that it should have.
        next: AssignmentVersion,
    },
    /// It says nothing of an executor.
    #[error("executor {0} is neither placed nor said to be unplaced")]
    Missing(ExecutorId),
    /// It speaks of an executor that the topology doesn't have.
    #[error("the topology has no executor {0}")]
    Unknown(ExecutorId),
    /// It both places an executor and says that it is unplaced.
    #[error("executor {0} is both placed and unplaced")]
    Twice(ExecutorId),
    /// A worker is not registered.
    #[error("worker {0} is not registered")]
    NoWorker(WorkerName),
    /// A worker has no such slot.
    #[error("there is no slot {slot}: the worker has {slots}")]
    NoSlot {
        /// The slot.
        slot: SlotId,
        /// How many its worker has.
        slots: u16,
    },
    /// A slot holds another topology.
    #[error("slot {slot} belongs to topology {topology}")]
    SlotTaken {
        /// The slot.
        slot: SlotId,
        /// Whose it is.
        topology: TopologyName,
    },
}

/// What keeps a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum BlobUse {
    /// A version of a topology refers to it.
    #[error("{topology}@{version} refers to it")]
    Referred {
        /// The topology.
        topology: TopologyName,
        /// Its version.
        version: TopologyVersion,
    },
    /// Something referred to it within the last hour.
    #[error("it has been unused only since {}", .0.utc())]
    Recent(UnixMillis),
}

/// What stands in the way of a feature level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum LevelBlocker {
    /// A member does not understand it.
    #[error("master {name} has reported {reported}")]
    Member {
        /// The member.
        name: MasterName,
        /// The level that it has reported; zero: none yet.
        reported: FeatureLevel,
    },
    /// The level is not above the current one.
    #[error("levels only rise")]
    NotHigher,
}

/// What there can be too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Limit {
    /// Bytes of a topology's description.
    #[error("bytes in a topology's description")]
    Description,
    /// Bytes of all descriptions.
    #[error("bytes in the descriptions of all versions of all topologies")]
    AllDescriptions,
    /// Bytes of a command.
    #[error("bytes in a command")]
    Command,
    /// Bytes of a topology's settings.
    #[error("bytes in a topology's settings")]
    Config,
    /// Topologies.
    #[error("topologies in the cluster")]
    Topologies,
    /// Topologies that one keeps away from.
    #[error("topologies to be kept away from")]
    AntiAffinity,
    /// Workers.
    #[error("workers in the cluster")]
    Workers,
    /// A worker's tags.
    #[error("tags of a worker")]
    Tags,
    /// Slots of a worker.
    #[error("slots of a worker")]
    Slots,
    /// Packages.
    #[error("packages in the cluster")]
    Blobs,
    /// Tokens.
    #[error("tokens in the cluster")]
    Tokens,
}

/// The name that was probably meant.
struct Meant<'a, T>(&'a Option<T>);

impl<T: std::fmt::Display> std::fmt::Display for Meant<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |name| write!(f, "; did you mean {name}?"))
    }
}

/// How many more there are, if any.
struct Others(u32);

impl std::fmt::Display for Others {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, " and {} more", self.0) }
    }
}

fn seconds(earlier: &UnixMillis, later: &UnixMillis) -> u64 {
    later.since(*earlier).as_secs()
}

impl Refusal {
    /// The refusal's code.
    pub const fn code(&self) -> Code {
        match self {
            Self::UnknownTopology { .. } => codes::UNKNOWN_TOPOLOGY,
            Self::UnknownWorker { .. } => codes::UNKNOWN_WORKER,
            Self::UnknownComponent { .. } => codes::NO_SUCH_COMPONENT,
            Self::RequestTooOld { .. } => codes::REQUEST_TOO_OLD,
            Self::RequestFromTheFuture { .. } => codes::REQUEST_FROM_THE_FUTURE,
            Self::NotAsExpected { .. } => codes::NOT_AS_EXPECTED,
            Self::NotNow { .. } => codes::NOT_IN_THIS_PHASE,
            Self::WaitNotOver { .. } => codes::WAIT_NOT_OVER,
            Self::UnknownVersion { .. } => codes::UNKNOWN_VERSION,
            Self::NameTaken(_) => codes::NAME_TAKEN,
            Self::KeyGroupsChanged { .. } => codes::KEY_GROUPS_CHANGED,
            Self::Unreadable { .. } => codes::UNREADABLE_TOPOLOGY,
            Self::Invalid { .. } => codes::INVALID_TOPOLOGY,
            Self::UnknownBlob(_) => codes::UNKNOWN_BLOB,
            Self::BlobInUse { .. } => codes::BLOB_IN_USE,
            Self::StaleAssignment { .. } => codes::STALE_ASSIGNMENT,
            Self::Misfit { .. } => codes::ASSIGNMENT_MISFIT,
            Self::StaleWorker { .. } => codes::STALE_WORKER,
            Self::WorkerInUse { .. } => codes::WORKER_IN_USE,
            Self::UnknownMaster(_) => codes::UNKNOWN_MASTER,
            Self::Level { .. } => codes::LEVEL_OUT_OF_REACH,
            Self::UnknownToken(_) => codes::UNKNOWN_TOKEN,
            Self::TokenTaken(_) => codes::TOKEN_TAKEN,
            Self::TooMuch { .. } => codes::TOO_MUCH,
            Self::NotNewer { .. } => codes::NOT_NEWER,
        }
    }

    /// What to do about it.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::UnknownTopology { .. } => "name a topology of the cluster; `squall topologies` lists them",
            Self::UnknownWorker { .. } => "name a worker of the cluster; `squall workers` lists them",
            Self::UnknownComponent { .. } => "name a component of the topology; `squall describe` lists them",
            Self::RequestTooOld { .. } => {
                "look whether it was done, and ask anew if not; if this happens at once, set this machine's clock"
            }
            Self::RequestFromTheFuture { .. } => "set this machine's clock, or that of the masters, and ask anew",
            Self::NotAsExpected { .. } => "look at it again, and ask anew with the revision that it has now",
            Self::NotNow { phase: Phase::Killed, .. } => "wait until the topology is gone, and submit it anew",
            Self::NotNow { .. } => "bring the topology into a phase where it can be done; the lifecycle is in concepts",
            Self::WaitNotOver { .. } => "wait; or kill it again with a shorter wait",
            Self::UnknownVersion { .. } => "name a version that is kept; `squall versions` lists them",
            Self::NameTaken(_) => "submit it with --update for a new version of that topology, or under another name",
            Self::KeyGroupsChanged { .. } => "keep the number of key groups; or kill the topology and submit it anew",
            Self::Unreadable { .. } => "submit what the topology's program prints with --describe",
            Self::Invalid { .. } => "mend the topology; `squall explain` tells about the problem's code",
            Self::UnknownBlob(_) => "upload the package again, and submit then",
            Self::BlobInUse { .. } => "nothing: it is forgotten an hour after its last use",
            Self::StaleAssignment { .. } | Self::Misfit { .. } => "nothing: the leader plans again",
            Self::StaleWorker { .. } => "stop the older daemon of the two that run under this name",
            Self::WorkerInUse { .. } => "drain the worker, wait until its executors have moved, and forget it then",
            Self::UnknownMaster(_) => "name a member; `squall masters` lists them",
            Self::Level { .. } => "upgrade the masters that lag behind; the leader raises the level by itself",
            Self::UnknownToken(_) => "name a token of the cluster; `squall tokens` lists them",
            Self::TokenTaken(_) => "ask for a new token again",
            Self::TooMuch { .. } => "ask for less; limits are in concepts",
            Self::NotNewer { .. } => "restart this master; if it happens again, replace it and report the defect",
        }
    }

    /// Whether the same request may work later. One that may has not used its request id up.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::WaitNotOver { .. }
            | Self::UnknownBlob(_)
            | Self::BlobInUse { .. }
            | Self::WorkerInUse { .. }
            | Self::Level { .. }
            | Self::RequestFromTheFuture { .. }
            | Self::UnknownMaster(_) => Retry::Later,
            Self::UnknownTopology { .. }
            | Self::UnknownWorker { .. }
            | Self::UnknownComponent { .. }
            | Self::RequestTooOld { .. }
            | Self::NotAsExpected { .. }
            | Self::NotNow { .. }
            | Self::UnknownVersion { .. }
            | Self::NameTaken(_)
            | Self::KeyGroupsChanged { .. }
            | Self::Unreadable { .. }
            | Self::Invalid { .. }
            | Self::StaleAssignment { .. }
            | Self::Misfit { .. }
            | Self::StaleWorker { .. }
            | Self::UnknownToken(_)
            | Self::TokenTaken(_)
            | Self::TooMuch { .. }
            | Self::NotNewer { .. } => Retry::No,
        }
    }
}
