//! Which lane runs which tasks, and where batches are handed over within a lane.
//!
//! A lane runs the tasks of one component that were dealt to one core, and the bolts that are chained behind them. Executors
//! that block or await have lanes of their own.
//!
//! A slot runs some of a topology's executors, or all. Each slot deals those that it has to its own cores, and decides by itself what it
//! chains: what may be chained at all ([`local_parent`]) follows from the topology alone. Where a
//! placement has parted some of such executors, the edge between them isn't local anywhere: all is right then, but slower.

use std::collections::{BTreeMap, BTreeSet};

use squall_types::TaskId;
use squall_types::cluster::{ExecutorId, Placement};
use squall_types::topology::{Checked, Component, Execution, Grouping, Kind, Source};

/// What drives a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Shares this core with other lanes.
    Core(usize),
    /// Has a thread of its own.
    Thread,
    /// Awaits on this core.
    Async(usize),
}

/// One component's part in a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneNode {
    /// The component, by index.
    pub component: usize,
    /// Its tasks here, ascending.
    pub tasks: Vec<TaskId>,
    /// For a chained bolt: the node of this lane whose stream it takes, and the stream's index.
    pub parent: Option<(usize, usize)>,
}

/// A lane: the head, and the bolts chained behind it, parents first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// What drives it.
    pub place: Place,
    /// The head first.
    pub nodes: Vec<LaneNode>,
}

/// The lanes of a topology's executors in one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    lanes: Vec<Lane>,
    chained: Vec<bool>,
}

impl Plan {
    /// Deals all of a topology's executors to this many cores.
    pub fn new(topology: &Checked, cores: usize) -> Self {
        Self::of(topology, cores, all_executors(topology), &local_edges(topology, None))
    }

    /// Deals these executors of a topology to this many cores; others are elsewhere. `local` says of each component whether its rows
    /// stay in the slot that they are made in: only then may it be chained.
    pub fn for_slot(topology: &Checked, cores: usize, executors: &BTreeSet<ExecutorId>, local: &[bool]) -> Self {
        let here = |component: usize| {
            let all = 0..topology.component(component).parallelism;
            all.filter(|executor| executors.contains(&topology.executor(component, *executor))).collect()
        };
        Self::of(topology, cores, (0..topology.components().len()).map(here).collect(), local)
    }

    fn of(topology: &Checked, cores: usize, here: Vec<Vec<u32>>, local: &[bool]) -> Self {
        let mut dealing = Dealing::new(topology, cores.max(1), here, local);
        for &component in topology.topological_order() {
            dealing.deal(component);
        }
        Self { lanes: dealing.lanes, chained: dealing.chained }
    }

    /// The lanes.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Whether a bolt is handed its batches within its only input's lane.
    pub fn is_chained(&self, component: usize) -> bool {
        self.chained[component]
    }

    /// Where each task runs: lane, node, and place among the node's tasks.
    pub fn places(&self) -> BTreeMap<TaskId, (usize, usize, usize)> {
        let mut places = BTreeMap::new();
        for (lane, each) in self.lanes.iter().enumerate() {
            for (node, part) in each.nodes.iter().enumerate() {
                places.extend(part.tasks.iter().enumerate().map(|(at, task)| (*task, (lane, node, at))));
            }
        }
        places
    }
}

fn all_executors(topology: &Checked) -> Vec<Vec<u32>> {
    topology.components().iter().map(|component| (0..component.parallelism).collect()).collect()
}

struct Dealing<'a> {
    topology: &'a Checked,
    cores: usize,
    /// By component: its executors that are dealt.
    here: Vec<Vec<u32>>,
    /// By component: whether its rows stay in the slot.
    local: &'a [bool],
    next_core: usize,
    /// By component: the core of its first executor.
    first_core: Vec<usize>,
    chained: Vec<bool>,
    lanes: Vec<Lane>,
    /// Where a component's tasks of a core are: lane and node.
    on_core: BTreeMap<(usize, usize), (usize, usize)>,
}

impl<'a> Dealing<'a> {
    fn new(topology: &'a Checked, cores: usize, here: Vec<Vec<u32>>, local: &'a [bool]) -> Self {
        let components = topology.components().len();
        Self {
            topology,
            cores,
            here,
            local,
            next_core: 0,
            first_core: vec![0; components],
            chained: vec![false; components],
            lanes: Vec::new(),
            on_core: BTreeMap::new(),
        }
    }

    fn deal(&mut self, component: usize) {
        let parent = self.chain_parent(component);
        self.chained[component] = parent.is_some();
        let executors = self.here[component].clone();
        let first = match parent {
            Some((parent, _)) => self.first_core[parent],
            None => self.next_core,
        };
        self.first_core[component] = first;
        if parent.is_none() {
            self.next_core = (first + executors.len()) % self.cores;
        }
        for (number, executor) in executors.iter().enumerate() {
            let core = (first + number) % self.cores;
            let tasks = self.topology.tasks_of_executor(component, *executor);
            match (self.topology.component(component), parent) {
                (Component { kind: Kind::Bolt, execution: Execution::Blocking, .. }, _) => {
                    self.add_lane(Place::Thread, component, tasks.iter().collect());
                }
                (Component { execution: Execution::Async { .. }, .. }, _) => {
                    self.add_lane(Place::Async(core), component, tasks.iter().collect());
                }
                (_, parent) => self.share(component, core, parent, tasks.iter()),
            }
        }
    }

    /// Puts tasks into the component's lane on a core, behind its parent if it is chained.
    fn share(
        &mut self,
        component: usize,
        core: usize,
        parent: Option<(usize, usize)>,
        tasks: impl Iterator<Item = TaskId>,
    ) {
        let known = self.on_core.get(&(component, core)).copied();
        let (lane, node) = known.unwrap_or_else(|| match parent {
            None => (self.add_lane(Place::Core(core), component, Vec::new()), 0),
            Some((parent, stream)) => {
                let (lane, parent) = self.on_core[&(parent, core)];
                let nodes = &mut self.lanes[lane].nodes;
                nodes.push(LaneNode { component, tasks: Vec::new(), parent: Some((parent, stream)) });
                (lane, nodes.len() - 1)
            }
        });
        self.on_core.insert((component, core), (lane, node));
        self.lanes[lane].nodes[node].tasks.extend(tasks);
    }

    fn add_lane(&mut self, place: Place, component: usize, tasks: Vec<TaskId>) -> usize {
        self.lanes.push(Lane { place, nodes: vec![LaneNode { component, tasks, parent: None }] });
        self.lanes.len() - 1
    }
}

/// The component and stream that a bolt may be handed its rows by within a slot, as far as the topology says: the bolt computes, has this
/// one input, lies in no cycle, and the edge leaves it open which task gets a row, between equal parallelisms. That is a **local edge**:
/// executor `i` of both belongs into one slot, and its rows stay there.
pub fn local_parent(topology: &Checked, component: usize) -> Option<Source> {
    let bolt = topology.component(component);
    let [input] = &*bolt.inputs else { return None };
    let source = topology.source(component, 0);
    let parent = topology.component(source.component);
    let computes = bolt.execution == Execution::Sync
        && match parent.kind {
            Kind::Spout => true,
            Kind::Bolt => parent.execution == Execution::Sync,
        };
    let open = matches!(input.grouping, Grouping::LocalOrShuffle | Grouping::Shuffle | Grouping::None);
    let in_cycle = topology.in_cycle(component) || topology.in_cycle(source.component);
    let stays = input.chain && computes && open && !in_cycle && bolt.parallelism == parent.parallelism;
    stays.then_some(source)
}

/// By component: whether its rows stay in the slot that they are made in, as the topology allows it and the placement, if there is one,
/// has the executors of both ends together in each slot.
pub fn local_edges(topology: &Checked, placement: Option<&Placement>) -> Vec<bool> {
    let together = |component: usize, parent: usize| {
        let places = |component: usize, executor: u32| {
            let id = topology.executor(component, executor);
            placement.and_then(|placement| placement.slot_of(id.first))
        };
        let mut executors = 0..topology.component(component).parallelism;
        executors.all(|executor| places(component, executor) == places(parent, executor))
    };
    let local = |component: usize| {
        local_parent(topology, component).is_some_and(|source| together(component, source.component))
    };
    (0..topology.components().len()).map(local).collect()
}

impl Dealing<'_> {
    /// The component and stream that a bolt is chained behind, if it is.
    ///
    /// Equal executors sit on the same cores. A shuffle must cover the cores evenly too, else a line of heavy bolts would sink to one core.
    fn chain_parent(&self, component: usize) -> Option<(usize, usize)> {
        let source = local_parent(self.topology, component).filter(|_| self.local[component])?;
        let executors = &self.here[component];
        let covers = executors.len().is_multiple_of(self.cores);
        let grouping = &self.topology.component(component).inputs[0].grouping;
        let alike = *executors == self.here[source.component] && !executors.is_empty();
        (alike && (covers || *grouping == Grouping::LocalOrShuffle)).then_some((source.component, source.stream))
    }
}

#[cfg(test)]
mod tests;
