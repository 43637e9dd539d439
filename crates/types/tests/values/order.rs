//! Equality, order and hash.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use proptest::prelude::*;
use squall_types::{Str, Timestamp, Value};

use super::value;

/// One or more values of each type, ascending.
fn ascending() -> Vec<Value> {
    let map = |key: &str, item: i64| Value::from(BTreeMap::from([(Str::new(key), Value::Int(item))]));
    vec![
        Value::Null,
        Value::Bool(false),
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::Int(-1),
        Value::Int(i64::MAX),
        Value::Float(f64::NEG_INFINITY),
        Value::Float(-1.5),
        Value::Float(-f64::MIN_POSITIVE),
        Value::Float(0.0),
        Value::Float(f64::MIN_POSITIVE),
        Value::Float(f64::INFINITY),
        Value::Float(f64::NAN),
        Value::from(""),
        Value::from("a"),
        Value::from("aa"),
        Value::from("b"),
        Value::from(vec![0_u8]),
        Value::from(vec![0_u8, 1]),
        Value::from(vec![255_u8]),
        Value::Timestamp(Timestamp::MIN),
        Value::Timestamp(Timestamp::MAX),
        Value::from(Vec::<i64>::new()),
        Value::from(vec![1_i64]),
        Value::from(vec![1_i64, 0]),
        Value::from(vec![2_i64]),
        Value::from(BTreeMap::<Str, Value>::new()),
        map("a", 1),
        map("a", 2),
        map("b", 0),
    ]
}

#[test]
fn values_of_all_types_are_in_the_documented_order() {
    let values = ascending();
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            assert_eq!(a.cmp(b), i.cmp(&j), "{a:?} and {b:?}");
            assert_eq!(a == b, i == j, "{a:?} and {b:?}");
        }
    }
}

#[test]
fn both_zeros_are_one_key() {
    assert_same(&Value::Float(0.0), &Value::Float(-0.0));
    assert_same(&Value::from(vec![0.0]), &Value::from(vec![-0.0]));
}

#[test]
fn all_nans_are_one_key() {
    let odd = f64::from_bits(0xfff8_0000_dead_beef);
    assert!(odd.is_nan());
    assert_same(&Value::Float(f64::NAN), &Value::Float(-f64::NAN));
    assert_same(&Value::Float(f64::NAN), &Value::Float(odd));
}

#[test]
fn an_int_is_not_the_float_of_the_same_number() {
    assert_ne!(Value::Int(1), Value::Float(1.0));
}

#[test]
fn text_is_not_the_bytes_it_is_made_of() {
    assert_ne!(Value::from("a"), Value::from(b"a".to_vec()));
}

fn assert_same(a: &Value, b: &Value) {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    assert_eq!(a, b);
    assert_eq!(a.cmp(b), Ordering::Equal);
    assert_eq!(hasher.hash_one(a), hasher.hash_one(b));
}

proptest! {
    #[test]
    fn the_order_is_total_and_agrees_with_equality_and_hash(a in value(), b in value(), c in value()) {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        prop_assert_eq!(a.cmp(&a.clone()), Ordering::Equal);
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        if a == b {
            prop_assert_eq!(hasher.hash_one(&a), hasher.hash_one(&b));
        }
    }

    #[test]
    fn flat_values_of_one_type_compare_as_what_they_hold(a in any::<i64>(), b in any::<i64>(), x in ".{0,30}", y in ".{0,30}") {
        prop_assert_eq!(Value::Int(a).cmp(&Value::Int(b)), a.cmp(&b));
        prop_assert_eq!(Value::from(x.as_str()).cmp(&Value::from(y.as_str())), x.cmp(&y));
        prop_assert_eq!(Value::from(x.as_bytes()).cmp(&Value::from(y.as_bytes())), x.as_bytes().cmp(y.as_bytes()));
    }
}

/// Values of so few kinds that equal ones are common, with equal floats of different bits.
fn few() -> impl Strategy<Value = Value> {
    let flat = proptest::sample::select(vec![
        Value::Null,
        Value::Bool(false),
        Value::Int(0),
        Value::Int(1),
        Value::Float(0.0),
        Value::Float(-0.0),
        Value::Float(f64::NAN),
        Value::Float(-f64::NAN),
        Value::from(""),
        Value::from("a"),
        Value::from(vec![0_u8; 0]),
        Value::Timestamp(Timestamp::from_micros(0)),
    ]);
    flat.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[ab]".prop_map(Str::from), inner, 0..3).prop_map(Value::from),
        ]
    })
}

/// The documented order, written down a second time.
fn compare_by_the_rules(a: &Value, b: &Value) -> Ordering {
    const TYPES: [&str; 9] = ["null", "bool", "int", "float", "string", "bytes", "timestamp", "list", "map"];
    let rank = |value: &Value| TYPES.iter().position(|name| *name == value.type_name());
    let items = |a: &[Value], b: &[Value]| {
        let first_difference = a.iter().zip(b).map(|(a, b)| compare_by_the_rules(a, b)).find(|it| it.is_ne());
        first_difference.unwrap_or(a.len().cmp(&b.len()))
    };
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or(a.is_nan().cmp(&b.is_nan())),
        (Value::List(a), Value::List(b)) => items(a, b),
        (Value::Map(a), Value::Map(b)) => {
            let flat = |map: &BTreeMap<Str, Value>| -> Vec<Value> {
                map.iter().flat_map(|(key, item)| [Value::Str(key.clone()), item.clone()]).collect()
            };
            items(&flat(a), &flat(b))
        }
        _ if rank(a) != rank(b) => rank(a).cmp(&rank(b)),
        _ => (a.as_bool(), a.as_i64(), a.as_str(), a.as_bytes(), a.as_timestamp()).cmp(&(
            b.as_bool(),
            b.as_i64(),
            b.as_str(),
            b.as_bytes(),
            b.as_timestamp(),
        )),
    }
}

proptest! {
    #[test]
    fn values_compare_by_the_documented_rules(a in prop_oneof![few(), value()], b in prop_oneof![few(), value()]) {
        prop_assert_eq!(a.cmp(&b), compare_by_the_rules(&a, &b), "{:?} and {:?}", a, b);
    }

    #[test]
    fn values_that_equal_the_same_are_equal_and_hash_alike(values in proptest::collection::vec(few(), 3)) {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let [a, b, c] = &values[..] else { panic!("three") };
        prop_assert!(!(a == b && b == c) || a == c);
        prop_assert!(!(a < b && b < c) || a < c);
        prop_assert!(a != b || hasher.hash_one(a) == hasher.hash_one(b));
        prop_assert_eq!(a.partial_cmp(b), Some(a.cmp(b)));
    }

    #[test]
    fn hashes_tell_apart_what_the_order_tells_apart(values in proptest::collection::vec(few(), 0..30)) {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let hashes: BTreeSet<u64> = values.iter().map(|value| hasher.hash_one(value)).collect();
        let sorted: BTreeSet<&Value> = values.iter().collect();
        let mut listed: Vec<&Value> = values.iter().collect();
        listed.sort();
        listed.dedup();
        prop_assert_eq!(hashes.len(), sorted.len());
        prop_assert_eq!(sorted.into_iter().collect::<Vec<_>>(), listed);
    }
}
