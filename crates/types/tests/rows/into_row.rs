//! What can be emitted as a row.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use squall_types::{IntoRow, KeyGroup, OwnedTuple, RowWriter, TaskId, Timestamp, ToValue, Tuple, Value};

use super::{schema, written};

fn values_of(row: impl IntoRow) -> Vec<Value> {
    written(row).0
}

fn ints(numbers: impl IntoIterator<Item = i64>) -> Vec<Value> {
    numbers.into_iter().map(Value::Int).collect()
}

#[test]
fn a_rust_tuple_writes_its_values_in_order() {
    assert_eq!(values_of(()), []);
    assert_eq!(values_of((1_i64,)), ints([1]));
    assert_eq!(values_of((1_u8, 2_i16, 3_u32)), ints([1, 2, 3]));
    assert_eq!(values_of((1_i64, 2_i64, 3_i64, 4_i64, 5_i64, 6_i64, 7_i64, 8_i64)), ints(1..=8));
    let mixed = values_of(("a", 0.5, true, None::<i64>, Timestamp::MAX, vec![1_u8]));
    let names: Vec<_> = mixed.iter().map(Value::type_name).collect();
    assert_eq!(names, ["string", "float", "bool", "null", "timestamp", "bytes"]);
}

#[test]
fn arrays_vectors_and_slices_of_values_are_rows() {
    let row = ints([1, 2, 3]);
    assert_eq!(values_of([Value::Int(1), Value::Int(2), Value::Int(3)]), row);
    assert_eq!(values_of(row.clone()), row);
    assert_eq!(values_of(&row[..]), row);
}

#[test]
fn a_row_that_came_in_can_go_out_again() {
    let (row, schema) = (ints([1, 2]), schema(&["a", "b"]));
    let tuple = Tuple::new(&row, &schema, TaskId::new(1), KeyGroup::NONE);
    let borrowed: &Tuple<'_> = &tuple;
    assert_eq!(values_of(borrowed), row);
    assert_eq!(values_of(tuple), row);
    let owned: OwnedTuple = tuple.to_owned();
    assert_eq!(values_of(&owned), row);
    assert_eq!(values_of(owned), row);
}

#[test]
fn rows_without_names_claim_none() {
    fn fields<R: IntoRow>() -> Option<&'static [&'static str]> {
        R::fields()
    }
    assert_eq!(fields::<(i64,)>(), None);
    assert_eq!(fields::<[Value; 2]>(), None);
    assert_eq!(fields::<Vec<Value>>(), None);
    assert_eq!(fields::<Tuple<'_>>(), None);
}

#[test]
fn a_writer_appends_and_adds_up_what_values_hold_however_they_are_written() {
    let long = "x".repeat(100);
    let (mut values, mut heap_bytes) = (ints([0]), 5);
    let mut writer = RowWriter::new(&mut values, &mut heap_bytes);
    (long.as_str(), vec![1_u8, 2]).write(&mut writer);
    ("short", 1_i64).write(&mut writer);
    [Value::from(long.as_str()), Value::Null].write(&mut writer);
    writer.push(Value::from(vec![1_u8]));
    writer.put("last");
    let names: Vec<_> = values.iter().map(Value::type_name).collect();
    assert_eq!(names, ["int", "string", "bytes", "string", "int", "string", "null", "bytes", "string"]);
    assert_eq!(heap_bytes, 5 + 100 + 2 + 100 + 1);
}

/// A value whose making panics.
struct Broken;

impl ToValue for Broken {
    fn to_value(self) -> Value {
        panic!("on purpose")
    }
}

#[test]
fn a_panic_while_a_value_is_made_leaves_the_values_before_it() {
    let (mut values, mut heap_bytes) = (ints([1]), 0);
    let row = (2_i64, Broken, 3_i64);
    let panicked = catch_unwind(AssertUnwindSafe(|| row.write(&mut RowWriter::new(&mut values, &mut heap_bytes))));
    assert!(panicked.is_err());
    assert_eq!(values, ints([1, 2]));
}

proptest! {
    #[test]
    fn rows_of_a_batch_stand_one_after_the_other(rows in proptest::collection::vec((".{0,40}", any::<i64>()), 0..50)) {
        let (mut values, mut heap_bytes) = (Vec::new(), 0);
        for (word, n) in &rows {
            (word.as_str(), *n).write(&mut RowWriter::new(&mut values, &mut heap_bytes));
        }
        let back: Vec<_> = values.chunks_exact(2).map(|row| (row[0].to_string(), row[1].as_i64().unwrap_or(0))).collect();
        prop_assert_eq!(&back, &rows);
        prop_assert_eq!(heap_bytes, values.iter().map(Value::heap_bytes).sum::<usize>());
    }

    #[test]
    fn a_row_weighs_the_same_however_it_is_written(text in ".{0,60}", bytes in any::<Vec<u8>>()) {
        let row = [Value::from(text.as_str()), Value::from(&bytes[..]), Value::from(vec![text.as_str()])];
        let expected = (row.to_vec(), row.iter().map(Value::heap_bytes).sum());
        prop_assert_eq!(&written(row.clone()), &expected);
        prop_assert_eq!(&written(row.to_vec()), &expected);
        prop_assert_eq!(&written(&row[..]), &expected);
        prop_assert_eq!(&written((text.as_str(), bytes, vec![text.as_str()])), &expected);
    }
}
