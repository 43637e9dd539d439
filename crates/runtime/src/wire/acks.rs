//! Batches of ack records.
//!
//! ```text
//!  0  format 1, kind 2, 0 u16
//!  4  acked u32, failed u32, extended u32
//! 16  root u64 and edge u64 of each acked
//!     root u64 of each failed, then a byte of each: 0 failed, 1 timed out, 2 lost
//!     root u64 of each extended
//! ```

use bytes::{BufMut, BytesMut};
use squall_engine::ledger::FailureKind;
use squall_types::{EdgeId, RootId};

use super::header::{self, Kind, VERSION};
use super::reader::Reader;
use super::rows::{chunks, halves};
use super::{FrameError, limits};
use crate::AckBatch;

const HEADER: usize = 16;

/// Ack records on their way into frames: as many as they need.
pub struct Acks<'a> {
    batch: &'a AckBatch,
    /// Records before this one are written, all three kinds counted through.
    at: usize,
}

impl<'a> Acks<'a> {
    /// All of a batch.
    pub fn new(batch: &'a AckBatch) -> Self {
        Self { batch, at: 0 }
    }

    /// Writes the next frame to the end of `out`; whether there was one to write.
    pub fn next(&mut self, out: &mut BytesMut) -> bool {
        let batch = self.batch;
        let mut room = limits::RECORDS;
        let mut skip = self.at;
        let acked = part(&batch.acked, &mut skip, &mut room);
        let failed = part(&batch.failed, &mut skip, &mut room);
        let extended = part(&batch.extended, &mut skip, &mut room);
        let count = limits::RECORDS - room;
        if count == 0 {
            return false;
        }
        self.at += count;
        out.reserve(HEADER + count * 16);
        out.put_slice(&[VERSION, Kind::Acks as u8, 0, 0]);
        [acked.len(), failed.len(), extended.len()].into_iter().for_each(|it| out.put_u32_le(it as u32));
        for (root, edge) in acked {
            out.put_u128_le(u128::from(root.to_bits()) | u128::from(edge.to_bits()) << 64);
        }
        failed.iter().for_each(|(root, _)| out.put_u64_le(root.to_bits()));
        failed.iter().for_each(|(_, kind)| out.put_u8(number(*kind)));
        extended.iter().for_each(|root| out.put_u64_le(root.to_bits()));
        true
    }
}

/// Those behind the first `skip`, as many as there is room for.
fn part<'a, T>(all: &'a [T], skip: &mut usize, room: &mut usize) -> &'a [T] {
    let from = all.len().min(*skip);
    *skip -= from;
    let rest = &all[from..];
    let taken = &rest[..rest.len().min(*room)];
    *room -= taken.len();
    taken
}

const fn number(kind: FailureKind) -> u8 {
    match kind {
        FailureKind::Failed => 0,
        FailureKind::TimedOut => 1,
        FailureKind::Lost => 2,
    }
}

const fn kind(number: u8) -> Result<FailureKind, FrameError> {
    match number {
        0 => Ok(FailureKind::Failed),
        1 => Ok(FailureKind::TimedOut),
        2 => Ok(FailureKind::Lost),
        other => Err(FrameError::Failure(other)),
    }
}

/// Reads ack records into the buffers of an empty batch. What roots they speak of, and whether those are pending, is for the ledger to say.
///
/// # Errors
/// The frame isn't one of ack records; what is in the batch then means nothing.
pub fn read_acks(frame: &[u8], batch: &mut AckBatch) -> Result<(), FrameError> {
    let mut reader = Reader::new(frame);
    header::expect(&mut reader, Kind::Acks)?;
    if reader.u16()? != 0 {
        return Err(FrameError::Header);
    }
    let [acked, failed, extended] = [reader.u32()?, reader.u32()?, reader.u32()?].map(|count| count as usize);
    if acked.saturating_add(failed).saturating_add(extended) > limits::RECORDS {
        return Err(FrameError::Over("ack records"));
    }
    batch.acked.extend(chunks(reader.bytes(acked * 16)?).map(|record| {
        let [root, edge] = halves(record);
        (RootId::from_bits(root), EdgeId::from_bits(edge))
    }));
    let roots = reader.bytes(failed * 8)?;
    for (root, number) in chunks(roots).zip(reader.bytes(failed)?) {
        batch.failed.push((RootId::from_bits(u64::from_le_bytes(*root)), kind(*number)?));
    }
    let roots = reader.bytes(extended * 8)?;
    batch.extended.extend(chunks(roots).map(|root| RootId::from_bits(u64::from_le_bytes(*root))));
    reader.end()
}
