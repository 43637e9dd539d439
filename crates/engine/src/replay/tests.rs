use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use FailureKind::{Failed, Lost, TimedOut};

const MS: u64 = 1_000_000;

fn policy(max_failures: u32, jitter: f64) -> ReplayPolicy {
    ReplayPolicy { base: Duration::from_millis(100), max: Duration::from_secs(1), jitter, max_failures }
}

#[test]
fn delays_double_from_the_base_up_to_the_longest() {
    let mut queue = ReplayQueue::new(policy(u32::MAX, 0.0));
    let id = queue.keep("row");
    let mut now = 0;
    let mut delays = Vec::new();
    for _ in 0..7 {
        let Some(Verdict::Retry { due_ns }) = queue.failed(id, Failed, now, u64::MAX) else { panic!("a retry") };
        delays.push((due_ns - now) / MS);
        now = due_ns;
        assert_eq!(queue.due(now), Some((id, &"row")), "a retry keeps its id");
    }
    assert_eq!(delays, [100, 200, 400, 800, 1_000, 1_000, 1_000]);
}

#[test]
fn jitter_shortens_a_delay_by_at_most_its_share() {
    let with = policy(9, 0.2);
    assert_eq!(with.delay_ns(1, 0), 100 * MS);
    assert_eq!(with.delay_ns(1, u64::MAX), 80 * MS);
    assert_eq!(with.delay_ns(1, u64::MAX / 2), 90 * MS);
    assert_eq!(policy(9, 7.0).delay_ns(1, u64::MAX), 0, "a share over the whole is the whole");
    assert_eq!(policy(9, -1.0).delay_ns(1, u64::MAX), 100 * MS, "a share below nothing is nothing");
    assert_eq!(policy(9, f64::NAN).delay_ns(1, u64::MAX), 100 * MS, "no number is no share");
}

#[test]
fn releasing_all_hands_back_every_row_in_order_and_leaves_nothing() {
    let mut queue = ReplayQueue::new(policy(9, 0.0));
    let ids = ["out", "waiting", "acked", "out again"].map(|row| queue.keep(row));
    queue.acked(ids[2]);
    for id in [ids[1], ids[3]] {
        queue.failed(id, Failed, 0, 0);
    }
    queue.failed(ids[0], Failed, 7, 0);
    assert_eq!(queue.due(100 * MS).map(|(id, _)| id), Some(ids[1]));
    assert_eq!(queue.release_all(), [("out", 1), ("waiting", 1), ("out again", 1)]);
    assert_eq!((queue.outstanding(), queue.waiting(), queue.next_due()), (0, 0, None));
    assert_eq!(queue.acked(ids[0]), None, "what comes in later is ignored");
}

#[test]
fn absurd_durations_and_counts_saturate() {
    let mut absurd = policy(u32::MAX, 0.0);
    (absurd.base, absurd.max) = (Duration::MAX, Duration::MAX);
    assert_eq!(absurd.delay_ns(u32::MAX, 0), u64::MAX);
    let mut queue = ReplayQueue::new(absurd);
    let id = queue.keep(());
    assert_eq!(queue.failed(id, Failed, 5, 0), Some(Verdict::Retry { due_ns: u64::MAX }));
}

#[test]
fn a_row_is_given_up_at_its_last_failure_with_the_count_and_the_cause() {
    let mut queue = ReplayQueue::new(policy(3, 0.0));
    let id = queue.keep("poison");
    for kind in [Failed, Lost] {
        assert!(matches!(queue.failed(id, kind, 0, 0), Some(Verdict::Retry { .. })));
        assert!(queue.due(u64::MAX).is_some());
    }
    let verdict = queue.failed(id, TimedOut, 0, 0);
    assert_eq!(verdict, Some(Verdict::GiveUp { row: "poison", failures: 3, last: TimedOut }));
    assert_eq!((queue.outstanding(), queue.next_due()), (0, None));
    assert_eq!(queue.failed(id, Failed, 0, 0), None, "it is gone");
}

#[test]
fn no_retries_means_the_first_failure_is_the_last() {
    for max_failures in [0, 1] {
        let mut queue = ReplayQueue::new(policy(max_failures, 0.0));
        let id = queue.keep(7);
        let verdict = queue.failed(id, Failed, 0, 0);
        assert_eq!(verdict, Some(Verdict::GiveUp { row: 7, failures: 1, last: Failed }));
    }
}

#[test]
fn the_longest_due_comes_first_and_of_equals_the_one_kept_first() {
    let mut queue = ReplayQueue::new(policy(9, 0.0));
    let ids: Vec<ReplayId> = (0..4).map(|row| queue.keep(row)).collect();
    for (row, now) in [(3, 5), (1, 9), (0, 9), (2, 0)] {
        queue.failed(ids[row], Failed, now, 0);
    }
    assert_eq!(queue.next_due(), Some(100 * MS));
    assert_eq!(queue.due(100 * MS - 1), None, "not a nanosecond early");
    let order: Vec<usize> = std::iter::from_fn(|| queue.due(u64::MAX).map(|(_, &row)| row)).collect();
    assert_eq!(order, [2, 3, 0, 1]);
}

#[test]
fn a_waiting_row_that_fails_again_waits_as_before() {
    let mut queue = ReplayQueue::new(policy(2, 0.0));
    let id = queue.keep("row");
    queue.failed(id, Failed, 0, 0);
    assert_eq!(queue.failed(id, Failed, 50 * MS, 0), None, "one try fails once");
    assert_eq!((queue.next_due(), queue.waiting()), (Some(100 * MS), 1));
}

#[test]
fn a_late_ack_ends_a_waiting_row() {
    let mut queue = ReplayQueue::new(policy(9, 0.0));
    let id = queue.keep("row");
    queue.failed(id, TimedOut, 0, 0);
    assert_eq!(queue.acked(id), Some("row"));
    assert_eq!(queue.due(u64::MAX), None);
    assert_eq!((queue.waiting(), queue.acked(id)), (0, None));
}

#[derive(Clone, Debug)]
enum Op {
    Keep,
    Acked(prop::sample::Index),
    Failed(prop::sample::Index, u64),
    Due(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Keep),
        2 => any::<prop::sample::Index>().prop_map(Op::Acked),
        4 => (any::<prop::sample::Index>(), any::<u64>()).prop_map(|(id, random)| Op::Failed(id, random)),
        4 => (0u64..150).prop_map(|ms| Op::Due(ms * MS)),
    ]
}

/// A row in the model: out, or waiting since a failure.
#[derive(Debug, Default)]
struct Modelled {
    failures: u32,
    due_ns: Option<u64>,
}

proptest! {
    #[test]
    fn no_row_is_lost_or_out_twice_and_the_books_balance(
        ops in prop::collection::vec(op(), 1..300),
        max_failures in 1u32..5,
        jitter in 0.0..1.0,
    ) {
        let mut queue = ReplayQueue::new(policy(max_failures, jitter));
        let mut model: BTreeMap<ReplayId, Modelled> = BTreeMap::new();
        let (mut ids, mut now) = (Vec::new(), 0);
        let (mut acked, mut given_up) = (0, 0);
        for op in ops {
            match op {
                Op::Keep => {
                    let id = queue.keep(ids.len());
                    prop_assert!(model.insert(id, Modelled::default()).is_none(), "an id names one row for ever");
                    ids.push(id);
                }
                Op::Acked(_) | Op::Failed(..) if ids.is_empty() => {}
                Op::Acked(index) => {
                    let row = index.index(ids.len());
                    let expected = model.remove(&ids[row]).map(|_| row);
                    acked += usize::from(expected.is_some());
                    prop_assert_eq!(queue.acked(ids[row]), expected);
                }
                Op::Failed(index, random) => {
                    let row = index.index(ids.len());
                    let verdict = queue.failed(ids[row], Failed, now, random);
                    match model.get_mut(&ids[row]).filter(|modelled| modelled.due_ns.is_none()) {
                        None => prop_assert_eq!(verdict, None),
                        Some(modelled) if modelled.failures + 1 == max_failures => {
                            prop_assert_eq!(verdict, Some(Verdict::GiveUp { row, failures: max_failures, last: Failed }));
                            model.remove(&ids[row]);
                            given_up += 1;
                        }
                        Some(modelled) => {
                            modelled.failures += 1;
                            let Some(Verdict::Retry { due_ns }) = verdict else { panic!("{verdict:?}") };
                            let longest = ((100 * MS) << (modelled.failures - 1)).min(1_000 * MS);
                            let shortest = (longest as f64 * (1.0 - jitter)) as u64;
                            prop_assert!((now + shortest..=now + longest).contains(&due_ns));
                            modelled.due_ns = Some(due_ns);
                        }
                    }
                }
                Op::Due(passed) => {
                    now += passed;
                    let first = model.iter().filter_map(|(&id, modelled)| Some((modelled.due_ns?, id))).min();
                    prop_assert_eq!(queue.next_due(), first.map(|(due_ns, _)| due_ns));
                    let expected = first.filter(|&(due_ns, _)| due_ns <= now).map(|(_, id)| id);
                    let found = queue.due(now).map(|(id, &row)| (id, row));
                    prop_assert_eq!(found.map(|(id, _)| id), expected);
                    if let Some((id, row)) = found {
                        prop_assert_eq!(ids[row], id, "the row is the one that was kept under this id");
                        model.entry(id).and_modify(|modelled| modelled.due_ns = None);
                    }
                }
            }
            prop_assert_eq!(queue.outstanding(), model.len());
            prop_assert_eq!(queue.waiting(), model.values().filter(|modelled| modelled.due_ns.is_some()).count());
            prop_assert_eq!(ids.len(), acked + given_up + queue.outstanding());
        }
    }
}
