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
    assert_eq!(check(&world.input, &plan), [Violation::AntiAffinity(a, name, slot.worker)]);
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

/// The same world with one executor of `a` sent to another of its slots.
fn moved_for_nothing(world: &World, before: &Plan) -> (Plan, Violation) {
    let (name, executor, slot) = first(before, "a");
    let mut assignment = before.assignments[&name].clone();
    (assignment.parent, assignment.version) = (assignment.version, assignment.version.next());
    let other = assignment.places.values().find(|other| **other != slot).unwrap().clone();
    assignment.places.insert(executor, other.clone());
    let (from, to) = (Some(slot.clone()), Some(other));
    let moved = Move { topology: name.clone(), component: None, executor, from, to, reason: Reason::Evenly };
    assert_eq!(world.input.topologies[&name].current.as_ref().unwrap().version, assignment.parent);
    let plan = Plan { assignments: [(name.clone(), assignment)].into(), moves: vec![moved], stuck: Vec::new() };
    (plan, Violation::Needless(name, executor, slot))
}

#[test]
fn a_move_for_no_reason_is_found_whatever_limits_there_are() {
    let edits: [fn(&mut Topology); 5] = [
        |_| {},
        |it| (it.options.hard_cpu, it.options.hard_memory) = (true, true),
        |it| it.options.max_slots = 3,
        |it| it.options.anti_affinity = ["nobody".parse().unwrap()].into(),
        |it| it.components[0].tags = BTreeSet::new(),
    ];
    for edit in edits {
        let (mut world, before) = placed();
        world.adopt(&before);
        world.edit("a", edit);
        let (needless, violation) = moved_for_nothing(&world, &before);
        assert_eq!(check(&world.input, &needless), [violation]);
    }
}

#[test]
fn a_move_that_had_to_be_is_none_for_nothing() {
    let reasons: [fn(&mut World, &SlotId); 5] = [
        |world, slot| world.stand(slot.worker.as_str(), Standing::Dead),
        |world, slot| world.stand(slot.worker.as_str(), Standing::Draining),
        |world, slot| world.input.workers.get_mut(&slot.worker).unwrap().lost.extend([slot.number]),
        |world, slot| {
            world.edit("a", |it| it.options.hard_memory = true);
            world.input.workers.get_mut(&slot.worker).unwrap().memory_mib = 1;
        },
        |world, _| world.edit("a", |it| it.evenly = true),
    ];
    for reason in reasons {
        let (mut world, before) = placed();
        world.adopt(&before);
        reason(&mut world, &first(&before, "a").2);
        let (moved, violation) = moved_for_nothing(&world, &before);
        assert!(!check(&world.input, &moved).contains(&violation), "{:?}", world.input);
    }
}

#[test]
fn one_that_makes_room_for_another_moves_for_nothing() {
    let mut world = world().workers(1, 1).topology("a", &[("spout", 1)]);
    world.adopt(&plan(&world.input));
    let mut world = world.workers(1, 1).topology("b", &[("spout", 1)]);
    let before = world.input.topologies[&"a".parse::<TopologyName>().unwrap()].current.clone().unwrap();
    let mut swapped = plan(&world.input);
    assert_eq!(check(&world.input, &swapped), []);
    let (b, executor, free) = first(&swapped, "b");
    let taken = before.places[&executor].clone();
    change(&mut swapped, "b", |it| drop(it.places.insert(executor, taken.clone())));
    let (version, places) = (before.version.next(), [(executor, free)].into());
    let away = Assignment { version, parent: before.version, places, ..before };
    swapped.assignments.insert("a".parse().unwrap(), away);
    assert_eq!(check(&world.input, &swapped), [Violation::Needless("a".parse().unwrap(), executor, taken)]);
    world.edit("a", |it| it.evenly = true);
    assert_eq!(check(&world.input, &swapped), []);
    assert_eq!(b.as_str(), "b");
}

#[test]
fn a_topology_that_is_left_as_it_is_and_cant_stay_so_is_found() {
    let (mut world, made) = placed();
    let nothing = Plan::default();
    let never = check(&world.input, &nothing);
    assert!(!never.is_empty() && never.iter().all(|it| matches!(it, Violation::Missing(..))), "{never:?}");
    world.adopt(&made);
    assert_eq!(check(&world.input, &nothing), []);
    let (name, executor, slot) = first(&made, "a");
    let whole = world.clone();
    world.edit("a", |it| it.version = it.version.next());
    assert_eq!(check(&world.input, &nothing), [Violation::WrongVersion(name.clone())]);
    let mut world = whole.clone();
    world.edit("a", |it| it.options.max_slots = 1);
    assert!(matches!(check(&world.input, &nothing)[..], [Violation::Ceiling(..)]));
    let mut world = whole;
    world.stand(slot.worker.as_str(), Standing::Dead);
    assert!(check(&world.input, &nothing).contains(&Violation::Gone(name, executor, slot)));
}

#[test]
fn an_executor_that_waits_though_there_is_a_place_is_found() {
    let (mut world, mut made) = placed();
    let (name, executor, slot) = first(&made, "a");
    let whole = made.clone();
    change(&mut made, "a", |assignment| {
        assignment.places.remove(&executor);
        assignment.unplaced.insert(executor, crate::Unplaced::NoWorkers);
    });
    let found = check(&world.input, &made);
    assert!(
        matches!(&found[..], [Violation::Idle(topology, which, _)] if (topology, which) == (&name, &executor)),
        "{found:?}"
    );

    world.adopt(&whole);
    world.stand(slot.worker.as_str(), Standing::Draining);
    let found = check(&world.input, &Plan::default());
    assert!(!found.is_empty() && found.iter().all(|it| matches!(it, Violation::Idle(..))), "{found:?}");
}
