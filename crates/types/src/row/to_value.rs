//! What becomes a value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::ToValue;
use super::appending::append_with;
use crate::{Bytes, Map, Str, Timestamp, Value};

/// `$type: |own| its value`.
macro_rules! to_value {
    ($($type:ty: |$own:ident| $value:expr;)+) => {$(
        impl ToValue for $type {
            #[inline]
            fn to_value(self) -> Value {
                let $own = self;
                $value
            }
        }
    )+};
}

to_value! {
    bool: |truth| Value::Bool(truth);
    i8: |number| Value::Int(number.into());
    i16: |number| Value::Int(number.into());
    i32: |number| Value::Int(number.into());
    i64: |number| Value::Int(number);
    u16: |number| Value::Int(number.into());
    u32: |number| Value::Int(number.into());
    f32: |number| Value::Float(number.into());
    f64: |number| Value::Float(number);
    &String: |text| Value::Str(Str::new(text));
    String: |text| Value::Str(text.into());
    Cow<'_, str>: |text| Value::Str(text.into());
    Arc<str>: |text| Value::Str(text.into());
    Str: |text| Value::Str(text);
    Timestamp: |instant| Value::Timestamp(instant);
    Bytes: |bytes| Value::Bytes(bytes);
    Arc<[Value]>: |items| Value::List(items);
    Map: |entries| Value::Map(entries);
    BTreeMap<Str, Value>: |entries| Value::Map(Arc::new(entries));
    Value: |value| value;
    &Value: |value| value.clone();
}

impl ToValue for &str {
    #[inline]
    fn to_value(self) -> Value {
        Value::Str(Str::new(self))
    }

    #[inline(always)]
    fn append_to(self, values: &mut Vec<Value>) -> usize {
        append_with(values, || self.to_value());
        Str::bytes_outside(self)
    }
}

impl ToValue for u8 {
    #[inline]
    fn to_value(self) -> Value {
        Value::Int(self.into())
    }
    fn list_to_value(items: Vec<Self>) -> Value {
        Value::Bytes(items.into())
    }
    fn slice_to_value(items: &[Self]) -> Value {
        Value::Bytes(items.into())
    }
}

impl<T: ToValue> ToValue for Option<T> {
    #[inline]
    fn to_value(self) -> Value {
        self.map_or(Value::Null, T::to_value)
    }
}

impl<T: ToValue> ToValue for Vec<T> {
    #[inline]
    fn to_value(self) -> Value {
        T::list_to_value(self)
    }
}

impl<T: ToValue + Clone> ToValue for &[T] {
    #[inline]
    fn to_value(self) -> Value {
        T::slice_to_value(self)
    }
}

impl<T: ToValue> ToValue for BTreeMap<String, T> {
    fn to_value(self) -> Value {
        Value::Map(Arc::new(self.into_iter().map(|(key, item)| (Str::from(key), item.to_value())).collect()))
    }
}
