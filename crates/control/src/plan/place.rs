//! Finding places for those that have none.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use squall_types::cluster::{ExecutorId, SlotId};

use super::board::{Board, Obstacle, Room, reluctance};
use super::keep::Leaving;
use super::pool::{Pool, Score, hash, seed};
use super::seats::{At, Seats};
use super::{Component, Reason, Topology};

/// One topology, while its executors are placed.
pub(super) struct Placing<'a> {
    pub number: usize,
    pub topology: &'a Topology,
    pub seats: Seats,
    pub leaving: Vec<Leaving>,
    /// Those that have found no new place, with their component's. Where they stay for now, if they may.
    pub homeless: Vec<(usize, ExecutorId, Option<SlotId>)>,
    pools: Vec<Pool<'a>>,
    /// What the topology's hashes begin with.
    pub seed: u64,
}

impl<'a> Placing<'a> {
    pub fn new(board: &Board<'a>, number: usize, seats: Seats, leaving: Vec<Leaving>) -> Self {
        let (topology, seed) = (board.topologies[number].1, seed(board, number));
        Self { number, topology, seats, leaving, homeless: Vec::new(), pools: Vec::new(), seed }
    }

    /// Places all that are leaving, component by component.
    pub fn run(&mut self, board: &mut Board<'a>) {
        let mut by_component: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, leaving) in self.leaving.iter().enumerate() {
            by_component.entry(leaving.component).or_default().push(index);
        }
        for (place, leaving) in by_component {
            self.place_all(board, place, &leaving);
        }
        self.pools = Vec::new();
    }

    /// A slot's score changes only when something is put into it, so the best of the topology's own stands at the top of a heap.
    fn place_all(&mut self, board: &mut Board<'a>, place: usize, leaving: &[usize]) {
        let component = &self.topology.components[place];
        let mut own: BinaryHeap<Reverse<(Score, usize)>> =
            (0..self.seats.slots.len()).filter_map(|slot| self.own(board, place, slot)).map(Reverse).collect();
        let pool = self.pool(board, component);
        for index in leaving {
            let Some(at) = self.best(board, place, pool, &mut own) else {
                self.give_up(board, place, *index);
                continue;
            };
            board.put(at, self.number, component.needs);
            let slot = self.seats.seat(board, at, place, self.leaving[*index].executor);
            own.extend(self.own(board, place, slot).map(Reverse));
        }
    }

    /// The pool of the component's needs and tags, by number.
    fn pool(&mut self, board: &Board<'a>, component: &'a Component) -> usize {
        let known = self.pools.iter().position(|it| it.needs == component.needs && *it.tags == component.tags);
        known.unwrap_or_else(|| {
            self.pools.push(Pool::new(board, self.number, component.needs, &component.tags, &self.seats));
            self.pools.len() - 1
        })
    }

    fn best(
        &mut self,
        board: &Board<'a>,
        place: usize,
        pool: usize,
        own: &mut BinaryHeap<Reverse<(Score, usize)>>,
    ) -> Option<At> {
        let opened = if self.seats.may_open(self.topology) { self.pools[pool].best(&self.seats) } else { None };
        loop {
            let known = own.peek().map(|Reverse(it)| *it);
            let better = known.filter(|(score, _)| opened.is_none_or(|(other, _)| *score < other));
            let Some((score, slot)) = better else {
                let (_, room) = opened?;
                return board.rooms[room].free_slot().map(|number| (room, number));
            };
            own.pop();
            match self.own(board, place, slot) {
                Some(now) if now.0 == score => return Some(self.seats.slots[slot].at),
                // Another slot on the same worker has grown.
                now => own.extend(now.map(Reverse)),
            }
        }
    }

    /// The score of one of the topology's own slots, if it can take an executor of this component.
    pub fn own(&self, board: &Board<'a>, place: usize, number: usize) -> Option<(Score, usize)> {
        let component = &self.topology.components[place];
        let slot = &self.seats.slots[number];
        let room = &board.rooms[slot.at.0];
        if !board.fits(room, self.number, component.needs, &component.tags) {
            return None;
        }
        let own = slot.counts[place];
        let beside = component.inputs.iter().filter(|edge| slot.counts[edge.from] > own);
        let neighbours: u64 = beside.map(|edge| edge.weight).sum();
        let load = room.load_with(component.needs);
        let score = Score {
            reluctance: reluctance(room.worker.standing),
            overloaded: load > 1_000,
            over_share: own >= self.seats.share(place),
            strangers: u64::MAX - neighbours,
            own,
            all: slot.all,
            zone: 0,
            load,
            hash: hash(room.name.as_str(), self.seed),
        };
        Some((score, number))
    }

    /// Whoever is drained stays for as long as there is no other place.
    fn give_up(&mut self, board: &mut Board<'a>, place: usize, index: usize) {
        let leaving = &self.leaving[index];
        let executor = leaving.executor;
        let stays = leaving.from.clone().filter(|_| matches!(leaving.reason, Reason::Drained(_)));
        if let Some((slot, room)) = stays.as_ref().and_then(|slot| Some((slot, board.room_of(&slot.worker)?))) {
            let at = (room, slot.number);
            board.put(at, self.number, self.topology.components[place].needs);
            self.seats.seat(board, at, place, executor);
        }
        self.homeless.push((place, executor, stays));
    }

    /// What keeps the executors of a component off a worker.
    pub fn obstacle(&self, board: &Board<'a>, place: usize, room: &Room<'a>) -> Option<Obstacle> {
        let component = &self.topology.components[place];
        let no_slot = || match (room.runs(self.number), room.free_slot()) {
            (true, _) => None,
            (false, None) => Some(Obstacle::NoFreeSlot),
            (false, Some(_)) => (!self.seats.may_open(self.topology)).then_some(Obstacle::Ceiling),
        };
        let shut = board.shut(room, self.number, &component.tags);
        shut.or_else(no_slot).or_else(|| board.full(room, self.number, component.needs))
    }
}
