//! Conversions between values and Rust types.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use proptest::prelude::*;
use squall_types::{Bytes, FromValue, Map, Str, Timestamp, ToValue, TypeMismatch, Value};

/// One value of each type.
fn each_type() -> [Value; 9] {
    [
        Value::Null,
        Value::Bool(true),
        Value::Int(7),
        Value::Float(0.5),
        Value::from("text"),
        Value::from(vec![1_u8, 2]),
        Value::Timestamp(Timestamp::from_micros(9)),
        Value::from(vec![3_i64]),
        Value::from(BTreeMap::from([("k".to_owned(), 4_i64)])),
    ]
}

/// `T` reads exactly the types with these names.
fn assert_reads_only<T: for<'a> FromValue<'a>>(names: &[&str]) {
    for value in each_type() {
        let read = T::from_value(&value).is_some();
        assert_eq!(read, names.contains(&value.type_name()), "{} as {}", value.type_name(), std::any::type_name::<T>());
    }
}

#[test]
fn a_type_reads_the_values_that_it_can_hold_and_no_others() {
    assert_reads_only::<bool>(&["bool"]);
    assert_reads_only::<i8>(&["int"]);
    assert_reads_only::<u8>(&["int"]);
    assert_reads_only::<i64>(&["int"]);
    assert_reads_only::<u64>(&["int"]);
    assert_reads_only::<usize>(&["int"]);
    assert_reads_only::<f64>(&["float", "int"]);
    assert_reads_only::<f32>(&["float", "int"]);
    assert_reads_only::<String>(&["string"]);
    assert_reads_only::<Str>(&["string"]);
    assert_reads_only::<Bytes>(&["bytes"]);
    assert_reads_only::<Timestamp>(&["timestamp"]);
    assert_reads_only::<Arc<[Value]>>(&["list"]);
    assert_reads_only::<Vec<i64>>(&["list"]);
    assert_reads_only::<Vec<Value>>(&["list"]);
    assert_reads_only::<Vec<String>>(&[]);
    assert_reads_only::<Vec<u8>>(&["bytes", "list"]);
    assert_reads_only::<Map>(&["map"]);
    assert_reads_only::<BTreeMap<String, i64>>(&["map"]);
    assert_reads_only::<BTreeMap<String, bool>>(&[]);
    assert_reads_only::<Option<i64>>(&["null", "int"]);
    assert_reads_only::<Option<Option<i64>>>(&["null", "int"]);
    assert_reads_only::<Value>(&["null", "bool", "int", "float", "string", "bytes", "timestamp", "list", "map"]);
}

#[test]
fn an_accessor_answers_for_its_own_type_only() {
    for value in each_type() {
        let is = |name: &str| value.type_name() == name;
        assert_eq!(value.is_null(), is("null"));
        assert_eq!(value.as_bool(), is("bool").then_some(true));
        assert_eq!(value.as_i64(), is("int").then_some(7));
        assert_eq!(value.as_f64(), if is("int") { Some(7.0) } else { is("float").then_some(0.5) });
        assert_eq!(value.as_str(), is("string").then_some("text"));
        assert_eq!(value.as_bytes(), is("bytes").then_some(&[1, 2][..]));
        assert_eq!(value.as_timestamp(), is("timestamp").then_some(Timestamp::from_micros(9)));
        assert_eq!(value.as_list(), is("list").then_some(&[Value::Int(3)][..]));
        assert_eq!(value.as_map().and_then(|map| map.get("k")), is("map").then_some(&Value::Int(4)));
    }
}

#[test]
fn what_is_borrowed_is_not_copied() {
    let long = Value::from("x".repeat(100));
    let text: &str = long.get().expect("a string");
    assert_eq!(text.as_ptr(), long.as_str().expect("a string").as_ptr());
    let bytes = Value::from(vec![1_u8; 100]);
    let shared: Bytes = bytes.get().expect("bytes");
    assert_eq!(shared.as_ptr(), bytes.get::<&[u8]>().expect("bytes").as_ptr());
    let list = Value::from(vec![1_i64]);
    assert_eq!(list.get::<Arc<[Value]>>().expect("a list").as_ptr(), list.get::<&[Value]>().expect("a list").as_ptr());
    let map = Value::from(BTreeMap::from([("k".to_owned(), 1_i64)]));
    let (shared, borrowed) = (map.get::<Map>().expect("a map"), map.get::<&BTreeMap<Str, Value>>().expect("a map"));
    assert!(std::ptr::eq(&*shared, borrowed));
    assert!(std::ptr::eq(map.get::<&Value>().expect("any value"), &map));
}

#[test]
fn lists_of_u8_are_bytes_and_other_lists_are_lists() {
    assert_eq!(vec![1_u8, 2].to_value().type_name(), "bytes");
    assert_eq!([1_u8, 2][..].to_value().type_name(), "bytes");
    assert_eq!([1_i8, 2][..].to_value().type_name(), "list");
    assert_eq!(vec![vec![1_u8]].to_value(), Value::from(vec![Value::from(vec![1_u8])]));
    assert_eq!(Value::from(vec![1_i64, 255]).get::<Vec<u8>>(), Ok(vec![1, 255]));
    assert!(Value::from(vec![1_i64, 256]).get::<Vec<u8>>().is_err());
}

#[test]
fn none_is_null_and_null_is_none() {
    assert_eq!(None::<i64>.to_value(), Value::Null);
    assert_eq!(Some("a").to_value(), Value::from("a"));
    assert_eq!(Value::Null.get::<Option<&str>>(), Ok(None));
    assert_eq!(Value::from(vec![Some(1_i64), None]).get::<Vec<Option<i64>>>(), Ok(vec![Some(1), None]));
}

#[test]
fn a_mismatch_names_both_types() {
    let error = Value::from("a").get::<i64>().expect_err("a string is no int");
    assert_eq!(error, TypeMismatch { expected: "int", found: "string" });
    assert_eq!(error.to_string(), "the value is of type string, not int");
    assert_eq!(error.code().to_string(), "SQ2003");
    assert_eq!(Value::Int(300).get::<u8>().expect_err("too large").expected, "int (u8)");
    assert_eq!(Value::Null.get::<Vec<u8>>().expect_err("null is no bytes").expected, "bytes");
}

/// What `T` is called when a value isn't one.
fn expected<T: for<'a> FromValue<'a>>() -> &'static str {
    T::expected()
}

#[test]
fn a_type_is_called_as_the_value_it_wants() {
    assert_eq!(expected::<bool>(), Value::Bool(true).type_name());
    assert_eq!(expected::<i64>(), Value::Int(0).type_name());
    assert_eq!(expected::<f64>(), Value::Float(0.0).type_name());
    assert_eq!(expected::<String>(), Value::from("").type_name());
    assert_eq!(expected::<Str>(), expected::<String>());
    assert_eq!(expected::<Bytes>(), Value::from(vec![0_u8]).type_name());
    assert_eq!(expected::<Vec<u8>>(), expected::<Bytes>());
    assert_eq!(expected::<Timestamp>(), Value::Timestamp(Timestamp::MIN).type_name());
    assert_eq!(expected::<Vec<i64>>(), Value::from(vec![0_i64]).type_name());
    assert_eq!(expected::<Vec<Vec<u8>>>(), expected::<Vec<i64>>());
    assert_eq!(expected::<BTreeMap<String, i64>>(), expected::<Map>());
    assert_eq!(expected::<Option<u16>>(), "int (u16)");
}

#[test]
fn a_borrowed_type_reads_no_other_either() {
    for value in each_type() {
        let is = |name: &str| value.type_name() == name;
        assert_eq!(<&str>::try_from(&value).is_ok(), is("string"));
        assert_eq!(<&[u8]>::try_from(&value).is_ok(), is("bytes"));
        assert_eq!(<&[Value]>::try_from(&value).is_ok(), is("list"));
        assert_eq!(<&BTreeMap<Str, Value>>::try_from(&value).is_ok(), is("map"));
        assert_eq!(value.get::<&Value>(), Ok(&value));
    }
}

#[test]
fn wide_integers_become_values_only_if_they_fit() {
    assert_eq!(Value::try_from(5_u64).ok(), Some(Value::Int(5)));
    assert_eq!(Value::try_from(5_usize).ok(), Some(Value::Int(5)));
    assert!(Value::try_from(u64::MAX).is_err());
    assert!(Value::try_from(i128::MIN).is_err());
}

#[test]
fn text_in_all_its_forms_becomes_the_same_value() {
    let text = "some text that is longer than twenty-four bytes".to_owned();
    let expected = Value::from(text.as_str());
    for value in [
        Value::from(&text),
        Value::from(text.clone()),
        Value::from(Cow::Borrowed(text.as_str())),
        Value::from(Arc::<str>::from(text.as_str())),
        Value::from(Str::new(&text)),
        Value::from(&expected),
    ] {
        assert_eq!(value, expected);
    }
}

/// The value that becomes of `rust` is read as the same, in every way there is.
fn assert_both_ways<T>(rust: T)
where
    T: Clone + PartialEq + Debug + ToValue + Into<Value> + TryFrom<Value, Error = TypeMismatch>,
    T: for<'a> FromValue<'a> + for<'a> TryFrom<&'a Value, Error = TypeMismatch>,
{
    let value = rust.clone().to_value();
    assert_eq!(rust.clone().into(), value);
    assert_eq!(T::from_value(&value).as_ref(), Some(&rust));
    assert_eq!(T::try_from(&value).as_ref(), Ok(&rust));
    assert_eq!(T::try_from(value).as_ref(), Ok(&rust));
}

proptest! {
    #[test]
    fn what_becomes_a_value_is_read_as_it_was(
        ints in any::<(i8, i16, i32, i64, u8, u16, u32)>(),
        truth in any::<bool>(),
        floats in any::<(f32, f64)>(),
        text in ".{0,40}",
        bytes in any::<Vec<u8>>(),
    ) {
        assert_both_ways(ints.0);
        assert_both_ways(ints.1);
        assert_both_ways(ints.2);
        assert_both_ways(ints.3);
        assert_both_ways(ints.4);
        assert_both_ways(ints.5);
        assert_both_ways(ints.6);
        assert_both_ways(truth);
        assert_both_ways(floats.0);
        assert_both_ways(floats.1);
        assert_both_ways(Str::new(&text));
        assert_both_ways(text);
        assert_both_ways(Bytes::from(bytes));
        assert_both_ways(Timestamp::from_micros(ints.3));
    }

    #[test]
    fn collections_are_read_as_they_were(
        list in proptest::collection::vec(any::<Option<i64>>(), 0..5),
        map in proptest::collection::btree_map(".{0,30}", proptest::collection::vec(".{0,30}", 0..3), 0..4),
    ) {
        prop_assert_eq!(list.clone().to_value(), list[..].to_value());
        prop_assert_eq!(list.clone().to_value().get::<Vec<Option<i64>>>(), Ok(list));
        prop_assert_eq!(Value::from(map.clone()).get::<BTreeMap<String, Vec<String>>>(), Ok(map));
    }

    #[test]
    fn a_narrow_int_is_read_only_if_it_fits(number in prop_oneof![any::<i64>(), -70_000..70_000_i64, -300..300_i64]) {
        let value = Value::Int(number);
        prop_assert_eq!(i8::from_value(&value), i8::try_from(number).ok());
        prop_assert_eq!(i16::from_value(&value), i16::try_from(number).ok());
        prop_assert_eq!(i32::from_value(&value), i32::try_from(number).ok());
        prop_assert_eq!(u8::from_value(&value), u8::try_from(number).ok());
        prop_assert_eq!(u16::from_value(&value), u16::try_from(number).ok());
        prop_assert_eq!(u32::from_value(&value), u32::try_from(number).ok());
        prop_assert_eq!(u64::from_value(&value), u64::try_from(number).ok());
        prop_assert_eq!(usize::from_value(&value), usize::try_from(number).ok());
    }
}

/// The outermost numbers that `T` reads, and that it reads none beyond them.
fn assert_range<T: for<'a> FromValue<'a> + TryInto<i128>>(least: i64, most: i64) {
    let read = |number: i64| T::from_value(&Value::Int(number)).and_then(|number| number.try_into().ok());
    let name = std::any::type_name::<T>();
    assert_eq!((read(least), read(most)), (Some(least.into()), Some(most.into())), "{name}");
    for beyond in [least.checked_sub(1), most.checked_add(1)].into_iter().flatten() {
        assert_eq!(read(beyond), None, "{beyond} as {name}");
    }
}

#[test]
fn each_int_type_reads_its_whole_range_and_nothing_beyond() {
    assert_range::<i8>(-128, 127);
    assert_range::<i16>(-32_768, 32_767);
    assert_range::<i32>(-2_147_483_648, 2_147_483_647);
    assert_range::<i64>(i64::MIN, i64::MAX);
    assert_range::<u8>(0, 255);
    assert_range::<u16>(0, 65_535);
    assert_range::<u32>(0, 4_294_967_295);
    assert_range::<u64>(0, i64::MAX);
}

#[test]
fn the_widest_integers_that_fit_become_values_and_the_next_do_not() {
    let most = i64::MAX;
    assert_eq!(Value::try_from(most.unsigned_abs()).ok(), Some(Value::Int(most)));
    assert!(Value::try_from(most.unsigned_abs() + 1).is_err());
    assert_eq!(Value::try_from(i128::from(i64::MIN)).ok(), Some(Value::Int(i64::MIN)));
    assert!(Value::try_from(i128::from(i64::MIN) - 1).is_err());
    assert!(Value::try_from(u128::MAX).is_err());
}

#[test]
fn a_float_is_rounded_to_f32_but_never_to_infinity() {
    let read = |number: f64| Value::Float(number).get::<f32>();
    assert_eq!(read(0.1), Ok(0.1_f32));
    assert_eq!(read(f64::from(f32::MAX)), Ok(f32::MAX));
    assert_eq!(read(1e-300), Ok(0.0));
    assert_eq!(read(f64::NEG_INFINITY), Ok(f32::NEG_INFINITY));
    assert!(read(f64::NAN).is_ok_and(f32::is_nan));
    for beyond in [1e39, -1e39, f64::MAX] {
        assert_eq!(read(beyond), Err(TypeMismatch { expected: "float (f32)", found: "float" }), "{beyond}");
    }
}

#[test]
fn an_int_beyond_the_floats_precision_is_rounded_to_the_nearest() {
    assert_eq!(Value::Int(1 << 53).as_f64(), Some(9_007_199_254_740_992.0));
    assert_eq!(Value::Int((1 << 53) + 1).as_f64(), Some(9_007_199_254_740_992.0));
    assert_eq!(Value::Int(i64::MAX).get::<f64>(), Ok(9_223_372_036_854_775_807_i64 as f64));
    assert_eq!(Value::Float(1.0).as_i64(), None, "no float is read as an int");
}

#[test]
fn one_item_of_another_type_spoils_a_list_and_a_map() {
    let mixed = Value::from(vec![Value::Int(1), Value::Null]);
    assert_eq!(mixed.get::<Vec<i64>>(), Err(TypeMismatch { expected: "list", found: "list" }));
    assert_eq!(mixed.get::<Vec<Option<i64>>>(), Ok(vec![Some(1), None]));
    let map = Value::from(BTreeMap::from([("a".to_owned(), Value::Int(1)), ("b".to_owned(), Value::from("x"))]));
    assert!(map.get::<BTreeMap<String, i64>>().is_err());
    assert!(map.get::<BTreeMap<String, Value>>().is_ok());
}
