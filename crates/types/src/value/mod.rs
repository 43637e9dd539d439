//! Values: what a tuple's fields hold.

mod base64;
mod binary;
mod convert;
mod json;
mod order;
mod serial;
mod show;
mod text;
mod timestamp;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use convert::TypeMismatch;
pub use serial::MAX_DEPTH;
pub use text::Str;
pub use timestamp::{Timestamp, TimestampError};

/// Bytes, shared.
pub type Bytes = Arc<[u8]>;
/// A map, shared and ordered by key.
pub type Map = Arc<BTreeMap<Str, Value>>;

/// What a tuple's field holds: 24 bytes, cheap to clone.
///
/// Values of all types compare with each other. The order across types is that of the variants: null, bool, int, float, string,
/// bytes, timestamp, list, map. An int never equals a float, because they are different keys. Floats are ordered by number,
/// with one zero (`-0.0 == 0.0`) and one NaN, which equals itself and comes last. Lists and maps compare item by item.
///
/// As JSON, a value is what one expects (`null`, `true`, `1`, `1.0`, `"a"`, `[…]`, `{…}`), and what JSON has no form for is an
/// object with one key: `{"$timestamp": "2026-01-31T12:00:00Z"}` (or an integer: microseconds since the epoch),
/// `{"$bytes": "base64"}`, `{"$float": "NaN"}` (also `"inf"` and `"-inf"`). A map whose only key is one of these is written
/// with another `$` in front of it, so that everything reads back as it was. Formats that aren't readable text get an enum
/// whose variants are numbered from 0 in the order above; those numbers never change. What nests deeper than [`MAX_DEPTH`]
/// is neither written nor read.
#[derive(Clone, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Str(Str),
    /// Bytes.
    Bytes(Bytes),
    /// An instant.
    Timestamp(Timestamp),
    /// A list.
    List(Arc<[Value]>),
    /// A map.
    Map(Map),
}

const _: () = assert!(size_of::<Value>() == 24);

impl Value {
    /// What the type is called in messages and in JSON schemas.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Timestamp(_) => "timestamp",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// Bytes held outside the value itself. A payload that several values share counts for each of them, and an empty one for one byte: so
    /// a value of 0 bytes owns nothing, and may be forgotten instead of dropped.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Str(text) => text.heap_bytes(),
            Self::Bytes(bytes) => bytes.len().max(1),
            Self::List(_) | Self::Map(_) => self.nested_heap_bytes(),
            _ => 0,
        }
    }

    /// Kept apart, so that the flat types' case is small enough to be inlined where rows are written.
    #[cold]
    fn nested_heap_bytes(&self) -> usize {
        let sum: usize = match self {
            Self::List(items) => items.iter().map(|item| size_of::<Self>() + item.heap_bytes()).sum(),
            Self::Map(entries) => {
                entries.iter().map(|(key, item)| 2 * size_of::<Self>() + key.heap_bytes() + item.heap_bytes()).sum()
            }
            _ => return 0,
        };
        sum.max(1)
    }

    /// Whether there is nothing in it.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The number, if it is a float or an int. An int beyond 2⁵³ is rounded.
    #[inline]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            Self::Int(number) => Some(*number as f64),
            _ => None,
        }
    }
}

macro_rules! accessors {
    ($($(#[$doc:meta])* $name:ident: $variant:ident($payload:ident) => $type:ty, $result:expr;)+) => {
        impl Value {$(
            $(#[$doc])*
            #[inline]
            pub fn $name(&self) -> Option<$type> {
                match self {
                    Self::$variant($payload) => Some($result),
                    _ => None,
                }
            }
        )+}
    };
}

accessors! {
    /// The truth value, if it is one.
    as_bool: Bool(truth) => bool, *truth;
    /// The number, if it is an int.
    as_i64: Int(number) => i64, *number;
    /// The text, if it is a string.
    as_str: Str(text) => &str, text;
    /// The bytes, if it is bytes.
    as_bytes: Bytes(bytes) => &[u8], bytes;
    /// The instant, if it is one.
    as_timestamp: Timestamp(instant) => Timestamp, *instant;
    /// The items, if it is a list.
    as_list: List(items) => &[Value], items;
    /// The entries, if it is a map.
    as_map: Map(entries) => &BTreeMap<Str, Value>, entries;
}
