//! Values as JSON: what people expect, and back exactly.

use std::collections::BTreeMap;

use proptest::prelude::*;
use squall_types::{MAX_DEPTH, Str, Timestamp, Value};

use super::{float, nested, value};

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::from(entries.into_iter().map(|(key, item)| (Str::new(key), item)).collect::<BTreeMap<_, _>>())
}

fn written(value: &Value) -> String {
    serde_json::to_string(value).expect("a JSON form")
}

fn read(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn refusal(json: &str) -> String {
    match serde_json::from_str::<Value>(json) {
        Ok(value) => panic!("{json} was read as {value:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn values_look_in_json_as_people_expect() {
    for (value, json) in [
        (Value::Null, "null"),
        (Value::Bool(true), "true"),
        (Value::Int(i64::MIN), "-9223372036854775808"),
        (Value::Float(1.0), "1.0"),
        (Value::Float(-0.5), "-0.5"),
        (Value::from("a\n"), r#""a\n""#),
        (Value::from(vec![1_i64, 2]), "[1,2]"),
        (map([("b", Value::Int(1)), ("a", Value::Null)]), r#"{"a":null,"b":1}"#),
        (map([]), "{}"),
    ] {
        assert_eq!(written(&value), json);
        assert_eq!(read(json), value);
    }
}

#[test]
fn what_json_has_no_form_for_is_tagged() {
    let noon = "2026-01-31T12:00:00.5Z".parse::<Timestamp>().expect("an instant");
    for (value, json) in [
        (Value::Timestamp(noon), r#"{"$timestamp":"2026-01-31T12:00:00.500Z"}"#),
        (Value::Timestamp(Timestamp::MAX), r#"{"$timestamp":"+294247-01-10T04:00:54.775807Z"}"#),
        (Value::from(b"".to_vec()), r#"{"$bytes":""}"#),
        (Value::from(b"f".to_vec()), r#"{"$bytes":"Zg=="}"#),
        (Value::from(b"fo".to_vec()), r#"{"$bytes":"Zm8="}"#),
        (Value::from(b"foo".to_vec()), r#"{"$bytes":"Zm9v"}"#),
        (Value::from(b"foobar".to_vec()), r#"{"$bytes":"Zm9vYmFy"}"#),
        (Value::from(vec![0xfb_u8, 0xef, 0xff]), r#"{"$bytes":"++//"}"#),
        (Value::Float(f64::NAN), r#"{"$float":"NaN"}"#),
        (Value::Float(f64::INFINITY), r#"{"$float":"inf"}"#),
        (Value::Float(f64::NEG_INFINITY), r#"{"$float":"-inf"}"#),
    ] {
        assert_eq!(written(&value), json);
        assert_eq!(read(json), value);
    }
}

#[test]
fn a_timestamp_may_be_given_in_microseconds() {
    assert_eq!(read(r#"{"$timestamp": -1}"#), Value::Timestamp(Timestamp::from_micros(-1)));
}

#[test]
fn a_map_that_looks_like_a_tag_is_escaped() {
    for (key, written_key) in [("$timestamp", "$$timestamp"), ("$$bytes", "$$$bytes"), ("$float", "$$float")] {
        let value = map([(key, Value::from("x"))]);
        assert_eq!(written(&value), format!(r#"{{"{written_key}":"x"}}"#));
        assert_eq!(read(&written(&value)), value);
    }
}

#[test]
fn other_keys_with_a_dollar_mean_themselves() {
    for json in [r##"{"$ref":"#/a"}"##, r#"{"$oid":"5f"}"#, r#"{"$":1}"#, r#"{"$$x":1}"#, r#"{"timestamp":"x"}"#] {
        assert_eq!(written(&read(json)), json);
        assert!(read(json).as_map().is_some());
    }
}

#[test]
fn a_tag_among_other_keys_is_a_key() {
    let value = map([("$timestamp", Value::from("x")), ("a", Value::Int(1))]);
    assert_eq!(written(&value), r#"{"$timestamp":"x","a":1}"#);
    assert_eq!(read(&written(&value)), value);
}

#[test]
fn a_tag_with_a_content_that_is_none_is_refused() {
    for (json, why) in [
        (r#"{"$timestamp":"yesterday"}"#, "RFC 3339"),
        (r#"{"$timestamp":1.5}"#, "\"$timestamp\" can't hold a float"),
        (r#"{"$bytes":"Zg="}"#, "base64"),
        (r#"{"$bytes":"Zh=="}"#, "base64"),
        (r#"{"$bytes":"Z==="}"#, "base64"),
        (r#"{"$bytes":"===="}"#, "base64"),
        (r#"{"$bytes":"Zg==Zg=="}"#, "base64"),
        (r#"{"$bytes":"Zm9-"}"#, "base64"),
        (r#"{"$bytes":[1]}"#, "\"$bytes\" can't hold a list"),
        (r#"{"$float":"nan"}"#, "\"$float\""),
        (r#"{"$float":1.0}"#, "\"$float\" can't hold a float"),
    ] {
        assert!(refusal(json).contains(why), "{json}: {}", refusal(json));
    }
}

#[test]
fn a_number_that_an_int_cannot_hold_is_refused_not_rounded() {
    assert_eq!(read("9223372036854775807"), Value::Int(i64::MAX));
    assert!(refusal("9223372036854775808").contains("9223372036854775808 doesn't fit an int"));
}

#[test]
fn values_nest_to_the_limit_and_no_deeper() {
    let deepest = nested(MAX_DEPTH);
    assert_eq!(read(&written(&deepest)), deepest);
    let error = serde_json::to_string(&nested(MAX_DEPTH + 1)).expect_err("one level too many");
    assert!(error.to_string().contains("deeper than 64 levels"), "{error}");
    let json = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    assert!(refusal(&json).contains("deeper than 64 levels"));
}

#[test]
fn a_scalar_counts_as_a_level_also_when_it_is_tagged() {
    let within = |levels: usize, leaf: Value| (0..levels).fold(leaf, |inner, _| Value::from(vec![inner]));
    let leaf = Value::Timestamp(Timestamp::MIN);
    let deepest = within(MAX_DEPTH - 2, leaf.clone());
    assert_eq!(read(&written(&deepest)), deepest);
    assert!(serde_json::to_string(&within(MAX_DEPTH, leaf)).is_err());
}

#[test]
fn endless_nesting_from_outside_is_an_error_not_a_crash() {
    for opening in ["[", r#"{"a":"#, r#"{"$timestamp":"#, r#"{"$$bytes":"#, r#"[{"a":"#] {
        assert!(refusal(&opening.repeat(1_000_000)).contains("deeper than 64 levels"));
    }
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_was_written(value in value()) {
        prop_assert_eq!(read(&written(&value)), value);
    }

    #[test]
    fn a_value_passes_through_a_json_tree_unchanged(value in value()) {
        let tree = serde_json::to_value(&value).expect("a JSON form");
        prop_assert_eq!(serde_json::from_value::<Value>(tree).expect("what was written"), value);
    }

    #[test]
    fn floats_come_back_to_the_last_bit(number in float()) {
        let Value::Float(back) = read(&written(&Value::Float(number))) else { panic!("not a float") };
        prop_assert!(back.to_bits() == number.to_bits() || (number.is_nan() && back.is_nan()), "{number:?} became {back:?}");
    }

    #[test]
    fn reading_base64_ends_in_its_only_bytes_or_an_error(text in "[A-Za-z0-9+/]{0,8}={0,3}") {
        let json = format!(r#"{{"$bytes":"{text}"}}"#);
        if let Ok(value) = serde_json::from_str::<Value>(&json) {
            prop_assert_eq!(written(&value), json);
        }
    }
}
