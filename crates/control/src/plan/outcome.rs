//! What a plan says.

use std::collections::BTreeMap;
use std::fmt;

use squall_types::ComponentId;
use squall_types::cluster::{ExecutorId, SlotId, TopologyName, WorkerName};

use crate::{Assignment, Unplaced};

/// What has to change, and why.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Plan {
    /// New assignments, of those topologies alone whose assignment changes.
    pub assignments: BTreeMap<TopologyName, Assignment>,
    /// How the new assignments differ from those before, by topology and executor.
    pub moves: Vec<Move>,
    /// Executors that should leave a worker which is being drained, and can't.
    pub stuck: Vec<Stuck>,
}

impl Plan {
    /// Whether everything stays as it is.
    pub fn is_empty(&self) -> bool {
        self.assignments.is_empty()
    }
}

/// One executor's change of place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its topology.
    pub topology: TopologyName,
    /// Its component; none, if it ends with its component.
    pub component: Option<ComponentId>,
    /// The executor.
    pub executor: ExecutorId,
    /// Where it was.
    pub from: Option<SlotId>,
    /// Where it will be; none, if it ends or has no place.
    pub to: Option<SlotId>,
    /// Why.
    pub reason: Reason,
}

/// Why an executor changes its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is new: its topology is, or a rebalance or an update made it.
    New,
    /// It was without a place, and now there is one.
    Found,
    /// It is no more, by a rebalance or an update.
    Ended,
    /// Its worker died.
    Died(WorkerName),
    /// Its worker left by itself.
    Left(WorkerName),
    /// Its worker isn't known any more.
    Forgotten(WorkerName),
    /// Its worker is being drained.
    Drained(WorkerName),
    /// Its slot's process is lost, and nobody on the worker starts it again.
    SlotLost(SlotId),
    /// Its worker has fewer slots than it had.
    SlotGone(SlotId),
    /// Another topology has its slot.
    SlotTaken(SlotId),
    /// Its worker lost a tag that it needs.
    Tags(WorkerName),
    /// A topology that its own shares no worker with is there.
    AntiAffinity {
        /// The worker.
        worker: WorkerName,
        /// The other topology.
        topology: TopologyName,
    },
    /// Its worker has too little memory for all there, and it is a limit.
    Memory(WorkerName),
    /// Its worker has too little CPU for all there, and it is a limit.
    Cpu(WorkerName),
    /// Its topology may use fewer slots than it did.
    Ceiling(u32),
    /// An operator asked for an even spread.
    Evenly,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => write!(f, "it is new"),
            Self::Found => write!(f, "there is a place for it now"),
            Self::Ended => write!(f, "it is no more"),
            Self::Died(worker) => write!(f, "{worker} is dead"),
            Self::Left(worker) => write!(f, "{worker} has left"),
            Self::Forgotten(worker) => write!(f, "{worker} isn't known any more"),
            Self::Drained(worker) => write!(f, "{worker} is being drained"),
            Self::SlotLost(slot) => write!(f, "the process of {slot} is lost, and its worker's daemon too"),
            Self::SlotGone(slot) => write!(f, "{} has no slot {} any more", slot.worker, slot.number),
            Self::SlotTaken(slot) => write!(f, "{slot} is held by another topology"),
            Self::Tags(worker) => write!(f, "{worker} lacks a tag that it needs"),
            Self::AntiAffinity { worker, topology } => write!(f, "{worker} runs {topology}, which it keeps away from"),
            Self::Memory(worker) => write!(f, "{worker} has too little memory for all that is there"),
            Self::Cpu(worker) => write!(f, "{worker} has too little CPU for all that is there"),
            Self::Ceiling(max) => write!(f, "its topology may use {max} slot(s)"),
            Self::Evenly => write!(f, "to spread the topology evenly"),
        }
    }
}

/// `+` a new place, `-` none any more, `>` from one to another.
impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topology, executor, reason, .. } = self;
        let sign = match (&self.from, &self.to) {
            (Some(_), Some(_)) => '>',
            (_, None) => '-',
            (None, _) => '+',
        };
        write!(f, "{sign} {topology}")?;
        self.component.iter().try_for_each(|component| write!(f, "/{component}"))?;
        write!(f, " {executor}")?;
        self.from.iter().try_for_each(|from| write!(f, " {from}"))?;
        self.to.iter().try_for_each(|to| write!(f, " -> {to}"))?;
        write!(f, ": {reason}")
    }
}

/// An executor that should leave a worker which is being drained, and can't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Its topology.
    pub topology: TopologyName,
    /// The executor.
    pub executor: ExecutorId,
    /// Where it stays for now.
    pub slot: SlotId,
    /// What stands in the way of every other place.
    pub why: Unplaced,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "! {} {} stays on {} for now: {}", self.topology, self.executor, self.slot, self.why)
    }
}
