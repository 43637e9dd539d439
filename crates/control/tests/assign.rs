//! Planners' decisions are decided again when they are applied.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::BTreeMap;

use common::{
    Log, assignment_of, executor, kill, name, next_assignment, parallel, rebalance, register, slot, submit, update,
    words,
};
use squall_control::{Assign, Assignment, Command, Misfit, Rebalance, Refusal, Unplaced};
use squall_types::cluster::{AssignmentVersion, Revision, TopologyVersion};
use squall_types::codes;

fn refused(log: &mut Log, assignment: Assignment) -> Refusal {
    log.refused(assignment_of("words", assignment, 0))
}

fn misfit(log: &mut Log, change: impl FnOnce(&mut Assignment)) -> Misfit {
    let mut assignment = next_assignment(log.deployed("words"), &[slot("w1", 0), slot("w2", 0)]);
    change(&mut assignment);
    match refused(log, assignment) {
        Refusal::Misfit { misfit, .. } => misfit,
        other => panic!("{other}"),
    }
}

#[test]
fn an_assignment_that_fits_is_taken_as_it_is() {
    let mut log = Log::with_words();
    let assignment = next_assignment(log.deployed("words"), &[slot("w1", 0), slot("w2", 0)]);
    let outcome = log.run(assignment_of("words", assignment.clone(), 3));
    assert_eq!(outcome.events[0].text(), "words has assignment 1: all 4 executors are placed");
    assert_eq!(**log.deployed("words").assignment().unwrap(), assignment);
    assert!(log.deployed("words").is_assigned_as_it_is());
    assert_eq!(log.state.slots().len(), 2);
    assert_eq!(log.state.slots_on(&common::worker("w1")).count(), 1);
    assert_eq!(log.state.counts().placed, 4);
}

#[test]
fn assignments_are_a_chain_and_none_is_skipped_or_taken_twice() {
    let mut log = Log::with_words();
    let first = next_assignment(log.deployed("words"), &[slot("w1", 0)]);
    log.done(assignment_of("words", first.clone(), 0));
    let again = refused(&mut log, first);
    assert_eq!(again.code(), codes::STALE_ASSIGNMENT);
    let (parent, current) = (AssignmentVersion::ZERO, AssignmentVersion::new(1));
    assert_eq!(again, Refusal::StaleAssignment { name: name("words"), parent, current });
    let gap = misfit(&mut log, |it| it.version = AssignmentVersion::new(7));
    assert_eq!(gap, Misfit::Gap { given: AssignmentVersion::new(7), next: AssignmentVersion::new(2) });
    log.assign("words", &[slot("w2", 1)]).reply.unwrap();
    assert_eq!(log.deployed("words").parent(), AssignmentVersion::new(2));
}

#[test]
fn an_assignment_places_the_current_version() {
    let mut log = Log::with_words();
    log.done(update("words", &words(2)));
    let old = misfit(&mut log, |it| it.topology = TopologyVersion::new(1));
    assert_eq!(old, Misfit::Version { given: TopologyVersion::new(1), current: TopologyVersion::new(2) });
}

#[test]
fn every_executor_is_spoken_of_once_and_no_other() {
    let mut log = Log::with_words();
    let (mine, strange) = (executor(1, 1), executor(9, 9));
    assert_eq!(misfit(&mut log, |it| drop(it.places.remove(&mine))), Misfit::Missing(mine));
    let twice = misfit(&mut log, |it| drop(it.unplaced.insert(mine, Unplaced::NoWorkers)));
    assert_eq!(twice, Misfit::Twice(mine));
    let placed = misfit(&mut log, |it| drop(it.places.insert(strange, slot("w1", 0))));
    assert_eq!(placed, Misfit::Unknown(strange));
    let unplaced = misfit(&mut log, |it| drop(it.unplaced.insert(strange, Unplaced::NoWorkers)));
    assert_eq!(unplaced, Misfit::Unknown(strange));
}

#[test]
fn executors_are_placed_on_slots_that_there_are() {
    let mut log = Log::with_words();
    let nowhere = misfit(&mut log, |it| drop(it.places.insert(executor(1, 1), slot("w9", 0))));
    assert_eq!(nowhere, Misfit::NoWorker(common::worker("w9")));
    let beyond = misfit(&mut log, |it| drop(it.places.insert(executor(1, 1), slot("w1", 4))));
    assert_eq!(beyond, Misfit::NoSlot { slot: slot("w1", 4), slots: 4 });
}

#[test]
fn executors_without_a_place_carry_their_reason() {
    let mut log = Log::with_words();
    let mut assignment = next_assignment(log.deployed("words"), &[slot("w1", 0)]);
    assignment.places.remove(&executor(4, 4));
    assignment.unplaced.insert(executor(4, 4), Unplaced::NoFreeSlot { slots: 8 });
    let outcome = log.run(assignment_of("words", assignment, 0));
    assert_eq!(outcome.events[0].text(), "words has assignment 1: 3 executors are placed, 1 are not");
    assert!(log.deployed("words").is_assigned_as_it_is());
    let unplaced: Vec<_> = log.state.unplaced().collect();
    assert_eq!(unplaced, [(&name("words"), executor(4, 4), &Unplaced::NoFreeSlot { slots: 8 })]);
}

#[test]
fn a_slot_holds_one_topology() {
    let mut log = Log::with_words();
    log.done(submit("other"));
    log.assign("words", &[slot("w1", 0)]).reply.unwrap();
    let taken = log.assign("other", &[slot("w1", 0)]).reply.unwrap_err();
    let misfit = Misfit::SlotTaken { slot: slot("w1", 0), topology: name("words") };
    assert_eq!(taken, Refusal::Misfit { name: name("other"), misfit });
    log.assign("other", &[slot("w1", 1)]).reply.unwrap();
}

#[test]
fn one_plan_can_swap_slots_between_topologies_but_not_give_one_to_both() {
    let mut log = Log::with_words();
    log.done(submit("other"));
    log.assign("words", &[slot("w1", 0)]).reply.unwrap();
    log.assign("other", &[slot("w2", 0)]).reply.unwrap();
    let plan = |log: &Log, words, other| {
        let next = |of: &str, slot| (name(of), next_assignment(log.deployed(of), &[slot]));
        let assignments = BTreeMap::from([next("words", words), next("other", other)]);
        Command::Assign(Assign { planned_at: Revision::ZERO, assignments })
    };
    let both = plan(&log, slot("w1", 3), slot("w1", 3));
    assert_eq!(log.refused(both).code(), codes::ASSIGNMENT_MISFIT);
    let swap = plan(&log, slot("w2", 0), slot("w1", 0));
    assert_eq!(log.done(swap), ["topology-assigned", "topology-assigned"]);
    assert_eq!(log.state.slots()[&slot("w1", 0)], name("other"));
    assert_eq!(log.state.slots()[&slot("w2", 0)], name("words"));
}

#[test]
fn a_plan_is_taken_whole_or_not_at_all() {
    let mut log = Log::with_words();
    log.done(submit("other"));
    let good = next_assignment(log.deployed("words"), &[slot("w1", 0)]);
    let mut bad = next_assignment(log.deployed("other"), &[slot("w1", 1)]);
    bad.parent = AssignmentVersion::new(5);
    for (first, second) in [("words", "other"), ("other", "words")] {
        let (a, b) = if first == "words" { (&good, &bad) } else { (&bad, &good) };
        let assignments = BTreeMap::from([(name(first), a.clone()), (name(second), b.clone())]);
        log.refused(Command::Assign(Assign { planned_at: Revision::ZERO, assignments }));
        assert!(log.deployed("words").assignment().is_none());
    }
}

#[test]
fn a_plan_for_a_topology_that_is_gone_is_refused() {
    let mut log = Log::with_words();
    let assignment = next_assignment(log.deployed("words"), &[slot("w1", 0)]);
    log.done(kill("words", 0));
    log.done(Command::FinishKill(name("words")));
    assert_eq!(refused(&mut log, assignment).code(), codes::UNKNOWN_TOPOLOGY);
}

#[test]
fn a_plan_made_before_a_rebalance_does_not_fit_after_it() {
    let mut log = Log::with_words();
    let old = next_assignment(log.deployed("words"), &[slot("w1", 0)]);
    log.done(parallel("words", "count", 3));
    let refusal = refused(&mut log, old);
    assert_eq!(refusal, Refusal::Misfit { name: name("words"), misfit: Misfit::Missing(executor(5, 5)) });
}

#[test]
fn after_an_update_or_a_rebalance_the_old_assignment_no_longer_counts_as_made() {
    let mut log = Log::with_words();
    log.assign("words", &[slot("w1", 0)]).reply.unwrap();
    log.done(parallel("words", "count", 3));
    assert!(!log.deployed("words").is_assigned_as_it_is());
    log.assign("words", &[slot("w1", 0)]).reply.unwrap();
    assert!(log.deployed("words").is_assigned_as_it_is());
    log.done(update("words", &words(3)));
    assert!(!log.deployed("words").is_assigned_as_it_is());
}

#[test]
fn an_even_spread_is_owed_until_a_plan_that_knew_of_it() {
    let mut log = Log::with_words();
    log.done(Command::Rebalance(Rebalance { evenly: true, ..rebalance("words") }));
    let asked = log.revision;
    assert_eq!(log.deployed("words").evenly_since(), Some(Revision::new(asked)));
    let before = next_assignment(log.deployed("words"), &[slot("w1", 0)]);
    log.done(assignment_of("words", before, asked - 1));
    assert_eq!(log.deployed("words").evenly_since(), Some(Revision::new(asked)));
    let after = next_assignment(log.deployed("words"), &[slot("w1", 0)]);
    log.done(assignment_of("words", after, asked));
    assert_eq!(log.deployed("words").evenly_since(), None);
}

#[test]
fn an_assignment_leaves_what_compare_and_set_compares() {
    let mut log = Log::with_words();
    let before = log.deployed("words").revision();
    log.assign("words", &[slot("w1", 0)]).reply.unwrap();
    assert_eq!(log.deployed("words").revision(), before);
}

#[test]
fn a_topology_of_a_name_that_was_used_before_goes_on_in_versions() {
    let mut log = Log::with_words();
    log.assign("words", &[slot("w1", 0)]).reply.unwrap();
    log.assign("words", &[slot("w1", 1)]).reply.unwrap();
    log.done(kill("words", 0));
    log.done(Command::FinishKill(name("words")));
    assert!(log.state.slots().is_empty());
    log.done(submit("words"));
    assert_eq!(log.deployed("words").parent(), AssignmentVersion::new(2));
    log.assign("words", &[slot("w1", 1)]).reply.unwrap();
    assert_eq!(log.deployed("words").assignment().unwrap().version, AssignmentVersion::new(3));
}

#[test]
fn a_worker_that_comes_back_smaller_takes_no_more_than_it_has() {
    let mut log = Log::with_words();
    log.assign("words", &[slot("w1", 3)]).reply.unwrap();
    log.done(register("w1", 2, 2));
    let refusal = log.assign("words", &[slot("w1", 3)]).reply.unwrap_err();
    let misfit = Misfit::NoSlot { slot: slot("w1", 3), slots: 2 };
    assert_eq!(refusal, Refusal::Misfit { name: name("words"), misfit });
    assert!(matches!(log.deployed("words").slots().next(), Some(it) if *it == slot("w1", 3)));
}
