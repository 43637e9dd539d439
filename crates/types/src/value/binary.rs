//! Values in formats that aren't self-describing: an enum. The variants' numbers are part of the format and never change.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::ser::Serializer;

use super::serial::{At, TOO_DEEP, capacity};
use super::{Bytes, Str, Timestamp, Value};

const NAME: &str = "Value";
const VARIANTS: &[&str] = &["Null", "Bool", "Int", "Float", "Str", "Bytes", "Timestamp", "List", "Map"];

/// In the order of their numbers.
#[derive(Deserialize)]
#[serde(variant_identifier)]
enum Tag {
    Null,
    Bool,
    Int,
    Float,
    Str,
    Bytes,
    Timestamp,
    List,
    Map,
}

pub(super) fn serialize<S: Serializer>(at: &At<'_, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    let depth = at.depth;
    match at.item {
        Value::Null => serializer.serialize_unit_variant(NAME, 0, VARIANTS[0]),
        Value::Bool(truth) => serializer.serialize_newtype_variant(NAME, 1, VARIANTS[1], truth),
        Value::Int(number) => serializer.serialize_newtype_variant(NAME, 2, VARIANTS[2], number),
        Value::Float(number) => serializer.serialize_newtype_variant(NAME, 3, VARIANTS[3], number),
        Value::Str(text) => serializer.serialize_newtype_variant(NAME, 4, VARIANTS[4], text),
        Value::Bytes(bytes) => serializer.serialize_newtype_variant(NAME, 5, VARIANTS[5], &Raw(bytes)),
        Value::Timestamp(instant) => serializer.serialize_newtype_variant(NAME, 6, VARIANTS[6], instant),
        Value::List(items) => serializer.serialize_newtype_variant(NAME, 7, VARIANTS[7], &At { item: &**items, depth }),
        Value::Map(entries) => {
            serializer.serialize_newtype_variant(NAME, 8, VARIANTS[8], &At { item: &**entries, depth })
        }
    }
}

/// Bytes as a byte string, not as a list of numbers.
struct Raw<'a>(&'a [u8]);

impl serde::Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D, depth: usize) -> Result<Value, D::Error> {
    Levels { depth }.deserialize(deserializer)
}

/// Reads a value of at most so many levels.
#[derive(Clone, Copy)]
struct Levels {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth == 0 {
            return Err(D::Error::custom(TOO_DEEP));
        }
        deserializer.deserialize_enum(NAME, VARIANTS, self)
    }
}

impl<'de> Visitor<'de> for Levels {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let inner = Levels { depth: self.depth - 1 };
        match data.variant()? {
            (Tag::Null, variant) => variant.unit_variant().map(|()| Value::Null),
            (Tag::Bool, variant) => variant.newtype_variant().map(Value::Bool),
            (Tag::Int, variant) => variant.newtype_variant().map(Value::Int),
            (Tag::Float, variant) => variant.newtype_variant().map(Value::Float),
            (Tag::Str, variant) => variant.newtype_variant().map(Value::Str),
            (Tag::Bytes, variant) => variant.newtype_variant_seed(ByteString).map(Value::Bytes),
            (Tag::Timestamp, variant) => variant.newtype_variant::<Timestamp>().map(Value::Timestamp),
            (Tag::List, variant) => variant.newtype_variant_seed(ListOf(inner)),
            (Tag::Map, variant) => variant.newtype_variant_seed(MapOf(inner)),
        }
    }
}

/// A list of such items.
struct ListOf(Levels);

impl<'de> DeserializeSeed<'de> for ListOf {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListOf {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::with_capacity(capacity(seq.size_hint()));
        while let Some(item) = seq.next_element_seed(self.0)? {
            items.push(item);
        }
        Ok(Value::List(items.into()))
    }
}

/// A map of such items.
struct MapOf(Levels);

impl<'de> DeserializeSeed<'de> for MapOf {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MapOf {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<Str>()? {
            entries.insert(key, map.next_value_seed(self.0)?);
        }
        Ok(Value::Map(Arc::new(entries)))
    }
}

struct ByteString;

impl<'de> DeserializeSeed<'de> for ByteString {
    type Value = Bytes;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bytes, D::Error> {
        deserializer.deserialize_byte_buf(self)
    }
}

impl<'de> Visitor<'de> for ByteString {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::with_capacity(capacity(seq.size_hint()));
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}
