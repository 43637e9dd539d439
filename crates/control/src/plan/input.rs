//! What a plan is made from: topologies with what their executors need, workers with what they have, and who runs what now.

use std::collections::{BTreeMap, BTreeSet};

use squall_types::ComponentId;
use squall_types::cluster::{ExecutorId, TopologyName, TopologyVersion, WorkerName};
use squall_types::topology::{Checked, Grouping, Kind, Resources};

use crate::Assignment;

/// Everything that a plan is made from. Equal inputs give equal plans.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Input {
    /// All workers that are known, dead ones too.
    pub workers: BTreeMap<WorkerName, Worker>,
    /// All topologies that have to run, active or not.
    pub topologies: BTreeMap<TopologyName, Topology>,
}

/// A worker, as the planner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Places for processes.
    pub slots: u16,
    /// Hundredths of a core, for all executors together.
    pub cpu_percent: u64,
    /// Mebibytes, for all executors together.
    pub memory_mib: u64,
    /// What it is tagged with.
    pub tags: BTreeSet<String>,
    /// The zone or rack that it shares its bad luck with; empty if none is told.
    pub zone: String,
    /// Whether it keeps its work, and takes new.
    pub standing: Standing,
    /// Slots whose process is lost while nobody is left on the worker to start it again.
    pub lost: BTreeSet<u16>,
}

/// Whether a worker keeps its work, and whether it takes new.
///
/// | | keeps | takes new |
/// |---|---|---|
/// | open | yes | yes |
/// | quarantined | yes | before an executor stays unplaced |
/// | draining | until there is another place | no |
/// | unheard, suspect, cut off | yes | no |
/// | left, dead | no | no |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Well.
    Open,
    /// It came and went too often of late.
    Quarantined,
    /// An operator wants it empty.
    Draining,
    /// Not heard since the election: counts as alive and full until its lease is over.
    Unheard,
    /// Silent for a while, and being asked.
    Suspect,
    /// Its daemon is silent, but something of it still answers.
    CutOff,
    /// It left by itself.
    Left,
    /// Silent, and nothing of it answers.
    Dead,
}

impl Standing {
    /// Whether work may stay there.
    pub const fn keeps(self) -> bool {
        !matches!(self, Self::Left | Self::Dead)
    }

    /// Whether new work may go there, if only for want of a better place.
    pub const fn takes(self) -> bool {
        matches!(self, Self::Open | Self::Quarantined)
    }

    /// The standing in words that follow a worker's name.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Open => "is open",
            Self::Quarantined => "is quarantined, for it came and went too often",
            Self::Draining => "is being drained",
            Self::Unheard => "hasn't been heard since the election, so it counts as full",
            Self::Suspect => "is silent and being probed",
            Self::CutOff => "is cut off: it keeps its work and gets no new",
            Self::Left => "has left",
            Self::Dead => "is dead",
        }
    }
}

/// A topology, as the planner sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// The version to be placed.
    pub version: TopologyVersion,
    /// Its components, each after those that it takes rows from.
    pub components: Vec<Component>,
    /// What its owner asks of its placement.
    pub options: Options,
    /// Whether its executors are to be spread evenly now, though they could stay.
    pub evenly: bool,
    /// Who runs what now.
    pub current: Option<Assignment>,
}

/// A component's executors, which all need the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Its name.
    pub id: ComponentId,
    /// Whether rows begin here.
    pub spout: bool,
    /// Its executors, rising.
    pub executors: Vec<ExecutorId>,
    /// What each of them needs.
    pub needs: Resources,
    /// What a worker must be tagged with to run them.
    pub tags: BTreeSet<String>,
    /// Whom it takes rows from.
    pub inputs: Vec<Edge>,
}

/// Rows that go from one component to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Who sends, by place among the topology's components.
    pub from: usize,
    /// How much is won by having both ends in one process.
    pub weight: u64,
}

/// What a topology's owner asks of its placement.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// The most slots that it may use; 0 is no ceiling.
    pub max_slots: u32,
    /// Topologies that it shares no worker with.
    pub anti_affinity: BTreeSet<TopologyName>,
    /// Whether the CPU that executors need is a limit on their workers.
    pub hard_cpu: bool,
    /// Whether the memory that executors need is a limit on their workers.
    pub hard_memory: bool,
}

impl Topology {
    /// A checked topology that isn't placed yet.
    pub fn new(checked: &Checked, version: TopologyVersion, options: Options) -> Self {
        let order = checked.topological_order();
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, &index)| places[index] = place);
        let component = |&index: &usize| component(checked, index, &places);
        Self { version, components: order.iter().map(component).collect(), options, evenly: false, current: None }
    }

    /// Its executors with their component's place.
    pub fn executors(&self) -> impl Iterator<Item = (usize, ExecutorId)> {
        let each =
            |(place, it): (usize, &'_ Component)| it.executors.iter().map(move |&id| (place, id)).collect::<Vec<_>>();
        self.components.iter().enumerate().flat_map(each)
    }

    /// The component that an executor belongs to.
    pub fn component_of(&self, executor: ExecutorId) -> Option<&Component> {
        self.components.iter().find(|it| it.executors.binary_search(&executor).is_ok())
    }

    /// The most slots that it may use.
    pub const fn ceiling(&self) -> usize {
        if self.options.max_slots == 0 { usize::MAX } else { self.options.max_slots as usize }
    }
}

fn component(checked: &Checked, index: usize, places: &[usize]) -> Component {
    let declared = checked.component(index);
    let executor = |number| {
        let tasks = checked.tasks_of_executor(index, number);
        ExecutorId { first: tasks.first(), last: tasks.last() }
    };
    let edge = |(input, declared): (usize, &squall_types::topology::Input)| Edge {
        from: places[checked.source(index, input).component],
        weight: weight(&declared.grouping),
    };
    Component {
        id: declared.id.clone(),
        spout: declared.kind == Kind::Spout,
        executors: (0..declared.parallelism).map(executor).collect(),
        needs: declared.resources,
        tags: declared.tags.iter().cloned().collect(),
        inputs: declared.inputs.iter().enumerate().map(edge).collect(),
    }
}

/// What a shared process is worth to an edge: most where rows then stay in it, little where they go everywhere anyway.
const fn weight(grouping: &Grouping) -> u64 {
    match grouping {
        Grouping::LocalOrShuffle => 16,
        Grouping::Shuffle | Grouping::None => 8,
        Grouping::Fields(_) | Grouping::PartialKey(_) | Grouping::Direct | Grouping::Custom(_) => 4,
        Grouping::All | Grouping::Global => 2,
    }
}
