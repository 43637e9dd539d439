//! Checks a plan against its input, by rules alone: nothing here knows how plans are made.
//!
//! It runs on every plan, in tests and in production. A plan that breaks a rule is not carried out.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use squall_types::cluster::{AssignmentVersion, ExecutorId, SlotId, TopologyName, WorkerName};

use crate::Assignment;
use crate::plan::{Component, Input, Plan, Standing, Topology, Worker};

/// A rule that a plan breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The plan assigns a topology that isn't there.
    #[error("{0} is assigned and doesn't exist")]
    UnknownTopology(TopologyName),
    /// An executor has neither a place nor a reason.
    #[error("{0} {1} is missing")]
    Missing(TopologyName, ExecutorId),
    /// An executor has a place and a reason why it has none.
    #[error("{0} {1} is there twice")]
    Twice(TopologyName, ExecutorId),
    /// An executor is assigned that the topology doesn't have.
    #[error("{0} has no executor {1}")]
    Stray(TopologyName, ExecutorId),
    /// The assignment doesn't follow the current one.
    #[error("{0}: version {1} with parent {2} doesn't follow the current assignment")]
    Chain(TopologyName, AssignmentVersion, AssignmentVersion),
    /// The assignment is for another version of the topology.
    #[error("{0} is assigned in another version than the current")]
    WrongVersion(TopologyName),
    /// A slot that isn't there.
    #[error("{0} {1} is on {2}, which doesn't exist")]
    NoSuchSlot(TopologyName, ExecutorId, SlotId),
    /// Two topologies share a slot.
    #[error("{0} and {1} share {2}")]
    SharedSlot(TopologyName, TopologyName, SlotId),
    /// Work is on a worker that is dead or has left, or on a slot that is lost.
    #[error("{0} {1} is on {2}, where nothing runs any more")]
    Gone(TopologyName, ExecutorId, SlotId),
    /// Work comes new to a worker that takes none.
    #[error("{0} {1} comes to {2}, which takes no work")]
    Closed(TopologyName, ExecutorId, WorkerName),
    /// A worker lacks a tag.
    #[error("{0} {1} is on {2}, which lacks a tag")]
    Tags(TopologyName, ExecutorId, WorkerName),
    /// Two topologies that keep apart share a worker.
    #[error("{0} and {1} keep apart and share {2}")]
    AntiAffinity(TopologyName, TopologyName, WorkerName),
    /// A topology uses more slots than it may.
    #[error("{0} uses {1} slots and may use {2}")]
    Ceiling(TopologyName, usize, usize),
    /// A worker has too little memory for work that came to it, and memory is a limit there.
    #[error("{0} has too little memory")]
    Memory(WorkerName),
    /// A worker has too little CPU for work that came to it, and CPU is a limit there.
    #[error("{0} has too little CPU")]
    Cpu(WorkerName),
    /// An executor moves, and nothing speaks against where it is.
    #[error("{0} {1} leaves {2} for no reason")]
    Needless(TopologyName, ExecutorId, SlotId),
}

/// Every rule that the plan breaks.
pub fn check(input: &Input, plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, assignment) in &plan.assignments {
        match input.topologies.get(name) {
            Some(topology) => check_assignment(input, name, topology, assignment, &mut found),
            None => found.push(Violation::UnknownTopology(name.clone())),
        }
    }
    let after = After::new(input, plan);
    after.check_slots(&mut found);
    after.check_workers(&mut found);
    found
}

fn check_assignment(
    input: &Input,
    name: &TopologyName,
    topology: &Topology,
    next: &Assignment,
    found: &mut Vec<Violation>,
) {
    let current = topology.current.as_ref();
    let parent = current.map_or(AssignmentVersion::ZERO, |current| current.version);
    if next.parent != parent || next.version != parent.next() {
        found.push(Violation::Chain(name.clone(), next.version, next.parent));
    }
    if next.topology != topology.version {
        found.push(Violation::WrongVersion(name.clone()));
    }
    let component_of: BTreeMap<ExecutorId, &Component> =
        topology.executors().map(|(place, id)| (id, &topology.components[place])).collect();
    for executor in component_of.keys() {
        match (next.places.contains_key(executor), next.unplaced.contains_key(executor)) {
            (false, false) => found.push(Violation::Missing(name.clone(), *executor)),
            (true, true) => found.push(Violation::Twice(name.clone(), *executor)),
            _ => {}
        }
    }
    let strays = next.places.keys().chain(next.unplaced.keys()).filter(|executor| !component_of.contains_key(executor));
    found.extend(strays.map(|executor| Violation::Stray(name.clone(), *executor)));
    for (executor, slot) in &next.places {
        let Some(component) = component_of.get(executor) else { continue };
        let before = current.and_then(|current| current.places.get(executor));
        found.extend(misplaced(input, name, *executor, component, slot, before));
    }
    // Slots on workers that are being drained don't count: what is there is on its way out.
    let drained = |slot: &SlotId| input.workers.get(&slot.worker).is_some_and(|it| it.standing == Standing::Draining);
    let slots = next.places.values().filter(|slot| !drained(slot)).collect::<BTreeSet<_>>().len();
    if slots > topology.ceiling() {
        found.push(Violation::Ceiling(name.clone(), slots, topology.ceiling()));
    }
    if !topology.evenly {
        found.extend(needless(input, name, topology, next, &component_of));
    }
}

fn misplaced(
    input: &Input,
    name: &TopologyName,
    executor: ExecutorId,
    component: &Component,
    slot: &SlotId,
    before: Option<&SlotId>,
) -> Option<Violation> {
    let Some(worker) = input.workers.get(&slot.worker).filter(|worker| slot.number < worker.slots) else {
        return Some(Violation::NoSuchSlot(name.clone(), executor, slot.clone()));
    };
    if !worker.standing.keeps() || worker.lost.contains(&slot.number) {
        return Some(Violation::Gone(name.clone(), executor, slot.clone()));
    }
    if before != Some(slot) && !worker.standing.takes() {
        return Some(Violation::Closed(name.clone(), executor, slot.worker.clone()));
    }
    let lacks = !component.tags.is_subset(&worker.tags);
    (lacks && worker.standing != Standing::Draining)
        .then(|| Violation::Tags(name.clone(), executor, slot.worker.clone()))
}

/// Executors that leave a place which is as good as before: on a worker that keeps its work, in a slot of its own, within every limit that can
/// be told from this place alone.
fn needless(
    input: &Input,
    name: &TopologyName,
    topology: &Topology,
    next: &Assignment,
    component_of: &BTreeMap<ExecutorId, &Component>,
) -> Vec<Violation> {
    let Some(current) = &topology.current else { return Vec::new() };
    let limited = input.topologies.values().any(|it| it.options.hard_cpu || it.options.hard_memory);
    let apart = input.topologies.values().any(|it| !it.options.anti_affinity.is_empty());
    if limited || apart || topology.options.max_slots != 0 {
        return Vec::new();
    }
    let stays = |component: &Component, slot: &SlotId, worker: &Worker| {
        worker.standing.keeps()
            && worker.standing != Standing::Draining
            && slot.number < worker.slots
            && !worker.lost.contains(&slot.number)
            && component.tags.is_subset(&worker.tags)
    };
    let taken = |slot: &SlotId| {
        let others = input.topologies.iter().filter(|(other, _)| *other != name);
        others.filter_map(|(_, it)| it.current.as_ref()).any(|it| it.places.values().any(|other| other == slot))
    };
    let moved = current.places.iter().filter(|(executor, slot)| {
        let component = component_of.get(executor);
        let could_stay = component
            .zip(input.workers.get(&slot.worker))
            .is_some_and(|(component, worker)| stays(component, slot, worker));
        could_stay && next.places.get(executor) != Some(slot) && !taken(slot)
    });
    moved.map(|(executor, slot)| Violation::Needless(name.clone(), *executor, slot.clone())).collect()
}

/// Who is where once the plan is carried out.
struct After<'a> {
    input: &'a Input,
    places: BTreeMap<&'a TopologyName, &'a Assignment>,
    /// Workers that something comes to.
    receiving: BTreeSet<&'a WorkerName>,
}

impl<'a> After<'a> {
    fn new(input: &'a Input, plan: &'a Plan) -> Self {
        let mut places: BTreeMap<_, _> =
            input.topologies.iter().filter_map(|(name, it)| Some((name, it.current.as_ref()?))).collect();
        places.extend(&plan.assignments);
        let receiving = plan.moves.iter().filter_map(|it| it.to.as_ref()).map(|slot| &slot.worker).collect();
        Self { input, places, receiving }
    }

    fn check_slots(&self, found: &mut Vec<Violation>) {
        let mut owners: BTreeMap<&SlotId, &TopologyName> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (name, assignment) in &self.places {
            for slot in assignment.places.values() {
                let owner = *owners.entry(slot).or_insert(name);
                if owner != *name && seen.insert((owner, *name, slot)) {
                    found.push(Violation::SharedSlot(owner.clone(), (*name).clone(), slot.clone()));
                }
            }
        }
    }

    /// Limits hold where the plan brings something; what was over them before is no fault of the plan's.
    fn check_workers(&self, found: &mut Vec<Violation>) {
        let mut rooms: BTreeMap<&WorkerName, Room<'_>> = BTreeMap::new();
        for (name, assignment) in &self.places {
            let Some(topology) = self.input.topologies.get(*name) else { continue };
            let component_of: BTreeMap<_, _> =
                topology.executors().collect::<Vec<_>>().into_iter().map(|(place, id)| (id, place)).collect();
            for (executor, slot) in &assignment.places {
                let Some(component) = component_of.get(executor).map(|place| &topology.components[*place]) else {
                    continue;
                };
                let room = rooms.entry(&slot.worker).or_default();
                room.cpu += u64::from(component.needs.cpu_percent);
                room.memory += u64::from(component.needs.memory_mib);
                room.hard_cpu |= topology.options.hard_cpu;
                room.hard_memory |= topology.options.hard_memory;
                room.topologies.insert(name);
            }
        }
        for worker in &self.receiving {
            let (Some(room), Some(has)) = (rooms.get(worker), self.input.workers.get(*worker)) else { continue };
            if room.hard_memory && room.memory > has.memory_mib {
                found.push(Violation::Memory((*worker).clone()));
            }
            if room.hard_cpu && room.cpu > has.cpu_percent {
                found.push(Violation::Cpu((*worker).clone()));
            }
            self.check_apart(worker, room, found);
        }
    }

    fn check_apart(&self, worker: &WorkerName, room: &Room<'_>, found: &mut Vec<Violation>) {
        for name in &room.topologies {
            let Some(topology) = self.input.topologies.get(*name) else { continue };
            let foes = topology.options.anti_affinity.iter().filter(|foe| foe != name && room.topologies.contains(foe));
            found.extend(foes.map(|foe| Violation::AntiAffinity((*name).clone(), foe.clone(), worker.clone())));
        }
    }
}

#[derive(Default)]
struct Room<'a> {
    cpu: u64,
    memory: u64,
    hard_cpu: bool,
    hard_memory: bool,
    topologies: BTreeSet<&'a TopologyName>,
}
