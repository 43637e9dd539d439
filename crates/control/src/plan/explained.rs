//! Explanations say what the planner does.

use proptest::prelude::*;
use squall_types::cluster::{ExecutorId, SlotId, TopologyName};

use super::tests::{history, world};
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
