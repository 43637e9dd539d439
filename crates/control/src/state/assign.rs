//! Planners' decisions, decided again.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_types::cluster::{SlotId, TopologyName};

use super::{Deployed, Done, Reply, State};
use crate::command::Assign;
use crate::{Assignment, Misfit, Refusal, What};

impl State {
    /// Takes all assignments of a plan, or none.
    pub(super) fn assign(&mut self, assign: &Assign) -> Done {
        let mut claimed = BTreeMap::new();
        for (name, assignment) in &assign.assignments {
            let deployed = self.topologies.get(name).ok_or_else(|| self.unknown_topology(name))?;
            derived(deployed, assignment)?;
            let misfit = |misfit| Refusal::Misfit { name: name.clone(), misfit };
            executors(deployed, assignment).map_err(misfit)?;
            for slot in assignment.places.values() {
                self.has_slot(slot).map_err(misfit)?;
                let other = self.slots.get(slot).filter(|owner| !assign.assignments.contains_key(*owner));
                let owner = other.unwrap_or_else(|| claimed.entry(slot).or_insert(name));
                if owner != name {
                    return Err(misfit(Misfit::SlotTaken { slot: slot.clone(), topology: owner.clone() }));
                }
            }
        }
        self.free_slots(assign);
        let taken = assign.assignments.iter().filter_map(|(name, it)| self.take(name, it, assign)).collect();
        Ok((Reply::Done, taken))
    }

    fn free_slots(&mut self, assign: &Assign) {
        for deployed in assign.assignments.keys().filter_map(|name| self.topologies.get(name)) {
            for slot in deployed.slots() {
                self.slots.remove(slot);
            }
        }
    }

    fn take(&mut self, name: &TopologyName, assignment: &Assignment, assign: &Assign) -> Option<What> {
        let deployed = self.topologies.get_mut(name)?;
        deployed.assignment = Some(Arc::new(assignment.clone()));
        // A plan that was made before executors were to be spread evenly knew nothing of it.
        deployed.evenly_since = deployed.evenly_since.filter(|since| assign.planned_at < *since);
        self.slots.extend(assignment.places.values().map(|slot| (slot.clone(), name.clone())));
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Some(What::TopologyAssigned {
            name: name.clone(),
            version: assignment.version,
            placed: count(assignment.places.len()),
            unplaced: count(assignment.unplaced.len()),
        })
    }

    fn has_slot(&self, slot: &SlotId) -> Result<(), Misfit> {
        let worker = self.workers.get(&slot.worker).ok_or_else(|| Misfit::NoWorker(slot.worker.clone()))?;
        let slots = worker.registration.slots;
        if slot.number < slots { Ok(()) } else { Err(Misfit::NoSlot { slot: slot.clone(), slots }) }
    }
}

/// Whether the assignment is the next one in the topology's chain, and for the version that it has.
fn derived(deployed: &Deployed, assignment: &Assignment) -> Result<(), Refusal> {
    let (name, current) = (deployed.name.clone(), deployed.parent());
    if assignment.parent != current {
        return Err(Refusal::StaleAssignment { name, parent: assignment.parent, current });
    }
    let (given, next) = (assignment.version, current.next());
    if given != next {
        return Err(Refusal::Misfit { name, misfit: Misfit::Gap { given, next } });
    }
    let (given, current) = (assignment.topology, deployed.current.version);
    if given != current {
        return Err(Refusal::Misfit { name, misfit: Misfit::Version { given, current } });
    }
    Ok(())
}

/// Whether the assignment speaks of each executor once, and of no other.
fn executors(deployed: &Deployed, assignment: &Assignment) -> Result<(), Misfit> {
    let executors = deployed.shape.executors();
    for executor in executors.keys() {
        match (assignment.places.contains_key(executor), assignment.unplaced.contains_key(executor)) {
            (true, true) => return Err(Misfit::Twice(*executor)),
            (false, false) => return Err(Misfit::Missing(*executor)),
            (true, false) | (false, true) => {}
        }
    }
    let mut named = assignment.places.keys().chain(assignment.unplaced.keys());
    named.find(|executor| !executors.contains_key(executor)).map_or(Ok(()), |executor| Err(Misfit::Unknown(*executor)))
}
