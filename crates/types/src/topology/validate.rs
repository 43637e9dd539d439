//! Finding all that is wrong with a topology, at once.

use std::collections::{BTreeMap, BTreeSet};

use super::checked::Source;
use super::names::{Named, is_legal, is_reserved};
use super::problem::Name;
use super::wired::Wired;
use super::{Checked, Component, Execution, Grouping, Input, Invalid, Kind, Problem, StreamDecl, Topology};
use crate::ComponentId;

impl Topology {
    /// Checks everything that can be checked before anything runs.
    ///
    /// # Errors
    /// All problems at once, in an order that depends on the topology only. What only follows from another problem is left
    /// out: a bolt whose one input is mistyped isn't also called unreachable.
    pub fn validate(self) -> Result<Checked, Invalid> {
        let (problems, sources) = Check::new(&self).run();
        Invalid::of(problems).map_or_else(|| Ok(Checked::new(self, sources)), Err)
    }
}

struct Check<'a> {
    topology: &'a Topology,
    /// Where each id was declared first.
    by_id: BTreeMap<&'a ComponentId, usize>,
    problems: Vec<Problem>,
    /// For each component its inputs' sources, as far as they exist.
    sources: Vec<Vec<Source>>,
}

impl<'a> Check<'a> {
    fn new(topology: &'a Topology) -> Self {
        let mut by_id = BTreeMap::new();
        for (index, component) in topology.components.iter().enumerate() {
            by_id.entry(&component.id).or_insert(index);
        }
        Self { topology, by_id, problems: Vec::new(), sources: Vec::new() }
    }

    fn run(mut self) -> (Vec<Problem>, Vec<Vec<Source>>) {
        let topology = self.topology;
        self.settings();
        for (index, component) in topology.components.iter().enumerate() {
            self.identity(index, component);
            self.sizes(component);
            self.execution(component);
            self.streams(component);
            self.inputs(component);
        }
        self.whole();
        (self.problems, self.sources)
    }

    fn find(&mut self, wrong: bool, problem: impl FnOnce() -> Problem) {
        if wrong {
            self.problems.push(problem());
        }
    }

    fn settings(&mut self) {
        let topology = self.topology;
        self.name(Named::Topology, &topology.name, None);
        let key_groups = topology.key_groups;
        self.find(!self.key_groups_in_range(), || Problem::KeyGroupsOutOfRange { key_groups });
        self.find(topology.message_timeout.is_zero(), || Problem::ZeroMessageTimeout);
        self.find(topology.max_spout_pending == 0, || Problem::ZeroMaxSpoutPending);
    }

    fn key_groups_in_range(&self) -> bool {
        (1..=Topology::MAX_KEY_GROUPS).contains(&self.topology.key_groups)
    }

    fn name(&mut self, what: Named, name: &str, component: Option<&ComponentId>) {
        let chosen = || Name { what, name: name.into(), component: component.cloned() };
        self.find(!is_legal(name), || Problem::IllegalName(chosen()));
        self.find(is_reserved(what, name), || Problem::ReservedName(chosen()));
    }

    fn identity(&mut self, index: usize, component: &Component) {
        self.name(Named::Component, component.id.as_str(), Some(&component.id));
        let id = || component.id.clone();
        let twice = self.by_id.get(&component.id).is_some_and(|&first| first != index);
        self.find(twice, || Problem::DuplicateComponent(id()));
        self.find(component.tags.iter().any(String::is_empty), || Problem::EmptyTag(id()));
    }

    fn sizes(&mut self, component: &Component) {
        let &Component { parallelism: executors, tasks, resources, .. } = component;
        let id = || component.id.clone();
        self.find(executors == 0, || Problem::ZeroParallelism(id()));
        self.find(tasks == 0, || Problem::ZeroTasks(id()));
        let idle = tasks > 0 && executors > tasks;
        self.find(idle, || Problem::IdleExecutors { component: id(), executors, tasks });
        for (resource, amount) in [("memory_mib", resources.memory_mib), ("cpu_percent", resources.cpu_percent)] {
            self.find(amount == 0, || Problem::ZeroResource { component: id(), resource });
        }
        let key_groups = self.topology.key_groups;
        let keyed = component.inputs.iter().any(|input| input.grouping.key().is_some());
        let few = keyed && self.key_groups_in_range() && tasks > u32::from(key_groups);
        self.find(few, || Problem::TooFewKeyGroups { component: id(), tasks, key_groups });
    }

    fn execution(&mut self, component: &Component) {
        let id = || component.id.clone();
        match (component.kind, component.execution) {
            (Kind::Spout, Execution::Async { .. }) => self.problems.push(Problem::AsyncSpout(id())),
            (Kind::Bolt, Execution::Async { in_flight: 0, .. }) => {
                self.problems.push(Problem::ZeroInFlight(id()));
            }
            _ => {}
        }
        match (component.kind, component.tick) {
            (Kind::Spout, Some(_)) => self.problems.push(Problem::TickOnSpout(id())),
            (Kind::Bolt, Some(tick)) => self.find(tick.is_zero(), || Problem::ZeroTick(id())),
            (_, None) => {}
        }
    }

    fn streams(&mut self, component: &Component) {
        let mut seen = BTreeSet::new();
        for stream in &component.streams {
            self.name(Named::Stream, stream.id.as_str(), Some(&component.id));
            let twice = !seen.insert(&stream.id);
            self.find(twice, || Problem::DuplicateStream {
                component: component.id.clone(),
                stream: stream.id.clone(),
            });
            self.fields(component, stream);
        }
    }

    fn fields(&mut self, component: &Component, stream: &StreamDecl) {
        let mut seen = BTreeSet::new();
        for field in stream.fields.iter() {
            self.name(Named::Field, field, Some(&component.id));
            let twice = !seen.insert(field);
            self.find(twice, || Problem::DuplicateField {
                component: component.id.clone(),
                stream: stream.id.clone(),
                field: field.into(),
            });
        }
    }

    fn inputs(&mut self, component: &Component) {
        self.sources.push(Vec::new());
        let id = || component.id.clone();
        match component.kind {
            Kind::Spout => self.find(!component.inputs.is_empty(), || Problem::SpoutWithInputs(id())),
            Kind::Bolt => {
                self.find(component.inputs.is_empty(), || Problem::BoltWithoutInputs(id()));
                for (index, input) in component.inputs.iter().enumerate() {
                    self.input(&component.inputs[..index], Wired { to: component, input });
                }
            }
        }
    }

    fn input(&mut self, earlier: &[Input], wired: Wired<'_>) {
        let input = wired.input;
        let same = |other: &Input| {
            other.from == input.from && other.stream == input.stream && other.grouping == input.grouping
        };
        if earlier.iter().any(same) {
            return self.problems.push(wired.duplicate());
        }
        self.key_itself(wired);
        let Some(source) = self.source(wired) else { return };
        if let Some(sources) = self.sources.last_mut() {
            sources.push(source);
        }
        let stream = &self.topology.components[source.component].streams[source.stream];
        self.find(input.grouping == Grouping::Direct && !stream.direct, || wired.not_direct());
        self.find(input.grouping != Grouping::Direct && stream.direct, || wired.direct());
        let Some(key) = input.grouping.key() else { return };
        for (index, field) in key.iter().enumerate() {
            let unknown = stream.fields.position(field).is_none() && key.position(field) == Some(index);
            self.find(unknown, || wired.unknown_field(field, &stream.fields));
        }
    }

    /// What can be said of a grouping without knowing its stream.
    fn key_itself(&mut self, wired: Wired<'_>) {
        let grouping = &wired.input.grouping;
        self.find(matches!(grouping, Grouping::Custom(name) if name.is_empty()), || wired.unnamed());
        let Some(key) = grouping.key() else { return };
        self.find(key.is_empty(), || wired.no_key());
        let repeated = key.iter().enumerate().find(|&(index, field)| key.position(field) != Some(index));
        if let Some((_, field)) = repeated {
            self.problems.push(wired.repeated(field));
        }
    }

    fn source(&mut self, wired: Wired<'_>) -> Option<Source> {
        let input = wired.input;
        let Some(&component) = self.by_id.get(&input.from) else {
            self.problems.push(wired.unknown_component(self.topology));
            return None;
        };
        let from = &self.topology.components[component];
        let stream = from.stream_index(&input.stream);
        self.find(stream.is_none(), || wired.unknown_stream(from));
        Some(Source { component, stream: stream? })
    }

    fn whole(&mut self) {
        let components = &self.topology.components;
        let tasks: u64 = components.iter().map(|component| u64::from(component.tasks)).sum();
        self.find(tasks > u64::from(Topology::MAX_TASKS), || Problem::TooManyTasks { tasks });
        if components.is_empty() {
            self.problems.push(Problem::NoComponents);
        } else if components.iter().all(|component| component.kind == Kind::Bolt) {
            self.problems.push(Problem::NoSpout);
        } else {
            self.unreachable();
        }
    }

    fn unreachable(&mut self) {
        let mut consumers = vec![Vec::new(); self.sources.len()];
        for (index, sources) in self.sources.iter().enumerate() {
            sources.iter().for_each(|source| consumers[source.component].push(index));
        }
        let mut reached: Vec<bool> = (0..self.sources.len()).map(|index| self.may_get_tuples_itself(index)).collect();
        let mut open: Vec<usize> = (0..reached.len()).filter(|&index| reached[index]).collect();
        while let Some(index) = open.pop() {
            for &consumer in &consumers[index] {
                if !std::mem::replace(&mut reached[consumer], true) {
                    open.push(consumer);
                }
            }
        }
        for (component, _) in self.topology.components.iter().zip(reached).filter(|(_, reached)| !reached) {
            self.problems.push(Problem::Unreachable(component.id.clone()));
        }
    }

    /// A spout does. So may a bolt whose inputs are wrong: that has been said, and nothing more follows from it.
    fn may_get_tuples_itself(&self, index: usize) -> bool {
        let component = &self.topology.components[index];
        component.kind == Kind::Spout
            || component.inputs.is_empty()
            || self.sources[index].len() < component.inputs.len()
    }
}
