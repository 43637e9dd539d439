use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use squall_types::{Str, Timestamp, Value};

use super::*;

fn text(text: &str) -> Value {
    Value::Str(Str::new(text))
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(Arc::new(entries.iter().map(|(key, value)| (Str::new(key), value.clone())).collect::<BTreeMap<_, _>>()))
}

fn list(items: &[Value]) -> Value {
    Value::List(items.into())
}

#[test]
fn a_value_hashes_the_same_on_every_machine_and_release() {
    let golden: [(&str, Value, u64); 25] = [
        ("null", Value::Null, 0xe220_a839_7b1d_cdaf),
        ("false", Value::Bool(false), 0xbf79_d6eb_531a_c9ab),
        ("true", Value::Bool(true), 0x8675_ed39_6a8d_5598),
        ("int 0", Value::Int(0), 0xdd88_13b7_134e_79b9),
        ("int 1", Value::Int(1), 0xcecd_70f0_9146_b077),
        ("int -1", Value::Int(-1), 0x49d8_74e8_8ef6_05c3),
        ("int min", Value::Int(i64::MIN), 0x6d3a_7afb_7f7b_7800),
        ("float 0", Value::Float(-0.0), 0x60b1_2475_6b24_5493),
        ("float 1", Value::Float(1.0), 0x67f5_50b8_4bf9_752d),
        ("nan", Value::Float(f64::NAN), 0x7d0c_d5fa_fb85_eebb),
        ("infinity", Value::Float(f64::INFINITY), 0x319b_7151_10df_9c5e),
        ("empty", text(""), 0x5cb2_9ca6_872a_b128),
        ("str 1", text("1"), 0x4cf3_261d_123d_c328),
        ("storm", text("storm"), 0x7d94_5aa2_f2db_a298),
        ("8 bytes", text("tempests"), 0x7f1e_0887_bc77_c12c),
        ("24 bytes", text("twenty-four bytes inline"), 0x7f7c_b99e_81e1_858a),
        ("25 bytes", text("twenty-five bytes, shared"), 0xcbca_ff2e_41ec_6b57),
        ("300 bytes", text(&"x".repeat(300)), 0xd81a_ec2a_04d9_6b22),
        ("non-ASCII", text("Bö🌩"), 0x4961_7898_4c9b_6ede),
        ("bytes", Value::Bytes(Arc::from(&b"storm"[..])), 0x6250_2a0e_9099_f366),
        ("timestamp 1", Value::Timestamp(Timestamp::from_micros(1)), 0x0b7d_a470_604f_03aa),
        ("empty list", list(&[]), 0x92a7_75ca_3aa5_f1ba),
        ("list", list(&[Value::Int(1), text("a")]), 0xf985_0f9f_eb73_41a5),
        ("empty map", map(&[]), 0x66bd_3f8e_2f7e_7ba1),
        ("map", map(&[("b", Value::Int(2)), ("a", list(&[Value::Null]))]), 0x35f8_9c7b_beb9_9b01),
    ];
    let found: Vec<_> = golden.iter().map(|(name, value, _)| (*name, format!("{:#018x}", value_hash(value)))).collect();
    let wanted: Vec<_> = golden.iter().map(|(name, _, hash)| (*name, format!("{hash:#018x}"))).collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_key_of_several_fields_hashes_the_same_on_every_machine_and_release() {
    let row = [text("storm"), Value::Int(7), Value::Null];
    let keys: [&[u16]; 4] = [&[], &[0, 1], &[1, 0], &[0, 1, 2]];
    assert_eq!(
        keys.map(|key| format!("{:#x}", key_hash(&row, key))),
        ["0x86b5bfff810ca935", "0xdc48a560d8a3cd5a", "0xbe156f06d9662849", "0xe86ec82765dc5d89"],
    );
}

#[test]
fn the_same_content_in_another_type_is_another_key() {
    let same = [
        Value::Null,
        Value::Int(1),
        Value::Float(1.0),
        text("1"),
        Value::Bool(true),
        Value::Timestamp(Timestamp::from_micros(1)),
        Value::Bytes(Arc::from(&b"1"[..])),
        list(&[Value::Int(1)]),
        map(&[("1", Value::Int(1))]),
        Value::Float(f64::from_bits(1)),
    ];
    for (i, one) in same.iter().enumerate() {
        for other in &same[i + 1..] {
            assert_ne!(value_hash(one), value_hash(other), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn one_field_hashes_as_its_value_and_alone_of_the_row() {
    let row = [Value::Int(1), text("storm"), Value::Int(2)];
    assert_eq!(key_hash(&row, &[1]), value_hash(&text("storm")));
}

#[test]
fn several_fields_hash_by_order_and_number() {
    let row = [Value::Int(1), Value::Int(2), Value::Null];
    let keys: [&[u16]; 6] = [&[0, 1], &[1, 0], &[0, 1, 2], &[0], &[0, 0], &[]];
    let hashes: std::collections::BTreeSet<u64> = keys.iter().map(|key| key_hash(&row, key)).collect();
    assert_eq!(hashes.len(), keys.len());
}

#[test]
fn fields_do_not_run_into_each_other() {
    assert_ne!(key_hash(&[text("ab"), text("c")], &[0, 1]), key_hash(&[text("a"), text("bc")], &[0, 1]));
    assert_ne!(value_hash(&list(&[list(&[Value::Null]), Value::Null])), value_hash(&list(&[list(&[]), Value::Null])));
    assert_ne!(value_hash(&list(&[text("a"), text("b")])), value_hash(&map(&[("a", text("b"))])));
}

#[test]
fn there_is_one_nan_and_one_zero() {
    let nans = [f64::NAN, -f64::NAN, f64::from_bits(0x7ff0_0000_0000_0001), f64::from_bits(0xffff_ffff_ffff_ffff)];
    for nan in nans {
        assert_eq!(value_hash(&Value::Float(nan)), value_hash(&Value::Float(f64::NAN)));
    }
    assert_eq!(value_hash(&Value::Float(0.0)), value_hash(&Value::Float(-0.0)));
}

#[test]
fn a_field_past_the_end_is_null() {
    assert_eq!(key_hash(&[Value::Int(1)], &[5]), value_hash(&Value::Null));
    assert_eq!(key_hash(&[Value::Int(1)], &[0, 5]), key_hash(&[Value::Int(1), Value::Null], &[0, 1]));
}

#[test]
fn hashes_of_small_ints_fill_the_upper_and_the_lower_bits_evenly() {
    let mut upper = [0u32; 64];
    let mut lower = [0u32; 64];
    for number in 0..64_000 {
        let hash = value_hash(&Value::Int(number));
        upper[(hash >> 58) as usize] += 1;
        lower[(hash & 63) as usize] += 1;
    }
    for count in upper.into_iter().chain(lower) {
        assert!((850..1_150).contains(&count), "{count} of 1,000");
    }
}

/// What a value holds, comparable, apart from how it is stored.
#[derive(Clone, Debug, PartialEq)]
enum Content {
    Null,
    Bool(bool),
    Int(i64),
    Float(Option<i32>),
    Str(String),
    Bytes(Vec<u8>),
    Timestamp(i64),
    List(Vec<Content>),
    Map(BTreeMap<String, Content>),
}

impl Content {
    /// Builds the value anew; `odd` picks another of the forms that mean the same.
    fn build(&self, odd: bool) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(number) => Value::Int(*number),
            Self::Float(None) => Value::Float(if odd { f64::from_bits(0xfff8_0000_0000_00ff) } else { f64::NAN }),
            Self::Float(Some(0)) => Value::Float(if odd { -0.0 } else { 0.0 }),
            Self::Float(Some(number)) => Value::Float(f64::from(*number) / 8.0),
            Self::Str(content) => text(content),
            Self::Bytes(bytes) => Value::Bytes(bytes.as_slice().into()),
            Self::Timestamp(micros) => Value::Timestamp(Timestamp::from_micros(*micros)),
            Self::List(items) => Value::List(items.iter().map(|item| item.build(odd)).collect()),
            Self::Map(entries) => {
                let entries: Vec<_> = entries.iter().map(|(key, item)| (Str::new(key), item.build(odd))).collect();
                Value::Map(Arc::new(if odd {
                    entries.into_iter().rev().collect()
                } else {
                    entries.into_iter().collect()
                }))
            }
        }
    }
}

fn content() -> impl Strategy<Value = Content> {
    let leaf = prop_oneof![
        Just(Content::Null),
        any::<bool>().prop_map(Content::Bool),
        (-3..3i64).prop_map(Content::Int),
        prop::option::of(-2..2i32).prop_map(Content::Float),
        "[ab]{0,3}|[a-z]{20,30}".prop_map(Content::Str),
        prop::collection::vec(0..3u8, 0..3).prop_map(Content::Bytes),
        (-3..3i64).prop_map(Content::Timestamp),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Content::List),
            prop::collection::btree_map("[ab]{0,2}", inner, 0..4).prop_map(Content::Map),
        ]
    })
}

proptest! {
    #[test]
    fn equal_values_hash_equal_and_others_do_not(one in content(), other in content()) {
        prop_assert_eq!(value_hash(&one.build(false)), value_hash(&one.build(true)));
        prop_assert_eq!(value_hash(&one.build(false)) == value_hash(&other.build(true)), one == other);
    }

    #[test]
    fn a_key_hashes_by_the_content_of_its_fields(key in prop::collection::vec(content(), 0..4), other in prop::collection::vec(content(), 0..4)) {
        let hash = |fields: &[Content], odd| {
            let row: Vec<Value> = fields.iter().map(|field| field.build(odd)).collect();
            let positions: Vec<u16> = (0..row.len() as u16).collect();
            key_hash(&row, &positions)
        };
        prop_assert_eq!(hash(&key, false), hash(&key, true));
        prop_assert_eq!(hash(&key, false) == hash(&other, false), key == other);
    }
}
