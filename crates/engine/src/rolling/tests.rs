use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn spec(length_us: u64, slide_us: u64) -> WindowSpec {
    WindowSpec::new(Duration::from_micros(length_us), Duration::from_micros(slide_us)).expect("a legal window")
}

#[test]
fn a_window_must_be_a_whole_number_of_slides() {
    let new = |length_ns, slide_ns| WindowSpec::new(Duration::from_nanos(length_ns), Duration::from_nanos(slide_ns));
    assert!(new(60_000_000_000, 1_000_000_000).is_ok());
    assert!(new(5_000, 5_000).is_ok());
    assert!(matches!(new(5_000, 2_000), Err(WindowError::NotWhole { .. })));
    assert!(matches!(new(0, 2_000), Err(WindowError::NotWhole { .. })));
    assert!(matches!(new(3_000, 1_500), Err(WindowError::NotWhole { .. })));
    assert_eq!(new(5_000, 0), Err(WindowError::NoSlide));
    assert_eq!(new(5_000, 999), Err(WindowError::NoSlide));
}

#[test]
fn a_window_has_at_most_4096_slides() {
    let seconds = |n| WindowSpec::new(Duration::from_secs(n), Duration::from_secs(1));
    assert!(seconds(4_096).is_ok());
    assert_eq!(seconds(4_097), Err(WindowError::TooManySlots { slots: 4_097 }));
    assert!(WindowSpec::new(Duration::MAX, Duration::from_micros(1)).is_err());
}

#[test]
fn a_window_leaves_out_its_beginning_and_takes_in_its_end() {
    let (spec, mut rolling) = (spec(30, 10), Rolling::default());
    for micros in [10, 11, 20, 40, 41] {
        assert!(rolling.add(at(micros), 1, &spec));
    }
    assert_eq!([30, 40, 50, 70, 80].map(|now| rolling.total(at(now), &spec)), [3, 3, 2, 1, 0]);
}

#[test]
fn the_next_window_that_counts_something_is_found_over_any_gap() {
    let (spec, mut rolling) = (spec(30, 10), Rolling::default());
    assert_eq!(rolling.next_end(at(0), &spec), None);
    rolling.add(at(11), 1, &spec);
    rolling.add(at(1_000_000_000), 1, &spec);
    let next =
        [-500, 11, 20, 21, 31, 40, 41, 1_000_000_020, 1_000_000_021].map(|from| rolling.next_end(at(from), &spec));
    let far = Some(at(1_000_000_000));
    assert_eq!(next[..7], [Some(at(20)), Some(at(20)), Some(at(20)), Some(at(30)), Some(at(40)), Some(at(40)), far]);
    assert_eq!(next[7..], [Some(at(1_000_000_020)), None]);
    for end in next.into_iter().flatten() {
        assert!(rolling.total(end, &spec) > 0, "{end}");
    }
}

#[test]
fn rows_ahead_of_the_watermark_push_nothing_out() {
    let (spec, mut rolling) = (spec(30, 10), Rolling::default());
    rolling.add(at(10), 5, &spec);
    rolling.add(at(1_000_000), 1, &spec);
    assert_eq!(rolling.total(at(10), &spec), 5);
    assert!(rolling.add(at(20), 2, &spec));
    assert_eq!(rolling.total(at(20), &spec), 7);
    assert!(!rolling.is_empty_at(at(999_999), &spec));
}

#[test]
fn of_a_key_that_is_advanced_nothing_is_let_go_of_before_it_has_passed() {
    let (spec, mut rolling) = (spec(30, 10), Rolling::default());
    for slot in 1..=300 {
        rolling.advance_to(Timestamp::MIN, &spec);
        assert!(rolling.add(at(10 * slot), 1, &spec));
    }
    for slot in 1..=300 {
        assert_eq!(rolling.total(at(10 * slot), &spec), 3.min(slot as u64), "the window to slot {slot}");
        rolling.advance_to(at(10 * (slot + 1)), &spec);
    }
    assert_eq!(rolling.slots.len(), 2, "what has passed is gone");
}

#[test]
fn a_row_that_the_window_has_passed_does_not_count() {
    let (spec, mut rolling) = (spec(30, 10), Rolling::default());
    rolling.advance_to(at(100), &spec);
    assert!(!rolling.add(at(70), 1, &spec));
    assert!(rolling.add(at(71), 1, &spec));
    rolling.advance_to(at(50), &spec);
    assert!(!rolling.add(at(60), 1, &spec), "the window never goes back");
    assert_eq!(rolling.total(at(100), &spec), 1);
}

#[test]
fn a_key_can_be_dropped_once_its_last_row_has_passed() {
    let (spec, mut rolling) = (spec(30, 10), Rolling::default());
    assert!(rolling.is_empty_at(at(0), &spec));
    rolling.add(at(10), 1, &spec);
    assert!(!rolling.is_empty_at(at(-50), &spec), "a window to come still counts it");
    assert!(!rolling.is_empty_at(at(30), &spec));
    assert!(rolling.is_empty_at(at(31), &spec));
}

#[test]
fn advancing_gives_the_room_back_and_changes_no_total() {
    let (spec, mut rolling) = (spec(30, 10), Rolling::default());
    (1..=5).for_each(|slot| assert!(rolling.add(at(10 * slot), 1, &spec)));
    rolling.advance_to(at(50), &spec);
    assert_eq!(rolling.slots, [(3, 1), (4, 1), (5, 1)]);
    assert_eq!(rolling.total(at(50), &spec), 3);
}

#[test]
fn a_key_that_nobody_advances_keeps_two_windows_of_slots() {
    let (spec, mut rolling) = (spec(30, 10), Rolling::default());
    (1..=100).for_each(|slot| assert!(rolling.add(at(10 * slot), 1, &spec)));
    assert_eq!(rolling.slots.len(), 6);
    assert_eq!([970, 1_000].map(|now| rolling.total(at(now), &spec)), [3, 3]);
    assert!(!rolling.add(at(940), 1, &spec));
}

#[test]
fn counting_nothing_takes_no_room() {
    let (spec, mut rolling) = (spec(30, 10), Rolling::default());
    assert!(rolling.add(at(10), 0, &spec));
    assert_eq!(rolling, Rolling::default());
}

#[test]
fn the_ends_of_time_and_of_numbers_are_met_without_overflow() {
    for spec in [spec(1, 1), spec(4_096, 1), spec(30, 10)] {
        for end in [Timestamp::MIN, Timestamp::MAX] {
            let mut rolling = Rolling::default();
            assert!(rolling.add(end, u64::MAX, &spec) && rolling.add(end, 1, &spec));
            rolling.total(Timestamp::MIN, &spec);
            rolling.advance_to(Timestamp::MIN, &spec);
            if end == Timestamp::MAX {
                assert_eq!(rolling.total(end, &spec), u64::MAX);
            }
        }
    }
}

#[test]
fn ties_rank_by_key_and_a_key_has_one_place() {
    let mut top = TopK::new(3);
    for (key, count) in [("d", 5), ("b", 5), ("a", 1), ("c", 5), ("b", 4), ("a", 9)] {
        top.offer(&key, count);
    }
    assert_eq!(top.ranked(), [("a", 9), ("b", 5), ("c", 5)]);
}

#[test]
fn the_best_none_are_none() {
    let mut top = TopK::new(0);
    top.offer(&1, 1);
    assert!(top.ranked().is_empty());
}

proptest! {
    #[test]
    fn a_total_is_the_sum_of_the_rows_within(
        slide in 1..5i64,
        slots in 1..5i64,
        rows in prop::collection::vec((-30..30i64, 0..4u64), 0..40),
        now in -10..20i64,
        advanced in prop::option::of(-20..0i64),
    ) {
        let spec = spec((slots * slide) as u64, slide as u64);
        // Within two windows, so that nothing is pushed out for room.
        let span = slots * slide;
        let rows: Vec<_> = rows.into_iter().map(|(raw, n): (i64, u64)| (raw.rem_euclid(2 * span) - span + 1, n)).collect();
        let now = now * slide;
        let mut rolling = Rolling::default();
        for (micros, n) in &rows {
            prop_assert!(rolling.add(at(*micros), *n, &spec));
        }
        if let Some(back) = advanced {
            rolling.advance_to(at(now + back), &spec);
        }
        let within = rows.iter().filter(|(micros, _)| (now - slots * slide + 1..=now).contains(micros));
        prop_assert_eq!(rolling.total(at(now), &spec), within.map(|(_, n)| n).sum::<u64>());
        let to_come = rows.iter().any(|(micros, n)| *micros > now - slots * slide && *n > 0);
        prop_assert_eq!(rolling.is_empty_at(at(now), &spec), !to_come);
    }

    #[test]
    fn advancing_with_the_rows_loses_nothing_within(
        slots in 1..6i64,
        rows in prop::collection::vec((0..30i64, 1..4u64, 0..4i64), 1..80),
    ) {
        let spec = spec(slots as u64 * 10, 10);
        let (mut rolling, mut counted, mut now) = (Rolling::default(), Vec::new(), 0);
        for (behind, n, step) in rows {
            now += step * 10;
            rolling.advance_to(at(now), &spec);
            let counts = now - behind > now - slots * 10;
            prop_assert_eq!(rolling.add(at(now - behind), n, &spec), counts);
            counted.extend(counts.then_some((now - behind, n)));
            let within = counted.iter().filter(|(micros, _)| (now - slots * 10 + 1..=now).contains(micros));
            prop_assert_eq!(rolling.total(at(now), &spec), within.map(|(_, n)| n).sum::<u64>());
            prop_assert!(rolling.slots.len() as i64 <= slots);
        }
    }

    #[test]
    fn the_top_is_that_of_a_full_sort(k in 0..6usize, offers in prop::collection::vec((0..12u8, 0..6u64), 0..40)) {
        let mut top = TopK::new(k);
        let mut highest = BTreeMap::new();
        for (key, count) in offers {
            top.offer(&key, count);
            let known = highest.entry(key).or_insert(count);
            *known = count.max(*known);
        }
        let mut sorted: Vec<_> = highest.into_iter().collect();
        sorted.sort_by_key(|&(key, count)| (std::cmp::Reverse(count), key));
        sorted.truncate(k);
        prop_assert_eq!(top.ranked(), sorted);
    }
}
