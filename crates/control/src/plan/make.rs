//! Making a plan: what may stay stays, the rest is placed one by one, and what can't be placed says why.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use squall_types::cluster::{AssignmentVersion, ExecutorId, SlotId, TopologyName, WorkerName};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::board::{Board, Room, has_tags, reluctance};
use super::{Component, Input, Move, Plan, Reason, Standing, Stuck, Topology};
use crate::{Assignment, Unplaced};

/// Decides who runs what. The same input gives the same plan.
pub fn plan(input: &Input) -> Plan {
    let mut board = Board::new(input);
    // All that stays is put down first, so that nothing new takes its place.
    let kept: Vec<Kept> =
        input.topologies.iter().map(|(name, topology)| keep(&mut board, input, name, topology)).collect();
    let mut plan = Plan::default();
    let mut placings: Vec<Placing<'_>> = input
        .topologies
        .iter()
        .zip(kept)
        .map(|((name, topology), kept)| Placing::new(&board, input, name, topology, kept))
        .collect();
    placings.iter_mut().for_each(|placing| placing.run(&mut board));
    // Reasons are given once all is placed: another's executors may be what stands in the way.
    for placing in placings {
        placing.explained(&board).write_down(&mut plan);
    }
    plan
}

/// What of a topology stays, and why the rest doesn't.
#[derive(Default)]
struct Kept {
    places: BTreeMap<ExecutorId, SlotId>,
    /// Where they were, and why they can't stay.
    leaving: BTreeMap<ExecutorId, (Option<SlotId>, Reason)>,
}

fn keep<'a>(board: &mut Board<'a>, input: &'a Input, name: &'a TopologyName, topology: &'a Topology) -> Kept {
    let mut kept = Kept::default();
    let mut slots = BTreeSet::new();
    let quota = Quota::new(input, topology);
    let mut counts: BTreeMap<(usize, SlotId), usize> = BTreeMap::new();
    for (place, executor) in topology.executors() {
        let component = &topology.components[place];
        let current = topology.current.as_ref().and_then(|current| current.places.get(&executor));
        let Some(slot) = current else {
            let known = topology.current.as_ref().is_some_and(|current| current.unplaced.contains_key(&executor));
            let reason = if known { Reason::Found } else { Reason::New };
            kept.leaving.insert(executor, (None, reason));
            continue;
        };
        let in_slot = counts.entry((place, slot.clone())).or_default();
        let obstacle = obstacle(board, input, name, topology, component, slot, &slots);
        let obstacle = obstacle.or_else(|| (topology.evenly && *in_slot >= quota.of(place)).then_some(Reason::Evenly));
        if let Some(reason) = obstacle {
            kept.leaving.insert(executor, (Some(slot.clone()), reason));
            continue;
        }
        *in_slot += 1;
        slots.insert(slot.clone());
        board.put(slot, name, component.needs, &topology.options);
        kept.places.insert(executor, slot.clone());
    }
    kept
}

/// How many executors of each component a slot has in an even spread.
struct Quota {
    slots: usize,
    executors: Vec<usize>,
}

impl Quota {
    fn new(input: &Input, topology: &Topology) -> Self {
        let executors: Vec<usize> = topology.components.iter().map(|component| component.executors.len()).collect();
        let takes = input.workers.values().filter(|worker| worker.standing.takes() && worker.slots > 0).count();
        let slots = takes.min(topology.ceiling()).min(executors.iter().sum()).max(1);
        Self { slots, executors }
    }

    fn of(&self, component: usize) -> usize {
        self.executors[component].div_ceil(self.slots)
    }
}

/// Why an executor can't stay where it is.
fn obstacle(
    board: &Board<'_>,
    input: &Input,
    name: &TopologyName,
    topology: &Topology,
    component: &Component,
    slot: &SlotId,
    slots: &BTreeSet<SlotId>,
) -> Option<Reason> {
    let worker = || slot.worker.clone();
    let Some(room) = board.rooms.get(&slot.worker) else { return Some(Reason::Forgotten(worker())) };
    match room.worker.standing {
        Standing::Dead => return Some(Reason::Died(worker())),
        Standing::Left => return Some(Reason::Left(worker())),
        _ => {}
    }
    if slot.number >= room.worker.slots {
        return Some(Reason::SlotGone(slot.clone()));
    }
    if room.worker.lost.contains(&slot.number) {
        return Some(Reason::SlotLost(slot.clone()));
    }
    if room.slots.get(&slot.number).is_some_and(|owner| *owner != name) {
        return Some(Reason::SlotTaken(slot.clone()));
    }
    if !has_tags(room.worker, &component.tags) {
        return Some(Reason::Tags(worker()));
    }
    if let Some(foe) = board.foe(room, name, &topology.options, input) {
        return Some(Reason::AntiAffinity { worker: worker(), topology: foe.clone() });
    }
    if !room.has_memory(component.needs, &topology.options) {
        return Some(Reason::Memory(worker()));
    }
    if !room.has_cpu(component.needs, &topology.options) {
        return Some(Reason::Cpu(worker()));
    }
    // Before the ceiling, for which slots that are being drained don't count.
    if room.worker.standing == Standing::Draining {
        return Some(Reason::Drained(worker()));
    }
    let opens = !slots.contains(slot) && slots.len() >= topology.ceiling();
    opens.then_some(Reason::Ceiling(topology.options.max_slots))
}

/// One topology, while its executors are placed.
struct Placing<'a> {
    input: &'a Input,
    name: &'a TopologyName,
    topology: &'a Topology,
    quota: Quota,
    places: BTreeMap<ExecutorId, SlotId>,
    /// Executors of each component in each slot.
    counts: BTreeMap<SlotId, BTreeMap<usize, usize>>,
    /// Slots of the topology in each zone.
    zones: BTreeMap<&'a str, usize>,
    leaving: BTreeMap<ExecutorId, (Option<SlotId>, Reason)>,
    /// Without a new place, by component.
    homeless: Vec<(usize, ExecutorId)>,
    unplaced: BTreeMap<ExecutorId, Unplaced>,
    stuck: Vec<Stuck>,
}

impl<'a> Placing<'a> {
    fn new(board: &Board<'a>, input: &'a Input, name: &'a TopologyName, topology: &'a Topology, kept: Kept) -> Self {
        let quota = Quota::new(input, topology);
        let (counts, zones, places) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (leaving, homeless, unplaced, stuck) = (kept.leaving, Vec::new(), BTreeMap::new(), Vec::new());
        let mut placing =
            Self { input, name, topology, quota, places, counts, zones, leaving, homeless, unplaced, stuck };
        let component_of: BTreeMap<ExecutorId, usize> = topology.executors().map(|(place, id)| (id, place)).collect();
        for (executor, slot) in kept.places {
            placing.note(board, executor, component_of[&executor], slot);
        }
        placing
    }

    fn note(&mut self, board: &Board<'a>, executor: ExecutorId, component: usize, slot: SlotId) {
        if !self.counts.contains_key(&slot) {
            let zone = board.rooms.get(&slot.worker).map(|room| room.worker.zone.as_str());
            zone.into_iter().for_each(|zone| *self.zones.entry(zone).or_default() += 1);
        }
        *self.counts.entry(slot.clone()).or_default().entry(component).or_default() += 1;
        self.places.insert(executor, slot);
    }

    fn run(&mut self, board: &mut Board<'a>) {
        for place in 0..self.topology.components.len() {
            let leaving = self.topology.components[place].executors.iter().copied();
            let leaving: Vec<_> = leaving.filter(|executor| self.leaving.contains_key(executor)).collect();
            if !leaving.is_empty() {
                self.place_all(board, place, leaving);
            }
        }
    }

    /// Places executors of one component. A score changes only where an executor is put, so the best is kept at the top of a heap.
    fn place_all(&mut self, board: &mut Board<'a>, place: usize, executors: Vec<ExecutorId>) {
        let needs = self.topology.components[place].needs;
        let rooms: Vec<_> = board.rooms.keys().copied().collect();
        let mut heap: BinaryHeap<_> =
            rooms.into_iter().filter_map(|worker| self.candidate(board, place, worker)).map(Reverse).collect();
        for executor in executors {
            let Some((slot, worker)) = self.best(board, place, &mut heap) else {
                self.give_up(board, place, executor);
                continue;
            };
            board.put(&slot, self.name, needs, &self.topology.options);
            self.note(board, executor, place, slot);
            heap.extend(self.candidate(board, place, worker).map(Reverse));
        }
    }

    /// The best that still stands: what was worked out may have been overtaken.
    fn best(
        &self,
        board: &Board<'a>,
        place: usize,
        heap: &mut BinaryHeap<Reverse<Candidate<'a>>>,
    ) -> Option<(SlotId, &'a WorkerName)> {
        while let Some(Reverse(before)) = heap.pop() {
            let Some(now) = self.candidate(board, place, before.worker) else { continue };
            if now.score == before.score {
                return Some((SlotId { worker: now.worker.clone(), number: now.number }, now.worker));
            }
            heap.push(Reverse(now));
        }
        None
    }

    fn give_up(&mut self, board: &mut Board<'a>, place: usize, executor: ExecutorId) {
        self.homeless.push((place, executor));
        // Whoever is drained stays for as long as there is no other place.
        if let Some((Some(slot), Reason::Drained(_))) = self.leaving.get(&executor) {
            let slot = slot.clone();
            board.put(&slot, self.name, self.topology.components[place].needs, &self.topology.options);
            self.note(board, executor, place, slot);
        }
    }

    fn explained(mut self, board: &Board<'a>) -> Self {
        for (place, executor) in std::mem::take(&mut self.homeless) {
            let why = self.why_not(board, place);
            if let Some(slot) = self.places.get(&executor).cloned() {
                self.stuck.push(Stuck { topology: self.name.clone(), executor, slot, why });
            } else {
                self.unplaced.insert(executor, why);
            }
        }
        self
    }

    /// A worker's place for an executor of this component, if it has one.
    fn candidate(&self, board: &Board<'a>, place: usize, worker: &'a WorkerName) -> Option<Candidate<'a>> {
        let component = &self.topology.components[place];
        let options = &self.topology.options;
        let room = board.rooms.get(worker)?;
        let fits = room.worker.standing.takes()
            && has_tags(room.worker, &component.tags)
            && room.has_cpu(component.needs, options)
            && room.has_memory(component.needs, options)
            && board.foe(room, self.name, options, self.input).is_none();
        let known = room.runs(self.name);
        if !fits || (!known && self.counts.len() >= self.topology.ceiling()) {
            return None;
        }
        let number = room.slot_for(self.name)?;
        Some(Candidate { score: self.score(place, room, number, known), worker, number })
    }

    /// Lower is better: willing, not overloaded, room in the component's share, neighbours, few executors, a zone of its own, little load; at
    /// last a hash, so that equals are not always taken in the order of their names.
    fn score(&self, place: usize, room: &Room<'_>, number: u16, known: bool) -> Score {
        let component = &self.topology.components[place];
        let slot = SlotId { worker: room.name.clone(), number };
        let counts = self.counts.get(&slot);
        let of = |component: usize| counts.and_then(|counts| counts.get(&component)).copied().unwrap_or(0);
        let own = of(place);
        let neighbours: u64 =
            component.inputs.iter().map(|edge| if of(edge.from) > own { edge.weight } else { 0 }).sum();
        let load = room.load_with(component.needs);
        let seed = xxh3_64(self.name.as_str().as_bytes());
        Score {
            reluctance: reluctance(room.worker.standing),
            overloaded: load > 1_000,
            over_share: own >= self.quota.of(place),
            strangers: u64::MAX - neighbours,
            own,
            all: counts.map_or(0, |counts| counts.values().sum()),
            zone: if known { 0 } else { self.zones.get(room.worker.zone.as_str()).copied().unwrap_or(0) },
            load,
            hash: xxh3_64_with_seed(room.name.as_str().as_bytes(), seed),
        }
    }

    /// What stands in the way of an executor of this component: what comes first when places are looked for.
    fn why_not(&self, board: &Board<'a>, place: usize) -> Unplaced {
        let component = &self.topology.components[place];
        let options = &self.topology.options;
        let rooms: Vec<_> = board.rooms.values().filter(|room| room.worker.standing.takes()).collect();
        if rooms.is_empty() {
            return Unplaced::NoWorkers;
        }
        let rooms: Vec<_> = rooms.into_iter().filter(|room| has_tags(room.worker, &component.tags)).collect();
        if rooms.is_empty() {
            return Unplaced::NoWorkerWithTags(component.tags.iter().cloned().collect());
        }
        let foe = |room: &&Room<'a>| board.foe(room, self.name, options, self.input).is_some();
        let (kept_away, rooms): (Vec<_>, Vec<_>) = rooms.into_iter().partition(foe);
        if let (true, Some(first)) = (rooms.is_empty(), kept_away.first()) {
            return Unplaced::AntiAffinity { worker: first.name.clone() };
        }
        let slots = rooms.iter().map(|room| u32::from(room.worker.slots)).sum();
        let rooms: Vec<_> = rooms.into_iter().filter(|room| room.slot_for(self.name).is_some()).collect();
        if rooms.is_empty() {
            return Unplaced::NoFreeSlot { slots };
        }
        let may_open = self.counts.len() < self.topology.ceiling();
        let rooms: Vec<_> = rooms.into_iter().filter(|room| may_open || room.runs(self.name)).collect();
        let ceiling = Unplaced::Ceiling { max_slots: self.topology.options.max_slots };
        let Some(most_mib) = rooms.iter().map(|room| room.memory_left()).max() else { return ceiling };
        let needs = component.needs;
        let rooms: Vec<_> = rooms.into_iter().filter(|room| room.has_memory(needs, options)).collect();
        let Some(most) = rooms.iter().map(|room| room.cpu_left()).max() else {
            return Unplaced::NoMemory { needed_mib: needs.memory_mib.into(), most_mib };
        };
        if rooms.iter().any(|room| room.has_cpu(needs, options)) {
            return ceiling;
        }
        Unplaced::NoCpu { needed_percent: needs.cpu_percent, most_percent: u32::try_from(most).unwrap_or(u32::MAX) }
    }

    fn write_down(self, plan: &mut Plan) {
        let (name, topology) = (self.name, self.topology);
        plan.stuck.extend(self.stuck);
        let current = topology.current.as_ref();
        let parent = current.map_or(AssignmentVersion::ZERO, |current| current.version);
        let next = Assignment {
            version: parent.next(),
            parent,
            topology: topology.version,
            places: self.places,
            unplaced: self.unplaced,
        };
        let same = current
            .is_some_and(|it| it.places == next.places && it.unplaced == next.unplaced && it.topology == next.topology);
        if same && !topology.evenly {
            return;
        }
        let component_of = |executor| topology.component_of(executor).map(|component| component.id.clone());
        for (executor, (from, reason)) in self.leaving {
            let to = next.places.get(&executor).cloned();
            if from != to {
                plan.moves.push(Move {
                    topology: name.clone(),
                    component: component_of(executor),
                    executor,
                    from,
                    to,
                    reason,
                });
            }
        }
        let ended = current
            .into_iter()
            .flat_map(|it| &it.places)
            .filter(|(id, _)| !next.places.contains_key(id) && !next.unplaced.contains_key(id));
        for (executor, slot) in ended {
            plan.moves.push(Move {
                topology: name.clone(),
                component: None,
                executor: *executor,
                from: Some(slot.clone()),
                to: None,
                reason: Reason::Ended,
            });
        }
        plan.assignments.insert(name.clone(), next);
    }
}

/// A place for an executor, as it was when it was looked at.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate<'a> {
    score: Score,
    worker: &'a WorkerName,
    number: u16,
}

/// Compared field by field, in this order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    reluctance: u8,
    overloaded: bool,
    over_share: bool,
    strangers: u64,
    own: usize,
    all: usize,
    zone: usize,
    load: u64,
    hash: u64,
}
