//! Equality, order and hash.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

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
    let hasher = RandomState::new();
    assert_eq!(a, b);
    assert_eq!(a.cmp(b), Ordering::Equal);
    assert_eq!(hasher.hash_one(a), hasher.hash_one(b));
}

proptest! {
    #[test]
    fn the_order_is_total_and_agrees_with_equality_and_hash(a in value(), b in value(), c in value()) {
        let hasher = RandomState::new();
        prop_assert_eq!(a.cmp(&a.clone()), Ordering::Equal);
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        if a == b {
            prop_assert_eq!(hasher.hash_one(&a), hasher.hash_one(&b));
        }
        prop_assert_eq!(hasher.hash_one(&a), hasher.hash_one(a.clone()));
    }

    #[test]
    fn flat_values_of_one_type_compare_as_what_they_hold(a in any::<i64>(), b in any::<i64>(), x in ".{0,30}", y in ".{0,30}") {
        prop_assert_eq!(Value::Int(a).cmp(&Value::Int(b)), a.cmp(&b));
        prop_assert_eq!(Value::from(x.as_str()).cmp(&Value::from(y.as_str())), x.cmp(&y));
        prop_assert_eq!(Value::from(x.as_bytes()).cmp(&Value::from(y.as_bytes())), x.as_bytes().cmp(y.as_bytes()));
    }
}
