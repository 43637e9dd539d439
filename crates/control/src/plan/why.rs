//! Why an executor has no place.

use super::board::{Board, Room};
use super::place::Placing;
use crate::Unplaced;

/// What stands in the way of an executor of this component: what comes first when places are looked for.
pub(super) fn why_not(board: &Board<'_>, placing: &Placing<'_>, place: usize) -> Unplaced {
    let component = &placing.topology.components[place];
    let (number, options) = (placing.number, &placing.topology.options);
    let rooms: Vec<&Room<'_>> = board.rooms.iter().filter(|room| room.worker.standing.takes()).collect();
    if rooms.is_empty() {
        return Unplaced::NoWorkers;
    }
    let rooms: Vec<_> = rooms.into_iter().filter(|room| component.tags.is_subset(&room.worker.tags)).collect();
    if rooms.is_empty() {
        return Unplaced::NoWorkerWithTags(component.tags.iter().cloned().collect());
    }
    let (kept_away, rooms): (Vec<_>, Vec<_>) = rooms.into_iter().partition(|room| board.foe(room, number).is_some());
    if let (true, Some(first)) = (rooms.is_empty(), kept_away.first()) {
        return Unplaced::AntiAffinity { worker: first.name.clone() };
    }
    let slots = rooms.iter().map(|room| u32::from(room.worker.slots)).sum();
    let rooms: Vec<_> = rooms.into_iter().filter(|room| room.runs(number) || room.free_slot().is_some()).collect();
    if rooms.is_empty() {
        return Unplaced::NoFreeSlot { slots };
    }
    let may_open = placing.seats.may_open(placing.topology);
    let rooms: Vec<_> = rooms.into_iter().filter(|room| may_open || room.runs(number)).collect();
    let ceiling = Unplaced::Ceiling { max_slots: options.max_slots };
    let Some(most_mib) = rooms.iter().map(|room| room.memory_left()).max() else { return ceiling };
    let needs = component.needs;
    let rooms: Vec<_> = rooms.into_iter().filter(|room| room.has_memory(needs, options)).collect();
    let Some(most) = rooms.iter().map(|room| room.cpu_left()).max() else {
        return Unplaced::NoMemory { needed_mib: needs.memory_mib.into(), most_mib };
    };
    if rooms.iter().any(|room| room.has_cpu(needs, options)) {
        return ceiling;
    }
    Unplaced::NoCpu { needed_percent: needs.cpu_percent, most_percent: u32::try_from(most).unwrap_or(u32::MAX) }
}
