//! Rows: Rust types that become rows, and rows that become Rust types.

use crate::topology::Fields;
use crate::{Code, Str, Timestamp, Tuple, Value};

/// A row or a value that isn't what was asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RowError {
    /// The row is shorter.
    #[error("no field at position {index}: the row has {width} values")]
    NoSuchPosition {
        /// The position asked for.
        index: usize,
        /// Values in the row.
        width: usize,
    },
    /// The stream has other fields.
    #[error("no field {field:?}; the stream has {}", fields.iter().collect::<Vec<_>>().join(", "))]
    NoSuchField {
        /// The field asked for.
        field: String,
        /// What there is.
        fields: Fields,
    },
    /// The value has another type.
    #[error("field {field:?} is a {found}, not a {expected}")]
    WrongType {
        /// The field.
        field: String,
        /// The type asked for.
        expected: &'static str,
        /// The type found.
        found: &'static str,
    },
}

impl RowError {
    /// The error's stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::NoSuchPosition { .. } => Code::new(2001),
            Self::NoSuchField { .. } => Code::new(2002),
            Self::WrongType { .. } => Code::new(2003),
        }
    }
}

/// A Rust type that a value can be read as.
pub trait FromValue<'a>: Sized {
    /// What the type is called in a message.
    fn expected() -> &'static str;
    /// The value as this type, or `None` if it has another.
    fn from_value(value: &'a Value) -> Option<Self>;
}

/// A Rust type that becomes a value.
pub trait ToValue {
    /// The value.
    fn to_value(self) -> Value;
}

/// A struct that a whole row can be read as. Derived by `#[derive(Tuple)]`.
pub trait FromTuple<'a>: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// The stream lacks a field, or a value has another type.
    fn from_tuple(tuple: &Tuple<'a>) -> Result<Self, RowError>;
}

/// Something that can be emitted as a row.
pub trait IntoRow {
    /// The field names, if the type knows them; checked against the stream's when it is first emitted.
    fn fields() -> Option<&'static [&'static str]>;
    /// Writes the values, in the order of the fields.
    fn write(self, row: &mut RowWriter<'_>);
}

/// Where a row's values are written: the end of a batch.
pub struct RowWriter<'a> {
    values: &'a mut Vec<Value>,
    heap_bytes: &'a mut usize,
}

impl<'a> RowWriter<'a> {
    /// A writer that appends to these values and adds up what they hold.
    #[inline]
    pub fn new(values: &'a mut Vec<Value>, heap_bytes: &'a mut usize) -> Self {
        Self { values, heap_bytes }
    }

    /// Appends a value.
    #[inline]
    pub fn push(&mut self, value: Value) {
        *self.heap_bytes += value.heap_bytes();
        self.values.push(value);
    }
}

impl<'a> FromValue<'a> for &'a str {
    fn expected() -> &'static str {
        "string"
    }
    #[inline]
    fn from_value(value: &'a Value) -> Option<Self> {
        match value {
            Value::Str(text) => Some(text.as_str()),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for i64 {
    fn expected() -> &'static str {
        "int"
    }
    #[inline]
    fn from_value(value: &'a Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }
}

impl ToValue for &str {
    #[inline]
    fn to_value(self) -> Value {
        Value::Str(Str::new(self))
    }
}

impl ToValue for i64 {
    #[inline]
    fn to_value(self) -> Value {
        Value::Int(self)
    }
}

impl ToValue for Timestamp {
    #[inline]
    fn to_value(self) -> Value {
        Value::Timestamp(self)
    }
}

impl<const N: usize> IntoRow for [Value; N] {
    fn fields() -> Option<&'static [&'static str]> {
        None
    }
    #[inline]
    fn write(self, row: &mut RowWriter<'_>) {
        for value in self {
            row.push(value);
        }
    }
}
