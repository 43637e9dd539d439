//! Which lane runs which tasks, and where batches are handed over within a lane.
//!
//! A lane runs the tasks of one component that were dealt to one core, and the bolts that are chained behind them. Executors
//! that block or await have lanes of their own.

use std::collections::BTreeMap;

use squall_types::TaskId;
use squall_types::topology::{Checked, Component, Execution, Grouping, Kind};

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

/// All lanes of a topology in one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    lanes: Vec<Lane>,
    chained: Vec<bool>,
}

impl Plan {
    /// Deals a topology's executors to this many cores.
    pub fn new(topology: &Checked, cores: usize) -> Self {
        let mut dealing = Dealing::new(topology, cores.max(1));
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

struct Dealing<'a> {
    topology: &'a Checked,
    cores: usize,
    next_core: usize,
    /// By component: the core of its first executor.
    first_core: Vec<usize>,
    chained: Vec<bool>,
    lanes: Vec<Lane>,
    /// Where a component's tasks of a core are: lane and node.
    on_core: BTreeMap<(usize, usize), (usize, usize)>,
}

impl<'a> Dealing<'a> {
    fn new(topology: &'a Checked, cores: usize) -> Self {
        let components = topology.components().len();
        Self {
            topology,
            cores,
            next_core: 0,
            first_core: vec![0; components],
            chained: vec![false; components],
            lanes: Vec::new(),
            on_core: BTreeMap::new(),
        }
    }

    fn deal(&mut self, component: usize) {
        let parent = chain_parent(self.topology, component, self.cores);
        self.chained[component] = parent.is_some();
        let executors = self.topology.component(component).parallelism;
        let first = match parent {
            Some((parent, _)) => self.first_core[parent],
            None => self.next_core,
        };
        self.first_core[component] = first;
        if parent.is_none() {
            self.next_core = (first + executors as usize) % self.cores;
        }
        for executor in 0..executors {
            let core = (first + executor as usize) % self.cores;
            let tasks = self.topology.tasks_of_executor(component, executor);
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

/// The component and stream that a bolt is chained behind, if it can be: it computes, has this one input, lies in no cycle, and
/// the edge may stay on the core.
fn chain_parent(topology: &Checked, component: usize, cores: usize) -> Option<(usize, usize)> {
    let bolt = topology.component(component);
    let [input] = &*bolt.inputs else { return None };
    let source = topology.source(component, 0);
    let parent = topology.component(source.component);
    let computes = bolt.execution == Execution::Sync
        && match parent.kind {
            Kind::Spout => true,
            Kind::Bolt => parent.execution == Execution::Sync,
        };
    if !input.chain || !computes || topology.in_cycle(component) || topology.in_cycle(source.component) {
        return None;
    }
    // Equal parallelisms sit on the same cores. A shuffle must cover the cores evenly too, else a line of heavy bolts would
    // sink to one core.
    let alike = bolt.parallelism == parent.parallelism;
    let covers = (bolt.parallelism as usize).is_multiple_of(cores);
    let stays = match input.grouping {
        Grouping::LocalOrShuffle => alike,
        Grouping::Shuffle | Grouping::None => alike && covers,
        _ => false,
    };
    stays.then_some((source.component, source.stream))
}

#[cfg(test)]
mod tests;
