//! Values, one after the other: a byte of type, and what the type needs.

use bytes::{BufMut, BytesMut};
use squall_types::{Str, Timestamp, Value};

use super::reader::Reader;
use super::{FrameError, Unsendable, nested};

pub(super) const NULL: u8 = 0;
pub(super) const FALSE: u8 = 1;
pub(super) const TRUE: u8 = 2;
pub(super) const INT: u8 = 3;
pub(super) const FLOAT: u8 = 4;
pub(super) const TIMESTAMP: u8 = 5;
pub(super) const TEXT: u8 = 6;
pub(super) const BYTES: u8 = 7;
pub(super) const LIST: u8 = 8;
pub(super) const MAP: u8 = 9;
/// Text of up to 63 bytes has its length in the byte of type.
pub(super) const SHORT: u8 = 0x80;
const SHORTEST: u8 = SHORT;
const LONGEST: u8 = SHORT | MAX_SHORT as u8;
const MAX_SHORT: usize = 63;

/// Writes a value at the top level of a row.
#[inline]
pub(super) fn write(out: &mut BytesMut, value: &Value) -> Result<(), Unsendable> {
    match value {
        Value::Null => out.put_u8(NULL),
        Value::Bool(truth) => out.put_u8(if *truth { TRUE } else { FALSE }),
        Value::Int(number) => word(out, INT, *number as u64),
        Value::Float(number) => word(out, FLOAT, number.to_bits()),
        Value::Timestamp(instant) => word(out, TIMESTAMP, instant.micros() as u64),
        Value::Str(text) => write_text(out, text),
        Value::Bytes(bytes) => sized(out, BYTES, bytes),
        Value::List(_) | Value::Map(_) => return nested::write(out, value),
    }
    Ok(())
}

#[inline(always)]
pub(super) fn word(out: &mut BytesMut, tag: u8, bits: u64) {
    let mut bytes = [tag; 9];
    bytes[1..].copy_from_slice(&bits.to_le_bytes());
    out.put_slice(&bytes);
}

#[inline(always)]
pub(super) fn write_text(out: &mut BytesMut, text: &str) {
    if text.len() > MAX_SHORT {
        return sized(out, TEXT, text.as_bytes());
    }
    out.put_u8(SHORT | text.len() as u8);
    out.put_slice(text.as_bytes());
}

#[inline]
fn sized(out: &mut BytesMut, tag: u8, bytes: &[u8]) {
    // Rows over the limit aren't written, so the length has room in 32 bits.
    let mut head = [tag; 5];
    head[1..].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.put_slice(&head);
    out.put_slice(bytes);
}

/// Reads so many values to the end of `values`, which has room for them. Returns what they hold outside themselves.
#[inline]
pub(super) fn read(reader: &mut Reader<'_>, count: usize, values: &mut Vec<Value>) -> Result<usize, FrameError> {
    let mut heap = 0;
    for _ in 0..count {
        match reader.u8()? {
            NULL => values.push(Value::Null),
            FALSE => values.push(Value::Bool(false)),
            TRUE => values.push(Value::Bool(true)),
            INT => values.push(Value::Int(reader.u64()? as i64)),
            FLOAT => values.push(Value::Float(f64::from_bits(reader.u64()?))),
            TIMESTAMP => values.push(Value::Timestamp(Timestamp::from_micros(reader.u64()? as i64))),
            tag @ SHORTEST..=LONGEST => {
                let text = text(reader.bytes(usize::from(tag & !SHORT))?)?;
                heap += text.heap_bytes();
                values.push(Value::Str(text));
            }
            TEXT => {
                let text = text(reader.sized()?)?;
                heap += text.heap_bytes();
                values.push(Value::Str(text));
            }
            BYTES => {
                let bytes = reader.sized()?;
                heap += bytes.len().max(1);
                values.push(Value::Bytes(bytes.into()));
            }
            tag @ (LIST | MAP) => {
                let value = nested::read(reader, tag, heap)?;
                heap += value.heap_bytes();
                values.push(value);
            }
            tag => return Err(FrameError::Type(tag)),
        }
    }
    Ok(heap)
}

#[inline(always)]
pub(super) fn text(bytes: &[u8]) -> Result<Str, FrameError> {
    std::str::from_utf8(bytes).map(Str::new).map_err(|_| FrameError::Text)
}

/// Reads a text within a value, by its byte of type.
#[inline]
pub(super) fn read_text(reader: &mut Reader<'_>) -> Result<Str, FrameError> {
    match reader.u8()? {
        tag @ SHORTEST..=LONGEST => text(reader.bytes(usize::from(tag & !SHORT))?),
        TEXT => text(reader.sized()?),
        tag => Err(FrameError::Type(tag)),
    }
}
