use proptest::prelude::*;
use squall_types::Code;

use super::codec::seal;
use super::*;

const GROUPS: u16 = 16;

fn group(number: u16) -> KeyGroup {
    KeyGroup::new(number)
}

/// A store with a table of counts by word, and entries in one group.
fn counts(entries: &[(&str, u64)], at: KeyGroup) -> (StateStore, StateHandle<String, u64>) {
    let mut store = StateStore::new(GROUPS, 7);
    let handle = store.register::<String, u64>("counts").expect("a new name");
    for (word, n) in entries {
        store.group(&handle, at).insert((*word).to_owned(), *n);
    }
    (store, handle)
}

fn content(store: &mut StateStore, handle: &StateHandle<String, u64>, at: KeyGroup) -> Vec<(String, u64)> {
    let mut entries: Vec<_> = store.group(handle, at).iter().map(|(word, n)| (word.clone(), *n)).collect();
    entries.sort();
    entries
}

fn code<T>(result: Result<T, StateError>) -> Option<Code> {
    result.err().map(|error| error.code())
}

#[test]
fn a_key_is_owned_only_when_it_is_inserted() {
    let (mut store, handle) = counts(&[("storm", 1)], group(3));
    let map = store.group(&handle, group(3));
    *map.get_or_default("storm") += 1;
    *map.get_or_insert_with("calm", || 10) += 1;
    assert_eq!((map.get("storm"), map.get("calm"), map.get("gale"), map.len()), (Some(&2), Some(&11), None, 2));
    assert_eq!((map.remove("calm"), map.remove("calm")), (Some(11), None));
    *map.get_mut("storm").expect("it is there") = 9;
    map.retain(|_, n| *n != 9);
    assert!(map.is_empty());
    let numbers = store.register::<i64, u64>("numbers").expect("a new name");
    assert_eq!(*store.group(&numbers, group(0)).get_or_default(&5), 0);
}

#[test]
fn a_restarted_task_finds_its_state_under_the_same_name_and_types() {
    let (mut store, _) = counts(&[("storm", 1)], group(3));
    let again = store.register::<String, u64>("counts").expect("the same types");
    assert_eq!(content(&mut store, &again, group(3)), [("storm".to_owned(), 1)]);
    assert_eq!(code(store.register::<String, u32>("counts")), Some(Code::new(1102)));
    assert_eq!(code(store.register::<Vec<u8>, u64>("counts")), Some(Code::new(1102)));
}

#[test]
#[should_panic(expected = "the store that gave it out")]
fn a_handle_for_other_types_at_the_same_place_is_refused() {
    let (_, handle) = counts(&[], group(0));
    let mut other = StateStore::new(GROUPS, 7);
    other.register::<String, i64>("counts").expect("a new name");
    other.group(&handle, group(0));
}

#[test]
fn groups_and_tables_are_apart_whatever_the_order_they_are_touched_in() {
    let mut store = StateStore::new(GROUPS, 0);
    let one = store.register::<u32, u32>("one").expect("a new name");
    let two = store.register::<u32, u32>("two").expect("a new name");
    let order = [9, 4, 15, 0, 10, KeyGroup::NONE.get()];
    for number in order {
        store.group(&one, group(number)).insert(1, u32::from(number));
    }
    assert!(order.iter().all(|&number| store.group(&one, group(number)).get(&1) == Some(&u32::from(number))));
    let seen: Vec<_> = store.groups_mut(&one).map(|(group, map)| (group.get(), map.len())).collect();
    assert_eq!(seen, [(0, 1), (4, 1), (9, 1), (10, 1), (15, 1), (u16::MAX, 1)]);
    assert_eq!(store.groups_mut(&two).count(), 0);
    assert_eq!(store.entries(), 6);
}

#[test]
fn a_group_that_does_not_exist_is_the_one_for_unkeyed_rows() {
    let (mut store, handle) = counts(&[("storm", 1)], group(GROUPS));
    assert_eq!(content(&mut store, &handle, KeyGroup::NONE), [("storm".to_owned(), 1)]);
    assert_eq!(code(store.snapshot(group(GROUPS))), Some(Code::new(2309)));
    assert_eq!(code(store.restore(group(GROUPS), &[])), Some(Code::new(2309)));
}

#[test]
fn for_each_reaches_every_entry_and_may_change_it() {
    let (mut store, handle) = counts(&[("storm", 1), ("calm", 2)], group(3));
    store.group(&handle, group(1)).insert("gale".to_owned(), 3);
    let mut sum = 0;
    store.for_each(&handle, |_, _, n| {
        *n += 10;
        sum += *n;
    });
    assert_eq!((sum, store.group(&handle, group(1)).get("gale")), (36, Some(&13)));
}

#[test]
fn iteration_follows_from_the_seed_and_the_history() {
    let order = |seed| {
        let mut store = StateStore::new(GROUPS, seed);
        let handle = store.register::<u64, ()>("keys").expect("a new name");
        (0..100).for_each(|key| assert!(store.group(&handle, group(0)).insert(key, ()).is_none()));
        store.group(&handle, group(0)).iter().map(|(key, ())| *key).collect::<Vec<_>>()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
fn a_snapshot_has_these_bytes() {
    let (mut store, _) = counts(&[("gale", 300), ("a", 1)], group(2));
    store.register::<u32, u32>("empty").expect("a new name");
    let bytes = store.snapshot(group(2)).expect("it serializes");
    let (content, checksum) = bytes.split_at(bytes.len() - 8);
    let body = b"\x01\x06counts\x02\x02\x01a\x01\x01\x05\x04gale\x02\xac\x02";
    assert_eq!(content, [&b"SQST\x01\x00\x02\x00"[..], &[body.len() as u8, 0, 0, 0, 0, 0, 0, 0], body].concat());
    assert_eq!(format!("{:#x}", u64::from_le_bytes(checksum.try_into().expect("eight bytes"))), "0x1c5c427a61d49133");
}

#[test]
fn equal_content_gives_equal_bytes_whatever_the_history() {
    let (one, _) = counts(&[("a", 1), ("b", 2), ("c", 3)], group(2));
    let mut other = StateStore::new(GROUPS, 99);
    other.register::<u8, u8>("another").expect("a new name");
    let handle = other.register::<String, u64>("counts").expect("a new name");
    for (word, n) in [("c", 3), ("x", 0), ("b", 2), ("a", 1)] {
        other.group(&handle, group(2)).insert(word.to_owned(), n);
    }
    other.group(&handle, group(2)).remove("x");
    assert_eq!(one.snapshot(group(2)).expect("it serializes"), other.snapshot(group(2)).expect("it serializes"));
}

#[test]
fn restore_replaces_one_group_of_all_tables() {
    let (source, _) = counts(&[("new", 1)], group(2));
    let (mut store, handle) = counts(&[("old", 9)], group(2));
    store.group(&handle, group(3)).insert("apart".to_owned(), 4);
    let numbers = store.register::<u8, u8>("numbers").expect("a new name");
    store.group(&numbers, group(2)).insert(1, 1);
    store.restore(group(2), &source.snapshot(group(2)).expect("it serializes")).expect("it is whole");
    assert_eq!(content(&mut store, &handle, group(2)), [("new".to_owned(), 1)]);
    assert_eq!(content(&mut store, &handle, group(3)), [("apart".to_owned(), 4)]);
    assert!(store.group(&numbers, group(2)).is_empty(), "the snapshot has none");
}

#[test]
fn tables_restored_before_they_are_registered_are_kept_and_passed_on() {
    let (source, _) = counts(&[("storm", 1)], group(2));
    let bytes = source.snapshot(group(2)).expect("it serializes");
    let mut store = StateStore::new(GROUPS, 0);
    store.restore(group(2), &bytes).expect("it is whole");
    assert_eq!((store.entries(), store.is_empty()), (1, false));
    assert_eq!(store.snapshot(group(2)).expect("it serializes"), bytes);
    assert_eq!(code(store.register::<u64, Vec<String>>("counts")), Some(Code::new(2307)));
    let handle = store.register::<String, u64>("counts").expect("the types it was written with");
    assert_eq!(content(&mut store, &handle, group(2)), [("storm".to_owned(), 1)]);
    assert_eq!(store.entries(), 1);
}

#[test]
fn a_dropped_group_is_gone_registered_or_not() {
    let (mut store, _) = counts(&[("storm", 1)], group(2));
    let bytes = store.snapshot(group(2)).expect("it serializes");
    store.drop_group(group(2));
    assert!(store.is_empty());
    let mut unclaimed = StateStore::new(GROUPS, 0);
    unclaimed.restore(group(2), &bytes).expect("it is whole");
    unclaimed.drop_group(group(2));
    assert!(unclaimed.is_empty());
}

#[test]
fn what_is_wrong_with_a_snapshot_is_told_and_nothing_is_changed() {
    let (mut store, handle) = counts(&[("storm", 1)], group(2));
    let good = store.snapshot(group(2)).expect("it serializes");
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let sealed = |body: &[u8]| seal(1, group(2), body);
    let cases = [
        (Vec::new(), 2301),
        (b"no snapshot at all, but long enough".to_vec(), 2301),
        (seal(2, group(2), b"\x00"), 2302),
        (good[..3].to_vec(), 2303),
        (good[..good.len() - 1].to_vec(), 2303),
        ([&good[..], b"x"].concat(), 2304),
        (flipped(20), 2305),
        (flipped(good.len() - 1), 2305),
        (seal(0, group(2), b"\x00"), 2305),
        (seal(1, group(3), b"\x00"), 2306),
        (sealed(b""), 2305),
        (sealed(b"\x00\x00"), 2305),
        (sealed(b"\x01\x02\xff\xff\x00"), 2305),
        (sealed(b"\x02\x01b\x00\x01a\x00"), 2305),
        (sealed(b"\x01\x01a\x02\x01k\x00\x01k\x00"), 2305),
        (sealed(b"\x01\x01a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), 2305),
        (sealed(b"\x01\x06counts\x01\x02\x01a\x02\x01\x01"), 2307),
        (sealed(b"\x01\x06counts\x01\x02\x02a\x01\x01"), 2307),
    ];
    for (at, (bytes, number)) in cases.into_iter().enumerate() {
        assert_eq!(code(store.restore(group(2), &bytes)), Some(Code::new(number)), "case {at}");
        assert_eq!(content(&mut store, &handle, group(2)), [("storm".to_owned(), 1)], "case {at}");
    }
}

#[test]
fn two_encodings_of_one_key_are_refused() {
    let mut store = StateStore::new(GROUPS, 0);
    store.register::<u32, u8>("n").expect("a new name");
    let body = b"\x01\x01n\x02\x01\x01\x01\x00\x02\x81\x00\x01\x00";
    assert_eq!(code(store.restore(group(2), &seal(1, group(2), body))), Some(Code::new(2307)));
}

#[test]
fn an_entry_that_cannot_be_serialized_is_an_error() {
    #[derive(serde::Deserialize)]
    struct Never;
    impl serde::Serialize for Never {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("never"))
        }
    }
    let mut store = StateStore::new(GROUPS, 0);
    let handle = store.register::<u8, Never>("never").expect("a new name");
    store.group(&handle, group(0)).insert(1, Never);
    assert_eq!(code(store.snapshot(group(0))), Some(Code::new(2308)));
}

proptest! {
    #[test]
    fn a_snapshot_restores_to_the_same_content(
        entries in prop::collection::btree_map(".{0,6}", any::<u64>(), 0..20),
        number in prop_oneof![0..GROUPS, Just(u16::MAX)],
    ) {
        let entries: Vec<_> = entries.iter().map(|(word, n)| (word.as_str(), *n)).collect();
        let (source, _) = counts(&entries, group(number));
        let bytes = source.snapshot(group(number)).expect("it serializes");
        let (mut store, handle) = counts(&[("old", 1)], group(number));
        store.restore(group(number), &bytes).expect("it is whole");
        let restored = content(&mut store, &handle, group(number));
        prop_assert!(restored.iter().map(|(word, n)| (word.as_str(), *n)).eq(entries));
    }

    #[test]
    fn no_bytes_panic_and_refused_ones_change_nothing(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        resealed: bool,
    ) {
        let (mut store, handle) = counts(&[("storm", 1), ("calm", 300)], group(2));
        store.register::<u32, Vec<String>>("lists").expect("a new name");
        let good = store.snapshot(group(2)).expect("it serializes");
        let mut bytes = if resealed { good[16..good.len() - 8].to_vec() } else { good.clone() };
        for (at, byte) in edits {
            *at.get_mut(&mut bytes[..]) = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let bytes = if resealed { seal(1, group(2), &bytes) } else { bytes };
        let before = content(&mut store, &handle, group(2));
        let restored = store.restore(group(2), &bytes).is_ok();
        if !restored {
            prop_assert_eq!(content(&mut store, &handle, group(2)), before);
        }
        prop_assert!(resealed || restored == (bytes == good));
    }
}
