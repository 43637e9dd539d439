//! Checks a plan against its input, by rules alone: nothing here knows how plans are made.
//!
//! It runs on every plan, in tests and in production. A plan that breaks a rule is not carried out.

mod idle;
mod needless;
mod rooms;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use squall_types::cluster::{AssignmentVersion, ExecutorId, SlotId, TopologyName, WorkerName};

use crate::Assignment;
use crate::plan::{Component, Input, Plan, Standing, Topology};
use rooms::Rooms;

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
    /// A worker has too little memory for what is there, and memory is a limit there.
    #[error("{0} has too little memory")]
    Memory(WorkerName),
    /// A worker has too little CPU for what is there, and CPU is a limit there.
    #[error("{0} has too little CPU")]
    Cpu(WorkerName),
    /// An executor moves, and nothing speaks against where it is.
    #[error("{0} {1} leaves {2} for no reason")]
    Needless(TopologyName, ExecutorId, SlotId),
    /// An executor has no place, or stays on a worker that is being drained, and there is a place.
    #[error("{0} {1} waits for a place, and {2} could take it")]
    Idle(TopologyName, ExecutorId, WorkerName),
}

/// Every rule that the plan breaks, by what it does or by what it leaves undone: a topology that it doesn't assign is held to what it has.
pub fn check(input: &Input, plan: &Plan) -> Vec<Violation> {
    let strangers = plan.assignments.keys().filter(|name| !input.topologies.contains_key(*name));
    let mut found: Vec<_> = strangers.cloned().map(Violation::UnknownTopology).collect();
    for (name, topology) in &input.topologies {
        let next = plan.assignments.get(name);
        found.extend(next.and_then(|next| broken_chain(name, topology, next)));
        match next.or(topology.current.as_ref()) {
            Some(assignment) => found.extend(misassigned(input, name, topology, assignment)),
            None => found.extend(topology.executors().map(|(_, id)| Violation::Missing(name.clone(), id))),
        }
    }
    let after = after(input, plan);
    found.extend(shared_slots(&after));
    let rooms = Rooms::new(input, &after, |_, _, _| true);
    found.extend(rooms.overfull());
    found.extend(rooms.foes());
    found.extend(needless::needless(input, plan));
    found.extend(idle::idle(&after, &rooms));
    found
}

/// Who is where, by topology.
type Places<'a> = BTreeMap<&'a TopologyName, &'a Assignment>;

/// Who is where once the plan is carried out.
fn after<'a>(input: &'a Input, plan: &'a Plan) -> Places<'a> {
    let mut places: Places<'a> =
        input.topologies.iter().filter_map(|(name, it)| Some((name, it.current.as_ref()?))).collect();
    places.extend(&plan.assignments);
    places
}

fn broken_chain(name: &TopologyName, topology: &Topology, next: &Assignment) -> Option<Violation> {
    let parent = topology.current.as_ref().map_or(AssignmentVersion::ZERO, |current| current.version);
    let follows = next.parent == parent && next.version == parent.next();
    (!follows).then(|| Violation::Chain(name.clone(), next.version, next.parent))
}

/// What is wrong with one topology's assignment, whatever the others have.
fn misassigned(input: &Input, name: &TopologyName, topology: &Topology, next: &Assignment) -> Vec<Violation> {
    let mut found = Vec::new();
    if next.topology != topology.version {
        found.push(Violation::WrongVersion(name.clone()));
    }
    let component_of = components(topology);
    for executor in component_of.keys() {
        match (next.places.contains_key(executor), next.unplaced.contains_key(executor)) {
            (false, false) => found.push(Violation::Missing(name.clone(), *executor)),
            (true, true) => found.push(Violation::Twice(name.clone(), *executor)),
            _ => {}
        }
    }
    let strays = next.places.keys().chain(next.unplaced.keys()).filter(|executor| !component_of.contains_key(executor));
    found.extend(strays.map(|executor| Violation::Stray(name.clone(), *executor)));
    let current = topology.current.as_ref();
    for (executor, slot) in &next.places {
        let Some(component) = component_of.get(executor) else { continue };
        let before = current.and_then(|current| current.places.get(executor));
        found.extend(misplaced(input, name, *executor, component, slot, before));
    }
    let slots = lasting_slots(input, next.places.values()).len();
    if slots > topology.ceiling() {
        found.push(Violation::Ceiling(name.clone(), slots, topology.ceiling()));
    }
    found
}

/// Each executor's component.
fn components(topology: &Topology) -> BTreeMap<ExecutorId, &Component> {
    topology.components.iter().flat_map(|it| it.executors.iter().map(move |id| (*id, it))).collect()
}

/// The slots that count against a ceiling: not those on workers that are being drained, for what is there is on its way out.
fn lasting_slots<'a>(input: &Input, slots: impl Iterator<Item = &'a SlotId>) -> BTreeSet<&'a SlotId> {
    slots.filter(|slot| !is_drained(input, &slot.worker)).collect()
}

fn is_drained(input: &Input, worker: &WorkerName) -> bool {
    input.workers.get(worker).is_some_and(|it| it.standing == Standing::Draining)
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

fn shared_slots(after: &Places<'_>) -> Vec<Violation> {
    let mut owners: BTreeMap<&SlotId, &TopologyName> = BTreeMap::new();
    let mut shared = BTreeSet::new();
    for (name, assignment) in after {
        for slot in assignment.places.values() {
            let owner = *owners.entry(slot).or_insert(name);
            if owner != *name {
                shared.insert((owner, *name, slot));
            }
        }
    }
    shared
        .into_iter()
        .map(|(one, other, slot)| Violation::SharedSlot(one.clone(), other.clone(), slot.clone()))
        .collect()
}
