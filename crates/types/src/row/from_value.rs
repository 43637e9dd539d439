//! What a value can be read as.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::FromValue;
use crate::{Bytes, Map, Str, Timestamp, Value};

/// `$type: "what it is called", |value| how it is read`.
macro_rules! from_value {
    ($($type:ty: $name:literal, |$value:ident| $read:expr;)+) => {$(
        impl<'a> FromValue<'a> for $type {
            fn expected() -> &'static str {
                $name
            }
            #[inline]
            fn from_value($value: &'a Value) -> Option<Self> {
                $read
            }
        }
    )+};
}

from_value! {
    bool: "bool", |value| value.as_bool();
    i8: "int (i8)", |value| value.as_i64()?.try_into().ok();
    i16: "int (i16)", |value| value.as_i64()?.try_into().ok();
    i32: "int (i32)", |value| value.as_i64()?.try_into().ok();
    i64: "int", |value| value.as_i64();
    u16: "int (u16)", |value| value.as_i64()?.try_into().ok();
    u32: "int (u32)", |value| value.as_i64()?.try_into().ok();
    u64: "int (u64)", |value| value.as_i64()?.try_into().ok();
    usize: "int (usize)", |value| value.as_i64()?.try_into().ok();
    f32: "float (f32)", |value| narrow(value.as_f64()?);
    f64: "float", |value| value.as_f64();
    &'a str: "string", |value| value.as_str();
    String: "string", |value| value.as_str().map(str::to_owned);
    &'a [u8]: "bytes", |value| value.as_bytes();
    &'a [Value]: "list", |value| value.as_list();
    &'a BTreeMap<Str, Value>: "map", |value| value.as_map();
    Timestamp: "timestamp", |value| value.as_timestamp();
    &'a Value: "value", |value| Some(value);
    Value: "value", |value| Some(value.clone());
}

/// Rounded, but never to infinity.
fn narrow(wide: f64) -> Option<f32> {
    let number = wide as f32;
    (number.is_finite() || !wide.is_finite()).then_some(number)
}

/// `$type: "what it is called", Variant`: shares the payload.
macro_rules! shared {
    ($($type:ty: $name:literal, $variant:ident;)+) => {$(
        impl FromValue<'_> for $type {
            fn expected() -> &'static str {
                $name
            }
            #[inline]
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::$variant(payload) => Some(payload.clone()),
                    _ => None,
                }
            }
        }
    )+};
}

shared! {
    Str: "string", Str;
    Bytes: "bytes", Bytes;
    Arc<[Value]>: "list", List;
    Map: "map", Map;
}

impl<'a> FromValue<'a> for u8 {
    fn expected() -> &'static str {
        "int (u8)"
    }
    #[inline]
    fn from_value(value: &'a Value) -> Option<Self> {
        value.as_i64()?.try_into().ok()
    }
    fn expected_list() -> &'static str {
        "bytes"
    }
    fn list_from_value(value: &'a Value) -> Option<Vec<Self>> {
        match value {
            Value::List(items) => items.iter().map(Self::from_value).collect(),
            other => other.as_bytes().map(<[u8]>::to_vec),
        }
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    fn expected() -> &'static str {
        T::expected()
    }
    #[inline]
    fn from_value(value: &'a Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Vec<T> {
    fn expected() -> &'static str {
        T::expected_list()
    }
    fn from_value(value: &'a Value) -> Option<Self> {
        T::list_from_value(value)
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for BTreeMap<String, T> {
    fn expected() -> &'static str {
        "map"
    }
    fn from_value(value: &'a Value) -> Option<Self> {
        value.as_map()?.iter().map(|(key, item)| Some((key.as_str().to_owned(), T::from_value(item)?))).collect()
    }
}
