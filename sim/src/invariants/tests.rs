use std::collections::{BTreeMap, BTreeSet};

use squall_control::What;
use squall_types::cluster::{AssignmentVersion, Revision, TopologyVersion, UnixMillis};

use super::*;

fn seen(master: usize, term: u64, applied: u64, digest: u64) -> Seen {
    let fresh = Fresh { revision: applied, digest: Some(digest), ..Fresh::default() };
    let raft_id = master as u64 + 1;
    Seen { master, life: 1, cluster: 7, raft_id, term, commit: applied, applied, fresh: Some(fresh), ..Seen::default() }
}

fn violation(steps: &[Seen]) -> String {
    let mut invariants = Invariants::default();
    let now = Duration::from_secs(60);
    steps.iter().find_map(|it| invariants.step(now, std::slice::from_ref(it)).err()).unwrap_or_default()
}

fn event(revision: u64, what: What) -> Event {
    let (revision, at) = (Revision::new(revision), UnixMillis::ZERO);
    Event { revision, at, what, actor: None, origin: None, request: None }
}

fn assigned(revision: u64, version: u64) -> Event {
    let (name, version) = ("t".parse().unwrap(), AssignmentVersion::new(version));
    event(revision, What::TopologyAssigned { name, version, placed: 1, unplaced: 0 })
}

fn with(master: usize, applied: u64, events: Vec<Event>) -> Seen {
    Seen { fresh: Some(Fresh { revision: applied, events, ..Fresh::default() }), ..seen(master, 1, applied, 0) }
}

#[test]
fn masters_that_agree_violate_nothing() {
    let leader = Seen { leads: true, ..seen(0, 1, 5, 55) };
    let next = Seen { leads: true, ..seen(1, 2, 6, 66) };
    let restarted = Seen { life: 2, ..seen(0, 2, 4, 44) };
    assert_eq!(violation(&[leader, seen(1, 1, 5, 55), next, restarted]), "");
}

#[test]
fn two_leaders_in_a_term_are_seen() {
    let steps = [0, 1].map(|master| Seen { leads: true, ..seen(master, 3, 5, 55) });
    assert!(violation(&steps).starts_with("two leaders in term 3"));
}

#[test]
fn two_clusters_are_seen() {
    let other = Seen { cluster: 8, ..seen(1, 1, 1, 11) };
    assert!(violation(&[seen(0, 1, 1, 11), other]).contains("is of the cluster 8"));
}

#[test]
fn a_master_that_goes_back_is_seen() {
    assert!(violation(&[seen(0, 1, 5, 55), seen(0, 1, 4, 44)]).contains("went back"));
    assert!(violation(&[seen(0, 2, 5, 55), seen(0, 1, 5, 55)]).contains("term went from 2 to 1"));
    let restarted = Seen { life: 2, ..seen(0, 1, 5, 55) };
    assert_eq!(violation(&[seen(0, 2, 5, 55), restarted.clone()]), "", "it had not written that term down");
    let led = Seen { leads: true, ..seen(0, 2, 5, 55) };
    assert!(violation(&[led, restarted]).contains("term went from 2 to 1"));
    let wiped = Seen { life: 2, raft_id: 99, ..seen(0, 0, 0, 0) };
    assert_eq!(violation(&[seen(0, 2, 5, 55), wiped]), "");
}

#[test]
fn masters_that_differ_at_one_index_are_seen_even_later() {
    assert!(violation(&[seen(0, 1, 5, 55), seen(0, 1, 6, 66), seen(1, 1, 5, 56)]).contains("differ"));
}

#[test]
fn what_is_applied_or_acknowledged_and_not_committed_is_seen() {
    assert!(violation(&[Seen { commit: 4, ..seen(0, 1, 5, 55) }]).contains("applied 5"));
    let mut invariants = Invariants::default();
    invariants.step(Duration::ZERO, &[seen(0, 1, 5, 55)]).unwrap();
    assert_eq!(invariants.acknowledged(5), Ok(()));
    assert!(invariants.acknowledged(6).is_err());
}

#[test]
fn what_is_committed_and_not_on_most_disks_is_seen() {
    let commits = |commit: u64, on: &[(u64, u64)]| {
        let mut durable = Durable::default();
        let leader = |commit| Seen { leads: true, voters: vec![1, 2, 3], ..seen(0, 3, commit, 0) };
        durable.see(&leader(4), |_, _| Some(3)).unwrap();
        durable.see(&leader(commit), |disk, _| on.iter().find(|(it, _)| *it == disk).map(|(_, term)| *term)).is_ok()
    };
    assert!(commits(5, &[(1, 3), (3, 3)]) && commits(5, &[(1, 3), (3, 0)]));
    assert!(!commits(5, &[(1, 3)]) && !commits(5, &[(1, 3), (3, 2)]) && !commits(5, &[(1, 3), (9, 3)]));
    assert!(commits(4, &[]), "it was on most when it was committed");
}

#[test]
fn events_that_one_master_has_otherwise_are_seen() {
    let steps = |other| [with(0, 5, vec![assigned(4, 1)]), with(1, 5, other)];
    assert_eq!(violation(&steps(vec![assigned(4, 1)])), "");
    assert!(violation(&steps(vec![assigned(4, 2)])).contains("differ in what happened at 4"));
    assert!(violation(&steps(vec![assigned(3, 1)])).contains("where others have none"));
}

#[test]
fn an_assignment_that_is_left_out_or_has_another_parent_is_seen() {
    assert_eq!(violation(&[with(0, 5, vec![assigned(4, 1), assigned(5, 2)])]), "");
    assert!(violation(&[with(0, 5, vec![assigned(4, 1), assigned(5, 3)])]).contains("came after"));
    let assignment = |parent, topology| {
        let (version, parent) = (AssignmentVersion::new(3), AssignmentVersion::new(parent));
        let topology = TopologyVersion::new(topology);
        Arc::new(Assignment { version, parent, topology, places: BTreeMap::new(), unplaced: BTreeMap::new() })
    };
    let with = |master, it: Arc<Assignment>| {
        let assignments = vec![("t".parse().unwrap(), it)];
        Seen { fresh: Some(Fresh { revision: 5, assignments, ..Fresh::default() }), ..seen(master, 1, 5, 0) }
    };
    assert_eq!(violation(&[with(0, assignment(2, 1)), with(1, assignment(2, 1))]), "");
    assert!(violation(&[with(0, assignment(1, 1))]).contains("as its parent"));
    assert!(violation(&[with(0, assignment(2, 1)), with(1, assignment(2, 2))]).contains("another assignment"));
}

fn leads(standing: Standing) -> Seen {
    Seen { workers: Some([("w".parse().unwrap(), standing)].into()), ..seen(0, 4, 5, 55) }
}

#[test]
fn a_worker_that_is_declared_dead_and_answered_or_was_never_disturbed_is_seen() {
    let seconds = Duration::from_secs;
    let worker: WorkerName = "w".parse().unwrap();
    let told = |term, answered| Told { worker: worker.clone(), term, answered, known: answered + seconds(1) };
    let died = |told: Option<Told>, disturbed: Duration| {
        let mut invariants = Invariants::default();
        told.into_iter().for_each(|told| invariants.told(told));
        invariants.disturbed(disturbed, &worker);
        invariants.step(seconds(59), &[leads(Standing::Suspect)]).unwrap();
        invariants.step(seconds(60), &[leads(Standing::Dead)]).err().unwrap_or_default()
    };
    assert_eq!(died(None, seconds(58)), "");
    assert!(died(None, seconds(50)).contains("nothing was wrong with it"));
    assert!(died(Some(told(4, seconds(58))), seconds(58)).contains("told that it answers"));
    assert_eq!(died(Some(told(3, seconds(58))), seconds(58)), "", "another leader was told");
    assert_eq!(died(Some(told(4, seconds(56))), seconds(58)), "", "that was long ago");
}

#[test]
fn a_master_that_is_said_to_have_a_package_and_has_not_is_seen() {
    let package = BlobId::from_bytes([1; 32]);
    let said = [(package, BTreeSet::from([1, 2].map(|id| RaftId::new(id).unwrap())))];
    assert_eq!(packages(&said, |_, _| Some(true)), Ok(()));
    assert_eq!(packages(&said, |id, _| (id.get() == 1).then_some(true)), Ok(()), "a disk that is lost has nothing");
    assert!(packages(&said, |id, _| Some(id.get() == 1)).is_err());
}
