//! Values: what a tuple's fields hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// Bytes, shared.
pub type Bytes = Arc<[u8]>;
/// A map, shared and ordered by key.
pub type Map = Arc<BTreeMap<Str, Value>>;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before every instant.
    pub const MIN: Self = Self(i64::MIN);
    /// After every instant: as a watermark, the end of the input.
    pub const MAX: Self = Self(i64::MAX);

    /// The instant so many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The instant so many milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }
}

/// A string: up to 24 bytes inline, longer ones shared, so that cloning never copies a payload.
#[derive(Clone)]
pub struct Str(Repr);

#[derive(Clone)]
enum Repr {
    Inline(CompactString),
    Shared(Arc<str>),
}

impl Str {
    /// The string.
    #[inline]
    pub fn new(text: &str) -> Self {
        if text.len() <= size_of::<CompactString>() {
            Self(Repr::Inline(CompactString::new(text)))
        } else {
            Self(Repr::Shared(Arc::from(text)))
        }
    }

    /// Its text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Inline(text) => text,
            Repr::Shared(text) => text,
        }
    }
}

/// What a tuple's field holds: 24 bytes, cheap to clone.
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

    /// Bytes held outside the value itself.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Str(Str(Repr::Shared(text))) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(items) => items.iter().map(|item| size_of::<Self>() + item.heap_bytes()).sum(),
            Self::Map(entries) => entries.values().map(|item| 2 * size_of::<Self>() + item.heap_bytes()).sum(),
            _ => 0,
        }
    }
}

impl std::fmt::Debug for Str {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.as_str(), f)
    }
}
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.type_name())
    }
}
impl PartialEq for Str {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}
impl Eq for Str {}
impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Str {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}
