//! Conversions between values and Rust types, beside the traits for rows: `From` and `TryFrom`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::TryFromIntError;
use std::sync::Arc;

use super::{Bytes, Map, Str, Timestamp, Value};
use crate::Code;
use crate::row::{FromValue, ToValue};

/// A value of another type than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is of type {found}, not {expected}")]
pub struct TypeMismatch {
    /// The type asked for.
    pub expected: &'static str,
    /// The type found.
    pub found: &'static str,
}

impl TypeMismatch {
    /// The error's stable code.
    pub fn code(&self) -> Code {
        Code::new(2003)
    }
}

impl Value {
    /// The value as a Rust type.
    ///
    /// # Errors
    /// It has another type, or is a number that the type can't hold.
    #[inline]
    pub fn get<'a, T: FromValue<'a>>(&'a self) -> Result<T, TypeMismatch> {
        T::from_value(self).ok_or_else(|| TypeMismatch { expected: T::expected(), found: self.type_name() })
    }
}

macro_rules! from_rust {
    ($($({ $($param:ident),+ })? $type:ty),+ $(,)?) => {$(
        impl $(<$($param: ToValue),+>)? From<$type> for Value {
            #[inline]
            fn from(value: $type) -> Self {
                value.to_value()
            }
        }
    )+};
}

from_rust! {
    bool, i8, i16, i32, i64, u8, u16, u32, f32, f64,
    &str, &String, String, Cow<'_, str>, Arc<str>, Str, Timestamp,
    Bytes, Arc<[Value]>, Map, BTreeMap<Str, Value>, &Value,
    {T} Option<T>, {T} Vec<T>, {T} BTreeMap<String, T>,
}

impl<T: ToValue + Clone> From<&[T]> for Value {
    #[inline]
    fn from(items: &[T]) -> Self {
        items.to_value()
    }
}

macro_rules! from_wide {
    ($($type:ty),+) => {$(
        impl TryFrom<$type> for Value {
            type Error = TryFromIntError;

            fn try_from(number: $type) -> Result<Self, TryFromIntError> {
                i64::try_from(number).map(Self::Int)
            }
        }
    )+};
}

from_wide!(u64, usize, isize, u128, i128);

macro_rules! try_into_rust {
    ($($type:ty),+ $(,)?) => {$(
        impl<'a> TryFrom<&'a Value> for $type {
            type Error = TypeMismatch;

            #[inline]
            fn try_from(value: &'a Value) -> Result<Self, TypeMismatch> {
                value.get()
            }
        }
    )+};
}

try_into_rust! {
    bool, i8, i16, i32, i64, u8, u16, u32, u64, usize, f32, f64,
    &'a str, String, Str, Timestamp, &'a [u8], Bytes, &'a [Value], Map, &'a BTreeMap<Str, Value>,
}

macro_rules! try_into_owned {
    ($($type:ty),+ $(,)?) => {$(
        impl TryFrom<Value> for $type {
            type Error = TypeMismatch;

            #[inline]
            fn try_from(value: Value) -> Result<Self, TypeMismatch> {
                value.get()
            }
        }
    )+};
}

try_into_owned! {
    bool, i8, i16, i32, i64, u8, u16, u32, u64, usize, f32, f64, String, Str, Timestamp, Bytes, Map,
}
