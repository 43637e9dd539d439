use super::*;

fn seen(master: usize, term: u64, applied: u64, digest: u64) -> Seen {
    Seen { master, life: 1, raft_id: master as u64 + 1, term, commit: applied, applied, digest, ..Seen::default() }
}

fn violation(steps: &[Seen]) -> String {
    let mut invariants = Invariants::default();
    steps.iter().find_map(|it| invariants.step(std::slice::from_ref(it)).err()).unwrap_or_default()
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
fn a_master_that_goes_back_is_seen() {
    assert!(violation(&[seen(0, 1, 5, 55), seen(0, 1, 4, 44)]).contains("went back"));
    assert!(violation(&[seen(0, 2, 5, 55), Seen { life: 2, ..seen(0, 1, 5, 55) }]).contains("term went from 2 to 1"));
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
    invariants.step(&[seen(0, 1, 5, 55)]).unwrap();
    assert_eq!(invariants.acknowledged(5), Ok(()));
    assert!(invariants.acknowledged(6).is_err());
}
