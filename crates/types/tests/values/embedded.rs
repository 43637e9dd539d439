//! Values as parts of other things: fields of structs, other readers than text in memory, broken input.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as PlainError, MapDeserializer, SeqDeserializer};
use serde::{Deserialize, Serialize};
use squall_types::{Bytes, Map, Str, Timestamp, Value};

use super::value;

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Record {
    key: Value,
    optional: Option<Value>,
    all: Vec<Value>,
    named: BTreeMap<Str, Value>,
    at: Timestamp,
}

fn record(key: Value, item: Value) -> Record {
    Record {
        key,
        optional: Some(item.clone()).filter(|item| !item.is_null()),
        all: vec![item.clone(), Value::Null],
        named: BTreeMap::from([(Str::new("$bytes"), item)]),
        at: Timestamp::from_micros(-1),
    }
}

#[test]
fn a_timestamp_by_itself_is_its_microseconds() {
    assert_eq!(serde_json::to_string(&Timestamp::from_micros(-5)).expect("a JSON form"), "-5");
    assert_eq!(postcard::to_stdvec(&Timestamp::from_micros(-5)).expect("a binary form"), [9]);
}

#[test]
fn json_is_read_from_a_stream_as_from_memory() {
    let json = br#" { "a\u0000b" : [ 1 , -2.5e3 , "caf\u00e9" , { "$timestamp" : "1970-01-01T00:00:00+01:00" } ] } "#;
    let expected: Value = serde_json::from_slice(json).expect("valid JSON");
    let streamed: Value = serde_json::from_reader(&json[..]).expect("valid JSON");
    assert_eq!(streamed, expected);
    let items = expected.as_map().and_then(|map| map.get("a\0b")).and_then(Value::as_list).expect("a list");
    let hour_before = Timestamp::from_micros(-3_600_000_000);
    let wanted = [Value::Int(1), Value::Float(-2_500.0), Value::from("café"), Value::Timestamp(hour_before)];
    assert_eq!(items, wanted);
}

#[test]
fn a_long_string_from_a_stream_is_read_whole() {
    let text = "é\"".repeat(5_000);
    let json = serde_json::to_vec(&text).expect("a JSON form");
    assert_eq!(serde_json::from_reader::<_, Value>(&json[..]).expect("valid JSON"), Value::from(text));
}

#[test]
fn of_two_equal_keys_the_last_counts() {
    let value: Value = serde_json::from_str(r#"{"a":1,"b":2,"a":3}"#).expect("valid JSON");
    assert_eq!(value.to_string(), r#"{"a": 3, "b": 2}"#);
}

#[test]
fn malformed_json_is_an_error() {
    for json in ["", "nul", "[1,]", r#"{"a"}"#, r#"{1:2}"#, "\"", "01", "+1", "NaN", "[1", r#"{"$timestamp":"#, "1 2"] {
        assert!(serde_json::from_str::<Value>(json).is_err(), "{json}");
    }
}

#[test]
fn a_number_of_any_width_is_read_as_an_int() {
    fn read<'de>(number: impl IntoDeserializer<'de, PlainError>) -> Option<Value> {
        let list = SeqDeserializer::<_, PlainError>::new(std::iter::once(number));
        Value::deserialize(list).ok().and_then(|list| list.as_list().map(|items| items[0].clone()))
    }
    assert_eq!(read(7_u8), Some(Value::Int(7)));
    assert_eq!(read(-7_i8), Some(Value::Int(-7)));
    assert_eq!(read(7_u64), Some(Value::Int(7)));
    assert_eq!(read(u64::MAX), None);
    assert_eq!(read(0.5_f32), Some(Value::Float(0.5)));
}

#[test]
fn units_and_owned_keys_of_other_readers_are_understood() {
    let entries = [("a".to_owned(), ()), ("b".to_owned(), ())];
    let map = MapDeserializer::<_, PlainError>::new(entries.into_iter());
    assert_eq!(Value::deserialize(map).expect("a map").to_string(), r#"{"a": null, "b": null}"#);
}

#[test]
fn a_length_in_the_input_is_not_believed() {
    /// Says that far more items follow than do.
    struct Liar(std::vec::IntoIter<i64>);
    impl Iterator for Liar {
        type Item = i64;
        fn next(&mut self) -> Option<i64> {
            self.0.next()
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (usize::MAX, Some(usize::MAX))
        }
    }
    let list = SeqDeserializer::<_, PlainError>::new(Liar(vec![1, 2].into_iter()));
    // Setting room aside for as many would panic.
    assert!(Value::deserialize(list).is_ok_and(|list| list == Value::from(vec![1_i64, 2])));
}

#[test]
fn cloning_a_value_shares_its_payload() {
    fn address(value: &Value) -> *const u8 {
        match value {
            Value::Str(text) => text.as_str().as_ptr(),
            Value::Bytes(bytes) => bytes.as_ptr(),
            Value::List(items) => items.as_ptr().cast(),
            Value::Map(entries) => Arc::as_ptr(entries).cast(),
            other => panic!("{other:?} has no payload"),
        }
    }
    let map: Map = Arc::new(BTreeMap::from([(Str::new("k"), Value::Null)]));
    let bytes: Bytes = vec![1, 2, 3].into();
    for value in [Value::from("x".repeat(25)), Value::Bytes(bytes), Value::from(vec![Value::Null]), Value::Map(map)] {
        assert_eq!(address(&value.clone()), address(&value), "{}", value.type_name());
    }
}

#[test]
fn values_travel_between_threads() {
    fn travels<T: Send + Sync + 'static>() {}
    travels::<Value>();
    travels::<Str>();
}

proptest! {
    #[test]
    fn a_struct_of_values_survives_both_forms(key in value(), item in value()) {
        let record = record(key, item);
        let json = serde_json::to_string(&record).expect("a JSON form");
        prop_assert_eq!(&serde_json::from_str::<Record>(&json).expect("what was written"), &record);
        let bytes = postcard::to_stdvec(&record).expect("a binary form");
        prop_assert_eq!(&postcard::from_bytes::<Record>(&bytes).expect("what was written"), &record);
    }

    #[test]
    fn both_forms_hold_the_same_value(value in value()) {
        let bytes = postcard::to_stdvec(&value).expect("a binary form");
        let from_binary: Value = postcard::from_bytes(&bytes).expect("what was written");
        let json = serde_json::to_string(&from_binary).expect("a JSON form");
        prop_assert_eq!(json, serde_json::to_string(&value).expect("a JSON form"));
    }

    #[test]
    fn a_binary_form_that_is_cut_off_is_an_error(value in value(), cut in any::<prop::sample::Index>()) {
        let bytes = postcard::to_stdvec(&value).expect("a binary form");
        prop_assert!(postcard::from_bytes::<Value>(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn a_binary_form_with_a_broken_byte_ends_in_a_value_or_an_error(
        value in value(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let mut bytes = postcard::to_stdvec(&value).expect("a binary form");
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(read) = postcard::from_bytes::<Value>(&bytes) {
            let again = postcard::to_stdvec(&read).expect("a binary form");
            prop_assert_eq!(postcard::from_bytes::<Value>(&again).expect("what was written"), read);
        }
    }
}
