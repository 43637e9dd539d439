//! What is on each worker, and whether more may come to it.

use std::collections::{BTreeMap, BTreeSet};

use squall_types::cluster::{ExecutorId, SlotId, TopologyName, WorkerName};
use squall_types::topology::Resources;

use super::{Places, Violation, components, is_drained};
use crate::plan::{Component, Input, Topology};

/// What is on one worker.
#[derive(Default)]
pub(super) struct Room<'a> {
    cpu: u64,
    memory: u64,
    hard_cpu: bool,
    hard_memory: bool,
    /// Slots in use, each with whose it is.
    slots: BTreeMap<u16, &'a TopologyName>,
}

/// What is on each worker.
pub(super) struct Rooms<'a> {
    pub input: &'a Input,
    rooms: BTreeMap<&'a WorkerName, Room<'a>>,
    nobody: Room<'a>,
}

impl<'a> Rooms<'a> {
    /// The executors that have these places, as far as `counts` says that they count.
    pub fn new(
        input: &'a Input,
        places: &Places<'a>,
        counts: impl Fn(&TopologyName, ExecutorId, &SlotId) -> bool,
    ) -> Self {
        let mut rooms: BTreeMap<&'a WorkerName, Room<'a>> = BTreeMap::new();
        for (name, assignment) in places {
            let Some(topology) = input.topologies.get(*name) else { continue };
            let component_of = components(topology);
            for (executor, slot) in &assignment.places {
                let Some(component) = component_of.get(executor).filter(|_| counts(name, *executor, slot)) else {
                    continue;
                };
                rooms.entry(&slot.worker).or_default().put(name, topology, slot, component.needs);
            }
        }
        Self { input, rooms, nobody: Room::default() }
    }

    /// What is on a worker.
    pub fn on(&self, worker: &WorkerName) -> &Room<'a> {
        self.rooms.get(worker).unwrap_or(&self.nobody)
    }

    /// Whether an executor may be on a worker besides what is there, slots and the worker's standing apart: tags, foes, limits.
    pub fn fits(&self, name: &TopologyName, topology: &Topology, component: &Component, worker: &WorkerName) -> bool {
        let (Some(has), room) = (self.input.workers.get(worker), self.on(worker)) else { return false };
        let left = |capacity: u64, used: u64, needed: u32| used.saturating_add(u64::from(needed)) <= capacity;
        let cpu = left(has.cpu_percent, room.cpu, component.needs.cpu_percent);
        let memory = left(has.memory_mib, room.memory, component.needs.memory_mib);
        component.tags.is_subset(&has.tags)
            && (memory || !(room.hard_memory || topology.options.hard_memory))
            && (cpu || !(room.hard_cpu || topology.options.hard_cpu))
            && self.foe_of(name, room).is_none()
    }

    /// Workers on which more is asked for than there is, where that is a limit. What is on a worker that is being drained is on its way out.
    pub fn overfull(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for (worker, room) in self.lasting() {
            let Some(has) = self.input.workers.get(*worker) else { continue };
            if room.hard_memory && room.memory > has.memory_mib {
                found.push(Violation::Memory((*worker).clone()));
            }
            if room.hard_cpu && room.cpu > has.cpu_percent {
                found.push(Violation::Cpu((*worker).clone()));
            }
        }
        found
    }

    /// Topologies that keep apart and share a worker, each pair once.
    pub fn foes(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for (worker, room) in self.lasting() {
            let names: BTreeSet<_> = room.slots.values().copied().collect();
            for one in &names {
                let others = names.iter().filter(|other| one < other && self.keep_apart(one, other));
                found.extend(
                    others.map(|other| Violation::AntiAffinity((*one).clone(), (*other).clone(), (*worker).clone())),
                );
            }
        }
        found
    }

    fn lasting(&self) -> impl Iterator<Item = (&&'a WorkerName, &Room<'a>)> {
        self.rooms.iter().filter(|(worker, _)| !is_drained(self.input, worker))
    }

    fn foe_of(&self, name: &TopologyName, room: &Room<'a>) -> Option<&'a TopologyName> {
        room.slots.values().copied().find(|other| self.keep_apart(name, other))
    }

    fn keep_apart(&self, one: &TopologyName, other: &TopologyName) -> bool {
        let asks = |who: &TopologyName, whom: &TopologyName| {
            self.input.topologies.get(who).is_some_and(|it| it.options.anti_affinity.contains(whom))
        };
        one != other && (asks(one, other) || asks(other, one))
    }
}

impl<'a> Room<'a> {
    fn put(&mut self, name: &'a TopologyName, topology: &Topology, slot: &SlotId, needs: Resources) {
        self.cpu += u64::from(needs.cpu_percent);
        self.memory += u64::from(needs.memory_mib);
        self.hard_cpu |= topology.options.hard_cpu;
        self.hard_memory |= topology.options.hard_memory;
        self.slots.entry(slot.number).or_insert(name);
    }

    /// Whose a slot is.
    pub fn owner(&self, number: u16) -> Option<&'a TopologyName> {
        self.slots.get(&number).copied()
    }

    /// Whether a topology has a slot here.
    pub fn runs(&self, name: &TopologyName) -> bool {
        self.slots.values().any(|owner| *owner == name)
    }
}
