//! Rows: Rust types that become rows, and rows that become Rust types.

mod appending;
mod from_value;
mod into_row;
mod to_value;

use appending::append_with;

use crate::topology::Fields;
use crate::{Code, Tuple, Value};

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
    #[error("field {field:?} is of type {found}, not {expected}")]
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
///
/// Numbers are read by types that can hold them, and an int also as a float; nothing else is converted. `Option` reads null as
/// `None`. What borrows (`&str`, `&[u8]`, `&[Value]`, `&Value`) copies nothing.
#[diagnostic::on_unimplemented(
    message = "a value can't be read as `{Self}`",
    label = "not a type that a field can have"
)]
pub trait FromValue<'a>: Sized {
    /// What the type is called in a message.
    fn expected() -> &'static str;
    /// The value as this type, or `None` if it has another.
    fn from_value(value: &'a Value) -> Option<Self>;

    /// What a list of this type is called. For `u8`, whose lists are bytes.
    #[doc(hidden)]
    fn expected_list() -> &'static str {
        "list"
    }

    /// The value as a list of this type. For `u8`, whose lists are bytes.
    #[doc(hidden)]
    fn list_from_value(value: &'a Value) -> Option<Vec<Self>> {
        value.as_list()?.iter().map(Self::from_value).collect()
    }
}

/// A Rust type that becomes a value.
///
/// `Option::None` becomes null, and lists of `u8` become bytes. There is none for `u64` and `usize`, which an int can't always hold:
/// convert them first.
#[diagnostic::on_unimplemented(
    message = "`{Self}` doesn't become a value",
    label = "not a type that a field can have",
    note = "an int has 64 bits with a sign: convert `u64` and `usize` with `i64::try_from`"
)]
pub trait ToValue {
    /// The value.
    fn to_value(self) -> Value;

    /// Appends the value, and says how many bytes it holds outside itself.
    #[doc(hidden)]
    #[inline(always)]
    fn append_to(self, values: &mut Vec<Value>) -> usize
    where
        Self: Sized,
    {
        append_with(values, || self.to_value());
        values.last().map_or(0, Value::heap_bytes)
    }

    /// The value of a list of this type. For `u8`, whose lists are bytes.
    #[doc(hidden)]
    fn list_to_value(items: Vec<Self>) -> Value
    where
        Self: Sized,
    {
        Value::List(items.into_iter().map(Self::to_value).collect())
    }

    /// The value of a slice of this type. For `u8`, whose lists are bytes.
    #[doc(hidden)]
    fn slice_to_value(items: &[Self]) -> Value
    where
        Self: Sized + Clone,
    {
        Value::List(items.iter().cloned().map(Self::to_value).collect())
    }
}

/// A struct that a whole row can be read as. Derived by `#[derive(Tuple)]`.
#[diagnostic::on_unimplemented(message = "a row can't be read as `{Self}`", note = "derive `Tuple` for it")]
pub trait FromTuple<'a>: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// The stream lacks a field, or a value has another type.
    fn from_tuple(tuple: &Tuple<'a>) -> Result<Self, RowError>;
}

/// Something that can be emitted as a row: a struct that derives `Tuple`, up to eight values as a Rust tuple (one as `(a,)`), an
/// array or a `Vec` of [`Value`]s, or a row as it came.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be emitted as a row",
    label = "not a row",
    note = "derive `Tuple` for a struct, or emit a Rust tuple of values: a single one as `(value,)`"
)]
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

    /// Appends a value that there is already. What still has to become one is cheaper to [`put`](Self::put).
    #[inline]
    pub fn push(&mut self, value: Value) {
        *self.heap_bytes += value.heap_bytes();
        self.values.push(value);
    }

    /// Appends values.
    #[inline]
    pub fn extend(&mut self, values: impl IntoIterator<Item = Value>) {
        let first = self.values.len();
        self.values.extend(values);
        *self.heap_bytes += self.values[first..].iter().map(Value::heap_bytes).sum::<usize>();
    }

    /// Appends what becomes of `item`.
    ///
    /// Makes room first, and the value in its place then: one that exists while the buffer grows may have to be dropped, so it lies in
    /// memory and is written twice.
    #[inline(always)]
    pub fn put(&mut self, item: impl ToValue) {
        *self.heap_bytes += item.append_to(self.values);
    }
}
