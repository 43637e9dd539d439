//! Executors that wait for a place that there is.

use squall_types::cluster::{ExecutorId, TopologyName, WorkerName};

use super::rooms::Rooms;
use super::{Places, Violation, is_drained, lasting_slots};
use crate::plan::{Component, Topology};

/// Components of which an executor has no place, or only one on a worker that is being drained, though a worker could take it as everything
/// stands after the plan. One executor of each such component is named: the others wait for the same.
pub(super) fn idle(after: &Places<'_>, rooms: &Rooms<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, assignment) in after {
        let Some(topology) = rooms.input.topologies.get(*name) else { continue };
        let waits = |id: &&ExecutorId| match assignment.places.get(*id) {
            Some(slot) => is_drained(rooms.input, &slot.worker),
            None => assignment.unplaced.contains_key(*id),
        };
        let may_open = lasting_slots(rooms.input, assignment.places.values()).len() < topology.ceiling();
        for component in &topology.components {
            let Some(executor) = component.executors.iter().find(waits) else { continue };
            let place = taker(rooms, (name, topology), component, may_open);
            found.extend(place.map(|worker| Violation::Idle((*name).clone(), *executor, worker.clone())));
        }
    }
    found
}

fn taker<'a>(
    rooms: &Rooms<'a>,
    (name, topology): (&TopologyName, &Topology),
    component: &Component,
    may_open: bool,
) -> Option<&'a WorkerName> {
    let takes = |(worker, it): &(&WorkerName, &crate::plan::Worker)| {
        let room = rooms.on(worker);
        let free = |number: u16| room.owner(number).is_none() && !it.lost.contains(&number);
        it.standing.takes()
            && rooms.fits(name, topology, component, worker)
            && (room.runs(name) || (may_open && (0..it.slots).any(free)))
    };
    rooms.input.workers.iter().find(takes).map(|(worker, _)| worker)
}
