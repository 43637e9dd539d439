//! A topology that can be run as it is, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{self, Edges};
use super::tasks::{Tasks, deal, dealt_to};
use super::{Component, Kind, Topology};
use crate::cluster::ExecutorId;
use crate::{ComponentId, StreamId, TaskId};

/// One input: a component, by index, and which of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputRef {
    /// The component's place among the topology's.
    pub component: usize,
    /// The input's place among the component's.
    pub input: usize,
}

/// Where an input's rows come from: a component, by index, and which of its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The component's place among the topology's.
    pub component: usize,
    /// The stream's place among the component's.
    pub stream: usize,
}

/// A valid topology. Only [`Topology::validate`] makes one. Components are named by their index in declared order.
///
/// Methods that take an index panic if there is no such component, stream or input: an index comes from this topology.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    topology: Topology,
    by_id: BTreeMap<ComponentId, usize>,
    tasks: Vec<Tasks>,
    /// By component and input.
    sources: Vec<Vec<Source>>,
    /// By component and stream.
    consumers: Vec<Vec<Vec<InputRef>>>,
    closing: BTreeSet<InputRef>,
    cyclic: Vec<bool>,
    order: Vec<usize>,
}

impl Checked {
    /// `sources` has an entry for each input of each component.
    pub(super) fn new(topology: Topology, sources: Vec<Vec<Source>>) -> Self {
        let components = &topology.components;
        let by_id = components.iter().enumerate().map(|(index, component)| (component.id.clone(), index)).collect();
        let consumers = consumers(components, &sources);
        let edges: Edges = consumers.iter().map(|streams| streams.concat()).collect();
        let spouts = (0..components.len()).filter(|&index| components[index].kind == Kind::Spout);
        let cycles = graph::cycles(&edges, spouts);
        let order = graph::order(&edges, &cycles.closing);
        Self {
            by_id,
            tasks: Tasks::number(components),
            sources,
            consumers,
            closing: cycles.closing,
            cyclic: cycles.cyclic,
            order,
            topology,
        }
    }

    /// The topology as declared.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The topology as declared, to be changed and validated again.
    pub fn into_topology(self) -> Topology {
        self.topology
    }

    /// The components, in declared order.
    pub fn components(&self) -> &[Component] {
        &self.topology.components
    }

    /// The component at an index.
    pub fn component(&self, index: usize) -> &Component {
        &self.topology.components[index]
    }

    /// Where a component stands.
    pub fn index_of(&self, id: &ComponentId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// How many tasks all components have together.
    pub fn task_count(&self) -> u16 {
        self.tasks.last().map_or(0, |tasks| tasks.last().get())
    }

    /// A component's tasks.
    pub fn tasks_of(&self, component: usize) -> Tasks {
        self.tasks[component]
    }

    /// The component that a task is an instance of.
    pub fn component_of(&self, task: TaskId) -> Option<usize> {
        let index = self.tasks.partition_point(|tasks| tasks.last() < task);
        self.tasks.get(index).filter(|tasks| tasks.contains(task)).map(|_| index)
    }

    /// The tasks that one of a component's executors runs; executors are numbered from 0, below the parallelism.
    pub fn tasks_of_executor(&self, component: usize, executor: u32) -> Tasks {
        let tasks = self.tasks[component];
        let dealt = deal(u32::from(tasks.count()), self.component(component).parallelism, executor);
        tasks.slice(dealt)
    }

    /// One of a component's executors, by the name that the whole topology knows it by; numbered as for
    /// [`tasks_of_executor`](Self::tasks_of_executor).
    pub fn executor(&self, component: usize, executor: u32) -> ExecutorId {
        let tasks = self.tasks_of_executor(component, executor);
        ExecutorId { first: tasks.first(), last: tasks.last() }
    }

    /// Which of its component's executors runs a task.
    pub fn executor_of(&self, task: TaskId) -> Option<u32> {
        let component = self.component_of(task)?;
        let tasks = self.tasks[component];
        let position = tasks.position(task)?;
        Some(dealt_to(u32::from(tasks.count()), self.component(component).parallelism, u32::from(position)))
    }

    /// Where an input's rows come from.
    pub fn source(&self, component: usize, input: usize) -> Source {
        self.sources[component][input]
    }

    /// Who takes a stream: bolts in declared order, their inputs in declared order. None, if there is no such stream.
    pub fn consumers(&self, component: usize, stream: &StreamId) -> &[InputRef] {
        self.component(component).stream_index(stream).map_or(&[], |stream| &self.consumers[component][stream])
    }

    /// Whether an input closes a cycle. Without those that do, no row can come back to a component that it came from.
    pub fn closes_cycle(&self, component: usize, input: usize) -> bool {
        self.closing.contains(&InputRef { component, input })
    }

    /// Whether a component can be sent rows that came from its own.
    pub fn in_cycle(&self, component: usize) -> bool {
        self.cyclic[component]
    }

    /// The components so that each comes after those that it takes rows from, inputs that close a cycle aside.
    pub fn topological_order(&self) -> &[usize] {
        &self.order
    }
}

fn consumers(components: &[Component], sources: &[Vec<Source>]) -> Vec<Vec<Vec<InputRef>>> {
    let mut consumers: Vec<Vec<Vec<InputRef>>> =
        components.iter().map(|component| vec![Vec::new(); component.streams.len()]).collect();
    for (component, inputs) in sources.iter().enumerate() {
        for (input, source) in inputs.iter().enumerate() {
            consumers[source.component][source.stream].push(InputRef { component, input });
        }
    }
    consumers
}
