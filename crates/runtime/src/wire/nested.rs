//! Lists and maps. Kept apart: they recurse, and must not weigh on rows that have none.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use squall_types::{MAX_DEPTH, Str, Value};

use super::reader::Reader;
use super::values::{LIST, MAP, read_text, write_text};
use super::{FrameError, Unsendable, limits, values};

/// Writes a list or a map.
#[cold]
pub(super) fn write(out: &mut BytesMut, value: &Value) -> Result<(), Unsendable> {
    write_at(out, value, MAX_DEPTH)
}

fn write_at(out: &mut BytesMut, value: &Value, depth: usize) -> Result<(), Unsendable> {
    if depth == 0 {
        return Err(Unsendable::Deep);
    }
    match value {
        Value::List(items) => {
            head(out, LIST, items.len());
            items.iter().try_for_each(|item| write_at(out, item, depth - 1))
        }
        Value::Map(entries) => {
            head(out, MAP, entries.len());
            entries.iter().try_for_each(|(key, item)| {
                write_text(out, key);
                write_at(out, item, depth - 1)
            })
        }
        _ => values::write(out, value),
    }
}

/// Rows over the limit aren't written, so the count has room in 32 bits.
fn head(out: &mut BytesMut, tag: u8, count: usize) {
    out.put_u8(tag);
    out.put_u32_le(count as u32);
}

/// Reads the rest of a list or a map, in a frame whose values hold `heap` bytes so far.
#[cold]
pub(super) fn read(reader: &mut Reader<'_>, tag: u8, heap: usize) -> Result<Value, FrameError> {
    Nested { room: limits::HEAP.saturating_sub(heap) }.rest(reader, tag, MAX_DEPTH)
}

struct Nested {
    /// How many bytes may still be set aside for items.
    room: usize,
}

impl Nested {
    /// What follows the byte of type.
    fn rest(&mut self, reader: &mut Reader<'_>, tag: u8, depth: usize) -> Result<Value, FrameError> {
        if tag == LIST {
            let (mut items, count) = self.set_aside(reader, 1)?;
            for _ in 0..count {
                self.item(reader, depth - 1, &mut items)?;
            }
            return Ok(Value::List(items.into()));
        }
        let (mut entries, count) = self.set_aside::<(Str, Value)>(reader, 2)?;
        let mut item = Vec::with_capacity(1);
        for _ in 0..count {
            let key = read_text(reader)?;
            if entries.last().is_some_and(|(last, _)| *last >= key) {
                return Err(FrameError::Order("map's keys"));
            }
            self.item(reader, depth - 1, &mut item)?;
            entries.extend(item.pop().map(|item| (key, item)));
        }
        Ok(Value::Map(Arc::new(BTreeMap::from_iter(entries))))
    }

    /// Room for as many items as are announced, if as many can follow, each of at least `least` bytes.
    fn set_aside<T>(&mut self, reader: &mut Reader<'_>, least: usize) -> Result<(Vec<T>, usize), FrameError> {
        let count = reader.u32()? as usize;
        if count > reader.left() / least {
            return Err(FrameError::Truncated);
        }
        let bytes = count.saturating_mul(size_of::<T>());
        self.room = self.room.checked_sub(bytes).ok_or(FrameError::Over("bytes"))?;
        Ok((Vec::with_capacity(count), count))
    }

    fn item(&mut self, reader: &mut Reader<'_>, depth: usize, to: &mut Vec<Value>) -> Result<(), FrameError> {
        if depth == 0 {
            return Err(FrameError::Depth);
        }
        let mut ahead = *reader;
        match ahead.u8()? {
            tag @ (LIST | MAP) => {
                *reader = ahead;
                to.push(self.rest(reader, tag, depth)?);
            }
            _ => {
                values::read(reader, 1, to)?;
            }
        }
        Ok(())
    }
}
