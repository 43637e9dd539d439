//! Making a plan: what may stay stays, the rest is placed one by one, and what can't be placed says why.

use std::collections::BTreeMap;

use squall_types::cluster::{AssignmentVersion, ExecutorId, SlotId, TopologyName};

use super::board::Board;
use super::keep::{Leaving, keep};
use super::place::Placing;
use super::why::why_not;
use super::{Input, Move, Plan, Reason, Stuck, Topology};
use crate::{Assignment, Unplaced};

/// Decides who runs what. The same input gives the same plan.
pub fn plan(input: &Input) -> Plan {
    let mut board = Board::new(input);
    // All that stays is put down first, so that nothing new takes its place.
    let kept: Vec<_> = (0..board.topologies.len()).map(|number| keep(&mut board, number)).collect();
    let mut placings: Vec<Placing<'_>> = kept
        .into_iter()
        .enumerate()
        .map(|(number, (seats, leaving))| Placing::new(&board, number, seats, leaving))
        .collect();
    placings.iter_mut().for_each(|placing| placing.run(&mut board));
    let mut plan = Plan::default();
    // Reasons are given once all is placed: another's executors may be what stands in the way.
    for placing in placings {
        write_down(&board, placing, &mut plan);
    }
    plan
}

fn write_down(board: &Board<'_>, placing: Placing<'_>, plan: &mut Plan) {
    let (name, topology) = board.topologies[placing.number];
    let mut reasons: BTreeMap<usize, Unplaced> = BTreeMap::new();
    let mut unplaced = BTreeMap::new();
    for (place, executor, stays) in &placing.homeless {
        let why = reasons.entry(*place).or_insert_with(|| why_not(board, &placing, *place)).clone();
        match stays {
            Some(slot) => {
                let slot = slot.clone();
                plan.stuck.push(Stuck { topology: name.clone(), executor: *executor, slot, why });
            }
            None => drop(unplaced.insert(*executor, why)),
        }
    }
    let current = topology.current.as_ref();
    let parent = current.map_or(AssignmentVersion::ZERO, |current| current.version);
    let places = placing.seats.into_places(board);
    let next = Assignment { version: parent.next(), parent, topology: topology.version, places, unplaced };
    let same = current
        .is_some_and(|it| it.places == next.places && it.unplaced == next.unplaced && it.topology == next.topology);
    if same && !topology.evenly {
        return;
    }
    let moved = placing.leaving.into_iter().filter_map(|leaving| moved(name, topology, leaving, &next));
    plan.moves.extend(moved);
    let ended = current
        .into_iter()
        .flat_map(|it| &it.places)
        .filter(|(id, _)| !next.places.contains_key(id) && !next.unplaced.contains_key(id));
    plan.moves.extend(ended.map(|(executor, slot)| end(name, *executor, slot)));
    plan.assignments.insert(name.clone(), next);
}

fn moved(name: &TopologyName, topology: &Topology, leaving: Leaving, next: &Assignment) -> Option<Move> {
    let Leaving { component, executor, from, reason } = leaving;
    let to = next.places.get(&executor).cloned();
    let component = Some(topology.components[component].id.clone());
    (from != to).then(|| Move { topology: name.clone(), component, executor, from, to, reason })
}

fn end(name: &TopologyName, executor: ExecutorId, slot: &SlotId) -> Move {
    let (from, reason) = (Some(slot.clone()), Reason::Ended);
    Move { topology: name.clone(), component: None, executor, from, to: None, reason }
}
