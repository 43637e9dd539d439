//! What is left where, while a plan is made.

use std::collections::{BTreeMap, BTreeSet};

use squall_types::cluster::{TopologyName, WorkerName};
use squall_types::topology::Resources;

use super::{Input, Options, Standing, Topology, Worker};

/// One worker, and what has been given to it so far.
pub(super) struct Room<'a> {
    pub name: &'a WorkerName,
    pub worker: &'a Worker,
    /// The number of its zone.
    pub zone: usize,
    /// Slots in use, each with its topology's number.
    slots: Vec<(u16, usize)>,
    cpu: u64,
    memory: u64,
    /// Whether somebody there holds CPU, or memory, to be a limit: then it is one for everybody.
    hard_cpu: bool,
    hard_memory: bool,
}

impl Room<'_> {
    /// Whose the slot is.
    pub fn owner(&self, number: u16) -> Option<usize> {
        self.slots.iter().find(|(it, _)| *it == number).map(|(_, owner)| *owner)
    }

    /// The lowest slot that is free.
    pub fn free_slot(&self) -> Option<u16> {
        (0..self.worker.slots).find(|number| self.owner(*number).is_none() && !self.worker.lost.contains(number))
    }

    /// Whether the topology has a slot here.
    pub fn runs(&self, topology: usize) -> bool {
        self.slots.iter().any(|(_, owner)| *owner == topology)
    }

    pub fn cpu_left(&self) -> u64 {
        self.worker.cpu_percent.saturating_sub(self.cpu)
    }

    pub fn memory_left(&self) -> u64 {
        self.worker.memory_mib.saturating_sub(self.memory)
    }

    /// Where CPU is a limit, even what needs none doesn't come to a worker that has given away more than it has.
    pub fn has_cpu(&self, needs: Resources, options: &Options) -> bool {
        !(self.hard_cpu || options.hard_cpu) || self.cpu + u64::from(needs.cpu_percent) <= self.worker.cpu_percent
    }

    pub fn has_memory(&self, needs: Resources, options: &Options) -> bool {
        !(self.hard_memory || options.hard_memory)
            || self.memory + u64::from(needs.memory_mib) <= self.worker.memory_mib
    }

    /// How full it would be with this, in thousandths of what it has: of CPU or memory, whichever is scarcer.
    pub fn load_with(&self, needs: Resources) -> u64 {
        let share = |used: u64, capacity: u64| used.saturating_mul(1_000) / capacity.max(1);
        let cpu = share(self.cpu + u64::from(needs.cpu_percent), self.worker.cpu_percent);
        cpu.max(share(self.memory + u64::from(needs.memory_mib), self.worker.memory_mib))
    }

    fn put(&mut self, number: u16, topology: usize, needs: Resources, options: &Options) {
        if self.owner(number).is_none() {
            self.slots.push((number, topology));
        }
        self.cpu += u64::from(needs.cpu_percent);
        self.memory += u64::from(needs.memory_mib);
        self.hard_cpu |= options.hard_cpu;
        self.hard_memory |= options.hard_memory;
    }
}

/// All workers, and all topologies. Both are numbered in the order of their names.
pub(super) struct Board<'a> {
    pub rooms: Vec<Room<'a>>,
    pub topologies: Vec<(&'a TopologyName, &'a Topology)>,
    /// How many zones there are.
    pub zones: usize,
    by_name: BTreeMap<&'a WorkerName, usize>,
    /// Whom each topology shares no worker with, whichever of the two asks for it.
    foes: Vec<BTreeSet<usize>>,
    /// Workers that may take work and have slots.
    pub takers: usize,
}

impl<'a> Board<'a> {
    pub fn new(input: &'a Input) -> Self {
        let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
        for worker in input.workers.values() {
            let next = zones.len();
            zones.entry(&worker.zone).or_insert(next);
        }
        let room = |(name, worker): (&'a WorkerName, &'a Worker)| {
            let zone = zones[worker.zone.as_str()];
            Room { name, worker, zone, slots: Vec::new(), cpu: 0, memory: 0, hard_cpu: false, hard_memory: false }
        };
        Self {
            rooms: input.workers.iter().map(room).collect(),
            topologies: input.topologies.iter().collect(),
            zones: zones.len(),
            by_name: input.workers.keys().zip(0..).collect(),
            foes: foes(input),
            takers: input.workers.values().filter(|worker| worker.standing.takes() && worker.slots > 0).count(),
        }
    }

    /// The number of a worker.
    pub fn room_of(&self, worker: &WorkerName) -> Option<usize> {
        self.by_name.get(worker).copied()
    }

    /// Gives an executor its place.
    pub fn put(&mut self, (room, number): (usize, u16), topology: usize, needs: Resources) {
        let options = &self.topologies[topology].1.options;
        self.rooms[room].put(number, topology, needs, options);
    }

    /// The topology there that keeps this one away, or that this one keeps away from.
    pub fn foe(&self, room: &Room<'a>, topology: usize) -> Option<&'a TopologyName> {
        let foes = &self.foes[topology];
        if foes.is_empty() {
            return None;
        }
        room.slots
            .iter()
            .map(|(_, owner)| *owner)
            .filter(|owner| foes.contains(owner))
            .min()
            .map(|it| self.topologies[it].0)
    }

    /// Whether an executor with these needs may come to a worker, slots apart.
    pub fn fits(&self, room: &Room<'a>, topology: usize, needs: Resources, tags: &BTreeSet<String>) -> bool {
        self.shut(room, topology, tags).is_none() && self.full(room, topology, needs).is_none()
    }

    /// What keeps executors that need these tags off a worker, however much room there is.
    pub fn shut(&self, room: &Room<'a>, topology: usize, tags: &BTreeSet<String>) -> Option<Obstacle> {
        if !room.worker.standing.takes() {
            Some(Obstacle::Standing)
        } else if !tags.is_subset(&room.worker.tags) {
            Some(Obstacle::Tags)
        } else {
            self.foe(room, topology).map(|_| Obstacle::Foe)
        }
    }

    /// What a worker has too little of, where that is a limit.
    pub fn full(&self, room: &Room<'a>, topology: usize, needs: Resources) -> Option<Obstacle> {
        let options = &self.topologies[topology].1.options;
        if !room.has_memory(needs, options) {
            Some(Obstacle::Memory)
        } else if !room.has_cpu(needs, options) {
            Some(Obstacle::Cpu)
        } else {
            None
        }
    }
}

/// What keeps an executor off a worker, in the order in which it is looked for: a later one says that nothing before it stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Obstacle {
    Standing,
    Tags,
    Foe,
    NoFreeSlot,
    Ceiling,
    Memory,
    Cpu,
}

fn foes(input: &Input) -> Vec<BTreeSet<usize>> {
    let numbers: BTreeMap<&TopologyName, usize> = input.topologies.keys().zip(0..).collect();
    let mut foes = vec![BTreeSet::new(); numbers.len()];
    for (one, topology) in input.topologies.values().enumerate() {
        for other in topology.options.anti_affinity.iter().filter_map(|name| numbers.get(name).copied()) {
            if other != one {
                foes[one].insert(other);
                foes[other].insert(one);
            }
        }
    }
    foes
}

/// The order in which workers are asked: those in quarantine last.
pub(super) const fn reluctance(standing: Standing) -> u8 {
    match standing {
        Standing::Open => 0,
        _ => 1,
    }
}
