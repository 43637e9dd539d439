use proptest::prelude::*;
use squall_types::{Str, Value};

use super::*;
use crate::hash::value_hash;

fn hash(key: &str) -> u64 {
    value_hash(&Value::Str(Str::new(key)))
}

#[test]
fn a_key_has_the_same_group_and_task_on_every_machine_and_release() {
    // Key, first and second group of 1,024, then its task of 1, 2, 3 and 7.
    let golden: [(&str, u16, u16, [u16; 4]); 8] = [
        ("", 370, 889, [0, 0, 1, 2]),
        ("a", 596, 1010, [0, 1, 1, 4]),
        ("storm", 502, 104, [0, 0, 1, 3]),
        ("squall", 372, 863, [0, 0, 1, 2]),
        ("tempest", 214, 736, [0, 0, 0, 1]),
        ("nimbus", 460, 54, [0, 0, 1, 3]),
        ("user-1", 469, 940, [0, 0, 1, 3]),
        ("user-2", 913, 300, [0, 1, 2, 6]),
    ];
    let found = golden.map(|(key, ..)| {
        let groups = KeyGroups::new(1_024, 1);
        let (first, second) = (groups.group_of(hash(key)), groups.second_group_of(hash(key)));
        (key, first.get(), second.get(), [1, 2, 3, 7].map(|tasks| KeyGroups::new(1_024, tasks).task_of(first)))
    });
    assert_eq!(found, golden);
}

#[test]
fn seven_tasks_share_1024_groups_like_this() {
    let groups = KeyGroups::new(1_024, 7);
    let ranges: Vec<_> = (0..7).map(|task| groups.groups_of(task)).collect();
    assert_eq!(ranges, [0..146, 146..292, 292..438, 438..585, 585..731, 731..877, 877..1_024]);
}

#[test]
fn the_last_hash_falls_into_the_last_group() {
    for groups in [1, 2, 3, 1_000, u16::MAX] {
        let dealt = KeyGroups::new(groups, 1);
        assert_eq!(dealt.group_of(0).get(), 0);
        assert_eq!(dealt.group_of(u64::MAX).get(), groups - 1);
    }
}

#[test]
fn keys_spread_evenly_over_groups_that_are_no_power_of_two() {
    let groups = KeyGroups::new(100, 1);
    let (mut first, mut second) = ([0u32; 100], [0u32; 100]);
    for key in 0..100_000 {
        let hash = value_hash(&Value::Int(key));
        first[groups.group_of(hash).index()] += 1;
        second[groups.second_group_of(hash).index()] += 1;
    }
    for count in first.into_iter().chain(second) {
        assert!((850..1_150).contains(&count), "{count} of 1,000");
    }
}

#[test]
fn a_change_of_tasks_moves_no_more_than_the_groups_that_change_hands() {
    let moved = |from, to| {
        let (before, after) = (KeyGroups::new(1_200, from), KeyGroups::new(1_200, to));
        let groups = (0..1_200).map(KeyGroup::new);
        let groups_moved = groups.filter(|&group| before.task_of(group) != after.task_of(group)).count();
        let keys_moved = (0..20_000)
            .map(|key| value_hash(&Value::Int(key)))
            .filter(|&hash| before.task_of(before.group_of(hash)) != after.task_of(after.group_of(hash)))
            .count();
        (groups_moved, keys_moved as f64 / 20_000.0)
    };
    for (from, to, groups) in [(2, 3, 600), (3, 2, 600), (4, 4, 0), (1, 2, 600), (2, 4, 900)] {
        let (groups_moved, keys_moved) = moved(from, to);
        assert_eq!(groups_moved, groups, "{from} to {to} tasks");
        let share = groups as f64 / 1_200.0;
        assert!((keys_moved - share).abs() < 0.02, "{from} to {to} tasks moved {keys_moved} of the keys, not {share}");
    }
}

#[test]
fn no_groups_or_no_tasks_count_as_one() {
    let groups = KeyGroups::new(0, 0);
    assert_eq!((groups.groups(), groups.tasks(), groups.groups_of(0)), (1, 1, 0..1));
    assert_eq!(groups.second_group_of(u64::MAX).get(), 0);
}

#[test]
fn what_does_not_exist_has_an_answer_that_harms_nobody() {
    let groups = KeyGroups::new(8, 3);
    assert!(groups.groups_of(3).is_empty());
    assert_eq!(groups.task_of(KeyGroup::NONE), 2);
}

#[test]
fn two_tasks_are_both_open_to_seven_keys_in_eight() {
    let groups = KeyGroups::new(1_024, 2);
    let split = (0..20_000)
        .map(|key| value_hash(&Value::Int(key)))
        .filter(|&hash| groups.task_of(groups.group_of(hash)) != groups.task_of(groups.second_group_of(hash)));
    let share = split.count() as f64 / 20_000.0;
    assert!((share - 0.875).abs() < 0.01, "{share}");
}

#[test]
fn a_hot_key_is_spread_evenly_over_two_tasks() {
    let mut sender = PartialKey::new(KeyGroups::new(1_024, 8));
    let mut rows = [0; 8];
    for _ in 0..1_000 {
        let group = sender.pick(hash("hot"));
        rows[usize::from(sender.groups().task_of(group))] += 1;
    }
    rows.sort_unstable();
    assert_eq!(rows, [0, 0, 0, 0, 0, 0, 500, 500]);
}

#[test]
fn a_key_only_ever_goes_to_its_two_groups() {
    let groups = KeyGroups::new(128, 8);
    let mut sender = PartialKey::new(groups.clone());
    for key in 0..10_000 {
        let hash = value_hash(&Value::Int(key % 100));
        let group = sender.pick(hash);
        assert!(group == groups.group_of(hash) || group == groups.second_group_of(hash));
    }
}

#[test]
fn partial_key_evens_out_a_skewed_load_that_fields_grouping_does_not() {
    const TASKS: usize = 8;
    let groups = KeyGroups::new(1_024, TASKS as u16);
    let mut sender = PartialKey::new(groups.clone());
    let (mut fields, mut partial) = ([0u64; TASKS], [0u64; TASKS]);
    for row in 0..100_000 {
        // Zipf's law over about 1,000 keys: a uniform draw, through the inverse of its distribution.
        let uniform = value_hash(&Value::Int(row)) as f64 / u64::MAX as f64;
        let hash = value_hash(&Value::Int((uniform * 1_000f64.ln()).exp() as i64));
        fields[usize::from(groups.task_of(groups.group_of(hash)))] += 1;
        partial[usize::from(groups.task_of(sender.pick(hash)))] += 1;
    }
    let skew = |rows: [u64; TASKS]| {
        *rows.iter().max().expect("there are tasks") as f64 * TASKS as f64 / rows.iter().sum::<u64>() as f64
    };
    assert!(skew(fields) > 1.3, "fields grouping: {}", skew(fields));
    assert!(skew(partial) < 1.02, "partial key: {}", skew(partial));
}

proptest! {
    #[test]
    fn ranges_are_contiguous_cover_all_groups_and_differ_by_at_most_one(groups in 1..=u16::MAX, tasks in 1..2_000u16) {
        let dealt = KeyGroups::new(groups, tasks);
        let mut next = 0;
        for task in 0..tasks {
            let range = dealt.groups_of(task);
            prop_assert_eq!(range.start, next);
            let size = range.end - range.start;
            prop_assert!(size == groups / tasks || size == groups.div_ceil(tasks));
            prop_assert!(range.clone().all(|group| dealt.task_of(KeyGroup::new(group)) == task));
            next = range.end;
        }
        prop_assert_eq!(next, groups);
    }

    #[test]
    fn both_choices_exist_and_differ(groups in 2..=u16::MAX, hash: u64) {
        let dealt = KeyGroups::new(groups, 1);
        let (first, second) = (dealt.group_of(hash), dealt.second_group_of(hash));
        prop_assert!(first.get() < groups && second.get() < groups);
        prop_assert_ne!(first, second);
    }

    #[test]
    fn with_three_tasks_or_more_the_choices_belong_to_different_tasks(groups in 64..=u16::MAX, tasks in 3..64u16, hash: u64) {
        let dealt = KeyGroups::new(groups, tasks);
        prop_assert_ne!(dealt.task_of(dealt.group_of(hash)), dealt.task_of(dealt.second_group_of(hash)));
    }
}
