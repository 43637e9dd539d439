//! Plans as the replicated state takes them: whatever is planned from a state, that state accepts.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Log, kill, name, parallel, rebalance, register, slot, submission, worker};
use proptest::prelude::*;
use squall_control::check::check;
use squall_control::plan::{Input, Options, Plan, Reason, Standing, Topology, Worker, plan};
use squall_control::{Admin, Assign, Command, Deployed, Rebalance, State, Submit};
use squall_types::cluster::{AssignmentVersion, Revision, WorkerName};

/// The state as the planner sees it, with these workers dead.
fn input(state: &State, dead: &BTreeSet<WorkerName>) -> Input {
    let worker = |(name, worker): (&WorkerName, &squall_control::Worker)| {
        let registration = &worker.registration;
        let standing = match worker.admin {
            _ if dead.contains(name) => Standing::Dead,
            Admin::Draining => Standing::Draining,
            Admin::Open => Standing::Open,
        };
        let worker = Worker {
            slots: registration.slots,
            cpu_percent: registration.capacity.cpu_percent.into(),
            memory_mib: registration.capacity.memory_mib,
            tags: registration.tags.iter().map(ToString::to_string).collect(),
            zone: registration.zone.to_string(),
            standing,
            lost: BTreeSet::new(),
        };
        (name.clone(), worker)
    };
    let topologies = state.topologies().iter().map(|(name, deployed)| (name.clone(), topology(deployed)));
    Input { workers: state.workers().iter().map(worker).collect(), topologies: topologies.collect() }
}

fn topology(deployed: &Deployed) -> Topology {
    let asked = deployed.options();
    let options = Options {
        max_slots: asked.max_slots.unwrap_or(0),
        anti_affinity: asked.anti_affinity.clone(),
        hard_cpu: asked.hard_cpu,
        hard_memory: asked.hard_memory,
    };
    let mut topology = Topology::new(deployed.shape().checked(), deployed.current().version, options);
    topology.evenly = deployed.evenly_since().is_some();
    topology.current = deployed.assignment().map(|it| (**it).clone());
    topology
}

/// Plans from the state, and has it decided.
fn settle(log: &mut Log, dead: &BTreeSet<WorkerName>) -> Plan {
    let planned = input(&log.state, dead);
    let made = plan(&planned);
    assert_eq!(check(&planned, &made), []);
    if !made.is_empty() {
        let mut assignments = made.assignments.clone();
        for (name, assignment) in &mut assignments {
            // The first of a topology follows the last of its namesake that was forgotten.
            let parent = log.state.topology(name).unwrap().parent();
            (assignment.parent, assignment.version) = (parent, parent.next());
        }
        log.done(Command::Assign(Assign { planned_at: Revision::new(log.revision), assignments }));
    }
    made
}

#[test]
fn what_is_planned_is_taken_and_then_nothing_is_left_to_plan() {
    let mut log = Log::with_words();
    let made = settle(&mut log, &BTreeSet::new());
    assert_eq!(made.moves.len(), 4);
    assert!(log.deployed("words").is_assigned_as_it_is());
    assert!(settle(&mut log, &BTreeSet::new()).is_empty());
}

#[test]
fn an_update_keeps_executors_where_they_are() {
    let mut log = Log::with_words();
    settle(&mut log, &BTreeSet::new());
    let before = log.deployed("words").assignment().unwrap().places.clone();
    log.done(Command::Submit(Box::new(Submit { update: true, ..submission("words") })));
    let made = settle(&mut log, &BTreeSet::new());
    assert_eq!(made.moves, []);
    let after = log.deployed("words").assignment().unwrap();
    assert_eq!((&after.places, after.version), (&before, AssignmentVersion::new(2)));
}

#[test]
fn an_even_spread_is_asked_for_once() {
    let mut log = Log::with_words();
    settle(&mut log, &BTreeSet::from([worker("w2")]));
    log.done(Command::Rebalance(Rebalance { evenly: true, ..rebalance("words") }));
    let made = settle(&mut log, &BTreeSet::new());
    assert!(made.moves.iter().all(|it| it.reason == Reason::Evenly));
    assert_eq!(made.moves.len(), 2);
    assert_eq!(log.deployed("words").evenly_since(), None);
}

#[test]
fn a_worker_that_is_emptied_can_be_forgotten() {
    let mut log = Log::with_words();
    settle(&mut log, &BTreeSet::new());
    log.done(Command::Drain(worker("w1")));
    settle(&mut log, &BTreeSet::new());
    log.done(Command::ForgetWorker(worker("w1")));
    assert!(settle(&mut log, &BTreeSet::new()).is_empty());
    assert!(log.state.slots().keys().all(|it| *it == slot("w2", 0)));
}

proptest! {
    #[test]
    fn no_plan_from_a_state_is_refused_by_it(
        steps in proptest::collection::vec((0_u8..7, 0_usize..4, 1_u32..5), 1..40),
    ) {
        let mut log = Log::with_words();
        let mut dead = BTreeSet::new();
        let mut incarnations: BTreeMap<String, u64> = BTreeMap::new();
        for (kind, which, size) in steps {
            let (of, on) = (format!("t{which}"), format!("w{which}"));
            match kind {
                0 => {
                    let incarnation = incarnations.entry(on.clone()).or_insert(1);
                    *incarnation += 1;
                    log.run(register(&on, *incarnation, u16::try_from(size).unwrap()));
                    dead.remove(&worker(&on));
                }
                1 => drop(log.run(Command::Submit(Box::new(Submit { update: size > 2, ..submission(&of) })))),
                2 => drop(log.run(parallel(&of, "count", size))),
                3 => drop(log.run(Command::Rebalance(Rebalance { evenly: true, max_slots: Some(size), ..rebalance(&of) }))),
                4 => drop(dead.insert(worker(&on))),
                5 => drop(log.run(Command::Drain(worker(&on)))),
                _ => {
                    log.run(kill(&of, 0));
                    log.run(Command::FinishKill(name(&of)));
                }
            }
            settle(&mut log, &dead);
            prop_assert!(log.state.topologies().values().all(Deployed::is_assigned_as_it_is));
        }
    }
}
