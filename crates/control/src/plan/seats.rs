//! Who of one topology has which place, while a plan is made.

use std::collections::BTreeMap;

use squall_types::cluster::{ExecutorId, SlotId};

use super::board::Board;
use super::{Standing, Topology};

/// A slot of the topology: its worker's number, and its own.
pub(super) type At = (usize, u16);

/// One slot of the topology.
pub(super) struct Slot {
    pub at: At,
    /// Its executors of each component.
    pub counts: Vec<u32>,
    /// Its executors.
    pub all: u32,
}

/// The places of one topology.
pub(super) struct Seats {
    pub slots: Vec<Slot>,
    numbers: BTreeMap<At, usize>,
    /// Its slots on workers that aren't being drained: what is on its way out doesn't count against the ceiling.
    lasting: usize,
    /// Slots of the topology in each zone.
    pub zones: Vec<u32>,
    places: Vec<(ExecutorId, usize)>,
    shares: Vec<Share>,
}

/// How an even spread deals a component's executors out.
struct Share {
    /// How many each slot has at least.
    floor: u32,
    /// How many slots have one more.
    extra: u32,
    /// How many slots have one more already.
    taken: u32,
}

impl Share {
    fn new(executors: usize, slots: usize) -> Self {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self { floor: number(executors / slots), extra: number(executors % slots), taken: 0 }
    }
}

impl Seats {
    pub fn new(board: &Board<'_>, topology: usize) -> Self {
        let it = board.topologies[topology].1;
        let executors: usize = it.components.iter().map(|component| component.executors.len()).sum();
        let slots = board.takers.min(it.ceiling()).min(executors).max(1);
        Self {
            slots: Vec::new(),
            numbers: BTreeMap::new(),
            lasting: 0,
            zones: vec![0; board.zones],
            places: Vec::with_capacity(executors),
            shares: it.components.iter().map(|component| Share::new(component.executors.len(), slots)).collect(),
        }
    }

    /// Gives an executor of a component its place. The number of the slot.
    pub fn seat(&mut self, board: &Board<'_>, at: At, component: usize, executor: ExecutorId) -> usize {
        let next = self.slots.len();
        let number = *self.numbers.entry(at).or_insert(next);
        if number == next {
            self.slots.push(Slot { at, counts: vec![0; self.shares.len()], all: 0 });
            let room = &board.rooms[at.0];
            self.zones[room.zone] += 1;
            self.lasting += usize::from(room.worker.standing != Standing::Draining);
        }
        self.slots[number].counts[component] += 1;
        self.slots[number].all += 1;
        let share = &mut self.shares[component];
        share.taken += u32::from(self.slots[number].counts[component] == share.floor + 1);
        self.places.push((executor, number));
        number
    }

    pub fn has(&self, at: At) -> bool {
        self.numbers.contains_key(&at)
    }

    /// Whether the topology has a slot on this worker.
    pub fn on(&self, room: usize) -> bool {
        self.numbers.range((room, 0)..=(room, u16::MAX)).next().is_some()
    }

    /// Whether another slot may be opened.
    pub fn may_open(&self, topology: &Topology) -> bool {
        self.lasting < topology.ceiling()
    }

    /// Whether one more of the component in this slot leaves room for an even spread.
    pub fn is_even_with(&self, at: At, component: usize) -> bool {
        let count = self.numbers.get(&at).map_or(0, |number| self.slots[*number].counts[component]);
        let share = &self.shares[component];
        count < share.floor || (count == share.floor && share.taken < share.extra)
    }

    /// The most executors of a component that a slot has in an even spread.
    pub fn share(&self, component: usize) -> u32 {
        let share = &self.shares[component];
        share.floor + u32::from(share.extra > 0)
    }

    /// All places.
    pub fn into_places(self, board: &Board<'_>) -> BTreeMap<ExecutorId, SlotId> {
        let slots: Vec<_> = self
            .slots
            .iter()
            .map(|slot| SlotId { worker: board.rooms[slot.at.0].name.clone(), number: slot.at.1 })
            .collect();
        self.places.into_iter().map(|(executor, number)| (executor, slots[number].clone())).collect()
    }
}
