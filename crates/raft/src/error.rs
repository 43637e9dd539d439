//! What can go wrong for those who ask, and what ends a host.

use squall_types::cluster::RaftId;
use squall_types::{Code, Retry, codes};

use crate::machine::Fatal;
use crate::store::StorageError;

/// Why a command was not, or not surely, applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Another master leads. The command was not and will not be applied.
    #[error("this master doesn't lead")]
    NotLeader {
        /// Who does, if it is known.
        leader: Option<RaftId>,
    },
    /// Leadership was lost while the command was under way: it may be applied yet, or never.
    #[error("leadership was lost while the command was under way; it may have been applied or not")]
    Unknown,
    /// Too many commands are under way. This one was not applied.
    #[error("too many commands are under way")]
    Overloaded,
    /// The command is larger than the log takes.
    #[error("the command has {size} bytes; at most {limit} fit into the log")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The largest that is taken, in bytes.
        limit: usize,
    },
    /// The host has stopped. Whether the command is applied is not known.
    #[error("this master's log has stopped")]
    Stopped,
}

/// Why a read can't be shown to be linearizable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader has answered in time.
    #[error("no leader has confirmed the read in time")]
    NoLeader,
    /// Too many reads are waiting.
    #[error("too many reads are waiting")]
    Overloaded,
    /// The host has stopped.
    #[error("this master's log has stopped")]
    Stopped,
}

/// Why the members were not, or not surely, changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Another master leads.
    #[error("this master doesn't lead")]
    NotLeader {
        /// Who does, if it is known.
        leader: Option<RaftId>,
    },
    /// An earlier change is still under way.
    #[error("another change of the members is under way")]
    InProgress,
    /// They are not as the caller has seen them.
    #[error("the members have changed since they were looked at")]
    Changed,
    /// There is no such member.
    #[error("{id} is no member")]
    UnknownMember {
        /// Who was meant.
        id: RaftId,
    },
    /// There is such a member already, by id or by name.
    #[error("{id} is a member already")]
    AlreadyMember {
        /// The member there is.
        id: RaftId,
    },
    /// Only a learner can be promoted.
    #[error("{id} is no learner")]
    NotALearner {
        /// Who was meant.
        id: RaftId,
    },
    /// The learner's log is too far behind.
    #[error("{id} is {behind} entries behind")]
    NotCaughtUp {
        /// The learner.
        id: RaftId,
        /// How many entries it lacks.
        behind: u64,
    },
    /// Too few of the voters that would be left are alive.
    #[error("only {alive} of the {voters} voters that would be left are alive")]
    WouldLoseQuorum {
        /// How many are alive.
        alive: usize,
        /// How many voters there would be.
        voters: usize,
    },
    /// The leader can't remove itself.
    #[error("{id} leads")]
    Leads {
        /// The leader.
        id: RaftId,
    },
    /// The id was a member's before. Ids are never used again.
    #[error("{id} was a member before")]
    IdUsedBefore {
        /// The id.
        id: RaftId,
    },
    /// Leadership was lost while the change was under way.
    #[error("leadership was lost while the change was under way; it may have been made or not")]
    Unknown,
    /// The host has stopped.
    #[error("this master's log has stopped")]
    Stopped,
}

/// Why leadership was not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// Another master leads.
    #[error("this master doesn't lead")]
    NotLeader {
        /// Who does, if it is known.
        leader: Option<RaftId>,
    },
    /// No other voter is alive; or the one that was named isn't, or is no voter.
    #[error("there is no voter alive to hand leadership to")]
    NoTarget,
    /// The other one didn't take over in time. This one leads on.
    #[error("{to} didn't take over in time")]
    TimedOut {
        /// Who should have.
        to: RaftId,
    },
    /// The host has stopped.
    #[error("this master's log has stopped")]
    Stopped,
}

/// What ends a host, and its master with it.
#[derive(Debug, thiserror::Error)]
pub enum StopReason {
    /// The disk failed.
    #[error("the log can't be used")]
    Storage(#[source] StorageError),
    /// The state machine can't go on.
    #[error("a committed entry can't be applied")]
    Machine(#[source] Fatal),
    /// Something that can't be was: a defect, or memory that flips bits. What is on disk is what was there before.
    #[error("Raft met a state that can't be: {what}")]
    Defect {
        /// What it said.
        what: String,
    },
}

const STOPPED: &str = "look at this master's log for why it stopped, and start it again";
const FIND_LEADER: &str = "try again; every master forwards to the leader once there is one";

impl ProposeError {
    /// What an operator looks up.
    pub const fn code(&self) -> Code {
        match self {
            Self::NotLeader { .. } => codes::NOT_LEADER,
            Self::Unknown => codes::OUTCOME_UNKNOWN,
            Self::Overloaded => codes::LOG_OVERLOADED,
            Self::TooLarge { .. } => codes::COMMAND_TOO_LARGE,
            Self::Stopped => codes::LOG_STOPPED,
        }
    }

    /// What to do about it.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NotLeader { .. } => FIND_LEADER,
            Self::Unknown => "try again with the same request id: a command that was applied is answered, not repeated",
            Self::Overloaded => "try again after a pause",
            Self::TooLarge { .. } => "send less at once: packages belong into blobs, and descriptions are kept small",
            Self::Stopped => STOPPED,
        }
    }

    /// Whether trying again may help.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::TooLarge { .. } => Retry::No,
            Self::NotLeader { .. } | Self::Unknown | Self::Overloaded | Self::Stopped => Retry::Later,
        }
    }
}

impl ReadError {
    /// What an operator looks up.
    pub const fn code(&self) -> Code {
        match self {
            Self::NoLeader => codes::NO_LEADER,
            Self::Overloaded => codes::LOG_OVERLOADED,
            Self::Stopped => codes::LOG_STOPPED,
        }
    }

    /// What to do about it.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NoLeader => "see that a majority of the masters runs and can reach each other, then try again",
            Self::Overloaded => "try again after a pause",
            Self::Stopped => STOPPED,
        }
    }

    /// Whether trying again may help.
    pub const fn retry(&self) -> Retry {
        Retry::Later
    }
}

impl ChangeError {
    /// What an operator looks up.
    pub const fn code(&self) -> Code {
        match self {
            Self::NotLeader { .. } => codes::NOT_LEADER,
            Self::InProgress | Self::Changed => codes::CHANGE_IN_PROGRESS,
            Self::UnknownMember { .. } => codes::UNKNOWN_MEMBER,
            Self::AlreadyMember { .. } => codes::ALREADY_MEMBER,
            Self::NotALearner { .. } => codes::NOT_A_LEARNER,
            Self::NotCaughtUp { .. } => codes::NOT_CAUGHT_UP,
            Self::WouldLoseQuorum { .. } => codes::WOULD_LOSE_QUORUM,
            Self::Leads { .. } => codes::LEADER_CANT_LEAVE,
            Self::IdUsedBefore { .. } => codes::ID_USED_BEFORE,
            Self::Unknown => codes::OUTCOME_UNKNOWN,
            Self::Stopped => codes::LOG_STOPPED,
        }
    }

    /// What to do about it.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NotLeader { .. } => FIND_LEADER,
            Self::InProgress => "wait until the earlier change is made, and try again",
            Self::Changed => "see `squall masters` for who is a member now, and try again",
            Self::UnknownMember { .. } => "see `squall masters` for who is a member",
            Self::AlreadyMember { .. } => {
                "see `squall masters`; a master that lost its disk comes back by `squall masters replace`"
            }
            Self::NotALearner { .. } => "see `squall masters` for who is a learner",
            Self::NotCaughtUp { .. } => "wait until it has caught up, and try again",
            Self::WouldLoseQuorum { .. } => "start the other masters first, or add one",
            Self::Leads { .. } => "hand leadership over first: `squall masters transfer`",
            Self::IdUsedBefore { .. } => "start that master on an empty data directory: it draws a new id",
            Self::Unknown => "see `squall masters` for whether the change was made",
            Self::Stopped => STOPPED,
        }
    }

    /// Whether trying again may help.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::UnknownMember { .. }
            | Self::AlreadyMember { .. }
            | Self::NotALearner { .. }
            | Self::Leads { .. }
            | Self::WouldLoseQuorum { .. }
            | Self::IdUsedBefore { .. } => Retry::No,
            Self::NotLeader { .. }
            | Self::InProgress
            | Self::Changed
            | Self::NotCaughtUp { .. }
            | Self::Unknown
            | Self::Stopped => Retry::Later,
        }
    }
}

impl TransferError {
    /// What an operator looks up.
    pub const fn code(&self) -> Code {
        match self {
            Self::NotLeader { .. } => codes::NOT_LEADER,
            Self::NoTarget => codes::NO_TRANSFER_TARGET,
            Self::TimedOut { .. } => codes::TRANSFER_TIMED_OUT,
            Self::Stopped => codes::LOG_STOPPED,
        }
    }

    /// What to do about it.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NotLeader { .. } => FIND_LEADER,
            Self::NoTarget => "see `squall masters` for which voters are alive",
            Self::TimedOut { .. } => "see in `squall masters` how far that master is behind, and try again",
            Self::Stopped => STOPPED,
        }
    }

    /// Whether trying again may help.
    pub const fn retry(&self) -> Retry {
        Retry::Later
    }
}

impl StopReason {
    /// What an operator looks up.
    pub const fn code(&self) -> Code {
        match self {
            Self::Storage(error) => error.code(),
            Self::Machine(fatal) => fatal.code,
            Self::Defect { .. } => codes::RAFT_DEFECT,
        }
    }

    /// What to do about it.
    pub fn next_step(&self) -> String {
        match self {
            Self::Storage(error) => error.next_step().to_owned(),
            Self::Machine(fatal) => fatal.next_step.clone(),
            Self::Defect { .. } => {
                "start the master again; if it stops again, replace it: `squall masters replace`, on an empty data directory; \
                 and report this"
                    .to_owned()
            }
        }
    }
}
