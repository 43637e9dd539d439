//! What [`explain`](super::explain) says.

use std::fmt;

use squall_types::cluster::{SlotId, TopologyName, WorkerName};

use super::{Reason, Standing};
use crate::Unplaced;

/// What speaks for and against every place for one executor, with everything else where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Where it is.
    pub at: Option<SlotId>,
    /// Why it can't stay there; none, if it can, or has no place.
    pub leaves: Option<Reason>,
    /// Slots that could take it, the best first.
    pub candidates: Vec<Candidate>,
    /// What stands in the way of all of them, if there is none.
    pub nowhere: Option<Unplaced>,
    /// Workers that can't take it, in the order of their names.
    pub refused: Vec<Refused>,
}

/// A slot that could take an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The slot.
    pub slot: SlotId,
    /// Whether it would be opened for the executor.
    pub opens: bool,
    /// What decides against it; none for the best.
    pub behind: Option<Drawback>,
}

/// What decides between a slot and the best one: the first of the planner's preferences in which they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawback {
    /// Its worker is quarantined.
    Quarantined,
    /// Its worker would have to give more than it has.
    Overloaded,
    /// It has an even share of the component already.
    Share,
    /// Fewer of those that the executor takes rows from are in it.
    Neighbours,
    /// Executors of the component in it.
    Component(Against<u32>),
    /// Executors of the topology in it.
    Topology(Against<u32>),
    /// Slots of the topology in its zone.
    Zone(Against<u32>),
    /// How full its worker would be, in thousandths of what it has.
    Load(Against<u64>),
    /// Nothing does: a hash of the names tells them apart.
    Name,
}

/// A number here, and at the best slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Against<T> {
    /// Here.
    pub here: T,
    /// There.
    pub best: T,
}

/// A worker that can't take an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The worker.
    pub worker: WorkerName,
    /// The first thing that stands in the way.
    pub why: KeptOff,
}

/// What keeps an executor off a worker. A later one says that nothing before it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptOff {
    /// The worker takes no work.
    Standing(Standing),
    /// Tags that the worker lacks.
    Tags(Vec<String>),
    /// A topology there that the executor's own shares no worker with.
    AntiAffinity(TopologyName),
    /// Its slots are taken by other topologies, or lost.
    NoFreeSlot {
        /// How many it has.
        slots: u16,
    },
    /// The topology may open no more slots, and has none there.
    Ceiling {
        /// The most that it may use.
        max_slots: u32,
    },
    /// Too little memory is left, and it is a limit: to the topology, or to one that runs there.
    Memory {
        /// What it needs.
        needed_mib: u64,
        /// What is left.
        left_mib: u64,
    },
    /// Too little CPU is left, and it is a limit: to the topology, or to one that runs there.
    Cpu {
        /// What it needs, in hundredths of a core.
        needed_percent: u64,
        /// What is left.
        left_percent: u64,
    },
}

/// In words that follow the slot's name.
impl fmt::Display for Drawback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quarantined => write!(f, "its worker is quarantined"),
            Self::Overloaded => write!(f, "its worker would have to give more than it has"),
            Self::Share => write!(f, "it has its even share of the component already"),
            Self::Neighbours => write!(f, "fewer of those that it takes rows from are in it"),
            Self::Component(Against { here, best }) => {
                write!(f, "it has {here} of the component, the best has {best}")
            }
            Self::Topology(Against { here, best }) => {
                write!(f, "it has {here} executors of the topology, the best has {best}")
            }
            Self::Zone(Against { here, best }) => {
                write!(f, "the topology has {here} slots in its zone, and {best} in that of the best")
            }
            Self::Load(Against { here, best }) => {
                write!(f, "its worker would be {} full, that of the best {}", Percent(*here), Percent(*best))
            }
            Self::Name => write!(f, "as good as the best; a hash of the names decides between equals"),
        }
    }
}

/// Thousandths as people read them.
struct Percent(u64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} %", self.0 / 10, self.0 % 10)
    }
}

/// In words that follow the worker's name.
impl fmt::Display for KeptOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standing(standing) => f.write_str(standing.words()),
            Self::Tags(tags) => write!(f, "isn't tagged {}", tags.join(", ")),
            Self::AntiAffinity(topology) => write!(f, "runs {topology}, which its topology keeps away from"),
            Self::NoFreeSlot { slots: 0 } => write!(f, "has no slots"),
            Self::NoFreeSlot { slots } => {
                write!(f, "has no free slot: all it has ({slots}) are taken by other topologies, or lost")
            }
            Self::Ceiling { max_slots } => {
                write!(f, "has no slot of its topology, which may use {max_slots} and does")
            }
            Self::Memory { needed_mib, left_mib } => {
                write!(f, "has {left_mib} MiB of memory left, {needed_mib} MiB are needed, and it is a limit there")
            }
            Self::Cpu { needed_percent, left_percent } => {
                write!(f, "has {left_percent} % of a core left, {needed_percent} % are needed, and it is a limit there")
            }
        }
    }
}

impl Explanation {
    /// What is so, in a line.
    pub fn verdict(&self) -> String {
        match (&self.at, &self.leaves, &self.nowhere) {
            (Some(at), None, _) => {
                format!("it stays on {at}: nothing speaks against its place, and what may stay isn't moved")
            }
            (Some(at), Some(reason @ Reason::Drained(_)), Some(why)) => {
                format!("it stays on {at} for now, though {reason}: {why}")
            }
            (Some(at), Some(reason), _) => format!("it leaves {at} with the next plan: {reason}"),
            (None, _, Some(why)) => format!("it has no place: {why}"),
            (None, _, None) => "it has no place yet, and gets one with the next plan".to_owned(),
        }
    }
}

/// A line each: what is so, the places that there are, the best first, and what keeps it off the rest.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.verdict())?;
        for (index, Candidate { slot, opens, behind }) in self.candidates.iter().enumerate() {
            let here = self.at.as_ref() == Some(slot);
            let what = if here {
                " (where it is)"
            } else if *opens {
                " (a new slot)"
            } else {
                ""
            };
            write!(f, "{}. {slot}{what}", index + 1)?;
            match behind {
                Some(drawback) => writeln!(f, ": {drawback}")?,
                None => writeln!(f, ": the best place")?,
            }
        }
        self.refused.iter().try_for_each(|Refused { worker, why }| {
            let here = self.at.as_ref().is_some_and(|at| at.worker == *worker);
            writeln!(f, "- {worker}{} {why}", if here { " (where it is)" } else { "" })
        })
    }
}
