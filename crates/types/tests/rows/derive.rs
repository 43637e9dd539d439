//! `#[derive(Tuple)]`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use squall_derive::Tuple;
use squall_types::{Bytes, FromTuple, IntoRow, KeyGroup, RowError, Str, TaskId, Timestamp, Value};

use super::{schema, written};

#[derive(Tuple, Debug, PartialEq, Clone, Copy)]
#[tuple(crate = "squall_types")]
struct Word<'a> {
    word: &'a str,
    n: i64,
}

#[derive(Tuple, Debug, PartialEq, Clone)]
#[tuple(crate = "squall_types")]
struct Order {
    id: String,
    #[tuple(rename = "amount (EUR)")]
    amount: f64,
    r#type: Option<u8>,
    at: Timestamp,
}

#[derive(Tuple, Debug, PartialEq)]
#[tuple(crate = "squall_types")]
struct Nothing {}

/// Fields called as the variables of generated code might be.
#[derive(Tuple, Debug, PartialEq)]
#[tuple(crate = "squall_types")]
struct Awkward<'tuple> {
    row: i64,
    tuple: &'tuple str,
    r#self_: i64,
    values: i64,
}

fn fields<R: IntoRow>() -> &'static [&'static str] {
    R::fields().expect("a struct knows its fields")
}

/// Reads a row of a stream with these fields.
fn read<'a, T: FromTuple<'a>>(names: &[&str], row: &'a [Value]) -> Result<T, RowError> {
    // The schema lives as long as the row, so that what is read may borrow for as long.
    let schema = Box::leak(Box::new(schema(names)));
    squall_types::Tuple::new(row, schema, TaskId::new(1), KeyGroup::NONE).read()
}

#[test]
fn a_struct_writes_its_fields_in_their_order() {
    assert_eq!(fields::<Word<'_>>(), ["word", "n"]);
    let (values, heap_bytes) = written(Word { word: &"x".repeat(30), n: 7 });
    assert_eq!(values, [Value::from("x".repeat(30)), Value::Int(7)]);
    assert_eq!(heap_bytes, 30);
}

#[test]
fn a_field_is_called_as_renamed_and_without_its_raw_mark() {
    assert_eq!(fields::<Order>(), ["id", "amount (EUR)", "type", "at"]);
}

#[test]
fn the_list_of_fields_stays_at_its_address() {
    assert_eq!(fields::<Word<'_>>().as_ptr(), fields::<Word<'static>>().as_ptr());
}

#[test]
fn a_struct_without_fields_is_an_empty_row() {
    assert_eq!(fields::<Nothing>(), [""; 0]);
    assert_eq!(written(Nothing {}).0, []);
    assert_eq!(read::<Nothing>(&["other"], &[Value::Null]).ok(), Some(Nothing {}));
}

#[test]
fn a_struct_is_read_by_position_from_its_own_stream() {
    let row = [Value::from("a"), Value::Int(7)];
    assert_eq!(read::<Word<'_>>(&["word", "n"], &row).ok(), Some(Word { word: "a", n: 7 }));
}

#[test]
fn a_struct_is_read_by_name_from_a_stream_with_more_fields_in_another_order() {
    let row = [Value::Null, Value::Int(7), Value::Int(8), Value::from("a")];
    assert_eq!(read::<Word<'_>>(&["x", "n", "y", "word"], &row).ok(), Some(Word { word: "a", n: 7 }));
}

/// Both lists have two fields of matching types: only the names tell them apart.
#[test]
fn fields_of_one_type_are_not_confused_when_a_stream_swaps_them() {
    #[derive(Tuple, Debug, PartialEq)]
    #[tuple(crate = "squall_types")]
    struct Point {
        x: i64,
        y: i64,
    }
    let row = [Value::Int(1), Value::Int(2)];
    assert_eq!(read::<Point>(&["x", "y"], &row).ok(), Some(Point { x: 1, y: 2 }));
    assert_eq!(read::<Point>(&["y", "x"], &row).ok(), Some(Point { x: 2, y: 1 }));
}

#[test]
fn text_that_is_read_outlives_the_tuple() {
    let row = [Value::from("a"), Value::Int(7)];
    let word = read::<Word<'_>>(&["word", "n"], &row).expect("a word");
    assert_eq!(word.word.as_ptr(), row[0].as_str().expect("a string").as_ptr());
}

#[test]
fn a_missing_field_is_named_with_what_the_stream_has() {
    let error = read::<Order>(&["id", "amount"], &[Value::from("1"), Value::Float(1.0)]).expect_err("no such field");
    assert!(matches!(&error, RowError::NoSuchField { field, .. } if field == "amount (EUR)"));
    assert_eq!(error.to_string(), r#"no field "amount (EUR)"; the stream has id, amount"#);
}

#[test]
fn a_value_of_another_type_is_named_on_either_path() {
    for names in [["word", "n"], ["n", "word"]] {
        let row = names.map(|name| if name == "n" { Value::from("seven") } else { Value::from("a") });
        let error = read::<Word<'_>>(&names, &row).expect_err("a string is no int");
        assert_eq!(error.to_string(), r#"field "n" is of type string, not int"#);
    }
}

#[test]
fn one_schema_serves_structs_of_different_shape_in_turn() {
    #[derive(Tuple, Debug, PartialEq)]
    #[tuple(crate = "squall_types")]
    struct Count {
        n: i64,
    }
    let (schema, row) = (schema(&["word", "n"]), [Value::from("a"), Value::Int(7)]);
    let tuple = squall_types::Tuple::new(&row, &schema, TaskId::new(1), KeyGroup::NONE);
    for _ in 0..3 {
        assert_eq!(tuple.read::<Word<'_>>().ok(), Some(Word { word: "a", n: 7 }));
        assert_eq!(tuple.read::<Count>().ok(), Some(Count { n: 7 }));
    }
}

#[test]
fn names_that_generated_code_uses_are_free_for_fields() {
    let row = written(Awkward { row: 1, tuple: "a", self_: 2, values: 3 }).0;
    let read = read::<Awkward<'_>>(fields::<Awkward<'_>>(), &row);
    assert_eq!(read.ok(), Some(Awkward { row: 1, tuple: "a", self_: 2, values: 3 }));
}

/// A field of each kind.
#[derive(Tuple, Debug, PartialEq, Clone)]
#[tuple(crate = "squall_types")]
struct Everything<'a> {
    text: &'a str,
    owned: String,
    shared: Str,
    raw: &'a [u8],
    bytes: Bytes,
    copied: Vec<u8>,
    list: Vec<Option<i32>>,
    map: BTreeMap<String, f64>,
    any: Value,
    borrowed: &'a Value,
    truth: bool,
    maybe: Option<&'a str>,
}

#[test]
fn a_struct_may_have_fields_of_all_kinds() {
    let any = Value::from(vec![1_i64]);
    let everything = Everything {
        text: "text",
        owned: "owned".to_owned(),
        shared: Str::new("shared"),
        raw: &[1, 2],
        bytes: vec![3].into(),
        copied: vec![4],
        list: vec![Some(5), None],
        map: BTreeMap::from([("k".to_owned(), 0.5)]),
        any: Value::Null,
        borrowed: &any,
        truth: true,
        maybe: None,
    };
    let (row, _) = written(everything.clone());
    let names: Vec<_> = row.iter().map(Value::type_name).collect();
    let expected =
        ["string", "string", "string", "bytes", "bytes", "bytes", "list", "map", "null", "list", "bool", "null"];
    assert_eq!(names, expected);
    assert_eq!(read::<Everything<'_>>(fields::<Everything<'_>>(), &row).expect("its own row"), everything);
}

proptest! {
    #[test]
    fn a_struct_is_found_among_other_fields_in_any_order(
        order in Just(vec!["x", "word", "y", "n", "z"]).prop_shuffle(),
        n in any::<i64>(),
    ) {
        let row: Vec<_> = order
            .iter()
            .map(|&name| match name {
                "word" => Value::from("a"),
                "n" => Value::Int(n),
                _ => Value::Null,
            })
            .collect();
        prop_assert_eq!(read::<Word<'_>>(&order, &row).expect("both fields"), Word { word: "a", n });
    }

    #[test]
    fn a_struct_is_read_as_it_was_written(id in ".{0,40}", amount in -1e9..1e9, kind in any::<Option<u8>>(), at in any::<i64>()) {
        let order = Order { id, amount, r#type: kind, at: Timestamp::from_micros(at) };
        let names = fields::<Order>();
        let row = written(order.clone()).0;
        let schema = schema(names);
        let tuple = squall_types::Tuple::new(&row, &schema, TaskId::new(1), KeyGroup::NONE);
        prop_assert_eq!(&tuple.read::<Order>().expect("its own row"), &order);

        let backwards: Vec<_> = row.iter().rev().cloned().collect();
        let schema = super::schema(&names.iter().rev().copied().collect::<Vec<_>>());
        let tuple = squall_types::Tuple::new(&backwards, &schema, TaskId::new(1), KeyGroup::NONE);
        prop_assert_eq!(tuple.read::<Order>().expect("the same row backwards"), order);
    }
}
