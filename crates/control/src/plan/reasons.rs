//! Each reason to move, and each to stay away, by itself.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use squall_types::cluster::{AssignmentVersion, SlotId, WorkerName};

use super::tests::{World, world};
use super::*;
use crate::Unplaced;
use crate::check::check;

/// Three workers of two slots, with `a` placed on all of them.
fn placed() -> World {
    let mut world = world().workers(3, 2).topology("a", &[("spout", 3), ("bolt", 3)]);
    carry_out(&mut world);
    world
}

fn carry_out(world: &mut World) -> Plan {
    let made = plan(&world.input);
    assert_eq!(check(&world.input, &made), []);
    world.adopt(&made);
    made
}

fn worker(text: &str) -> WorkerName {
    text.parse().unwrap()
}

fn slot(on: &str, number: u16) -> SlotId {
    SlotId { worker: worker(on), number }
}

/// The reasons of all moves, and the workers from which something moves.
fn moves(plan: &Plan) -> (BTreeSet<Reason>, BTreeSet<WorkerName>) {
    let from = plan.moves.iter().filter_map(|it| it.from.as_ref()).map(|slot| slot.worker.clone());
    (plan.moves.iter().map(|it| it.reason.clone()).collect(), from.collect())
}

#[test]
fn a_worker_that_left_gives_its_work_away() {
    let mut world = placed();
    world.stand("w2", Standing::Left);
    assert_eq!(moves(&carry_out(&mut world)).0, [Reason::Left(worker("w2"))].into());
}

#[test]
fn a_worker_that_isnt_known_any_more_gives_its_work_away() {
    let mut world = placed();
    world.input.workers.remove(&worker("w2"));
    assert_eq!(moves(&carry_out(&mut world)).0, [Reason::Forgotten(worker("w2"))].into());
}

#[test]
fn a_drained_worker_gives_its_work_away() {
    let mut world = placed();
    world.stand("w2", Standing::Draining);
    assert_eq!(moves(&carry_out(&mut world)).0, [Reason::Drained(worker("w2"))].into());
}

#[test]
fn a_slot_that_is_gone_or_lost_gives_its_work_away() {
    let mut world = placed();
    world.input.workers.get_mut(&worker("w1")).unwrap().slots = 0;
    let (reasons, from) = moves(&carry_out(&mut world));
    assert_eq!((reasons, from), ([Reason::SlotGone(slot("w1", 0))].into(), [worker("w1")].into()));

    let mut world = placed();
    world.stand("w1", Standing::CutOff);
    world.input.workers.get_mut(&worker("w1")).unwrap().lost.insert(0);
    let (reasons, from) = moves(&carry_out(&mut world));
    assert_eq!((reasons, from), ([Reason::SlotLost(slot("w1", 0))].into(), [worker("w1")].into()));
}

#[test]
fn a_slot_that_two_topologies_hold_stays_the_firsts() {
    let mut world = placed().topology("b", &[("spout", 3), ("bolt", 3)]);
    let current = world.input.topologies.values().next().unwrap().current.clone();
    world.edit("b", |it| it.current = current);
    let made = carry_out(&mut world);
    assert!(made.moves.iter().all(|it| it.topology.as_str() == "b" && matches!(it.reason, Reason::SlotTaken(_))));
    assert_eq!(made.moves.len(), 6);
}

#[test]
fn a_worker_that_lost_a_tag_gives_away_what_needs_it() {
    let mut world = placed();
    world.edit("a", |it| {
        it.components[1].tags.insert("gpu".to_owned());
    });
    for name in ["w0", "w1"] {
        world.input.workers.get_mut(&worker(name)).unwrap().tags.insert("gpu".to_owned());
    }
    let made = carry_out(&mut world);
    assert_eq!(moves(&made).0, [Reason::Tags(worker("w2"))].into());
    assert!(made.moves.iter().all(|it| it.component.as_ref().unwrap().as_str() == "bolt"));
}

#[test]
fn topologies_that_come_to_keep_apart_part_and_the_first_stays() {
    let mut world = world().workers(2, 2).topology("a", &[("spout", 1)]).topology("b", &[("spout", 2)]);
    carry_out(&mut world);
    world.edit("a", |it| {
        it.options.anti_affinity.insert("b".parse().unwrap());
    });
    let made = carry_out(&mut world);
    assert_eq!(made.moves.len(), 1);
    assert!(matches!(&made.moves[0].reason, Reason::AntiAffinity { topology, .. } if topology.as_str() == "a"));
}

#[test]
fn a_limit_that_comes_to_be_broken_moves_what_is_too_much() {
    for (memory, reason) in [(true, Reason::Memory(worker("w0"))), (false, Reason::Cpu(worker("w0")))] {
        let mut world = world().workers(1, 2).topology("a", &[("spout", 4)]);
        carry_out(&mut world);
        world = world.workers(1, 2);
        world.edit("a", |it| {
            (it.options.hard_memory, it.options.hard_cpu) = (memory, !memory);
            it.components[0].needs = squall_types::topology::Resources { cpu_percent: 150, memory_mib: 3_000 };
        });
        let made = carry_out(&mut world);
        assert_eq!((moves(&made).0, made.moves.len()), ([reason].into(), 2));
    }
}

#[test]
fn a_lower_ceiling_moves_what_is_in_the_slots_beyond_it() {
    let mut world = placed();
    world.edit("a", |it| it.options.max_slots = 2);
    assert_eq!(moves(&carry_out(&mut world)).0, [Reason::Ceiling(2)].into());
}

#[test]
fn what_is_stuck_on_a_drained_worker_takes_no_slot_from_the_rest() {
    let mut world = world().workers(1, 1).topology("a", &[("gpu", 1), ("plain", 1)]);
    world.input.workers.values_mut().for_each(|it| it.tags.extend(["gpu".to_owned()]));
    world.edit("a", |it| {
        it.options.max_slots = 1;
        it.components[0].tags.insert("gpu".to_owned());
    });
    carry_out(&mut world);
    let mut world = world.workers(1, 1);
    world.stand("w0", Standing::Draining);
    let plan = carry_out(&mut world);
    assert_eq!(moves(&plan).0, BTreeSet::from([Reason::Drained(worker("w0"))]));
    assert_eq!((plan.moves.len(), plan.stuck.len()), (1, 1));
}

#[test]
fn a_limit_of_one_topology_holds_for_all_on_its_worker() {
    let mut world = world().workers(1, 2).topology("a", &[("spout", 1)]).topology("b", &[("spout", 1)]);
    world.edit("a", |it| (it.options.hard_memory, it.components[0].needs.memory_mib) = (true, 8_000));
    world.edit("b", |it| it.components[0].needs.memory_mib = 300);
    let made = carry_out(&mut world);
    let why: Vec<_> = made.assignments.values().flat_map(|it| it.unplaced.values().cloned()).collect();
    assert_eq!(why, [Unplaced::NoMemory { needed_mib: 300, most_mib: 192 }]);
}

#[test]
fn a_plan_follows_the_assignment_that_it_was_made_from() {
    let mut world = placed();
    world.edit("a", |it| it.current.as_mut().unwrap().version = AssignmentVersion::new(41));
    world.stand("w2", Standing::Dead);
    let made = carry_out(&mut world);
    let next = made.assignments.values().next().unwrap();
    assert_eq!((next.parent, next.version), (AssignmentVersion::new(41), AssignmentVersion::new(42)));
}

#[test]
fn what_a_plan_says_can_be_read() {
    let mut world = placed();
    world.stand("w2", Standing::Dead);
    let made = plan(&world.input);
    let said: BTreeSet<String> = made.moves.iter().map(ToString::to_string).collect();
    assert!(said.iter().all(|line| line.starts_with("> a/") && line.ends_with(": w2 is dead")), "{said:?}");

    world.input.workers.values_mut().for_each(|worker| worker.standing = Standing::Draining);
    let stuck = plan(&world.input).stuck;
    assert!(stuck[0].to_string().ends_with("for now: no worker may take work; start a worker, or undrain one"));

    world.input.workers.values_mut().for_each(|worker| worker.standing = Standing::Dead);
    let ended = plan(&world.input).moves[0].to_string();
    assert!(ended.starts_with("- a/spout [1 1] w"), "{ended}");
}

#[test]
fn each_reason_why_there_is_no_place_says_what_to_do() {
    let all = [
        Unplaced::NoWorkers,
        Unplaced::NoWorkerWithTags(vec!["gpu".to_owned()]),
        Unplaced::NoFreeSlot { slots: 3 },
        Unplaced::NoMemory { needed_mib: 2, most_mib: 1 },
        Unplaced::NoCpu { needed_percent: 2, most_percent: 1 },
        Unplaced::AntiAffinity { worker: worker("w1") },
        Unplaced::Ceiling { max_slots: 1 },
    ];
    for why in all {
        let text = why.to_string();
        let (_, cure) = text.split_once(';').unwrap();
        assert!(["start", "undrain", "tag", "slots", "rebalance"].iter().any(|word| cure.contains(word)), "{text}");
    }
}

#[test]
fn a_large_cluster_is_filled_evenly() {
    let mut world = world().workers(200, 4);
    for number in 0..10 {
        world = world.topology(&format!("t{number}"), &[("spout", 40), ("split", 80), ("count", 80)]);
    }
    let made = carry_out(&mut world);
    assert!(made.assignments.values().all(|it| it.unplaced.is_empty()));
    let mut loads: BTreeMap<&WorkerName, usize> = world.input.workers.keys().map(|name| (name, 0)).collect();
    for slot in made.assignments.values().flat_map(|it| it.places.values()) {
        *loads.get_mut(&slot.worker).unwrap() += 1;
    }
    assert!(loads.values().all(|load| (5..=20).contains(load)), "{loads:?}");
    assert!(plan(&world.input).is_empty());
}

#[test]
fn topologies_dont_all_begin_on_the_same_worker() {
    let mut firsts = BTreeSet::new();
    for number in 0..20 {
        let mut world = world().workers(8, 1).topology(&format!("t{number}"), &[("spout", 1)]);
        let made = carry_out(&mut world);
        firsts.extend(made.moves.into_iter().filter_map(|it| it.to));
    }
    assert!(firsts.len() > 3, "{firsts:?}");
}

proptest! {
    #[test]
    fn the_order_in_which_things_come_changes_nothing(
        order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
        count in 1_u16..8,
    ) {
        let whole = world().workers(6, 2).topology("a", &[("spout", count), ("bolt", 4)]).topology("b", &[("spout", 3)]);
        let named: Vec<_> = whole.input.workers.iter().map(|(name, worker)| (name.clone(), worker.clone())).collect();
        let workers = order.into_iter().map(|index| named[index].clone()).collect();
        let topologies = whole.input.topologies.clone().into_iter().rev().collect();
        prop_assert_eq!(plan(&Input { workers, topologies }), plan(&whole.input));
    }

    #[test]
    fn an_even_spread_differs_by_one_at_most(workers in 1_usize..6, more in 0_usize..4, spouts in 1_u16..20) {
        let mut world = world().workers(workers, 2).topology("a", &[("spout", spouts)]);
        carry_out(&mut world);
        world = world.workers(more, 2);
        prop_assert!(plan(&world.input).is_empty());
        world.edit("a", |it| it.evenly = true);
        carry_out(&mut world);
        let mut loads: BTreeMap<WorkerName, usize> = BTreeMap::new();
        for slot in world.input.topologies.values().flat_map(|it| it.current.as_ref().unwrap().places.values()) {
            *loads.entry(slot.worker.clone()).or_default() += 1;
        }
        let used = loads.len();
        prop_assert_eq!(used, (workers + more).min(spouts.into()));
        let share = usize::from(spouts).div_ceil(used);
        prop_assert!(loads.values().all(|load| *load <= share), "{:?}", loads);
    }

    #[test]
    fn a_worker_more_never_leaves_more_without_a_place(workers in 0_usize..4, topologies in 1_usize..6) {
        let mut few = world().workers(workers, 1);
        for number in 0..topologies {
            few = few.topology(&format!("t{number}"), &[("spout", 2)]);
        }
        let unplaced = |plan: &Plan| plan.assignments.values().map(|it| it.unplaced.len()).sum::<usize>();
        let before = unplaced(&carry_out(&mut few));
        few = few.workers(1, 1);
        let after = plan(&few.input);
        prop_assert_eq!(check(&few.input, &after), []);
        let placed = after.moves.iter().filter(|it| it.reason == Reason::Found).count();
        prop_assert_eq!(placed, before.min(2));
    }

    #[test]
    fn whatever_becomes_of_workers_plans_hold_and_settle(
        topologies in proptest::collection::vec((1_u16..6, 0_u16..6, 0_u32..3, any::<[bool; 4]>()), 1..5),
        steps in proptest::collection::vec((0_usize..5, 0_u16..4, 0_u64..400, any::<[bool; 4]>()), 1..12),
    ) {
        let mut world = world().workers(5, 2);
        for (number, (first, second, max_slots, [cpu, memory, apart, tagged])) in topologies.into_iter().enumerate() {
            let name = format!("t{number}");
            world = world.topology(&name, &[("first", first), ("second", second)]);
            world.edit(&name, |it| {
                it.options = Options { max_slots, hard_cpu: cpu, hard_memory: memory, ..Options::default() };
                it.options.anti_affinity.extend(apart.then(|| "t1".parse().unwrap()));
                it.components[number % 2].tags.extend(tagged.then(|| "gpu".to_owned()));
                it.components[0].needs.cpu_percent = 70;
            });
        }
        for (which, slots, cpu_percent, [lost, tagged, drained, dead]) in steps {
            let it = world.input.workers.values_mut().nth(which).unwrap();
            (it.slots, it.cpu_percent) = (slots, cpu_percent);
            it.lost = lost.then_some(0).into_iter().collect();
            it.tags = tagged.then(|| "gpu".to_owned()).into_iter().collect();
            it.standing = match (drained, dead) {
                (true, _) => Standing::Draining,
                (_, true) => Standing::Dead,
                _ => Standing::Open,
            };
            carry_out(&mut world);
            prop_assert!(plan(&world.input).is_empty(), "a second plan moves {:?}", plan(&world.input).moves);
        }
    }
}
