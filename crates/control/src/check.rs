//! Looks a plan over, knowing nothing of how it was made: what it finds is a defect of the planner.

use std::collections::{BTreeMap, BTreeSet};

use squall_types::cluster::{ExecutorId, SlotId, TopologyName, WorkerName};

use crate::Assignment;
use crate::plan::{Input, Plan, Standing, Topology};

/// A rule that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// It assigns a topology that there isn't.
    #[error("{0} is assigned, and there is no such topology")]
    UnknownTopology(TopologyName),
    /// It says nothing of an executor.
    #[error("executor {1} of {0} is left out")]
    Missing(TopologyName, ExecutorId),
    /// It speaks of an executor that the topology doesn't have, or speaks of one twice.
    #[error("executor {1} of {0} is none, or is both placed and unplaced")]
    Surplus(TopologyName, ExecutorId),
    /// An assignment doesn't follow the current one.
    #[error("the assignment of {0} does not follow the current one")]
    VersionGap(TopologyName),
    /// A new place is on a worker that takes none.
    #[error("executor {1} of {0} gets a place on {2}, which takes no new work")]
    Closed(TopologyName, ExecutorId, WorkerName),
    /// A place is on a worker that is dead, has left, isn't known, or has no such slot.
    #[error("executor {1} of {0} has a place in {2}, which is none")]
    NoPlace(TopologyName, ExecutorId, SlotId),
    /// A worker lacks a tag.
    #[error("executor {1} of {0} is on {2}, which lacks a tag")]
    Tags(TopologyName, ExecutorId, WorkerName),
    /// Two topologies share a slot.
    #[error("{0} and {1} share slot {2}")]
    Shared(TopologyName, TopologyName, SlotId),
    /// Topologies that keep away from each other share a worker.
    #[error("{0} and {1} share {2}, and one keeps away from the other")]
    TooNear(TopologyName, TopologyName, WorkerName),
    /// A topology uses more slots than it may.
    #[error("{0} uses {1} slots, and may use {2}")]
    Ceiling(TopologyName, usize, usize),
}

/// All rules that a plan breaks.
pub fn check(input: &Input, plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, assignment) in &plan.assignments {
        match input.topologies.get(name) {
            Some(topology) => one(input, name, topology, assignment, &mut found),
            None => found.push(Violation::UnknownTopology(name.clone())),
        }
    }
    together(input, plan, &mut found);
    found
}

fn one(input: &Input, name: &TopologyName, topology: &Topology, assignment: &Assignment, found: &mut Vec<Violation>) {
    let executors: BTreeSet<_> = topology.executors().map(|(_, executor)| executor).collect();
    let (places, unplaced) = (&assignment.places, &assignment.unplaced);
    let said = |executor: &ExecutorId| places.contains_key(executor) || unplaced.contains_key(executor);
    found.extend(executors.iter().filter(|it| !said(it)).map(|it| Violation::Missing(name.clone(), *it)));
    let surplus = |it: &&ExecutorId| !executors.contains(it) || places.contains_key(it) && unplaced.contains_key(it);
    found.extend(places.keys().chain(unplaced.keys()).filter(surplus).map(|it| Violation::Surplus(name.clone(), *it)));
    let follows = topology.current.as_ref().is_none_or(|current| assignment.parent == current.version);
    if !follows || assignment.version != assignment.parent.next() || assignment.topology != topology.version {
        found.push(Violation::VersionGap(name.clone()));
    }
    for (executor, slot) in places {
        let worker = input.workers.get(&slot.worker).filter(|it| it.standing.keeps() && slot.number < it.slots);
        let Some(worker) = worker.filter(|it| !it.lost.contains(&slot.number)) else {
            found.push(Violation::NoPlace(name.clone(), *executor, slot.clone()));
            continue;
        };
        let stays = topology.current.as_ref().is_some_and(|it| it.places.get(executor) == Some(slot));
        if !stays && !worker.standing.takes() {
            found.push(Violation::Closed(name.clone(), *executor, slot.worker.clone()));
        }
        if topology.component_of(*executor).is_some_and(|it| !it.tags.is_subset(&worker.tags)) {
            found.push(Violation::Tags(name.clone(), *executor, slot.worker.clone()));
        }
    }
}

/// What holds between topologies, those that stay as they are included.
fn together(input: &Input, plan: &Plan, found: &mut Vec<Violation>) {
    let mut holders: BTreeMap<&SlotId, &TopologyName> = BTreeMap::new();
    let mut on: BTreeMap<&WorkerName, BTreeSet<&TopologyName>> = BTreeMap::new();
    for (name, topology) in &input.topologies {
        let Some(assignment) = plan.assignments.get(name).or(topology.current.as_ref()) else { continue };
        let slots: BTreeSet<_> = assignment.places.values().collect();
        // Slots that a topology is to leave don't count: otherwise it could never leave them.
        let leaves =
            |slot: &SlotId| input.workers.get(&slot.worker).is_some_and(|it| it.standing == Standing::Draining);
        let count = slots.iter().filter(|slot| !leaves(slot)).count();
        if plan.assignments.contains_key(name) && count > topology.ceiling() {
            found.push(Violation::Ceiling(name.clone(), count, topology.ceiling()));
        }
        for slot in slots {
            on.entry(&slot.worker).or_default().insert(name);
            if let Some(other) = holders.insert(slot, name) {
                found.push(Violation::Shared(other.clone(), name.clone(), slot.clone()));
            }
        }
    }
    let avoids = |one: &TopologyName, other: &TopologyName| {
        input.topologies.get(one).is_some_and(|it| it.options.anti_affinity.contains(other))
    };
    for (worker, names) in on {
        for (one, other) in names.iter().flat_map(|one| names.iter().map(move |other| (*one, *other))) {
            if one != other && avoids(one, other) {
                found.push(Violation::TooNear(one.clone(), other.clone(), worker.clone()));
            }
        }
    }
}
