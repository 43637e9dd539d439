//! Which slot runs which executor: one immutable decision, with its version and its parent.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use squall_types::cluster::{AssignmentVersion, ExecutorId, SlotId, TopologyVersion, WorkerName};

/// One decision about one topology's placement. Immutable: a change is a new one that names this as its parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its place in the topology's chain of assignments.
    pub version: AssignmentVersion,
    /// The one it was derived from; [`AssignmentVersion::ZERO`] for the first.
    pub parent: AssignmentVersion,
    /// The version of the topology that it places.
    pub topology: TopologyVersion,
    /// Executors with a place.
    pub places: BTreeMap<ExecutorId, SlotId>,
    /// Executors without, each with its reason.
    pub unplaced: BTreeMap<ExecutorId, Unplaced>,
}

/// Why an executor has no place. What helps one doesn't help another, so each says what stands in its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unplaced {
    /// There is no worker that may take work: none has come, or all are dead, draining or cut off.
    NoWorkers,
    /// No worker that may take work has all these tags.
    NoWorkerWithTags(Vec<String>),
    /// All slots that it could go to are taken by other topologies.
    NoFreeSlot {
        /// Slots of workers that fit otherwise.
        slots: u32,
    },
    /// Nowhere is enough memory left, and it is a limit: to this topology, or to one that runs there.
    NoMemory {
        /// What it needs.
        needed_mib: u64,
        /// The most that any fitting worker has left.
        most_mib: u64,
    },
    /// Nowhere is enough CPU left, and it is a limit: to this topology, or to one that runs there.
    NoCpu {
        /// What it needs, in hundredths of a core.
        needed_percent: u32,
        /// The most that any fitting worker has left.
        most_percent: u32,
    },
    /// Every worker that fits runs a topology that this one keeps away from.
    AntiAffinity {
        /// One such worker.
        worker: WorkerName,
    },
    /// Its topology may open no more slots, and those that it has can't take it.
    Ceiling {
        /// The most slots that it may use.
        max_slots: u32,
    },
}

/// What stands in the way, and what to do about it.
impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => write!(f, "no worker may take work; start a worker, or undrain one"),
            Self::NoWorkerWithTags(tags) => {
                let tags = tags.join(", ");
                write!(f, "no worker that may take work is tagged {tags}; tag a worker, or start one that is")
            }
            Self::NoFreeSlot { slots } => write!(
                f,
                "all {slots} slot(s) of the workers that fit are taken by other topologies; give a worker more slots, start \
                 one, or lower another topology's max-slots"
            ),
            Self::NoMemory { needed_mib, most_mib } => write!(
                f,
                "it needs {needed_mib} MiB, and no worker that fits has more than {most_mib} MiB left; start a worker, or \
                 lower what its component asks for"
            ),
            Self::NoCpu { needed_percent, most_percent } => write!(
                f,
                "it needs {needed_percent} % of a core, and no worker that fits has more than {most_percent} % left; start a \
                 worker, or lower what its component asks for"
            ),
            Self::AntiAffinity { worker } => write!(
                f,
                "every worker that fits, {worker} among them, runs a topology that this one keeps away from; start a worker, \
                 or drop the anti-affinity"
            ),
            Self::Ceiling { max_slots } => write!(
                f,
                "its topology may use {max_slots} slot(s), and none of those can take it; rebalance with a higher max-slots"
            ),
        }
    }
}
