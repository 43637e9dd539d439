//! The hash of a key: the same on every machine and in every release, for it decides where a key's state lives.
//!
//! Each value is hashed by its canonical form: a tag for its type, which selects the seed, then its bytes, little-endian. There is one NaN
//! and one zero; a string is its text, however it is stored. Lists, maps and keys of several fields fold the hashes of their parts, in
//! order, after their length. Nothing is allocated or buffered.
//!
//! Changing anything here moves keys away from their state: the golden table in the tests must never change.

use squall_types::Value;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const NULL: u64 = seed(0);
const BOOL: u64 = seed(1);
const INT: u64 = seed(2);
const FLOAT: u64 = seed(3);
const STR: u64 = seed(4);
const BYTES: u64 = seed(5);
const TIMESTAMP: u64 = seed(6);
const LIST: u64 = seed(7);
const MAP: u64 = seed(8);
const FIELDS: u64 = seed(9);

const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

/// The seed for a type tag: splitmix64's finaliser, so that neighbouring tags share nothing.
const fn seed(tag: u64) -> u64 {
    let mut z = (tag + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The hash of the key that the fields at `positions` make up, in that order.
///
/// A position past the row's end counts as null: a short row has a place, and always the same one.
#[inline(always)]
pub fn key_hash(values: &[Value], positions: &[u16]) -> u64 {
    match positions {
        [position] => field_hash(values, *position),
        _ => fields_hash(values, positions),
    }
}

/// The hash of one value.
#[inline(always)]
pub fn value_hash(value: &Value) -> u64 {
    match value {
        Value::Str(text) => xxh3_64_with_seed(text.as_str().as_bytes(), STR),
        Value::Int(number) => xxh3_64_with_seed(&number.to_le_bytes(), INT),
        other => other_hash(other),
    }
}

#[inline(always)]
fn field_hash(values: &[Value], position: u16) -> u64 {
    match values.get(usize::from(position)) {
        Some(value) => value_hash(value),
        None => NULL,
    }
}

fn fields_hash(values: &[Value], positions: &[u16]) -> u64 {
    let start = length_hash(positions.len(), FIELDS);
    positions.iter().fold(start, |sum, position| fold(sum, field_hash(values, *position)))
}

fn other_hash(value: &Value) -> u64 {
    match value {
        Value::Null => NULL,
        Value::Bool(truth) => xxh3_64_with_seed(&[u8::from(*truth)], BOOL),
        Value::Float(number) => xxh3_64_with_seed(&canonical(*number).to_le_bytes(), FLOAT),
        Value::Bytes(bytes) => xxh3_64_with_seed(bytes, BYTES),
        Value::Timestamp(at) => xxh3_64_with_seed(&at.micros().to_le_bytes(), TIMESTAMP),
        Value::List(items) => {
            items.iter().fold(length_hash(items.len(), LIST), |sum, item| fold(sum, value_hash(item)))
        }
        Value::Map(entries) => entries.iter().fold(length_hash(entries.len(), MAP), |sum, (key, item)| {
            let key = xxh3_64_with_seed(key.as_str().as_bytes(), STR);
            fold(fold(sum, key), value_hash(item))
        }),
        Value::Str(_) | Value::Int(_) => value_hash(value),
    }
}

/// The bits of a float with one NaN and one zero.
fn canonical(number: f64) -> u64 {
    if number.is_nan() {
        CANONICAL_NAN
    } else if number == 0.0 {
        0
    } else {
        number.to_bits()
    }
}

fn length_hash(length: usize, seed: u64) -> u64 {
    xxh3_64_with_seed(&(length as u64).to_le_bytes(), seed)
}

/// Adds one part to the hash of the parts before it. Not commutative: order counts.
fn fold(sum: u64, part: u64) -> u64 {
    xxh3_64_with_seed(&part.to_le_bytes(), sum)
}

#[cfg(test)]
mod tests;
