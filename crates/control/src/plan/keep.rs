//! What stays where it is, and why the rest can't.

use squall_types::cluster::{ExecutorId, SlotId};

use super::board::Board;
use super::seats::Seats;
use super::{Component, Reason, Standing};

/// An executor without a place as yet.
pub(super) struct Leaving {
    /// Its component, by place among the topology's.
    pub component: usize,
    pub executor: ExecutorId,
    pub from: Option<SlotId>,
    pub reason: Reason,
}

/// Puts down what of a topology stays, and gives back the rest.
pub(super) fn keep(board: &mut Board<'_>, topology: usize) -> (Seats, Vec<Leaving>) {
    let it = board.topologies[topology].1;
    let mut seats = Seats::new(board, topology);
    let mut leaving = Vec::new();
    for (place, component) in it.components.iter().enumerate() {
        for executor in component.executors.iter().copied() {
            let current = it.current.as_ref().and_then(|current| current.places.get(&executor));
            let Some(slot) = current else {
                let known = it.current.as_ref().is_some_and(|current| current.unplaced.contains_key(&executor));
                let reason = if known { Reason::Found } else { Reason::New };
                leaving.push(Leaving { component: place, executor, from: None, reason });
                continue;
            };
            match stay(board, topology, &seats, place, component, slot) {
                Ok(room) => {
                    board.put((room, slot.number), topology, component.needs);
                    seats.seat(board, (room, slot.number), place, executor);
                }
                Err(reason) => {
                    leaving.push(Leaving { component: place, executor, from: Some(slot.clone()), reason });
                }
            }
        }
    }
    (seats, leaving)
}

/// The number of the worker on which an executor stays, or why it can't.
pub(super) fn stay(
    board: &Board<'_>,
    number: usize,
    seats: &Seats,
    place: usize,
    component: &Component,
    slot: &SlotId,
) -> Result<usize, Reason> {
    let topology = board.topologies[number].1;
    let worker = || slot.worker.clone();
    let at = board.room_of(&slot.worker).ok_or_else(|| Reason::Forgotten(worker()))?;
    let room = &board.rooms[at];
    let refused = match room.worker.standing {
        Standing::Dead => Some(Reason::Died(worker())),
        Standing::Left => Some(Reason::Left(worker())),
        _ if slot.number >= room.worker.slots => Some(Reason::SlotGone(slot.clone())),
        _ if room.worker.lost.contains(&slot.number) => Some(Reason::SlotLost(slot.clone())),
        _ if room.owner(slot.number).is_some_and(|owner| owner != number) => Some(Reason::SlotTaken(slot.clone())),
        _ if !component.tags.is_subset(&room.worker.tags) => Some(Reason::Tags(worker())),
        _ => None,
    };
    if let Some(reason) = refused {
        return Err(reason);
    }
    if let Some(foe) = board.foe(room, number) {
        return Err(Reason::AntiAffinity { worker: worker(), topology: foe.clone() });
    }
    if !room.has_memory(component.needs, &topology.options) {
        return Err(Reason::Memory(worker()));
    }
    if !room.has_cpu(component.needs, &topology.options) {
        return Err(Reason::Cpu(worker()));
    }
    // Before the ceiling, for which slots that are being drained don't count.
    if room.worker.standing == Standing::Draining {
        return Err(Reason::Drained(worker()));
    }
    if !seats.has((at, slot.number)) && !seats.may_open(topology) {
        return Err(Reason::Ceiling(topology.options.max_slots));
    }
    if topology.evenly && !seats.is_even_with((at, slot.number), place) {
        return Err(Reason::Evenly);
    }
    Ok(at)
}
