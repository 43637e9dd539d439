//! Why an executor is where it is: which places there are for it, and what speaks against each. By the planner's own rules: what keeps it off a
//! worker, and which of two slots is better, is asked where plans ask it.

use squall_types::cluster::{ExecutorId, SlotId, TopologyName};

use super::board::{Board, Obstacle, Room};
use super::keep::{Leaving, keep, stay};
use super::place::Placing;
use super::pool::{Score, entry, opened};
use super::seats::{At, Seats};
use super::verdict::{Against, Candidate, Drawback, Explanation, KeptOff, Refused};
use super::why::why_not;
use super::{Input, Reason};

/// Every place for one executor, with everything else where it is; none, if the topology has no such executor.
pub fn explain(input: &Input, name: &TopologyName, executor: ExecutorId) -> Option<Explanation> {
    let topology = input.topologies.get(name)?;
    let place = topology.components.iter().position(|it| it.executors.binary_search(&executor).is_ok())?;
    let at = topology.current.as_ref().and_then(|current| current.places.get(&executor)).cloned();
    let without = without(input, name, executor);
    let mut board = Board::new(&without);
    let number = board.topologies.iter().position(|(it, _)| *it == name)?;
    let mut kept: Vec<_> = (0..board.topologies.len()).map(|number| keep(&mut board, number)).collect();
    let (mut seats, leaving) = kept.swap_remove(number);
    sit_down(&board, &mut seats, &leaving);
    let component = &topology.components[place];
    let leaves = at.as_ref().and_then(|slot| stay(&board, number, &seats, place, component, slot).err());
    let placing = Placing::new(&board, number, seats, leaving);
    let refused = board.rooms.iter().filter_map(|room| refused(&board, &placing, place, room)).collect();
    let candidates = candidates(&board, &placing, place);
    let nowhere = candidates.is_empty().then(|| why_not(&board, &placing, place));
    Some(Explanation { at, leaves, candidates, nowhere, refused })
}

/// The same, as if the executor had no place.
fn without(input: &Input, name: &TopologyName, executor: ExecutorId) -> Input {
    let mut without = input.clone();
    if let Some(current) = without.topologies.get_mut(name).and_then(|it| it.current.as_mut()) {
        current.places.remove(&executor);
    }
    without
}

/// Who is drained stays for as long as there is no other place.
fn sit_down(board: &Board<'_>, seats: &mut Seats, leaving: &[Leaving]) {
    for it in leaving.iter().filter(|it| matches!(it.reason, Reason::Drained(_))) {
        let slot = it.from.as_ref().and_then(|slot| Some((board.room_of(&slot.worker)?, slot.number)));
        if let Some(at) = slot {
            seats.seat(board, at, it.component, it.executor);
        }
    }
}

fn candidates(board: &Board<'_>, placing: &Placing<'_>, place: usize) -> Vec<Candidate> {
    let own = (0..placing.seats.slots.len()).filter_map(|slot| placing.own(board, place, slot));
    let own = own.map(|(score, slot)| (score, placing.seats.slots[slot].at, false));
    let new = (0..board.rooms.len()).filter_map(|room| new(board, placing, place, room));
    let mut all: Vec<(Score, At, bool)> = own.chain(new).collect();
    all.sort_unstable();
    let best = all.first().map(|(score, ..)| *score);
    let candidate = |(score, (room, number), opens): (Score, At, bool)| Candidate {
        slot: SlotId { worker: board.rooms[room].name.clone(), number },
        opens,
        behind: best.filter(|best| *best != score).map(|best| drawback(&score, &best)),
    };
    all.into_iter().map(candidate).collect()
}

/// The slot that would be opened on a worker where the topology has none.
fn new(board: &Board<'_>, placing: &Placing<'_>, place: usize, number: usize) -> Option<(Score, At, bool)> {
    let room = &board.rooms[number];
    let free = room.free_slot().filter(|_| !placing.seats.on(number))?;
    if placing.obstacle(board, place, room).is_some() {
        return None;
    }
    let needs = placing.topology.components[place].needs;
    let score = opened(entry(board, number, needs, placing.seed), placing.seats.zones[room.zone]);
    Some((score, (number, free), true))
}

/// The first field in which two scores differ, in the order in which scores are compared.
fn drawback(score: &Score, best: &Score) -> Drawback {
    let small = |here: u32, best: u32| Against { here, best };
    if score.reluctance != best.reluctance {
        Drawback::Quarantined
    } else if score.overloaded != best.overloaded {
        Drawback::Overloaded
    } else if score.over_share != best.over_share {
        Drawback::Share
    } else if score.strangers != best.strangers {
        Drawback::Neighbours
    } else if score.own != best.own {
        Drawback::Component(small(score.own, best.own))
    } else if score.all != best.all {
        Drawback::Topology(small(score.all, best.all))
    } else if score.zone != best.zone {
        Drawback::Zone(small(score.zone, best.zone))
    } else if score.load != best.load {
        Drawback::Load(Against { here: score.load, best: best.load })
    } else {
        Drawback::Name
    }
}

fn refused(board: &Board<'_>, placing: &Placing<'_>, place: usize, room: &Room<'_>) -> Option<Refused> {
    let obstacle = placing.obstacle(board, place, room)?;
    let component = &placing.topology.components[place];
    let why = match obstacle {
        Obstacle::Standing => KeptOff::Standing(room.worker.standing),
        Obstacle::Tags => KeptOff::Tags(component.tags.difference(&room.worker.tags).cloned().collect()),
        // There is one, for it is the obstacle.
        Obstacle::Foe => KeptOff::AntiAffinity(board.foe(room, placing.number)?.clone()),
        Obstacle::NoFreeSlot => KeptOff::NoFreeSlot { slots: room.worker.slots },
        Obstacle::Ceiling => KeptOff::Ceiling { max_slots: placing.topology.options.max_slots },
        Obstacle::Memory => {
            KeptOff::Memory { needed_mib: component.needs.memory_mib.into(), left_mib: room.memory_left() }
        }
        Obstacle::Cpu => {
            KeptOff::Cpu { needed_percent: component.needs.cpu_percent.into(), left_percent: room.cpu_left() }
        }
    };
    Some(Refused { worker: room.name.clone(), why })
}
