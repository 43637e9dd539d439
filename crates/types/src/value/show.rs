//! How values look in logs and messages.

use std::fmt;

use super::{Str, Value};

struct ByteString<'a>(&'a [u8]);

impl fmt::Debug for ByteString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Strings quoted, bytes as `b"…"`, instants as RFC 3339, lists and maps with their items.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Str(text) => fmt::Debug::fmt(text, f),
            Self::Bytes(bytes) => ByteString(bytes).fmt(f),
            Self::Timestamp(instant) => fmt::Display::fmt(instant, f),
            Self::List(items) => f.debug_list().entries(items.iter()).finish(),
            Self::Map(entries) => f.debug_map().entries(entries.iter()).finish(),
        }
    }
}

/// As `Debug`, but a string by itself stands without quotes.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => <Str as fmt::Display>::fmt(text, f),
            other => fmt::Debug::fmt(other, f),
        }
    }
}
