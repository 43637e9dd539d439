//! Values through serde: what both forms share, and the choice between them.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{Str, Value, binary, json};

/// How deep values may nest to be written or read, counting the innermost as one. Untrusted input that nests deeper is an error,
/// not an overflow of the stack.
pub const MAX_DEPTH: usize = 64;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        At { item: self, depth: MAX_DEPTH }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            json::deserialize(deserializer, MAX_DEPTH)
        } else {
            binary::deserialize(deserializer, MAX_DEPTH)
        }
    }
}

/// Part of a value, and how many levels may follow, with its own.
pub(super) struct At<'a, T: ?Sized> {
    pub item: &'a T,
    pub depth: usize,
}

pub(super) const TOO_DEEP: &str = "the value nests deeper than 64 levels";

impl Serialize for At<'_, Value> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.depth == 0 {
            Err(S::Error::custom(TOO_DEEP))
        } else if serializer.is_human_readable() {
            json::serialize(self, serializer)
        } else {
            binary::serialize(self, serializer)
        }
    }
}

impl Serialize for At<'_, [Value]> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.item.len()))?;
        for item in self.item {
            seq.serialize_element(&At { item, depth: self.depth - 1 })?;
        }
        seq.end()
    }
}

impl Serialize for At<'_, BTreeMap<Str, Value>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.item.len()))?;
        for (key, item) in self.item {
            map.serialize_entry(key, &At { item, depth: self.depth - 1 })?;
        }
        map.end()
    }
}

/// What to set aside for items that the input says will follow: it may lie.
pub(super) fn capacity(hint: Option<usize>) -> usize {
    hint.unwrap_or(0).min(1_024)
}
