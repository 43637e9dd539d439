//! What slots tell each other beside rows and ack records: who sends, and who is lost.
//!
//! ```text
//! 0  format 1, kind 3 (left), slot's number u16
//! 4  incarnation u64, components u16, bytes of the worker's name u8
//!    the worker's name, component u16 each
//!
//! 0  format 1, kind 4 (introduction), input u16
//! 4  lane u16, tasks u16
//!    task u16 each, ascending
//! ```

use bytes::{BufMut, BytesMut};
use squall_types::TaskId;
use squall_types::cluster::{SlotId, SlotIncarnation};

use super::FrameError;
use super::header::{self, Kind, VERSION};
use super::reader::Reader;
use super::rows::chunks;
use crate::transport::{Introduction, LaneNumber, Left};

/// Writes word of a lost slot to the end of `out`.
pub fn write_left(out: &mut BytesMut, left: &Left) {
    let name = left.slot.worker.as_str();
    out.put_slice(&[VERSION, Kind::Left as u8]);
    out.put_u16_le(left.slot.number);
    out.put_u64_le(left.incarnation.get());
    // Topologies have fewer components, and names are shorter.
    out.put_u16_le(left.components.len() as u16);
    out.put_u8(name.len() as u8);
    out.put_slice(name.as_bytes());
    left.components.iter().for_each(|component| out.put_u16_le(*component));
}

/// Reads word of a lost slot.
///
/// # Errors
/// The frame isn't one.
pub fn read_left(frame: &[u8]) -> Result<Left, FrameError> {
    let mut reader = Reader::new(frame);
    header::expect(&mut reader, Kind::Left)?;
    let (number, incarnation) = (reader.u16()?, SlotIncarnation::new(reader.u64()?));
    let (components, length) = (usize::from(reader.u16()?), usize::from(reader.u8()?));
    let name = std::str::from_utf8(reader.bytes(length)?).map_err(|_| FrameError::Text)?;
    let worker = name.parse().map_err(|_| FrameError::Name)?;
    let components = chunks(reader.bytes(components * 2)?).copied().map(u16::from_le_bytes).collect();
    reader.end()?;
    Ok(Left { slot: SlotId { worker, number }, incarnation, components })
}

/// Writes an introduction to the end of `out`.
pub fn write_introduction(out: &mut BytesMut, introduction: &Introduction) {
    out.put_slice(&[VERSION, Kind::Introduction as u8]);
    // A topology has no more tasks than that.
    let tasks = introduction.tasks.len() as u16;
    [introduction.input, introduction.lane.0, tasks].into_iter().for_each(|it| out.put_u16_le(it));
    introduction.tasks.iter().for_each(|task| out.put_u16_le(task.get()));
}

/// Reads an introduction. Whether the tasks exist, and belong to who says so, is for the receiver to find out.
///
/// # Errors
/// The frame isn't one.
pub fn read_introduction(frame: &[u8]) -> Result<Introduction, FrameError> {
    let mut reader = Reader::new(frame);
    header::expect(&mut reader, Kind::Introduction)?;
    let (input, lane) = (reader.u16()?, LaneNumber(reader.u16()?));
    let tasks = usize::from(reader.u16()?);
    let tasks: Vec<_> = chunks(reader.bytes(tasks * 2)?).copied().map(u16::from_le_bytes).map(TaskId::new).collect();
    reader.end()?;
    if tasks.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(FrameError::Order("tasks"));
    }
    Ok(Introduction { input, lane, tasks })
}
