//! The sending end of a channel: parcels into frames, frames into gRPC's messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use bytes::{BufMut, BytesMut};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use squall_types::Batch;

use super::queue::Sending;
use crate::AckBatch;
use crate::transport::{Lost, Outbound, Outgoing, Sent};
use crate::wire::{self, Acks, Rows, Step};

/// What stands before a frame: gRPC's mark of a message (not compressed, its length, big-endian), then the field `data` of `Frame` and its
/// length, in as many bytes for each.
const BEFORE: usize = MESSAGE + FIELD;
const MESSAGE: usize = 5;
const FIELD: usize = 6;
/// Field 1, length-delimited.
const DATA: u8 = 0x0a;
/// Buffers for frames are made out of larger ones, which come back once all that was in them is sent.
const BUFFER: usize = 256 << 10;

/// The sending end of a channel.
pub(super) struct GrpcOutbound {
    sending: Sending,
    buffer: BytesMut,
    pack: Arc<AtomicBool>,
    row_cost_ns: Arc<AtomicU32>,
}

impl GrpcOutbound {
    pub(super) fn new(sending: Sending, pack: Arc<AtomicBool>, row_cost_ns: Arc<AtomicU32>) -> Self {
        Self { sending, buffer: BytesMut::new(), pack, row_cost_ns }
    }

    async fn send_rows(&mut self, batch: &Batch) -> Result<Sent, Lost> {
        let mut rows = Rows::new(batch);
        let mut sent = Sent { parcels: 0, left_out: Vec::new() };
        loop {
            self.begin();
            match rows.next(&mut self.buffer) {
                Some(Step::Frame) => {
                    self.end().await?;
                    sent.parcels += 1;
                }
                Some(Step::Refused { row, why }) => {
                    tracing::warn!("{}: {why}; {}", why.code(), why.next_step());
                    sent.left_out.push((row, why));
                }
                None => return Ok(sent),
            }
        }
    }

    async fn send_acks(&mut self, batch: &AckBatch) -> Result<Sent, Lost> {
        let mut acks = Acks::new(batch);
        let mut sent = Sent { parcels: 0, left_out: Vec::new() };
        loop {
            self.begin();
            if !acks.next(&mut self.buffer) {
                return Ok(sent);
            }
            self.end().await?;
            sent.parcels += 1;
        }
    }

    async fn send_word(&mut self, write: impl FnOnce(&mut BytesMut)) -> Result<Sent, Lost> {
        self.begin();
        write(&mut self.buffer);
        self.end().await?;
        Ok(Sent::WHOLE)
    }

    /// Begins a message. What was begun before and not ended is forgotten.
    fn begin(&mut self) {
        self.buffer.clear();
        if self.buffer.capacity() < wire::limits::FULL {
            self.buffer.reserve(BUFFER);
        }
        self.buffer.put_bytes(0, BEFORE);
    }

    /// Ends a message behind its frame, and sends it.
    async fn end(&mut self) -> Result<(), Lost> {
        if self.pack.load(Relaxed) {
            wire::pack(&mut self.buffer, BEFORE);
        }
        let mut message = self.buffer.split();
        seal(&mut message);
        self.sending.send(message).await
    }
}

/// Writes what stands before a frame.
fn seal(message: &mut [u8]) {
    // A frame is far smaller than 4 GiB.
    let frame = (message.len() - BEFORE) as u32;
    let mut before = &mut message[..BEFORE];
    before.put_u8(0);
    before.put_u32(frame + FIELD as u32);
    before.put_u8(DATA);
    // In five bytes whatever the length: groups of seven bits, each but the last with a sign that more follow.
    for group in 0..4 {
        before.put_u8((frame >> (7 * group)) as u8 | 0x80);
    }
    before.put_u8((frame >> 28) as u8);
}

impl Outbound for GrpcOutbound {
    fn send<'a>(&'a mut self, parcel: Outgoing<'a>) -> BoxFuture<'a, Result<Sent, Lost>> {
        match parcel {
            Outgoing::Rows(batch) => self.send_rows(batch).boxed(),
            Outgoing::Acks(batch) => self.send_acks(batch).boxed(),
            Outgoing::Placement(it) => self.send_word(|out| wire::write_placement(out, it)).boxed(),
            Outgoing::Introduction(it) => self.send_word(|out| wire::write_introduction(out, it)).boxed(),
            Outgoing::Left(it) => self.send_word(|out| wire::write_left(out, it)).boxed(),
        }
    }

    fn row_cost_ns(&self) -> u32 {
        self.row_cost_ns.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use squall_proto::internal::Frame;

    use super::*;

    #[test]
    fn a_sealed_message_is_grpc_s_with_the_frame_in_its_field() {
        for length in [0, 1, 127, 128, 300, 70_000] {
            let frame: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let mut message = vec![0xee; BEFORE];
            message.extend_from_slice(&frame);
            seal(&mut message);
            assert_eq!(message[0], 0);
            let announced = u32::from_be_bytes(message[1..5].try_into().unwrap()) as usize;
            assert_eq!(announced, message.len() - MESSAGE);
            assert_eq!(Frame::decode(&message[MESSAGE..]).unwrap().data, frame);
        }
    }
}
