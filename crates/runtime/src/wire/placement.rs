//! Placements, which slots tell each other when one knows a newer.
//!
//! ```text
//!  0  format 1, kind 6, 0 u16
//!  4  version u64, slots u32
//! 16  each slot, ascending: number u16, flags (1 incarnation, 2 address), bytes of the worker's name u8, the name,
//!     incarnation u64 if flagged, bytes of the address u32 and the address if flagged, bytes of the zone u32 and the zone,
//!     executors u32, first task u16 and last task u16 of each, ascending
//! ```

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, BytesMut};
use squall_types::TaskId;
use squall_types::cluster::{AssignmentVersion, ExecutorId, Peer, Placement, SlotId, SlotIncarnation};

use super::FrameError;
use super::header::{self, Kind, VERSION};
use super::reader::Reader;
use super::rows::chunks;

const INCARNATION: u8 = 1;
const ADDRESS: u8 = 2;

/// Writes a placement to the end of `out`.
pub fn write_placement(out: &mut BytesMut, placement: &Placement) {
    out.put_slice(&[VERSION, Kind::Placement as u8, 0, 0]);
    out.put_u64_le(placement.version.get());
    // A topology has at most as many slots as tasks.
    out.put_u32_le(placement.slots.len() as u32);
    placement.slots.iter().for_each(|(slot, peer)| write_peer(out, slot, peer));
}

fn write_peer(out: &mut BytesMut, slot: &SlotId, peer: &Peer) {
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let name = slot.worker.as_str();
    out.put_u16_le(slot.number);
    out.put_u8(flag(peer.incarnation.is_some(), INCARNATION) | flag(peer.address.is_some(), ADDRESS));
    // Names are shorter than that.
    out.put_u8(name.len() as u8);
    out.put_slice(name.as_bytes());
    peer.incarnation.iter().for_each(|incarnation| out.put_u64_le(incarnation.get()));
    peer.address.iter().for_each(|address| write_text(out, address));
    write_text(out, &peer.zone);
    out.put_u32_le(peer.executors.len() as u32);
    for executor in &peer.executors {
        out.put_u16_le(executor.first.get());
        out.put_u16_le(executor.last.get());
    }
}

fn write_text(out: &mut BytesMut, text: &str) {
    out.put_u32_le(text.len() as u32);
    out.put_slice(text.as_bytes());
}

/// Reads a placement. Whether it is the topology's is for the receiver to find out.
///
/// # Errors
/// The frame isn't one.
pub fn read_placement(frame: &[u8]) -> Result<Placement, FrameError> {
    let mut reader = Reader::new(frame);
    header::expect(&mut reader, Kind::Placement)?;
    if reader.u16()? != 0 {
        return Err(FrameError::Header);
    }
    let (version, count) = (AssignmentVersion::new(reader.u64()?), reader.u32()?);
    let mut slots = BTreeMap::new();
    for _ in 0..count {
        let (slot, peer) = read_peer(&mut reader)?;
        if slots.last_key_value().is_some_and(|(last, _)| *last >= slot) {
            return Err(FrameError::Order("slots"));
        }
        slots.insert(slot, peer);
    }
    reader.end()?;
    Ok(Placement { version, slots })
}

fn read_peer(reader: &mut Reader<'_>) -> Result<(SlotId, Peer), FrameError> {
    let (number, flags, length) = (reader.u16()?, reader.u8()?, reader.u8()?);
    if flags & !(INCARNATION | ADDRESS) != 0 {
        return Err(FrameError::Header);
    }
    let name = std::str::from_utf8(reader.bytes(usize::from(length))?).map_err(|_| FrameError::Text)?;
    let worker = name.parse().map_err(|_| FrameError::Name)?;
    let incarnation = if flags & INCARNATION != 0 { Some(SlotIncarnation::new(reader.u64()?)) } else { None };
    let address = if flags & ADDRESS != 0 { Some(read_text(reader)?) } else { None };
    let zone = read_text(reader)?;
    let executors = read_executors(reader)?;
    Ok((SlotId { worker, number }, Peer { executors, zone, incarnation, address }))
}

fn read_text(reader: &mut Reader<'_>) -> Result<String, FrameError> {
    let text = std::str::from_utf8(reader.sized()?).map_err(|_| FrameError::Text)?;
    Ok(text.to_owned())
}

fn read_executors(reader: &mut Reader<'_>) -> Result<BTreeSet<ExecutorId>, FrameError> {
    let count = reader.u32()? as usize;
    let bytes = reader.bytes(count.saturating_mul(4))?;
    let executor = |[f0, f1, l0, l1]: &[u8; 4]| {
        let task = |bytes| TaskId::new(u16::from_le_bytes(bytes));
        ExecutorId { first: task([*f0, *f1]), last: task([*l0, *l1]) }
    };
    let executors: Vec<_> = chunks(bytes).map(executor).collect();
    let apart = executors.windows(2).all(|pair| pair[0].last < pair[1].first);
    if !apart || executors.iter().any(|executor| executor.first > executor.last) {
        return Err(FrameError::Order("executors"));
    }
    Ok(executors.into_iter().collect())
}
