use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1_000_000;

fn operation(client: u32, request: Request, from: u64, to: Option<(u64, Answer)>) -> Operation {
    let call = Call { client, topology: "words".to_owned(), request, at: from };
    let outcome = to.map_or(Outcome::Unknown, |(at, answer)| Outcome::Returned { at, answer });
    Operation { call, outcome }
}

fn applied(revision: u64) -> Answer {
    Answer::Applied { revision }
}

fn found(revision: u64, slots: u32) -> Answer {
    Answer::Found(Seen { revision, active: true, slots })
}

fn write(slots: u32) -> Request {
    Request::Write { slots, expected: None }
}

/// One after the other: a call and its return each.
fn sequence(steps: Vec<(Request, Answer)>) -> Vec<Operation> {
    let place = |at: usize| 2 * at as u64;
    let steps = steps.into_iter().enumerate();
    steps.map(|(at, (request, answer))| operation(0, request, place(at), Some((place(at) + 1, answer)))).collect()
}

fn holds(operations: Vec<Operation>) -> bool {
    check(&History::new(operations), LIMIT).is_ok()
}

#[test]
fn what_one_client_does_in_turn_is_read_back() {
    assert!(holds(sequence(vec![
        (Request::Get, Answer::Missing),
        (Request::Submit { slots: 1 }, applied(5)),
        (Request::Submit { slots: 2 }, Answer::Taken),
        (write(3), applied(6)),
        (Request::Get, found(6, 3)),
        (Request::Activate(false), applied(7)),
        (Request::Get, Answer::Found(Seen { revision: 7, active: false, slots: 3 })),
    ])));
}

#[test]
fn to_activate_what_is_active_changes_no_revision() {
    assert!(holds(sequence(vec![
        (Request::Submit { slots: 1 }, applied(5)),
        (Request::Activate(true), applied(6)),
        (Request::Get, found(5, 1)),
        (Request::Write { slots: 2, expected: Some(5) }, applied(7)),
    ])));
}

#[test]
fn a_stale_read_is_caught() {
    let stale =
        sequence(vec![(Request::Submit { slots: 1 }, applied(5)), (write(3), applied(6)), (Request::Get, found(5, 1))]);
    let error = check(&History::new(stale), LIMIT).unwrap_err();
    assert!(error.contains("2 of 3 operations can be ordered") && error.contains("slots: 1"), "{error}");
}

#[test]
fn a_topology_that_was_acknowledged_and_is_gone_is_caught() {
    assert!(!holds(sequence(vec![(Request::Submit { slots: 1 }, applied(5)), (Request::Get, Answer::Missing)])));
}

#[test]
fn a_revision_that_goes_back_is_caught() {
    assert!(!holds(sequence(vec![(Request::Submit { slots: 1 }, applied(5)), (write(3), applied(4))])));
}

#[test]
fn a_write_under_way_may_be_read_or_not_but_not_first_read_and_then_not() {
    let at_once = |first: Answer, second: Answer| {
        vec![
            operation(0, Request::Submit { slots: 1 }, 0, Some((1, applied(5)))),
            operation(1, write(3), 2, Some((9, applied(6)))),
            operation(2, Request::Get, 3, Some((4, first))),
            operation(2, Request::Get, 5, Some((6, second))),
        ]
    };
    assert!(holds(at_once(found(5, 1), found(6, 3))));
    assert!(holds(at_once(found(6, 3), found(6, 3))));
    assert!(!holds(at_once(found(6, 3), found(5, 1))));
}

#[test]
fn what_never_returned_may_happen_late_or_never_but_not_twice() {
    let submitted = operation(0, Request::Submit { slots: 1 }, 0, Some((1, applied(5))));
    let lost = operation(1, write(3), 2, None);
    let read = |at: u64, answer: Answer| operation(2, Request::Get, at, Some((at + 1, answer)));
    assert!(holds(vec![submitted.clone(), lost.clone(), read(10, found(5, 1)), read(20, found(6, 3))]));
    assert!(holds(vec![submitted.clone(), lost.clone(), read(10, found(5, 1)), read(20, found(5, 1))]));
    let other = operation(3, write(4), 12, Some((13, applied(7))));
    let twice = vec![submitted, lost, read(10, found(6, 3)), other, read(20, found(8, 3))];
    assert!(!holds(twice));
}

#[test]
fn what_never_returned_does_not_happen_before_it_was_asked() {
    let early = vec![
        operation(0, Request::Submit { slots: 1 }, 0, Some((1, applied(5)))),
        operation(2, Request::Get, 2, Some((3, found(6, 3)))),
        operation(1, write(3), 4, None),
    ];
    assert!(!holds(early));
}

#[test]
fn compare_and_set_is_refused_exactly_if_it_was_changed_in_between() {
    let guarded = |slots, expected| Request::Write { slots, expected: Some(expected) };
    let after = |request: Request, answer: Answer| {
        holds(sequence(vec![(Request::Submit { slots: 1 }, applied(5)), (write(2), applied(6)), (request, answer)]))
    };
    assert!(after(guarded(3, 6), applied(7)));
    assert!(after(guarded(3, 5), Answer::Conflict));
    assert!(!after(guarded(3, 5), applied(7)));
    assert!(!after(guarded(3, 6), Answer::Conflict));
}

#[test]
fn topologies_are_searched_each_for_itself() {
    let mut operations = sequence(vec![(Request::Submit { slots: 1 }, applied(5)), (Request::Get, found(5, 1))]);
    let mut other = operations.clone();
    other.iter_mut().for_each(|it| it.call.topology = "other".to_owned());
    other[1].outcome = Outcome::Returned { at: 3, answer: Answer::Missing };
    assert!(holds(operations.clone()));
    operations.extend(other);
    assert!(check(&History::new(operations), LIMIT).unwrap_err().contains("other"));
}

#[test]
fn a_search_without_end_is_given_up_and_says_so() {
    let open = |at: u64| operation(0, write(u32::try_from(at).unwrap()), at, None);
    let mut operations: Vec<_> = (2..40).map(open).collect();
    operations.push(operation(0, Request::Submit { slots: 1 }, 0, Some((1, applied(5)))));
    operations.push(operation(1, Request::Get, 50, Some((51, found(9, 1_000)))));
    assert!(check(&History::new(operations), 1_000).unwrap_err().contains("no verdict within 1000 states"));
}

/// Runs requests one after the other on a real register, and widens each operation by some time before and after.
fn recorded(steps: &[(u8, u8, u64, u64)]) -> Vec<Operation> {
    let (mut slots, mut revision, mut operations) = (None, 0, Vec::new());
    for (at, (kind, unknown, before, after)) in steps.iter().enumerate() {
        let (moment, number) = (at as u64 * 10 + 20, u32::try_from(at).unwrap());
        let (request, answer) = match (kind % 3, slots) {
            (0, None) => (Request::Submit { slots: number }, applied(moment)),
            (0, Some(_)) => (Request::Submit { slots: number }, Answer::Taken),
            (1, None) => (write(number), Answer::Missing),
            (1, Some(_)) => (write(number), applied(moment)),
            (_, None) => (Request::Get, Answer::Missing),
            (_, Some(slots)) => (Request::Get, found(revision, slots)),
        };
        if let Answer::Applied { revision: now } = answer {
            (slots, revision) = (Some(number), now);
        }
        let lost = *unknown == 0;
        operations.push(operation(number, request, moment - before, (!lost).then_some((moment + 1 + after, answer))));
    }
    operations
}

proptest! {
    /// Whatever was done by one hand is linearizable however the times of call and return are widened, and whatever answer was lost.
    #[test]
    fn what_really_happened_one_by_one_is_accepted(
        steps in proptest::collection::vec((any::<u8>(), 0..5_u8, 0..20_u64, 0..20_u64), 1..40)
    ) {
        prop_assert_eq!(check(&History::new(recorded(&steps)), LIMIT), Ok(()));
    }

    /// A reader who is shown a value that nobody wrote is always caught.
    #[test]
    fn a_value_from_nowhere_is_caught(
        steps in proptest::collection::vec((any::<u8>(), 0..5_u8, 0..20_u64, 0..20_u64), 1..25)
    ) {
        let mut operations = recorded(&steps);
        let end = operations.len() as u64 * 10 + 100;
        operations.push(operation(999, Request::Get, end, Some((end + 1, found(end, 1_000)))));
        prop_assert!(check(&History::new(operations), LIMIT).is_err());
    }
}
