//! A process of a slot, as far as its daemon knows it.

use std::time::Duration;

use squall_types::cluster::{AssignmentVersion, ClusterId, Epoch, SlotIncarnation};

use super::desired::{Program, Wanted};

/// What a process says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster whose orders it had.
    pub cluster: ClusterId,
    /// Which of the cluster's lives.
    pub epoch: Epoch,
    /// Which of the slot's lives it is.
    pub incarnation: SlotIncarnation,
    /// What it runs.
    pub program: Program,
}

/// What a topology in a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Components are being prepared.
    Starting,
    /// It runs.
    Running,
    /// It ends.
    Stopping,
    /// It can't be started.
    Failed,
    /// Its spouts are done, and nothing is in flight.
    Finished,
}

/// What a process says several times a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// What it is doing.
    pub doing: Doing,
    /// Where it takes tuples and probes; empty: nowhere yet.
    pub address: String,
    /// The assignment that it runs by.
    pub version: AssignmentVersion,
    /// What there is to say.
    pub text: String,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// As `exit code 101` or `killed by signal 9`.
    pub how: String,
    /// The last of what it wrote to stderr.
    pub stderr: String,
}

/// How far a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It was started and has said nothing yet.
    Started,
    /// It has said hello, and is heard since.
    Heard,
    /// It was asked to end, and is killed at this time, and again and again after.
    Stopping {
        /// When.
        kill_at: Duration,
    },
    /// It was silent for too long, and is killed, again and again.
    Killing {
        /// When next.
        again_at: Duration,
        /// What it is killed for.
        why: &'static str,
    },
}

/// A process that lives.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub identity: Identity,
    pub pid: Option<u32>,
    pub phase: Phase,
    pub since: Duration,
    /// When it was heard last.
    pub heard: Duration,
    pub beat: Option<Beat>,
    /// Whether it ever had orders: until then it is nobody's.
    pub ordered: bool,
    /// The last orders that it was given by this daemon.
    pub told: Option<(Epoch, Wanted)>,
}

/// What there is in a slot.
#[derive(Clone, Debug)]
pub(super) enum Life {
    /// The daemon was started and hasn't looked yet whether an earlier one left a process.
    Unknown,
    /// No process.
    Empty {
        /// Before this time none is started.
        not_before: Duration,
    },
    /// A process.
    Alive(Box<Process>),
}

impl Process {
    /// Whether it does what its slot is for: neither ending nor being ended.
    pub const fn is_well(&self) -> bool {
        matches!(self.phase, Phase::Started | Phase::Heard)
    }

    /// Whether a state of this cluster's life decides over it.
    pub fn belongs(&self, cluster: Option<ClusterId>, epoch: Epoch) -> bool {
        !self.ordered || (cluster == Some(self.identity.cluster) && epoch == self.identity.epoch)
    }
}
