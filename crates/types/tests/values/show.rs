//! How values look to people.

use std::collections::BTreeMap;

use squall_types::{Str, Timestamp, Value};

fn map() -> Value {
    Value::from(BTreeMap::from([(Str::new("b"), Value::from(vec!["x"])), (Str::new("a"), Value::Null)]))
}

#[test]
fn debug_shows_the_type_by_the_way_it_is_written() {
    for (value, text) in [
        (Value::Null, "null"),
        (Value::Bool(true), "true"),
        (Value::Int(-1), "-1"),
        (Value::Float(1.0), "1.0"),
        (Value::Float(f64::NAN), "NaN"),
        (Value::from("a \"b\"\n"), r#""a \"b\"\n""#),
        (Value::from(b"a\x00\"".to_vec()), r#"b"a\x00\"""#),
        (Value::Timestamp(Timestamp::from_micros(0)), "1970-01-01T00:00:00Z"),
        (Value::from(vec![Value::Int(1), Value::from("x")]), r#"[1, "x"]"#),
        (map(), r#"{"a": null, "b": ["x"]}"#),
    ] {
        assert_eq!(format!("{value:?}"), text);
    }
}

#[test]
fn display_leaves_out_the_quotes_of_a_string_by_itself() {
    assert_eq!(Value::from("a \"b\"").to_string(), "a \"b\"");
    assert_eq!(Value::from(vec!["a"]).to_string(), r#"["a"]"#);
    assert_eq!(map().to_string(), r#"{"a": null, "b": ["x"]}"#);
    assert_eq!(Value::Float(2.0).to_string(), "2.0");
}

#[test]
fn display_pads_a_string_to_a_column() {
    assert_eq!(format!("{:>4}|", Value::from("ab")), "  ab|");
}
