//! A row as a component sees it.

use squall_types::{KeyGroup, RowError, StreamId, TaskId, Tuple, Value};

use super::schema;

#[test]
fn values_are_read_by_position_and_by_name() {
    let (row, schema) = ([Value::from("a"), Value::Int(7)], schema(&["word", "n"]));
    let tuple = Tuple::new(&row, &schema, TaskId::new(3), KeyGroup::new(5));
    assert_eq!(tuple.get::<&str>(0).ok(), Some("a"));
    assert_eq!(tuple.get::<i64>(1).ok(), Some(7));
    assert_eq!(tuple.field::<&str>("word").ok(), Some("a"));
    assert_eq!(tuple.field::<i64>("n").ok(), Some(7));
    assert_eq!(tuple.value(1), Some(&row[1]));
    assert_eq!(tuple.value(2), None);
    assert_eq!(tuple.values(), row);
}

#[test]
fn a_tuple_knows_where_it_came_from() {
    let schema = schema(&["n"]);
    let tuple = Tuple::new(&[Value::Null], &schema, TaskId::new(3), KeyGroup::new(5)).to_owned();
    let view = tuple.view();
    assert_eq!(view.component().as_str(), "split");
    assert_eq!(view.stream(), &StreamId::default_stream());
    assert_eq!((view.source_task(), view.group()), (TaskId::new(3), KeyGroup::new(5)));
}

#[test]
fn what_is_read_outlives_the_view_it_was_read_through() {
    let (row, schema) = ([Value::from("a")], schema(&["word"]));
    let text: &str = {
        let tuple = Tuple::new(&row, &schema, TaskId::new(1), KeyGroup::NONE);
        tuple.get(0).expect("a string")
    };
    assert_eq!(text, "a");
}

#[test]
fn an_owned_tuple_shares_its_payloads() {
    let (row, schema) = ([Value::from("x".repeat(100))], schema(&["word"]));
    let owned = Tuple::new(&row, &schema, TaskId::new(1), KeyGroup::NONE).to_owned();
    assert_eq!(owned.view().get::<&str>(0).expect("a string").as_ptr(), row[0].as_str().expect("a string").as_ptr());
}

#[test]
fn a_position_past_the_last_field_is_an_error() {
    let schema = schema(&["n"]);
    let tuple = Tuple::new(&[Value::Null], &schema, TaskId::new(1), KeyGroup::NONE);
    let error = tuple.get::<i64>(1).expect_err("there is one field");
    assert!(matches!(error, RowError::NoSuchPosition { index: 1, width: 1 }));
    assert_eq!(error.to_string(), "no field at position 1: the row has 1 values");
}

#[test]
fn a_missing_field_is_named_with_what_the_stream_has() {
    let schema = schema(&["word", "n"]);
    let tuple = Tuple::new(&[Value::Null, Value::Null], &schema, TaskId::new(1), KeyGroup::NONE);
    let error = tuple.field::<i64>("count").expect_err("no such field");
    assert_eq!(error.to_string(), r#"no field "count"; the stream has word, n"#);
}

#[test]
fn a_value_of_another_type_is_named_with_both_types() {
    let (row, schema) = ([Value::from("a"), Value::Int(300)], schema(&["word", "n"]));
    let tuple = Tuple::new(&row, &schema, TaskId::new(1), KeyGroup::NONE);
    let error = tuple.get::<i64>(0).expect_err("a string");
    assert_eq!(error.to_string(), r#"field "word" is of type string, not int"#);
    let error = tuple.field::<u8>("n").expect_err("too large");
    assert_eq!(error.to_string(), r#"field "n" is of type int, not int (u8)"#);
}

#[test]
fn a_schema_matches_equal_lists_only() {
    static SAME: [&str; 2] = ["word", "n"];
    static SAME_AGAIN: [&str; 2] = ["word", "n"];
    static SWAPPED: [&str; 2] = ["n", "word"];
    static LONGER: [&str; 3] = ["word", "n", "x"];
    let schema = schema(&SAME);
    for _ in 0..2 {
        assert!(schema.matches(&SAME));
        assert!(schema.matches(&SAME_AGAIN));
        assert!(!schema.matches(&SWAPPED));
        assert!(!schema.matches(&LONGER));
        assert!(!schema.matches(&[]));
    }
}

/// Both lists begin at the same address.
#[test]
fn a_schema_does_not_take_the_beginning_of_its_list_for_the_list() {
    static LONGER: [&str; 3] = ["word", "n", "x"];
    let schema = schema(&["word", "n"]);
    assert!(schema.matches(&LONGER[..2]));
    assert!(!schema.matches(&LONGER));
    assert!(!schema.matches(&LONGER[..1]));
    assert!(schema.matches(&LONGER[..2]));
}

#[test]
fn a_stream_without_fields_matches_the_empty_list() {
    let schema = schema(&[]);
    assert!(schema.matches(&[]));
    assert!(schema.matches(&[]));
    assert!(!schema.matches(&["a"]));
}
