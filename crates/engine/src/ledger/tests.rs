//! One behaviour a test; trees of every shape against a model are in `model`.

mod model;

use super::ring::{SLACK, SLACK_FACTOR};
use super::*;

const TIMEOUT: u64 = 1_000;

fn config() -> LedgerConfig {
    LedgerConfig { task: TaskId::new(3), incarnation: Incarnation::new(9), timeout_ns: TIMEOUT, max_pending: 100 }
}

fn ledger() -> Ledger<u64> {
    Ledger::new(config())
}

fn edge(bits: u64) -> EdgeId {
    EdgeId::from_bits(bits)
}

/// What one call settled, as (id, outcome).
fn settled(call: impl FnOnce(&mut dyn FnMut(Settled<u64>))) -> Vec<(u64, Outcome)> {
    let mut all = Vec::new();
    call(&mut |settled| all.push((settled.id, settled.outcome)));
    all
}

fn ack(ledger: &mut Ledger<u64>, root: RootId, bits: u64) -> Vec<(u64, Outcome)> {
    settled(|mut on| ledger.ack(root, edge(bits), &mut on))
}

fn expire(ledger: &mut Ledger<u64>, now_ns: u64) -> Vec<(u64, Outcome)> {
    settled(|mut on| ledger.expire(now_ns, &mut on))
}

fn lost(id: u64) -> (u64, Outcome) {
    (id, Outcome::Failed(FailureKind::Lost))
}

fn timed_out(id: u64) -> (u64, Outcome) {
    (id, Outcome::Failed(FailureKind::TimedOut))
}

/// Opens and acks `n` roots one by one.
fn pass(ledger: &mut Ledger<u64>, n: u64, now_ns: u64) {
    for _ in 0..n {
        let root = ledger.open(0, edge(1), now_ns);
        ledger.ack(root, edge(1), &mut |_| {});
    }
}

/// Holds one root while so many others pass that it goes to the side table.
fn straggler(ledger: &mut Ledger<u64>, id: u64, now_ns: u64) -> RootId {
    let root = ledger.open(id, edge(77), now_ns);
    let before = ledger.stragglers.len();
    pass(ledger, 100, now_ns);
    assert_eq!(ledger.stragglers.len(), before + 1);
    root
}

#[test]
fn a_root_completes_when_its_tree_sums_to_zero_in_any_order() {
    let mut ledger = ledger();
    let root = ledger.open(42, edge(0b0001), 5);
    // The spout's row made two rows, the second of which made a third.
    for record in [0b1000, 0b0010, 0b0100 ^ 0b1000] {
        assert_eq!(ack(&mut ledger, root, record), []);
    }
    let mut seen = Vec::new();
    ledger.ack(root, edge(0b0001 ^ 0b0010 ^ 0b0100), &mut |settled| seen.push(settled));
    assert_eq!(seen, [Settled { id: 42, outcome: Outcome::Acked, emitted_ns: 5 }]);
    assert_eq!(ledger.pending(), 0);
}

#[test]
fn a_batch_of_records_settles_in_the_order_of_its_records() {
    let mut ledger = ledger();
    let roots: Vec<RootId> = (1..=3).map(|id| ledger.open(id, edge(id), 0)).collect();
    let records = [(roots[2], edge(3)), (roots[0], edge(8)), (roots[1], edge(2)), (roots[0], edge(8 ^ 1))];
    let done = settled(|mut on| ledger.ack_all(&records, &mut on));
    assert_eq!(done, [(3, Outcome::Acked), (2, Outcome::Acked), (1, Outcome::Acked)]);
}

#[test]
fn records_for_others_and_for_settled_roots_are_counted_and_ignored() {
    let mut ledger = ledger();
    let root = ledger.open(1, edge(5), 0);
    let (task, life, place) = (root.task(), root.incarnation(), root.sequence());
    assert_eq!(ack(&mut ledger, RootId::new(TaskId::new(4), life, place), 5), []);
    assert_eq!(ack(&mut ledger, RootId::new(task, Incarnation::new(8), place), 5), []);
    assert_eq!(ack(&mut ledger, RootId::new(task, life, place.plus(1)), 5), []);
    assert_eq!(ack(&mut ledger, RootId::NONE, 5), []);
    assert_eq!(ack(&mut ledger, root, 5), [(1, Outcome::Acked)]);
    assert_eq!(ack(&mut ledger, root, 5), []);
    assert_eq!(settled(|mut on| ledger.fail(root, &mut on)), []);
    ledger.extend(root, 0);
    let LedgerStats { opened, acked, late, stale, foreign, .. } = ledger.stats();
    assert_eq!((opened, acked, late, stale, foreign), (1, 1, 4, 1, 2));
}

#[test]
fn a_failure_settles_at_once_and_later_records_are_late() {
    let mut ledger = ledger();
    let roots = [straggler(&mut ledger, 1, 0), ledger.open(2, edge(5), 0)];
    for (root, id) in roots.into_iter().zip(1..) {
        let done = settled(|mut on| ledger.fail(root, &mut on));
        assert_eq!(done, [(id, Outcome::Failed(FailureKind::Failed))]);
        assert_eq!(ack(&mut ledger, root, 5), []);
    }
    assert_eq!((ledger.stats().failed, ledger.stats().late, ledger.pending()), (2, 2, 0));
}

#[test]
fn a_root_opened_without_an_edge_waits_for_a_record() {
    let mut ledger = ledger();
    let root = ledger.open(1, EdgeId::ZERO, 0);
    assert_eq!(ledger.pending(), 1);
    assert_eq!(ack(&mut ledger, root, 0), [(1, Outcome::Acked)]);
}

#[test]
fn a_record_applied_twice_delays_its_root_and_never_completes_it() {
    let mut ledger = ledger();
    let root = ledger.open(1, edge(0b001), 0);
    for record in [0b001 ^ 0b010, 0b001 ^ 0b010, 0b010] {
        assert_eq!(ack(&mut ledger, root, record), []);
    }
    assert_eq!(expire(&mut ledger, TIMEOUT), [timed_out(1)]);
}

#[test]
fn timeouts_fire_at_their_time_and_in_order() {
    let mut ledger = ledger();
    assert_eq!(ledger.next_deadline(), None);
    let straggler = straggler(&mut ledger, 1, 10);
    let second = ledger.open(2, edge(1), 20);
    ledger.open(3, edge(1), 30);
    assert_eq!(ledger.next_deadline(), Some(1_010));
    assert_eq!(expire(&mut ledger, 1_009), []);
    assert_eq!(expire(&mut ledger, 1_010), [timed_out(1)]);
    assert_eq!(ledger.next_deadline(), Some(1_020));
    ack(&mut ledger, second, 1);
    assert_eq!(ledger.next_deadline(), Some(1_030), "a settled root has no deadline");
    assert_eq!(expire(&mut ledger, 9_999), [timed_out(3)]);
    assert_eq!((ledger.next_deadline(), ledger.pending()), (None, 0));
    assert_eq!(ack(&mut ledger, straggler, 77), [], "once settled, always settled");
}

#[test]
fn a_root_that_is_acked_before_anyone_looks_at_the_clock_is_acked() {
    let mut ledger = ledger();
    let root = ledger.open(1, edge(1), 0);
    assert_eq!(ack(&mut ledger, root, 1), [(1, Outcome::Acked)]);
    assert_eq!(expire(&mut ledger, u64::MAX - 1), []);
}

#[test]
fn extending_gives_the_whole_timeout_again_wherever_the_root_is() {
    let mut ledger = ledger();
    let held = straggler(&mut ledger, 1, 0);
    let (root, other) = (ledger.open(2, edge(1), 0), ledger.open(3, edge(1), 0));
    ledger.extend(held, 300);
    ledger.extend(root, 400);
    ledger.extend(root, 500);
    assert_eq!(ledger.next_deadline(), Some(1_000), "the other's");
    assert_eq!(ack(&mut ledger, other, 1), [(3, Outcome::Acked)]);
    assert_eq!(ledger.next_deadline(), Some(1_300));
    assert_eq!(expire(&mut ledger, 1_499), [timed_out(1)]);
    assert_eq!(expire(&mut ledger, 1_500), [timed_out(2)]);
}

#[test]
fn an_extended_root_completes_like_any_other() {
    let mut ledger = ledger();
    let root = ledger.open(1, edge(0b01), 0);
    assert_eq!(ack(&mut ledger, root, 0b10), []);
    ledger.extend(root, 10);
    assert_eq!(ack(&mut ledger, root, 0b11), [(1, Outcome::Acked)]);
    assert_eq!((ledger.next_deadline(), ledger.pending()), (None, 0));
}

#[test]
fn extending_without_end_keeps_the_deadlines_few() {
    let mut ledger = ledger();
    let roots = [ledger.open(1, edge(1), 0), ledger.open(2, edge(1), 0)];
    for now in 1..100_000 {
        ledger.extend(roots[(now % 2) as usize], now);
        assert!(ledger.stragglers.deadlines_kept() <= 70);
    }
    assert_eq!(ledger.next_deadline(), Some(99_998 + TIMEOUT));
}

#[test]
fn a_ledger_without_timeout_never_expires_anything() {
    let mut ledger = Ledger::new(LedgerConfig { timeout_ns: u64::MAX, ..config() });
    straggler(&mut ledger, 1, 7);
    let root = ledger.open(2, edge(1), 7);
    ledger.extend(root, 9);
    ledger.open(3, edge(1), 9);
    assert_eq!(ledger.next_deadline(), None);
    assert_eq!(expire(&mut ledger, u64::MAX - 1), []);
    assert_eq!(ledger.pending(), 3);
}

#[test]
fn a_clock_that_steps_back_keeps_deadlines_in_order() {
    let mut ledger = ledger();
    ledger.open(1, edge(1), 500);
    ledger.open(2, edge(1), 100);
    assert_eq!(expire(&mut ledger, 1_499), []);
    assert_eq!(expire(&mut ledger, 1_500), [timed_out(1), timed_out(2)]);
}

#[test]
fn one_root_held_while_ten_million_pass_keeps_the_ring_short() {
    let mut ledger = Ledger::new(LedgerConfig { timeout_ns: u64::MAX / 2, ..config() });
    let held = ledger.open(1, edge(9), 0);
    for now in 0..10_000_000 {
        let root = ledger.open(0, edge(1), now);
        ledger.ack(root, edge(1), &mut |_| {});
        assert!(ledger.ring.len() <= SLACK + SLACK_FACTOR);
    }
    assert_eq!((ledger.pending(), ledger.ring.slots(), ledger.oldest_pending_ns()), (1, 16, Some(0)));
    assert_eq!(ack(&mut ledger, held, 9), [(1, Outcome::Acked)]);
}

#[test]
fn holding_every_tenth_root_for_long_costs_the_ring_nothing_either() {
    let mut ledger = Ledger::new(LedgerConfig { timeout_ns: 50_000, ..config() });
    for now in 0..200_000 {
        let root = ledger.open(now, edge(1), now);
        if now % 10 != 0 {
            ledger.ack(root, edge(1), &mut |_| {});
        }
        ledger.expire(now, &mut |settled| assert_eq!(settled.emitted_ns, now - 50_000));
        assert!(ledger.ring.len() <= SLACK_FACTOR * ledger.ring.pending() + SLACK);
    }
    assert_eq!(ledger.pending(), 5_000);
    assert!(ledger.ring.slots() <= 64 && ledger.stragglers.deadlines_kept() <= 2 * 5_000 + 64);
}

#[test]
fn a_whole_window_is_held_and_let_go_at_once() {
    let mut ledger = ledger();
    let roots: Vec<RootId> = (0..1_000).map(|id| ledger.open(id, edge(id + 1), id / 100)).collect();
    assert_eq!((ledger.ring.len(), ledger.stragglers.len()), (1_000, 0), "nothing moves while all are pending");
    // Let go from the newest, so that the oldest hold the ring.
    for (id, &root) in roots.iter().enumerate().rev() {
        assert_eq!(ack(&mut ledger, root, id as u64 + 1), [(id as u64, Outcome::Acked)]);
        assert!(ledger.ring.len() <= SLACK_FACTOR * ledger.ring.pending() + SLACK);
    }
    assert_eq!((ledger.pending(), ledger.ring.len(), ledger.next_deadline()), (0, 0, None));
}

#[test]
fn room_counts_stragglers_too_and_never_goes_below_nothing() {
    let mut ledger = Ledger::new(LedgerConfig { max_pending: 2, ..config() });
    assert_eq!(ledger.room(), 2);
    straggler(&mut ledger, 1, 0);
    assert_eq!(ledger.room(), 1);
    ledger.open(2, edge(1), 0);
    ledger.open(3, edge(1), 0);
    assert_eq!((ledger.pending(), ledger.room()), (3, 0));
}

#[test]
fn the_oldest_pending_root_is_found_in_the_ring_and_beside_it() {
    let mut ledger = ledger();
    assert_eq!(ledger.oldest_pending_ns(), None);
    let held = straggler(&mut ledger, 1, 10);
    ledger.open(2, edge(1), 20);
    ledger.extend(held, 500);
    assert_eq!(ledger.oldest_pending_ns(), Some(10), "extending makes no root younger");
    ack(&mut ledger, held, 77);
    assert_eq!(ledger.oldest_pending_ns(), Some(20));
}

#[test]
fn a_loss_takes_exactly_the_roots_opened_before_it() {
    let mut ledger = ledger();
    straggler(&mut ledger, 1, 0);
    let (extended, bound) = (ledger.open(2, edge(1), 0), ledger.next_sequence());
    let after = ledger.open(3, edge(1), 0);
    ledger.open(4, edge(1), 0);
    ledger.extend(extended, 1);
    ledger.extend(after, 1);
    assert_eq!(settled(|mut on| ledger.lose_before(bound, &mut on)), [lost(1), lost(2)]);
    assert_eq!(settled(|mut on| ledger.lose_before(bound, &mut on)), []);
    assert_eq!(settled(|mut on| ledger.lose_all(&mut on)), [lost(3), lost(4)]);
    assert_eq!((ledger.stats().lost, ledger.pending(), ledger.next_deadline()), (4, 0, None));
}

#[test]
fn a_loss_noted_before_a_withdrawal_still_takes_what_was_opened_before_both() {
    let mut ledger = ledger();
    ledger.open(1, edge(1), 0);
    let first = ledger.next_sequence();
    ledger.open(2, edge(1), 0);
    let bound = ledger.next_sequence();
    ledger.withdraw_from(first);
    assert_eq!(settled(|mut on| ledger.lose_before(bound, &mut on)), [lost(1)]);
}

#[test]
fn withdrawn_roots_leave_no_trace_and_their_numbers_are_used_again() {
    let mut ledger = ledger();
    ledger.open(1, edge(1), 0);
    let first = ledger.next_sequence();
    let withdrawn = [ledger.open(2, edge(2), 0), ledger.open(3, edge(3), 0), ledger.open(4, edge(4), 0)];
    ledger.extend(withdrawn[1], 0);
    assert_eq!(ledger.withdraw_from(first), 3);
    assert_eq!((ledger.stats().opened, ledger.pending(), ledger.stats().late), (1, 1, 0));
    let again = ledger.open(5, edge(5), 0);
    assert_eq!(again, withdrawn[0]);
    assert_eq!(ack(&mut ledger, again, 5), [(5, Outcome::Acked)]);
    assert_eq!(expire(&mut ledger, TIMEOUT), [timed_out(1)]);
}

#[test]
fn withdrawing_reaches_behind_the_ring() {
    let mut ledger = ledger();
    let first = ledger.next_sequence();
    straggler(&mut ledger, 1, 0);
    assert_eq!((ledger.withdraw_from(first), ledger.pending()), (1, 0));
    assert_eq!((ledger.next_sequence(), ledger.next_deadline()), (first, None));
}

#[test]
fn withdrawing_from_the_next_or_a_later_root_does_nothing() {
    let mut ledger = ledger();
    ledger.open(1, edge(1), 0);
    let next = ledger.next_sequence();
    assert_eq!((ledger.withdraw_from(next), ledger.withdraw_from(next.plus(9))), (0, 0));
    assert_eq!((ledger.next_sequence(), ledger.pending()), (next, 1));
}

#[test]
fn a_restart_fails_the_old_lifes_roots_and_knows_them_no_more() {
    let mut ledger = ledger();
    let held = straggler(&mut ledger, 1, 0);
    let old = ledger.open(2, edge(5), 0);
    assert_eq!(settled(|mut on| ledger.restart(&mut on)), [lost(1), lost(2)]);
    let new = ledger.open(3, edge(5), 0);
    assert_eq!((new.incarnation(), new.sequence()), (Incarnation::new(10), Sequence::new(0)));
    assert_eq!((ack(&mut ledger, old, 5), ack(&mut ledger, held, 77)), (vec![], vec![]));
    assert_eq!(ack(&mut ledger, new, 5), [(3, Outcome::Acked)]);
    assert_eq!((ledger.stats().stale, ledger.stats().opened), (2, 103), "counts go on over a restart");
}

#[test]
fn sequences_wrap_without_a_seam() {
    let mut ledger: Ledger<u64> = Ledger::starting_at(config(), Sequence::new((1 << 36) - 2));
    let roots: Vec<RootId> = (1..=4).map(|id| ledger.open(id, edge(id), 0)).collect();
    assert_eq!(roots[3].sequence(), Sequence::new(1));
    let bound = roots[3].sequence();
    assert_eq!(ack(&mut ledger, roots[2], 3), [(3, Outcome::Acked)]);
    ledger.extend(roots[0], 0);
    assert_eq!(settled(|mut on| ledger.lose_before(bound, &mut on)), [lost(1), lost(2)]);
    assert_eq!(ledger.withdraw_from(roots[1].sequence()), 1, "back over the wrap");
    assert_eq!(ledger.open(5, edge(5), 0), roots[1]);
}

#[test]
fn a_root_held_until_its_number_comes_up_again_times_out() {
    let mut ledger = Ledger::new(LedgerConfig { timeout_ns: u64::MAX, ..config() });
    let root = straggler(&mut ledger, 1, 0);
    ledger.ring = Ring::starting_at(root.sequence().plus(MAX_AGE - (1 << 33)));
    let younger = straggler(&mut ledger, 2, 0);
    ledger.ring = Ring::starting_at(Sequence::new(MAX_AGE + (1 << 32)));
    assert_eq!(ledger.next_deadline(), None);
    pass(&mut ledger, 1, 5);
    assert_eq!(ledger.next_deadline(), Some(0));
    assert_eq!(expire(&mut ledger, 5), [timed_out(1)]);
    assert_eq!(ack(&mut ledger, younger, 77), [(2, Outcome::Acked)]);
}

#[test]
fn ids_without_a_default_go_in_as_options_and_come_back_whole() {
    #[derive(Debug, PartialEq)]
    struct Offset(Box<u64>);
    let mut ledger: Ledger<Option<Offset>> = Ledger::new(config());
    let roots: Vec<RootId> = (0..50).map(|n| ledger.open(Some(Offset(Box::new(n))), edge(1), 0)).collect();
    let mut back = Vec::new();
    for &root in roots.iter().rev() {
        ledger.ack(root, edge(1), &mut |settled| back.push(settled.id));
    }
    let expected: Vec<_> = (0..50).rev().map(|n| Some(Offset(Box::new(n)))).collect();
    assert_eq!(back, expected);
}
