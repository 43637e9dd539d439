use super::*;
use crate::plan::tests::{World, world};
use crate::plan::{Move, Reason, plan};

/// Three workers with two topologies, placed.
fn placed() -> (World, Plan) {
    let world = world().workers(3, 2).topology("a", &[("spout", 2), ("bolt", 4)]).topology("b", &[("spout", 1)]);
    let plan = plan(&world.input);
    assert_eq!(check(&world.input, &plan), []);
    (world, plan)
}

fn first(plan: &Plan, name: &str) -> (TopologyName, ExecutorId, SlotId) {
    let name: TopologyName = name.parse().unwrap();
    let (executor, slot) = plan.assignments[&name].places.iter().next().unwrap();
    (name, *executor, slot.clone())
}

fn change(plan: &mut Plan, name: &str, change: impl FnOnce(&mut Assignment)) {
    change(plan.assignments.get_mut(&name.parse().unwrap()).unwrap());
}

#[test]
fn an_executor_without_place_or_reason_is_found() {
    let (world, mut plan) = placed();
    let (name, executor, _) = first(&plan, "a");
    change(&mut plan, "a", |it| drop(it.places.remove(&executor)));
    assert_eq!(check(&world.input, &plan), [Violation::Missing(name, executor)]);
}

#[test]
fn an_executor_that_is_there_twice_is_found() {
    let (world, mut plan) = placed();
    let (name, executor, _) = first(&plan, "a");
    change(&mut plan, "a", |it| drop(it.unplaced.insert(executor, crate::Unplaced::NoWorkers)));
    assert_eq!(check(&world.input, &plan), [Violation::Twice(name, executor)]);
}

#[test]
fn a_stray_executor_is_found() {
    let (world, mut plan) = placed();
    let (name, executor, slot) = first(&plan, "a");
    let stray = ExecutorId { first: squall_types::TaskId::new(900), last: executor.last };
    change(&mut plan, "a", |it| drop(it.places.insert(stray, slot)));
    assert!(check(&world.input, &plan).contains(&Violation::Stray(name, stray)));
}

#[test]
fn a_gap_in_the_chain_of_versions_is_found() {
    let (world, mut plan) = placed();
    change(&mut plan, "a", |it| it.version = AssignmentVersion::new(7));
    let chain = Violation::Chain("a".parse().unwrap(), AssignmentVersion::new(7), AssignmentVersion::ZERO);
    assert_eq!(check(&world.input, &plan), [chain]);
}

#[test]
fn a_slot_that_two_topologies_share_is_found() {
    let (world, mut plan) = placed();
    let (a, _, slot) = first(&plan, "a");
    let (b, executor, _) = first(&plan, "b");
    change(&mut plan, "b", |it| drop(it.places.insert(executor, slot.clone())));
    assert_eq!(check(&world.input, &plan), [Violation::SharedSlot(a, b, slot)]);
}

#[test]
fn work_on_what_is_gone_or_was_never_there_is_found() {
    let (mut world, mut plan) = placed();
    let (name, executor, slot) = first(&plan, "b");
    world.stand(slot.worker.as_str(), Standing::Dead);
    assert!(check(&world.input, &plan).contains(&Violation::Gone(name.clone(), executor, slot)));
    let nowhere = SlotId { worker: "nobody".parse().unwrap(), number: 0 };
    change(&mut plan, "b", |it| drop(it.places.insert(executor, nowhere.clone())));
    assert!(check(&world.input, &plan).contains(&Violation::NoSuchSlot(name, executor, nowhere)));
}

#[test]
fn new_work_for_a_worker_that_takes_none_is_found() {
    for standing in [Standing::Draining, Standing::CutOff, Standing::Suspect, Standing::Unheard] {
        let (mut world, plan) = placed();
        let (name, executor, slot) = first(&plan, "b");
        world.stand(slot.worker.as_str(), standing);
        assert!(check(&world.input, &plan).contains(&Violation::Closed(name, executor, slot.worker)), "{standing:?}");
    }
}

#[test]
fn a_missing_tag_too_many_slots_and_foes_on_one_worker_are_found() {
    let (mut world, plan) = placed();
    let (name, executor, slot) = first(&plan, "b");
    world.edit("b", |it| {
        it.components[0].tags.insert("gpu".to_owned());
    });
    assert_eq!(check(&world.input, &plan), [Violation::Tags(name.clone(), executor, slot.worker.clone())]);

    let (mut world, plan) = placed();
    world.edit("a", |it| it.options.max_slots = 1);
    assert!(matches!(check(&world.input, &plan)[..], [Violation::Ceiling(_, slots, 1)] if slots > 1));

    let (mut world, plan) = placed();
    let a: TopologyName = "a".parse().unwrap();
    world.edit("b", |it| {
        it.options.anti_affinity.insert(a.clone());
    });
    assert_eq!(check(&world.input, &plan), [Violation::AntiAffinity(name, a, slot.worker)]);
}

#[test]
fn hard_limits_that_do_not_hold_are_found() {
    let (mut world, plan) = placed();
    world.edit("a", |it| it.options.hard_memory = true);
    world.edit("a", |it| it.options.hard_cpu = true);
    world.input.workers.values_mut().for_each(|worker| (worker.memory_mib, worker.cpu_percent) = (1, 1));
    let found = check(&world.input, &plan);
    assert!(
        found.iter().any(|it| matches!(it, Violation::Memory(_)))
            && found.iter().any(|it| matches!(it, Violation::Cpu(_)))
    );
}

#[test]
fn a_move_for_no_reason_is_found() {
    let (mut world, before) = placed();
    world.adopt(&before);
    let (name, executor, slot) = first(&before, "a");
    let mut assignment = before.assignments[&name].clone();
    (assignment.parent, assignment.version) = (assignment.version, assignment.version.next());
    let other = assignment.places.values().find(|other| **other != slot).unwrap().clone();
    assignment.places.insert(executor, other.clone());
    let to = Some(other);
    let moved = Move {
        topology: name.clone(),
        component: None,
        executor,
        from: Some(slot.clone()),
        to,
        reason: Reason::Evenly,
    };
    let needless = Plan { assignments: [(name.clone(), assignment)].into(), moves: vec![moved], stuck: Vec::new() };
    assert_eq!(check(&world.input, &needless), [Violation::Needless(name, executor, slot)]);
}
