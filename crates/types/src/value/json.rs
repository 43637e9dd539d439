//! Values in self-describing text, as JSON. What JSON has no form for is an object with one key; see [`Value`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::serial::{At, TOO_DEEP, capacity};
use super::{Str, Timestamp, Value, base64};

const TIMESTAMP: &str = "$timestamp";
const BYTES: &str = "$bytes";
const FLOAT: &str = "$float";
const TAGS: [&str; 3] = [TIMESTAMP, BYTES, FLOAT];

pub(super) fn serialize<S: Serializer>(at: &At<'_, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    let depth = at.depth;
    match at.item {
        Value::Null => serializer.serialize_unit(),
        Value::Bool(truth) => serializer.serialize_bool(*truth),
        Value::Int(number) => serializer.serialize_i64(*number),
        Value::Float(number) if number.is_finite() => serializer.serialize_f64(*number),
        Value::Float(number) => tagged(serializer, FLOAT, &number.to_string()),
        Value::Str(text) => serializer.serialize_str(text),
        Value::Bytes(bytes) => tagged(serializer, BYTES, &base64::encode(bytes)),
        Value::Timestamp(instant) => tagged(serializer, TIMESTAMP, &instant.to_string()),
        Value::List(items) => At { item: &**items, depth }.serialize(serializer),
        Value::Map(entries) => match only_entry(entries) {
            Some((key, item)) if is_tag(key) => tagged(serializer, &format!("${key}"), &At { item, depth: depth - 1 }),
            _ => At { item: &**entries, depth }.serialize(serializer),
        },
    }
}

fn tagged<S: Serializer>(serializer: S, tag: &str, content: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, content)?;
    map.end()
}

fn only_entry(entries: &BTreeMap<Str, Value>) -> Option<(&Str, &Value)> {
    entries.first_key_value().filter(|_| entries.len() == 1)
}

/// Whether a map's only key would be read as a tag, or as the escape of one: each `$` put in front escapes once more.
fn is_tag(key: &str) -> bool {
    let name = key.trim_start_matches('$');
    TAGS.iter().any(|tag| &tag[1..] == name) && name.len() < key.len()
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D, depth: usize) -> Result<Value, D::Error> {
    Levels { depth }.deserialize(deserializer)
}

/// Reads a value of at most so many levels. With none, only what a tag holds: a scalar, which is no level of its own.
#[derive(Clone, Copy)]
struct Levels {
    depth: usize,
}

impl Levels {
    /// What may be inside a list or a map.
    fn inner<E: Error>(self) -> Result<Self, E> {
        self.depth.checked_sub(1).map(|depth| Self { depth }).ok_or_else(|| E::custom(TOO_DEEP))
    }
}

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth == 0 {
            return Err(D::Error::custom(TOO_DEEP));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Levels {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a bool, a number, a string, a list or a map")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Int)
            .map_err(|_| E::custom(format_args!("{number} doesn't fit an int of 64 bits")))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Str(Str::new(text)))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Str(Str::from(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::with_capacity(capacity(seq.size_hint()));
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::List(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<Str>()? {
            let tag = TAGS.contains(&key.as_str());
            let item = if tag { map.next_value_seed(Content(inner))? } else { map.next_value_seed(inner)? };
            entries.insert(key, item);
        }
        match only_entry(&entries) {
            Some((tag, content)) if is_tag(tag) => untag(tag, content),
            _ if inner.depth == 0 && !entries.is_empty() => Err(A::Error::custom(TOO_DEEP)),
            _ => Ok(Value::Map(Arc::new(entries))),
        }
    }
}

/// Reads what a tag holds, also on the last level.
struct Content(Levels);

impl<'de> DeserializeSeed<'de> for Content {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self.0)
    }
}

/// What a tag and its content stand for.
fn untag<E: Error>(tag: &str, content: &Value) -> Result<Value, E> {
    match (tag, content) {
        (TIMESTAMP, Value::Str(text)) => text.parse().map(Value::Timestamp).map_err(E::custom),
        (TIMESTAMP, Value::Int(micros)) => Ok(Value::Timestamp(Timestamp::from_micros(*micros))),
        (BYTES, Value::Str(text)) => match base64::decode(text) {
            Some(bytes) => Ok(Value::Bytes(bytes.into())),
            None => Err(E::custom("\"$bytes\" isn't base64 with padding")),
        },
        (FLOAT, Value::Str(text)) => match text.as_str() {
            "NaN" => Ok(Value::Float(f64::NAN)),
            "inf" => Ok(Value::Float(f64::INFINITY)),
            "-inf" => Ok(Value::Float(f64::NEG_INFINITY)),
            _ => Err(E::custom("\"$float\" is none of \"NaN\", \"inf\" and \"-inf\"")),
        },
        (TIMESTAMP | BYTES | FLOAT, other) => {
            Err(E::custom(format_args!("{tag:?} can't hold a {}", other.type_name())))
        }
        (escaped, _) => {
            let entry = (Str::new(&escaped[1..]), content.clone());
            Ok(Value::Map(Arc::new(BTreeMap::from([entry]))))
        }
    }
}
