use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use squall_types::TaskId;
use squall_types::cluster::{ExecutorId, TopologyName, TopologyVersion, WorkerName};
use squall_types::topology::Resources;

use super::*;
use crate::Unplaced;
use crate::check::check;

/// Workers and topologies, put together line by line.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub input: Input,
}

pub(crate) fn world() -> World {
    World::default()
}

impl World {
    /// Workers `w0`, `w1`, … with so many slots, four cores and 8 GiB each, in two zones.
    pub(crate) fn workers(mut self, count: usize, slots: u16) -> Self {
        for number in self.input.workers.len()..self.input.workers.len() + count {
            let worker = Worker {
                slots,
                cpu_percent: 400,
                memory_mib: 8_192,
                tags: BTreeSet::new(),
                zone: format!("zone-{}", number % 2),
                standing: Standing::Open,
                lost: BTreeSet::new(),
            };
            self.input.workers.insert(format!("w{number}").parse().unwrap(), worker);
        }
        self
    }

    /// A line of components with so many executors each.
    pub(crate) fn topology(mut self, name: &str, components: &[(&str, u16)]) -> Self {
        self.input.topologies.insert(name.parse().unwrap(), line(components));
        self
    }

    pub(crate) fn stand(&mut self, worker: &str, standing: Standing) {
        self.input.workers.get_mut(&worker.parse::<WorkerName>().unwrap()).unwrap().standing = standing;
    }

    pub(crate) fn edit(&mut self, topology: &str, edit: impl FnOnce(&mut Topology)) {
        edit(self.input.topologies.get_mut(&topology.parse::<TopologyName>().unwrap()).unwrap());
    }

    /// The plan has been carried out.
    pub(crate) fn adopt(&mut self, plan: &Plan) {
        for (name, assignment) in &plan.assignments {
            let topology = self.input.topologies.get_mut(name).unwrap();
            topology.current = Some(assignment.clone());
            topology.evenly = false;
        }
    }

    /// Plans, checks, and carries out.
    fn settle(&mut self) -> Plan {
        let plan = plan(&self.input);
        assert_eq!(check(&self.input, &plan), []);
        self.adopt(&plan);
        plan
    }

    fn workers_of(&self, topology: &str) -> BTreeMap<String, usize> {
        let current = self.input.topologies[&topology.parse::<TopologyName>().unwrap()].current.as_ref().unwrap();
        let mut counts = BTreeMap::new();
        current.places.values().for_each(|slot| *counts.entry(slot.worker.to_string()).or_default() += 1);
        counts
    }

    fn reasons(&self, topology: &str) -> BTreeSet<Unplaced> {
        let topology = &self.input.topologies[&topology.parse::<TopologyName>().unwrap()];
        topology.current.as_ref().unwrap().unplaced.values().cloned().collect()
    }
}

fn line(components: &[(&str, u16)]) -> Topology {
    let mut next = 1;
    let component = |(index, (id, count)): (usize, &(&str, u16))| {
        let executors =
            (next..next + count).map(|task| ExecutorId { first: TaskId::new(task), last: TaskId::new(task) });
        let executors = executors.collect();
        next += count;
        let inputs = if index == 0 { Vec::new() } else { vec![Edge { from: index - 1, weight: 8 }] };
        let needs = Resources { cpu_percent: 10, memory_mib: 128 };
        Component { id: (*id).into(), spout: index == 0, executors, needs, tags: BTreeSet::new(), inputs }
    };
    let components = components.iter().enumerate().map(component).collect();
    Topology { version: TopologyVersion::new(1), components, options: Options::default(), evenly: false, current: None }
}

#[test]
fn a_topology_is_spread_evenly_and_a_second_plan_is_empty() {
    let mut world = world().workers(3, 2).topology("a", &[("spout", 3), ("split", 3), ("count", 6)]);
    world.settle();
    assert_eq!(world.workers_of("a").into_values().collect::<Vec<_>>(), [4, 4, 4]);
    assert!(plan(&world.input).is_empty());
}

#[test]
fn neighbours_share_a_slot() {
    let mut world = world().workers(3, 1).topology("a", &[("spout", 3), ("split", 3)]);
    world.settle();
    let current = world.input.topologies.values().next().unwrap().current.clone().unwrap();
    let slots = |range: std::ops::RangeInclusive<u16>| -> BTreeSet<_> {
        range
            .map(|task| current.places[&ExecutorId { first: TaskId::new(task), last: TaskId::new(task) }].clone())
            .collect()
    };
    assert_eq!(slots(1..=3), slots(4..=6));
    assert_eq!(slots(1..=3).len(), 3);
}

#[test]
fn a_dead_workers_executors_move_and_no_others() {
    let mut world = world().workers(3, 2).topology("a", &[("spout", 6)]).topology("b", &[("spout", 6)]);
    world.settle();
    world.stand("w1", Standing::Dead);
    let plan = world.settle();
    assert!(!plan.moves.is_empty());
    assert!(plan.moves.iter().all(|it| it.reason == Reason::Died("w1".parse().unwrap())), "{:?}", plan.moves);
    assert!(!world.workers_of("a").contains_key("w1"));
}

#[test]
fn a_worker_that_comes_back_gets_nothing_until_it_is_asked_for() {
    let mut world = world().workers(3, 2).topology("a", &[("spout", 6)]);
    world.settle();
    world.stand("w1", Standing::Dead);
    world.settle();
    world.stand("w1", Standing::Open);
    assert!(plan(&world.input).is_empty());
    world.edit("a", |it| it.evenly = true);
    let plan = world.settle();
    assert!(plan.moves.iter().all(|it| it.reason == Reason::Evenly));
    assert_eq!(world.workers_of("a").into_values().collect::<Vec<_>>(), [2, 2, 2]);
}

#[test]
fn silent_and_cut_off_workers_keep_their_work_and_get_none() {
    for standing in [Standing::Suspect, Standing::CutOff, Standing::Unheard] {
        let mut world = world().workers(2, 2).topology("a", &[("spout", 4)]);
        world.settle();
        world.stand("w0", standing);
        assert!(plan(&world.input).is_empty(), "{standing:?}");
        world = world.topology("b", &[("spout", 4)]);
        world.settle();
        assert_eq!(world.workers_of("b").into_keys().collect::<Vec<_>>(), ["w1"]);
    }
}

#[test]
fn a_drained_worker_gives_its_work_away_and_keeps_what_has_no_other_place() {
    let mut world = world().workers(2, 1).topology("a", &[("spout", 4)]);
    world.settle();
    world.stand("w0", Standing::Draining);
    world.settle();
    assert_eq!(world.workers_of("a").into_keys().collect::<Vec<_>>(), ["w1"]);
    world.stand("w1", Standing::Draining);
    let plan = plan(&world.input);
    assert!(plan.is_empty());
    assert_eq!(plan.stuck.len(), 4);
    assert_eq!(plan.stuck[0].why, Unplaced::NoWorkers);
}

#[test]
fn quarantine_yields_before_an_executor_stays_unplaced() {
    let mut world = world().workers(2, 1).topology("a", &[("spout", 2)]);
    world.stand("w0", Standing::Quarantined);
    world.settle();
    assert_eq!(world.workers_of("a").into_keys().collect::<Vec<_>>(), ["w1"]);
    world.stand("w1", Standing::Dead);
    world.settle();
    assert_eq!(world.workers_of("a").into_keys().collect::<Vec<_>>(), ["w0"]);
}

#[test]
fn each_executor_without_a_place_says_what_stands_in_its_way() {
    let mut nobody = world().topology("a", &[("spout", 1)]);
    nobody.settle();
    assert_eq!(nobody.reasons("a"), [Unplaced::NoWorkers].into());

    let mut tags = world().workers(1, 1).topology("a", &[("spout", 1)]);
    tags.edit("a", |it| {
        it.components[0].tags.insert("gpu".to_owned());
    });
    tags.settle();
    assert_eq!(tags.reasons("a"), [Unplaced::NoWorkerWithTags(vec!["gpu".to_owned()])].into());

    let mut full = world().workers(1, 1).topology("a", &[("spout", 1)]).topology("b", &[("spout", 1)]);
    full.settle();
    assert_eq!(full.reasons("b"), [Unplaced::NoFreeSlot { slots: 1 }].into());

    let mut foes = world().workers(1, 2).topology("a", &[("spout", 1)]).topology("b", &[("spout", 1)]);
    foes.edit("b", |it| {
        it.options.anti_affinity.insert("a".parse().unwrap());
    });
    foes.settle();
    assert_eq!(foes.reasons("b"), [Unplaced::AntiAffinity { worker: "w0".parse().unwrap() }].into());

    let mut memory = world().workers(1, 1).topology("a", &[("spout", 1)]);
    memory.edit("a", |it| (it.options.hard_memory, it.components[0].needs.memory_mib) = (true, 9_000));
    memory.settle();
    assert_eq!(memory.reasons("a"), [Unplaced::NoMemory { needed_mib: 9_000, most_mib: 8_192 }].into());

    let mut cpu = world().workers(1, 1).topology("a", &[("spout", 1)]);
    cpu.edit("a", |it| (it.options.hard_cpu, it.components[0].needs.cpu_percent) = (true, 500));
    cpu.settle();
    assert_eq!(cpu.reasons("a"), [Unplaced::NoCpu { needed_percent: 500, most_percent: 400 }].into());
}

#[test]
fn a_topology_opens_no_more_slots_than_it_may() {
    let mut world = world().workers(5, 2).topology("a", &[("spout", 10), ("bolt", 10)]);
    world.edit("a", |it| it.options.max_slots = 2);
    world.settle();
    assert_eq!(world.workers_of("a").into_values().collect::<Vec<_>>(), [10, 10]);
}

#[test]
fn slots_are_spread_over_zones() {
    let mut world = world().workers(6, 1).topology("a", &[("spout", 2)]);
    world.settle();
    let zones: BTreeSet<_> = world
        .workers_of("a")
        .into_keys()
        .map(|name| world.input.workers[&name.parse::<WorkerName>().unwrap()].zone.clone())
        .collect();
    assert_eq!(zones.len(), 2);
}

#[test]
fn a_rebalanced_component_gets_its_new_executors_and_the_rest_stays() {
    let mut world = world().workers(2, 1).topology("a", &[("spout", 2), ("bolt", 2)]);
    world.settle();
    let before = world.workers_of("a");
    world.edit("a", |it| {
        it.components[1]
            .executors
            .extend((5..7).map(|task| ExecutorId { first: TaskId::new(task), last: TaskId::new(task) }));
    });
    let plan = world.settle();
    assert_eq!(plan.moves.len(), 2);
    assert!(plan.moves.iter().all(|it| it.reason == Reason::New));
    assert_eq!(before.into_values().sum::<usize>() + 2, world.workers_of("a").into_values().sum::<usize>());
}

fn standing() -> impl Strategy<Value = Standing> {
    let all = [
        Standing::Open,
        Standing::Open,
        Standing::Open,
        Standing::Quarantined,
        Standing::Draining,
        Standing::Unheard,
        Standing::Suspect,
        Standing::CutOff,
        Standing::Left,
        Standing::Dead,
    ];
    proptest::sample::select(all.to_vec())
}

/// A world, and what becomes of its workers in each of three steps.
pub(super) fn history() -> impl Strategy<Value = (World, Vec<Vec<Standing>>)> {
    let topology = (1_u16..6, 0_u16..6, 0_u32..4, any::<bool>(), any::<bool>(), any::<bool>());
    (1_usize..7, 1_u16..4, proptest::collection::vec(topology, 1..5)).prop_flat_map(|(workers, slots, topologies)| {
        let mut made = world().workers(workers, slots);
        for (number, (spouts, bolts, max_slots, hard, apart, gpu)) in topologies.into_iter().enumerate() {
            let name = format!("t{number}");
            made = made.topology(&name, &[("spout", spouts), ("bolt", bolts)]);
            made.edit(&name, |it| {
                it.options.max_slots = max_slots;
                (it.options.hard_cpu, it.options.hard_memory) = (hard, hard);
                it.components.iter_mut().for_each(|component| component.needs.cpu_percent = 60);
                if apart {
                    it.options.anti_affinity.insert("t0".parse().unwrap());
                }
                if gpu {
                    it.components[number % 2].tags.insert("gpu".to_owned());
                }
            });
        }
        made.input.workers.values_mut().step_by(2).for_each(|worker| {
            worker.tags.insert("gpu".to_owned());
        });
        let steps = proptest::collection::vec(proptest::collection::vec(standing(), workers), 3);
        (Just(made), steps)
    })
}

proptest! {
    #[test]
    fn no_plan_breaks_a_rule_and_each_settles_at_once((mut world, steps) in history()) {
        for step in steps {
            for (worker, standing) in world.input.workers.values_mut().zip(step) {
                worker.standing = standing;
            }
            let made = plan(&world.input);
            prop_assert_eq!(check(&world.input, &made), []);
            prop_assert_eq!(&plan(&world.input), &made);
            world.adopt(&made);
            prop_assert!(plan(&world.input).is_empty(), "a second plan moves {:?}", plan(&world.input).moves);
        }
    }

    #[test]
    fn the_death_of_one_worker_moves_only_its_own((mut world, _) in history(), which in 0_usize..7) {
        world.adopt(&plan(&world.input));
        world.adopt(&plan(&world.input));
        let name = world.input.workers.keys().nth(which % world.input.workers.len()).unwrap().clone();
        world.stand(name.as_str(), Standing::Dead);
        for moved in plan(&world.input).moves {
            // Whoever had no place may have found one in what became free.
            prop_assert!(moved.from.as_ref().is_none_or(|from| from.worker == name), "{}", moved);
        }
    }
}
