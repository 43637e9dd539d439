//! Explanations say what the planner does.

use proptest::prelude::*;
use squall_types::cluster::{ExecutorId, SlotId, TopologyName};

use super::tests::{World, history, world};
use super::*;

/// Executors of all topologies.
fn everyone(input: &Input) -> Vec<(TopologyName, ExecutorId)> {
    let of = |(name, topology): (&TopologyName, &Topology)| {
        topology.executors().map(|(_, id)| (name.clone(), id)).collect::<Vec<_>>()
    };
    input.topologies.iter().flat_map(of).collect()
}

fn place(input: &Input, name: &TopologyName, executor: ExecutorId) -> Option<SlotId> {
    input.topologies[name].current.as_ref()?.places.get(&executor).cloned()
}

#[test]
fn nobody_and_nothing_are_not_explained() {
    let world = world().workers(1, 1).topology("a", &[("spout", 1)]);
    let (name, executor) = everyone(&world.input).remove(0);
    assert!(explain(&world.input, &"b".parse().unwrap(), executor).is_none());
    let stray = ExecutorId { first: squall_types::TaskId::new(9), last: executor.last };
    assert!(explain(&world.input, &name, stray).is_none());
    let explained = explain(&world.input, &name, executor).unwrap();
    assert_eq!((explained.at, explained.nowhere, explained.candidates.len()), (None, None, 1));
}

/// What is explained of an executor of `a`, by its place among them.
fn of_a(world: &World, which: usize) -> Explanation {
    let (name, executor) =
        everyone(&world.input).into_iter().filter(|(name, _)| name.as_str() == "a").nth(which).unwrap();
    explain(&world.input, &name, executor).unwrap()
}

/// Three workers with `a` on all of them.
fn spread() -> World {
    let mut world = world().workers(3, 2).topology("a", &[("spout", 3), ("bolt", 3)]);
    world.adopt(&plan(&world.input));
    world
}

fn drawbacks(explained: &Explanation) -> Vec<Drawback> {
    explained.candidates.iter().filter_map(|it| it.behind).collect()
}

#[test]
fn a_place_that_is_as_good_as_any_is_kept_and_the_others_say_what_they_lack() {
    let world = spread();
    let explained = of_a(&world, 0);
    assert_eq!(explained.candidates[0].slot, explained.at.clone().unwrap());
    assert_eq!(drawbacks(&explained), [Drawback::Share, Drawback::Share]);
    assert!(explained.refused.is_empty() && explained.leaves.is_none());
    let neighbours = of_a(&world, 3);
    assert_eq!(neighbours.candidates[0].slot, neighbours.at.clone().unwrap());
    assert_eq!(neighbours.candidates.len(), 3);
}

#[test]
fn quarantine_and_load_decide_against_a_worker() {
    let mut world = spread();
    world.stand("w0", Standing::Quarantined);
    let last = |world: &World, which| of_a(world, which).candidates.last().cloned().unwrap();
    let quarantined = last(&world, 0);
    assert_eq!((quarantined.slot.worker.as_str(), quarantined.behind), ("w0", Some(Drawback::Quarantined)));
    world.stand("w0", Standing::Open);
    world.input.workers.get_mut(&"w1".parse().unwrap()).unwrap().cpu_percent = 25;
    let overloaded = last(&world, 0);
    assert_eq!((overloaded.slot.worker.as_str(), overloaded.behind), ("w1", Some(Drawback::Overloaded)));
}

#[test]
fn each_obstacle_is_named_in_the_order_in_which_it_is_looked_for() {
    let mut world = spread().topology("b", &[("spout", 1)]);
    let kept_off = |world: &World| of_a(world, 0).refused.into_iter().map(|it| it.why).collect::<Vec<_>>();
    world.edit("b", |it| it.options.anti_affinity = ["a".parse().unwrap()].into());
    world = world.workers(1, 1);
    world.adopt(&plan(&world.input));
    assert_eq!(kept_off(&world), [KeptOff::AntiAffinity("b".parse().unwrap())]);
    world.edit("a", |it| it.components[0].tags = ["gpu".to_owned()].into());
    assert_eq!(kept_off(&world), vec![KeptOff::Tags(vec!["gpu".to_owned()]); 4]);
    world.input.workers.values_mut().for_each(|worker| worker.standing = Standing::CutOff);
    assert_eq!(kept_off(&world), vec![KeptOff::Standing(Standing::CutOff); 4]);
}

#[test]
fn limits_and_ceilings_are_named_with_their_numbers() {
    let mut world = spread().workers(1, 1);
    world.edit("a", |it| it.options.max_slots = 3);
    assert_eq!(of_a(&world, 0).refused[0].why, KeptOff::Ceiling { max_slots: 3 });
    world.edit("a", |it| (it.options.max_slots, it.options.hard_memory) = (0, true));
    world.edit("a", |it| it.components[0].needs.memory_mib = 9_000);
    let explained = of_a(&world, 0);
    assert!(explained.candidates.is_empty());
    assert_eq!(explained.nowhere, Some(crate::Unplaced::NoMemory { needed_mib: 9_000, most_mib: 8_192 }));
    let left: Vec<_> = explained.refused.iter().map(|it| it.why.clone()).collect();
    assert!(left.contains(&KeptOff::Memory { needed_mib: 9_000, left_mib: 8_192 }), "{left:?}");
    world.edit("a", |it| {
        (it.options.hard_memory, it.options.hard_cpu) = (false, true);
        it.components[0].needs.cpu_percent = 900;
    });
    assert!(of_a(&world, 0).refused.iter().all(|it| matches!(it.why, KeptOff::Cpu { needed_percent: 900, .. })));
}

#[test]
fn what_is_said_of_places_can_be_read() {
    let against = Against { here: 2, best: 1 };
    for (drawback, words) in [
        (Drawback::Quarantined, "its worker is quarantined"),
        (Drawback::Overloaded, "its worker would have to give more than it has"),
        (Drawback::Share, "it has its even share of the component already"),
        (Drawback::Neighbours, "fewer of those that it takes rows from are in it"),
        (Drawback::Component(against), "it has 2 of the component, the best has 1"),
        (Drawback::Topology(against), "it has 2 executors of the topology, the best has 1"),
        (Drawback::Zone(against), "the topology has 2 slots in its zone, and 1 in that of the best"),
        (Drawback::Load(Against { here: 625, best: 40 }), "its worker would be 62.5 % full, that of the best 4.0 %"),
        (Drawback::Name, "as good as the best; a hash of the names decides between equals"),
    ] {
        assert_eq!(drawback.to_string(), words);
    }
    for (why, words) in [
        (KeptOff::Standing(Standing::Dead), "is dead"),
        (KeptOff::Tags(vec!["gpu".to_owned(), "ssd".to_owned()]), "isn't tagged gpu, ssd"),
        (KeptOff::NoFreeSlot { slots: 0 }, "has no slots"),
        (
            KeptOff::Cpu { needed_percent: 50, left_percent: 9 },
            "has 9 % of a core left, 50 % are needed, and it is a limit there",
        ),
    ] {
        assert_eq!(why.to_string(), words);
    }
}

#[test]
fn what_leaves_and_what_waits_is_said_as_it_is() {
    let mut world = spread();
    let at = of_a(&world, 0).at.unwrap().worker;
    world.stand(at.as_str(), Standing::Dead);
    assert!(of_a(&world, 0).verdict().ends_with(&format!("with the next plan: {at} is dead")));
    world.input.workers.values_mut().for_each(|worker| worker.standing = Standing::Draining);
    assert!(of_a(&world, 0).verdict().contains(" for now, though "), "{}", of_a(&world, 0));
    world.edit("a", |it| it.current = None);
    assert!(of_a(&world, 0).verdict().starts_with("it has no place: no worker may take work"));
    world.input.workers.values_mut().for_each(|worker| worker.standing = Standing::Open);
    assert_eq!(of_a(&world, 0).verdict(), "it has no place yet, and gets one with the next plan");
}

proptest! {
    #[test]
    fn each_worker_is_a_candidate_or_says_why_not_and_who_has_no_place_has_no_candidate((mut world, steps) in history()) {
        for step in steps {
            for (worker, standing) in world.input.workers.values_mut().zip(step) {
                worker.standing = standing;
            }
            world.adopt(&plan(&world.input));
            for (name, executor) in everyone(&world.input) {
                let it = explain(&world.input, &name, executor).unwrap();
                let mut told: Vec<_> = it.refused.iter().map(|it| it.worker.clone()).collect();
                told.extend(it.candidates.iter().map(|it| it.slot.worker.clone()));
                told.sort();
                told.dedup();
                prop_assert_eq!(told.len(), world.input.workers.len());
                prop_assert!(it.candidates.iter().skip(1).all(|it| it.behind.is_some()));
                let unplaced = &world.input.topologies[&name].current.as_ref().unwrap().unplaced;
                match (&it.at, &it.leaves) {
                    (None, _) => prop_assert_eq!(it.nowhere.as_ref(), unplaced.get(&executor)),
                    (Some(_), None) => {}
                    (Some(_), Some(reason)) => {
                        prop_assert!(matches!(reason, Reason::Drained(_)) && it.nowhere.is_some(), "{reason}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_best_candidate_is_where_the_planner_would_put_it((mut world, steps) in history(), which in any::<prop::sample::Index>()) {
        for (worker, standing) in world.input.workers.values_mut().zip(&steps[0]) {
            worker.standing = *standing;
        }
        let made = plan(&world.input);
        world.adopt(&made);
        // What waits for a place would take the one that is set free here.
        if !made.stuck.is_empty() || made.assignments.values().any(|it| !it.unplaced.is_empty()) {
            return Ok(());
        }
        let everyone = everyone(&world.input);
        let (name, executor) = everyone[which.index(everyone.len())].clone();
        let best = explain(&world.input, &name, executor).unwrap().candidates.first().map(|it| it.slot.clone());
        world.edit(name.as_str(), |it| drop(it.current.as_mut().unwrap().places.remove(&executor)));
        world.adopt(&plan(&world.input));
        prop_assert_eq!(best, place(&world.input, &name, executor));
    }
}
