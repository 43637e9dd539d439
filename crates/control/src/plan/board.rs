//! What is left where, while a plan is made.

use std::collections::{BTreeMap, BTreeSet};

use squall_types::cluster::{SlotId, TopologyName, WorkerName};
use squall_types::topology::Resources;

use super::{Input, Options, Standing, Worker};

/// One worker, and what has been given to it so far.
pub(super) struct Room<'a> {
    pub name: &'a WorkerName,
    pub worker: &'a Worker,
    /// Which topology has which slot.
    pub slots: BTreeMap<u16, &'a TopologyName>,
    pub cpu: u64,
    pub memory: u64,
    pub executors: u32,
    /// Whether somebody there holds CPU, or memory, to be a limit: then it is one for everybody.
    hard_cpu: bool,
    hard_memory: bool,
}

impl Room<'_> {
    /// The slot that a topology has here, or could open: the lowest that is free.
    pub fn slot_for(&self, topology: &TopologyName) -> Option<u16> {
        let own = self.slots.iter().find(|(_, owner)| *owner == &topology).map(|(number, _)| *number);
        own.or_else(|| {
            (0..self.worker.slots).find(|number| !self.slots.contains_key(number) && !self.worker.lost.contains(number))
        })
    }

    /// Whether the topology has a slot here already.
    pub fn runs(&self, topology: &TopologyName) -> bool {
        self.slots.values().any(|owner| *owner == topology)
    }

    pub fn cpu_left(&self) -> u64 {
        self.worker.cpu_percent.saturating_sub(self.cpu)
    }

    pub fn memory_left(&self) -> u64 {
        self.worker.memory_mib.saturating_sub(self.memory)
    }

    pub fn has_cpu(&self, needs: Resources, options: &Options) -> bool {
        !(self.hard_cpu || options.hard_cpu) || u64::from(needs.cpu_percent) <= self.cpu_left()
    }

    pub fn has_memory(&self, needs: Resources, options: &Options) -> bool {
        !(self.hard_memory || options.hard_memory) || u64::from(needs.memory_mib) <= self.memory_left()
    }

    /// How full it would be with this, in thousandths of what it has: of CPU or memory, whichever is scarcer.
    pub fn load_with(&self, needs: Resources) -> u64 {
        let share = |used: u64, capacity: u64| used.saturating_mul(1_000) / capacity.max(1);
        let cpu = share(self.cpu + u64::from(needs.cpu_percent), self.worker.cpu_percent);
        cpu.max(share(self.memory + u64::from(needs.memory_mib), self.worker.memory_mib))
    }
}

/// All workers.
pub(super) struct Board<'a> {
    pub rooms: BTreeMap<&'a WorkerName, Room<'a>>,
}

impl<'a> Board<'a> {
    pub fn new(input: &'a Input) -> Self {
        let room = |(name, worker): (&'a WorkerName, &'a Worker)| {
            let slots = BTreeMap::new();
            (name, Room { name, worker, slots, cpu: 0, memory: 0, executors: 0, hard_cpu: false, hard_memory: false })
        };
        Self { rooms: input.workers.iter().map(room).collect() }
    }

    /// Gives an executor its place.
    pub fn put(&mut self, slot: &SlotId, topology: &'a TopologyName, needs: Resources, options: &Options) {
        if let Some(room) = self.rooms.get_mut(&slot.worker) {
            room.slots.insert(slot.number, topology);
            room.cpu += u64::from(needs.cpu_percent);
            room.memory += u64::from(needs.memory_mib);
            room.executors += 1;
            room.hard_cpu |= options.hard_cpu;
            room.hard_memory |= options.hard_memory;
        }
    }

    /// The topology there that keeps this one away, or that this one keeps away from.
    pub fn foe(
        &self,
        room: &Room<'a>,
        topology: &TopologyName,
        options: &Options,
        input: &'a Input,
    ) -> Option<&'a TopologyName> {
        let minds = |other: &TopologyName| {
            input.topologies.get(other).is_some_and(|it| it.options.anti_affinity.contains(topology))
        };
        room.slots
            .values()
            .copied()
            .find(|other| *other != topology && (options.anti_affinity.contains(*other) || minds(other)))
    }
}

/// Whether a worker has all these tags.
pub(super) fn has_tags(worker: &Worker, tags: &BTreeSet<String>) -> bool {
    tags.is_subset(&worker.tags)
}

/// The order in which workers are asked: those in quarantine last.
pub(super) const fn reluctance(standing: Standing) -> u8 {
    match standing {
        Standing::Open => 0,
        _ => 1,
    }
}
