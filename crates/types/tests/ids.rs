//! Ids: what fits in them, what they look like, and that their arithmetic wraps where it says.

use std::collections::BTreeSet;

use proptest::prelude::*;
use squall_types::{ComponentId, EdgeId, Incarnation, KeyGroup, RootId, Sequence, StreamId, TaskId};

const SEQUENCES: u64 = 1 << 36;

#[test]
fn the_three_parts_of_a_root_id_lie_side_by_side() {
    let bits = |task, incarnation, sequence| {
        RootId::new(TaskId::new(task), Incarnation::new(incarnation), Sequence::new(sequence)).to_bits()
    };
    for (found, expected) in [
        (bits(0, 0, 0), 0),
        (bits(0, 0, 1), 1),
        (bits(0, 0, SEQUENCES - 1), 0x0000_000f_ffff_ffff),
        (bits(0, 1, 0), 0x0000_0010_0000_0000),
        (bits(0, 4_095, 0), 0x0000_fff0_0000_0000),
        (bits(1, 0, 0), 0x0001_0000_0000_0000),
        (bits(u16::MAX, 0, 0), 0xffff_0000_0000_0000),
    ] {
        assert_eq!(found, expected, "{found:#018x}");
    }
}

#[test]
fn a_part_that_is_too_wide_does_not_spill_into_its_neighbour() {
    let root = RootId::new(TaskId::new(7), Incarnation::new(4_096 + 3), Sequence::new(SEQUENCES + 5));
    assert_eq!((root.task().get(), root.incarnation().get(), root.sequence().get()), (7, 3, 5));
}

#[test]
fn ids_look_in_messages_as_they_are_documented() {
    let root = RootId::new(TaskId::new(7), Incarnation::new(2), Sequence::new(41));
    assert_eq!(format!("{root:?}"), "root 7/2/41");
    assert_eq!(format!("{:?}", EdgeId::from_bits(0xab)), "edge 00000000000000ab");
    assert_eq!(TaskId::new(12).to_string(), "12");
    let name = ComponentId::new("a \"b\"\n");
    assert_eq!((name.to_string(), format!("{name:?}")), ("a \"b\"\n".to_owned(), r#""a \"b\"\n""#.to_owned()));
}

#[test]
fn the_default_stream_is_called_default() {
    assert_eq!(StreamId::default_stream(), StreamId::from("default"));
    assert_ne!(StreamId::default_stream().as_str(), "Default");
}

#[test]
fn no_group_is_the_one_number_that_is_no_group() {
    assert!(!KeyGroup::NONE.is_some());
    assert!([0, 1, 32_767, u16::MAX - 1].into_iter().all(|number| KeyGroup::new(number).is_some()));
    assert_eq!((KeyGroup::new(9).get(), KeyGroup::new(9).index()), (9, 9));
}

#[test]
fn every_life_of_a_task_has_its_number_before_they_come_again() {
    let lives = std::iter::successors(Some(Incarnation::default()), |life| Some(life.next()));
    let distinct: BTreeSet<_> = lives.clone().take(4_096).map(Incarnation::get).collect();
    assert_eq!(distinct.len(), 4_096);
    assert_eq!(lives.clone().nth(4_096), Some(Incarnation::default()));
}

#[test]
fn a_window_of_sequences_is_told_from_what_lies_before_it_also_across_the_wrap() {
    let start = Sequence::new(SEQUENCES - 3);
    let inside = |sequence: Sequence| sequence.since(start) < 8;
    assert!((0..8).all(|n| inside(start.plus(n))));
    assert!(!inside(start.plus(8)));
    assert!(!inside(Sequence::new(SEQUENCES - 4)));
}

#[test]
fn ids_survive_json_and_postcard_as_what_they_hold() {
    let (component, stream) = (ComponentId::new("split"), StreamId::new("late"));
    assert_eq!(serde_json::to_string(&(&component, &stream)).expect("a JSON form"), r#"["split","late"]"#);
    let numbers = (TaskId::new(300), KeyGroup::new(70));
    assert_eq!(serde_json::to_string(&numbers).expect("a JSON form"), "[300,70]");
    let all = (component, stream, numbers);
    let bytes = postcard::to_stdvec(&all).expect("a binary form");
    assert_eq!(postcard::from_bytes(&bytes), Ok(all));
    assert!(serde_json::from_str::<TaskId>("65536").is_err());
    assert!(serde_json::from_str::<TaskId>("-1").is_err());
    assert!(serde_json::from_str::<ComponentId>("1").is_err());
}

proptest! {
    #[test]
    fn any_bits_are_a_root_id_that_its_parts_make_again(bits: u64) {
        let root = RootId::from_bits(bits);
        prop_assert_eq!(RootId::new(root.task(), root.incarnation(), root.sequence()), root);
        prop_assert_eq!(root.to_bits(), bits);
        prop_assert_eq!(root.is_some(), bits != 0);
    }

    #[test]
    fn a_root_id_gives_back_what_it_was_made_of(task: u16, incarnation in 0..4_096_u16, sequence in 0..SEQUENCES) {
        let root = RootId::new(TaskId::new(task), Incarnation::new(incarnation), Sequence::new(sequence));
        prop_assert_eq!(root.task().get(), task);
        prop_assert_eq!(root.incarnation().get(), incarnation);
        prop_assert_eq!(root.sequence().get(), sequence);
    }

    #[test]
    fn sequences_are_the_integers_modulo_2_to_the_36(start: u64, n: u64, m: u64) {
        let first = Sequence::new(start);
        prop_assert!(first.get() < SEQUENCES);
        prop_assert_eq!(first.plus(n).since(first), n % SEQUENCES);
        prop_assert_eq!(first.plus(n).plus(m), first.plus(m).plus(n));
        prop_assert_eq!(first.plus(n).plus(m), first.plus(n.wrapping_add(m)));
        let (there, back) = (first.plus(n).since(first), first.since(first.plus(n)));
        prop_assert_eq!((there + back) % SEQUENCES, 0);
        prop_assert_eq!(first.plus(n).get(), u64::try_from((u128::from(start) + u128::from(n)) % u128::from(SEQUENCES)).expect("36 bits"));
    }

    #[test]
    fn a_tree_is_complete_when_each_edge_came_twice_in_any_order(
        (edges, order) in proptest::collection::btree_set(1..=u64::MAX, 1..20).prop_flat_map(|edges| {
            let edges: Vec<u64> = edges.into_iter().collect();
            let twice = [edges.clone(), edges.clone()].concat();
            (Just(edges), Just(twice).prop_shuffle())
        }),
    ) {
        let sum = |bits: &[u64]| bits.iter().fold(EdgeId::ZERO, |sum, &bits| sum ^ EdgeId::from_bits(bits));
        prop_assert!(sum(&order).is_zero());
        let mut rest = sum(&order);
        rest ^= EdgeId::from_bits(edges[0]);
        prop_assert_eq!(rest.to_bits(), edges[0], "one ack missing is never zero");
        prop_assert_eq!(sum(&order[1..]).to_bits(), order[0]);
    }

    #[test]
    fn names_compare_as_their_text(a in "[ab]{0,3}", b in "[ab]{0,3}") {
        let (x, y) = (ComponentId::from(a.as_str()), ComponentId::new(b.as_str()));
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        prop_assert_eq!(x == y, a == b);
        prop_assert_eq!(x.as_str(), a);
    }
}
