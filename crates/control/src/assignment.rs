//! Which slot runs which executor: one immutable decision, with its version and its parent.

use std::collections::BTreeMap;

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
    /// Nowhere is enough memory left, and the topology holds memory to be a limit.
    NoMemory {
        /// What it needs.
        needed_mib: u64,
        /// The most that any fitting worker has left.
        most_mib: u64,
    },
    /// Nowhere is enough CPU left, and the topology holds CPU to be a limit.
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
}
