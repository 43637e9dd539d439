//! Why an executor has no place.

use super::board::{Board, Obstacle, Room};
use super::place::Placing;
use crate::Unplaced;

/// What stands in the way of an executor of this component: what the workers that come closest lack.
pub(super) fn why_not(board: &Board<'_>, placing: &Placing<'_>, place: usize) -> Unplaced {
    let component = &placing.topology.components[place];
    let met: Vec<_> =
        board.rooms.iter().filter_map(|room| Some((placing.obstacle(board, place, room)?, room))).collect();
    let Some(furthest) = met.iter().map(|(obstacle, _)| *obstacle).max() else { return Unplaced::NoWorkers };
    let closest: Vec<&Room<'_>> =
        met.iter().filter(|(obstacle, _)| *obstacle == furthest).map(|(_, room)| *room).collect();
    match furthest {
        Obstacle::Standing => Unplaced::NoWorkers,
        Obstacle::Tags => Unplaced::NoWorkerWithTags(component.tags.iter().cloned().collect()),
        Obstacle::Foe => Unplaced::AntiAffinity { worker: closest[0].name.clone() },
        Obstacle::NoFreeSlot => {
            Unplaced::NoFreeSlot { slots: closest.iter().map(|room| u32::from(room.worker.slots)).sum() }
        }
        Obstacle::Ceiling => Unplaced::Ceiling { max_slots: placing.topology.options.max_slots },
        Obstacle::Memory => Unplaced::NoMemory {
            needed_mib: component.needs.memory_mib.into(),
            most_mib: closest.iter().map(|room| room.memory_left()).max().unwrap_or(0),
        },
        Obstacle::Cpu => Unplaced::NoCpu {
            needed_percent: component.needs.cpu_percent,
            most_percent: u32::try_from(closest.iter().map(|room| room.cpu_left()).max().unwrap_or(0))
                .unwrap_or(u32::MAX),
        },
    }
}
