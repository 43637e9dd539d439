//! Moves that needn't be.

use std::collections::BTreeSet;

use squall_types::cluster::{ExecutorId, SlotId, TopologyName};

use super::rooms::Rooms;
use super::{Places, Violation, components, lasting_slots};
use crate::plan::{Component, Input, Plan, Standing, Topology};

/// Executors that leave their place, or lose it, though they could stay there beside all that stays. Every reason to move is something that
/// speaks against the place itself, or something that stays and leaves no room; what comes new to a place is no reason.
pub(super) fn needless(input: &Input, plan: &Plan) -> Vec<Violation> {
    let before: Places<'_> =
        input.topologies.iter().filter_map(|(name, it)| Some((name, it.current.as_ref()?))).collect();
    let stays = |name: &TopologyName, executor: ExecutorId, slot: &SlotId| {
        plan.assignments.get(name).is_none_or(|next| next.places.get(&executor) == Some(slot))
    };
    let staying = Rooms::new(input, &before, stays);
    let mut found = Vec::new();
    for (name, current) in &before {
        let topology = &input.topologies[*name];
        // Who is to be spread evenly may leave any place.
        if topology.evenly || !plan.assignments.contains_key(*name) {
            continue;
        }
        let component_of = components(topology);
        let kept = current.places.iter().filter(|(id, slot)| component_of.contains_key(id) && stays(name, **id, slot));
        let slots = lasting_slots(input, kept.map(|(_, slot)| slot));
        for (executor, slot) in current.places.iter().filter(|(id, slot)| !stays(name, **id, slot)) {
            let Some(component) = component_of.get(executor) else { continue };
            if could_stay(&staying, (name, topology), component, slot, &slots) {
                found.push(Violation::Needless((*name).clone(), *executor, slot.clone()));
            }
        }
    }
    found
}

fn could_stay(
    staying: &Rooms<'_>,
    (name, topology): (&TopologyName, &Topology),
    component: &Component,
    slot: &SlotId,
    slots: &BTreeSet<&SlotId>,
) -> bool {
    let Some(worker) = staying.input.workers.get(&slot.worker) else { return false };
    worker.standing.keeps()
        && worker.standing != Standing::Draining
        && slot.number < worker.slots
        && !worker.lost.contains(&slot.number)
        && staying.on(&slot.worker).owner(slot.number).is_none_or(|owner| owner == name)
        && staying.fits(name, topology, component, &slot.worker)
        && (slots.contains(slot) || slots.len() < topology.ceiling())
}
