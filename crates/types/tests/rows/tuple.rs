//! A row as a component sees it.

use std::sync::Arc;

use proptest::prelude::*;
use squall_types::{KeyGroup, OwnedTuple, RowError, StreamId, TaskId, Tuple, Value};

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

#[test]
fn an_owned_tuple_is_the_row_it_was_made_of() {
    let (row, schema) = ([Value::from("a"), Value::Int(7)], schema(&["word", "n"]));
    let owned = OwnedTuple::new(row.to_vec().into(), Arc::clone(&schema), TaskId::new(3), KeyGroup::new(5));
    assert_eq!(owned.view().values(), row);
    assert!(Arc::ptr_eq(owned.view().schema(), &schema));
    let again = owned.view().to_owned();
    assert_eq!((again.view().source_task(), again.view().group()), (TaskId::new(3), KeyGroup::new(5)));
    assert_eq!(*again.into_values(), row);
    drop(owned);
    assert_eq!(Arc::strong_count(&schema), 1, "no row is left that knows the schema");
}

#[test]
fn errors_have_the_code_of_what_went_wrong() {
    let (row, schema) = ([Value::Null], schema(&["n"]));
    let tuple = Tuple::new(&row, &schema, TaskId::new(1), KeyGroup::NONE);
    let code = |error: Option<RowError>| error.map(|error| error.code().to_string());
    assert_eq!(code(tuple.get::<i64>(1).err()).as_deref(), Some("SQ2001"));
    assert_eq!(code(tuple.field::<i64>("m").err()).as_deref(), Some("SQ2002"));
    assert_eq!(code(tuple.field::<i64>("n").err()).as_deref(), Some("SQ2003"));
    assert_eq!(code(tuple.get::<Option<i64>>(0).err()), None);
}

proptest! {
    #[test]
    fn a_field_is_its_position_among_the_names(
        names in proptest::collection::btree_set("[a-d]{1,2}", 1..8)
            .prop_flat_map(|names| Just(names.into_iter().collect::<Vec<_>>()).prop_shuffle()),
        other in "[a-d]{1,2}",
    ) {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let (row, schema) = ((0..8).map(Value::Int).take(known.len()).collect::<Vec<_>>(), schema(&known));
        let tuple = Tuple::new(&row, &schema, TaskId::new(1), KeyGroup::NONE);
        for (index, name) in known.iter().enumerate() {
            prop_assert_eq!(tuple.field::<usize>(name).ok(), Some(index));
            prop_assert_eq!(tuple.get::<usize>(index).ok(), Some(index));
        }
        let expected = known.iter().position(|name| *name == other);
        prop_assert_eq!(tuple.field::<usize>(&other).ok(), expected);
        prop_assert_eq!(schema.fields().iter().collect::<Vec<_>>(), known);
    }
}
