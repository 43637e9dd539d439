//! Values in a format that isn't self-describing: postcard. The bytes are a promise: what one release writes, another reads.

use std::collections::BTreeMap;

use proptest::prelude::*;
use squall_types::{MAX_DEPTH, Str, Timestamp, Value};

use super::{float, nested, value};

fn written(value: &Value) -> Vec<u8> {
    postcard::to_stdvec(value).expect("a binary form")
}

fn read(bytes: &[u8]) -> postcard::Result<Value> {
    postcard::from_bytes(bytes)
}

#[test]
fn the_bytes_of_each_type_never_change() {
    let map = BTreeMap::from([(Str::new("k"), Value::Null)]);
    for (value, golden) in [
        (Value::Null, &[0][..]),
        (Value::Bool(true), &[1, 1]),
        (Value::Int(-2), &[2, 3]),
        (Value::Float(1.5), &[3, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
        (Value::from("ab"), &[4, 2, b'a', b'b']),
        (Value::from(vec![0_u8, 255]), &[5, 2, 0, 255]),
        (Value::Timestamp(Timestamp::from_micros(64)), &[6, 0x80, 1]),
        (Value::from(vec![Value::Null, Value::Bool(false)]), &[7, 2, 0, 1, 0]),
        (Value::from(map), &[8, 1, 1, b'k', 0]),
    ] {
        assert_eq!(written(&value), golden, "{value:?}");
        assert_eq!(read(golden), Ok(value));
    }
}

#[test]
fn an_unknown_variant_is_refused() {
    assert!(read(&[9]).is_err());
    assert!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
}

#[test]
fn values_nest_to_the_limit_and_no_deeper() {
    let deepest = nested(MAX_DEPTH);
    assert_eq!(read(&written(&deepest)), Ok(deepest.clone()));
    assert!(postcard::to_stdvec(&Value::from(vec![deepest.clone()])).is_err());
    let too_deep = [[7, 1].repeat(MAX_DEPTH), vec![7, 0]].concat();
    assert!(read(&too_deep).is_err());
    assert_eq!(read(&too_deep[2..]), Ok(deepest));
}

#[test]
fn endless_nesting_from_outside_is_an_error_not_a_crash() {
    assert!(read(&[7, 1].repeat(1_000_000)).is_err());
    assert!(read(&[8, 1, 0].repeat(1_000_000)).is_err());
}

#[test]
fn a_length_that_lies_is_an_error_and_sets_nothing_aside() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    for tag in [4, 5, 7, 8] {
        assert!(read(&[&[tag][..], &huge].concat()).is_err(), "variant {tag}");
    }
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_was_written(value in value()) {
        prop_assert_eq!(read(&written(&value)), Ok(value));
    }

    #[test]
    fn floats_come_back_to_the_last_bit(number in float()) {
        let Ok(Value::Float(back)) = read(&written(&Value::Float(number))) else { panic!("not a float") };
        prop_assert_eq!(back.to_bits(), number.to_bits());
    }

    #[test]
    fn bytes_from_outside_end_in_a_value_or_an_error(bytes in proptest::collection::vec(prop_oneof![0..9_u8, any::<u8>()], 0..200)) {
        if let Ok(value) = read(&bytes) {
            prop_assert_eq!(read(&written(&value)), Ok(value));
        }
    }
}
