//! What is said of a cluster, of one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_raft::Standing as Vote;
use squall_types::cluster::{ClusterId, Revision};

use super::*;
use crate::leading::Seen;
use crate::testing::{History, blob, id, leading, slot, voters, worker};

fn me() -> Me {
    Me { id: id(1), name: "m1".parse().unwrap(), address: "m1:7400".to_owned(), cluster: ClusterId::new(7).unwrap() }
}

fn view(workers: &[(&str, Standing)]) -> View {
    let seen = |standing| Seen { standing, silent: Duration::ZERO, lost: std::collections::BTreeSet::new() };
    let workers: BTreeMap<_, _> = workers.iter().map(|(name, standing)| (worker(name), seen(*standing))).collect();
    View { workers, ..View::default() }
}

/// Everything that is said: how bad, about what, under which code.
fn said(history: &History, raft: &Status, view: Option<&View>, stale: bool) -> Vec<(v1::Health, String, String)> {
    let me = me();
    let status = Known { me: &me, state: &history.state, raft, view, stale }.status();
    let worst = status.concerns.iter().map(v1::Concern::health).max().unwrap_or(v1::Health::Green);
    assert_eq!(status.health(), worst);
    assert!(status.concerns.iter().all(|it| !it.cause.is_empty() && !it.next_step.is_empty()), "{status:?}");
    status.concerns.into_iter().map(|it| (it.health(), it.subject, it.code)).collect()
}

fn concern(health: v1::Health, subject: &str, code: &str) -> (v1::Health, String, String) {
    (health, subject.to_owned(), code.to_owned())
}

#[test]
fn a_cluster_in_which_all_is_well_is_green() {
    let mut history = History::new(3);
    history.registers("w1", 1, "w1:7500");
    history.stores(blob(1), &[1, 2, 3]);
    history.submits("words", Some(blob(1)));
    history.assigns("words", &[slot("w1", 0)]);
    let well = view(&[("w1", Standing::Open)]);
    assert_eq!(said(&history, &leading(&voters(3)), Some(&well), false), []);
}

#[test]
fn masters_that_are_silent_behind_or_without_a_vote_are_amber() {
    let mut history = History::new(3);
    let mut raft = leading(&voters(3));
    let mut progress = raft.progress.to_vec();
    progress[0].recent_active = false;
    raft.commit = Revision::new(1_000 + FAR_BEHIND + 1);
    raft.progress = progress.into();
    let amber = |name: &str| concern(v1::Health::Amber, name, "SQ6517");
    assert_eq!(said(&history, &raft, Some(&view(&[])), false), [amber("master m2"), amber("master m3")]);

    let seats = history
        .state
        .members()
        .iter()
        .map(|(id, it)| (*id, squall_control::Seat { voter: it.seat.name.as_str() != "m3", ..it.seat.clone() }));
    let seats = seats.collect();
    history.state.members_changed(history.state.revision().next(), &seats);
    let learner = leading(&[(1, Vote::Voter), (2, Vote::Voter), (3, Vote::Learner)]);
    assert_eq!(said(&history, &learner, Some(&view(&[])), false), [amber("master m3")]);
}

#[test]
fn without_a_leader_it_is_red_and_names_the_way_on() {
    let history = History::new(3);
    let mut raft = leading(&voters(3));
    (raft.role, raft.leader, raft.progress) = (Role::Follower, None, [].into());
    assert_eq!(said(&history, &raft, None, true), [concern(v1::Health::Red, "cluster", "SQ6521")]);
    let me = me();
    let known = Known { me: &me, state: &history.state, raft: &raft, view: None, stale: true };
    assert!(known.concerns()[0].next_step.contains("squall masters recover"));
    raft.role = Role::Removed;
    assert_eq!(said(&history, &raft, None, true), [concern(v1::Health::Red, "master m1", "SQ6527")]);
}

#[test]
fn each_worker_that_is_not_well_is_amber_and_one_that_left_only_while_it_has_work() {
    let mut history = History::new(1);
    (1..=4).for_each(|number| history.registers(&format!("w{number}"), 1, "w:7500"));
    history.submits("words", None);
    history.assigns("words", &[slot("w3", 0)]);
    let seen =
        view(&[("w1", Standing::Unheard), ("w2", Standing::Left), ("w3", Standing::Left), ("w4", Standing::CutOff)]);
    let amber = |name: &str| concern(v1::Health::Amber, name, "SQ6518");
    assert_eq!(said(&history, &leading(&voters(1)), Some(&seen), false), [amber("worker w3"), amber("worker w4")]);
}

#[test]
fn packages_that_masters_lack_are_amber_and_one_that_a_topology_needs_and_nobody_has_is_red() {
    let mut history = History::new(2);
    history.stores(blob(1), &[1]);
    history.stores(blob(2), &[]);
    history.stores(blob(3), &[]);
    history.submits("words", Some(blob(2)));
    let said = said(&history, &leading(&voters(2)), Some(&view(&[])), false);
    let lost = concern(v1::Health::Red, &format!("blob {}", blob(2).short()), "SQ6520");
    assert_eq!(said, [lost, concern(v1::Health::Amber, "master m2", "SQ6520")]);
}

#[test]
fn a_plan_that_breaks_a_rule_is_red() {
    let broken = View { broken: vec!["a rule".to_owned()], ..view(&[]) };
    let said = said(&History::new(1), &leading(&voters(1)), Some(&broken), false);
    assert_eq!(said, [concern(v1::Health::Red, "cluster", "SQ6508")]);
}
