//! Finds places: one topology after the other, each executor where it fits best, those that may stay first.

use std::collections::{BTreeMap, BTreeSet};

use squall_types::cluster::{ExecutorId, SlotId, TopologyName, WorkerName};
use xxhash_rust::xxh3::xxh3_64;

use super::{Component, Input, Move, Plan, Reason, Standing, Stuck, Topology, Worker};
use crate::{Assignment, Unplaced};

/// What has to change so that everything runs where it may.
pub fn plan(input: &Input) -> Plan {
    let mut room = Room::of(input);
    let mut kept = BTreeMap::new();
    for (name, topology) in &input.topologies {
        kept.insert(name, keep(input, &mut room, name, topology));
    }
    let mut plan = Plan::default();
    for (name, topology) in &input.topologies {
        if let Some(kept) = kept.get_mut(name) {
            place(input, &mut room, (name, topology), kept);
        }
    }
    // Only now is it known what stands in the way of those that have no place.
    for (name, topology) in &input.topologies {
        let kept = kept.remove(name).unwrap_or_default();
        settle(input, &mut room, &mut plan, (name, topology), kept);
    }
    plan
}

/// What stays, and why what doesn't has to go.
#[derive(Default)]
struct Kept {
    places: BTreeMap<ExecutorId, SlotId>,
    gone: BTreeMap<ExecutorId, Reason>,
    /// On workers that are being drained: they stay where they are if there is no other place.
    draining: BTreeMap<ExecutorId, SlotId>,
}

/// Whose each slot is, and what is used of each worker.
struct Room<'a> {
    input: &'a Input,
    slots: BTreeMap<SlotId, TopologyName>,
    cpu: BTreeMap<WorkerName, u64>,
    memory: BTreeMap<WorkerName, u64>,
}

impl<'a> Room<'a> {
    fn of(input: &'a Input) -> Self {
        Self { input, slots: BTreeMap::new(), cpu: BTreeMap::new(), memory: BTreeMap::new() }
    }

    fn take(&mut self, topology: &TopologyName, slot: &SlotId, component: &Component) {
        self.slots.insert(slot.clone(), topology.clone());
        *self.cpu.entry(slot.worker.clone()).or_default() += u64::from(component.needs.cpu_percent);
        *self.memory.entry(slot.worker.clone()).or_default() += u64::from(component.needs.memory_mib);
    }

    fn cpu_left(&self, name: &WorkerName, worker: &Worker) -> u64 {
        worker.cpu_percent.saturating_sub(self.cpu.get(name).copied().unwrap_or(0))
    }

    fn memory_left(&self, name: &WorkerName, worker: &Worker) -> u64 {
        worker.memory_mib.saturating_sub(self.memory.get(name).copied().unwrap_or(0))
    }

    fn on(&self, worker: &WorkerName) -> impl Iterator<Item = (&SlotId, &TopologyName)> {
        let first = SlotId { worker: worker.clone(), number: 0 };
        let last = SlotId { worker: worker.clone(), number: u16::MAX };
        self.slots.range(first..=last)
    }

    /// A topology there that this one keeps away from, or that keeps away from this one.
    fn enemy(&self, name: &TopologyName, worker: &WorkerName) -> Option<TopologyName> {
        let avoids = |one: &TopologyName, other: &TopologyName| {
            self.input.topologies.get(one).is_some_and(|it| it.options.anti_affinity.contains(other))
        };
        self.on(worker).map(|(_, other)| other).find(|other| avoids(name, other) || avoids(other, name)).cloned()
    }

    /// The topology's own slot there, or a free one.
    fn slot(&self, name: &TopologyName, worker: &WorkerName, it: &Worker, may_open: bool) -> Option<SlotId> {
        let own = self.on(worker).find(|(_, holder)| *holder == name).map(|(slot, _)| slot.clone());
        own.or_else(|| {
            let mut numbers =
                (0..it.slots).filter(|_| may_open).map(|number| SlotId { worker: worker.clone(), number });
            numbers.find(|slot| !self.slots.contains_key(slot) && !it.lost.contains(&slot.number))
        })
    }

    /// How many slots a topology has, those aside that it is to leave.
    fn opened(&self, name: &TopologyName) -> usize {
        let stays = |worker| self.input.workers.get(worker).is_some_and(|it| it.standing != Standing::Draining);
        self.slots.iter().filter(|(slot, holder)| *holder == name && stays(&slot.worker)).count()
    }

    /// Whether limits that any topology there holds to be hard leave room for this.
    fn is_hard(&self, worker: &WorkerName, own: &Topology, hard: impl Fn(&Topology) -> bool) -> bool {
        hard(own) || self.on(worker).any(|(_, holder)| self.input.topologies.get(holder).is_some_and(&hard))
    }
}

fn keep(input: &Input, room: &mut Room<'_>, name: &TopologyName, topology: &Topology) -> Kept {
    let mut kept = Kept::default();
    let Some(current) = &topology.current else { return kept };
    for (executor, slot) in &current.places {
        let Some(component) = topology.component_of(*executor) else { continue };
        match must_go(input, room, (name, topology), component, slot) {
            Some(reason) => drop(kept.gone.insert(*executor, reason)),
            None if topology.evenly => drop(kept.gone.insert(*executor, Reason::Evenly)),
            None if input.workers.get(&slot.worker).is_some_and(|it| it.standing == Standing::Draining) => {
                kept.draining.insert(*executor, slot.clone());
                room.take(name, slot, component);
            }
            None => {
                kept.places.insert(*executor, slot.clone());
                room.take(name, slot, component);
            }
        }
    }
    kept
}

fn must_go(
    input: &Input,
    room: &Room<'_>,
    (name, topology): (&TopologyName, &Topology),
    component: &Component,
    slot: &SlotId,
) -> Option<Reason> {
    let Some(worker) = input.workers.get(&slot.worker) else { return Some(Reason::Forgotten(slot.worker.clone())) };
    let named = || slot.worker.clone();
    match worker.standing {
        Standing::Dead => return Some(Reason::Died(named())),
        Standing::Left => return Some(Reason::Left(named())),
        _ => {}
    }
    if slot.number >= worker.slots {
        return Some(Reason::SlotGone(slot.clone()));
    }
    if worker.lost.contains(&slot.number) {
        return Some(Reason::SlotLost(slot.clone()));
    }
    if room.slots.get(slot).is_some_and(|holder| holder != name) {
        return Some(Reason::SlotTaken(slot.clone()));
    }
    if !component.tags.is_subset(&worker.tags) {
        return Some(Reason::Tags(named()));
    }
    if let Some(other) = room.enemy(name, &slot.worker) {
        return Some(Reason::AntiAffinity { worker: named(), topology: other });
    }
    let hard = |wanted: fn(&Topology) -> bool| room.is_hard(&slot.worker, topology, wanted);
    if hard(|it| it.options.hard_memory) && room.memory_left(&slot.worker, worker) < component.needs.memory_mib.into() {
        return Some(Reason::Memory(named()));
    }
    if hard(|it| it.options.hard_cpu) && room.cpu_left(&slot.worker, worker) < component.needs.cpu_percent.into() {
        return Some(Reason::Cpu(named()));
    }
    let opens = !room.slots.contains_key(slot);
    (opens && room.opened(name) >= topology.ceiling()).then_some(Reason::Ceiling(topology.options.max_slots))
}

fn load(places: &BTreeMap<ExecutorId, SlotId>) -> BTreeMap<WorkerName, usize> {
    let mut load: BTreeMap<WorkerName, usize> = BTreeMap::new();
    places.values().for_each(|slot| *load.entry(slot.worker.clone()).or_default() += 1);
    load
}

fn place(input: &Input, room: &mut Room<'_>, (name, topology): (&TopologyName, &Topology), kept: &mut Kept) {
    let mut load = load(&kept.places);
    for (index, executor) in topology.executors() {
        let component = &topology.components[index];
        if !kept.places.contains_key(&executor)
            && let Ok(slot) = find(input, room, (name, topology), component, &load)
        {
            room.take(name, &slot, component);
            *load.entry(slot.worker.clone()).or_default() += 1;
            kept.places.insert(executor, slot);
        }
    }
}

/// Says of each executor that has no place what stands in its way. One that was to leave its place stays there.
fn settle(
    input: &Input,
    room: &mut Room<'_>,
    plan: &mut Plan,
    (name, topology): (&TopologyName, &Topology),
    kept: Kept,
) {
    let Kept { mut places, gone, draining } = kept;
    let mut unplaced = BTreeMap::new();
    let load = load(&places);
    for (index, executor) in topology.executors() {
        if places.contains_key(&executor) {
            continue;
        }
        let component = &topology.components[index];
        let why = match find(input, room, (name, topology), component, &load) {
            Ok(slot) => {
                room.take(name, &slot, component);
                places.insert(executor, slot);
                continue;
            }
            Err(why) => why,
        };
        match draining.get(&executor) {
            Some(slot) => {
                plan.stuck.push(Stuck { topology: name.clone(), executor, slot: slot.clone(), why });
                places.insert(executor, slot.clone());
            }
            None => drop(unplaced.insert(executor, why)),
        }
    }
    conclude(plan, (name, topology), (places, unplaced), &gone);
}

/// The best place for an executor; or what stands in the way of most.
fn find(
    input: &Input,
    room: &Room<'_>,
    (name, topology): (&TopologyName, &Topology),
    component: &Component,
    load: &BTreeMap<WorkerName, usize>,
) -> Result<SlotId, Unplaced> {
    let open: Vec<_> = input.workers.iter().filter(|(_, it)| it.standing.takes()).collect();
    if open.is_empty() {
        return Err(Unplaced::NoWorkers);
    }
    let tagged: Vec<_> = open.into_iter().filter(|(_, it)| component.tags.is_subset(&it.tags)).collect();
    if tagged.is_empty() {
        return Err(Unplaced::NoWorkerWithTags(component.tags.iter().cloned().collect()));
    }
    let enemy = tagged[0].0.clone();
    let apart: Vec<_> = tagged.into_iter().filter(|(worker, _)| room.enemy(name, worker).is_none()).collect();
    if apart.is_empty() {
        return Err(Unplaced::AntiAffinity { worker: enemy });
    }
    let (needed_mib, needed_percent) = (u64::from(component.needs.memory_mib), component.needs.cpu_percent);
    let most_mib = apart.iter().map(|(worker, it)| room.memory_left(worker, it)).max().unwrap_or(0);
    let most_cpu = apart.iter().map(|(worker, it)| room.cpu_left(worker, it)).max().unwrap_or(0);
    let roomy = |(worker, it): &(&WorkerName, &Worker)| {
        !room.is_hard(worker, topology, |it| it.options.hard_memory) || room.memory_left(worker, it) >= needed_mib
    };
    let fitting: Vec<_> = apart.into_iter().filter(roomy).collect();
    if fitting.is_empty() {
        return Err(Unplaced::NoMemory { needed_mib, most_mib });
    }
    let idle = |(worker, it): &(&WorkerName, &Worker)| {
        !room.is_hard(worker, topology, |it| it.options.hard_cpu) || room.cpu_left(worker, it) >= needed_percent.into()
    };
    let fitting: Vec<_> = fitting.into_iter().filter(idle).collect();
    if fitting.is_empty() {
        let most_percent = u32::try_from(most_cpu).unwrap_or(u32::MAX);
        return Err(Unplaced::NoCpu { needed_percent, most_percent });
    }
    let slots: u32 = fitting.iter().map(|(_, it)| u32::from(it.slots)).sum();
    let may_open = room.opened(name) < topology.ceiling();
    let places = fitting.into_iter().filter_map(|(worker, it)| Some((room.slot(name, worker, it, may_open)?, it)));
    let best = places.min_by_key(|(slot, it)| {
        let worker = &slot.worker;
        let others = std::cmp::Reverse(room.cpu_left(worker, it));
        let tie = xxh3_64(format!("{name} {worker}").as_bytes());
        (it.standing == Standing::Quarantined, load.get(worker).copied().unwrap_or(0), others, tie, slot.clone())
    });
    best.map(|(slot, _)| slot).ok_or(if may_open {
        Unplaced::NoFreeSlot { slots }
    } else {
        Unplaced::Ceiling { max_slots: topology.options.max_slots }
    })
}

type Places = (BTreeMap<ExecutorId, SlotId>, BTreeMap<ExecutorId, Unplaced>);

/// Puts a topology's new assignment into the plan, if it is another than the current.
fn conclude(
    plan: &mut Plan,
    (name, topology): (&TopologyName, &Topology),
    (places, unplaced): Places,
    gone: &BTreeMap<ExecutorId, Reason>,
) {
    let current = topology.current.as_ref();
    let same =
        current.is_some_and(|it| it.topology == topology.version && it.places == places && it.unplaced == unplaced);
    if same && !topology.evenly {
        return;
    }
    let place = |executor| current.and_then(|it| it.places.get(&executor));
    let before: BTreeSet<_> =
        current.into_iter().flat_map(|it| it.places.keys().chain(it.unplaced.keys())).copied().collect();
    let now: BTreeSet<_> = topology.executors().map(|(_, executor)| executor).collect();
    for executor in before.union(&now).copied() {
        let (from, to) = (place(executor), places.get(&executor));
        if from == to {
            continue;
        }
        let reason = match (gone.get(&executor), from) {
            _ if !now.contains(&executor) => Reason::Ended,
            (Some(reason), _) => reason.clone(),
            (None, Some(from)) => Reason::Drained(from.worker.clone()),
            (None, None) if before.contains(&executor) => Reason::Found,
            (None, None) => Reason::New,
        };
        let component = topology.component_of(executor).map(|it| it.id.clone());
        plan.moves.push(Move {
            topology: name.clone(),
            component,
            executor,
            from: from.cloned(),
            to: to.cloned(),
            reason,
        });
    }
    let parent = current.map_or(squall_types::cluster::AssignmentVersion::ZERO, |it| it.version);
    let assignment = Assignment { version: parent.next(), parent, topology: topology.version, places, unplaced };
    plan.assignments.insert(name.clone(), assignment);
}
