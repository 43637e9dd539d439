//! The receiving end of a channel: frames out of gRPC's messages, parcels out of frames.

use squall_proto::internal::Frame;
use squall_types::cluster::{Refusal, SlotId};
use tonic::{Status, Streaming};

use super::convert;
use super::service::Open;
use crate::AckBatch;
use crate::transport::{Channel, Inbound, Incoming};
use crate::wire::{self, FrameError, Kind};

/// Takes what comes on a channel.
pub(super) struct Receiver {
    pub(super) from: SlotId,
    pub(super) channel: Channel,
    pub(super) inbound: Box<dyn Inbound>,
    /// Whether frames may be compressed.
    pub(super) packed: bool,
    pub(super) open: Open,
}

/// Takes what comes until the stream ends, is lost, or brings what is refused.
pub(super) async fn receive(mut receiver: Receiver, mut frames: Streaming<Frame>) -> Result<(), Status> {
    let mut unpacked = Vec::new();
    while let Some(frame) = frames.message().await? {
        let parcel = receiver.read(&frame.data, &mut unpacked).map_err(|error| receiver.broken(&error))?;
        // The message's buffer is used again once nothing holds it.
        drop(frame);
        receiver.inbound.deliver(parcel).await.map_err(|refusal| receiver.refused(&refusal))?;
    }
    drop(receiver.open);
    Ok(())
}

impl Receiver {
    fn read(&mut self, frame: &[u8], unpacked: &mut Vec<u8>) -> Result<Incoming, FrameError> {
        if self.packed && wire::kind(frame)? == Kind::Packed {
            wire::unpack(frame, unpacked)?;
            return self.read_plain(unpacked);
        }
        self.read_plain(frame)
    }

    fn read_plain(&mut self, frame: &[u8]) -> Result<Incoming, FrameError> {
        match (wire::kind(frame)?, self.channel) {
            (Kind::Rows, Channel::Lane(_)) => {
                let mut batch = self.inbound.spare();
                wire::read_rows(frame, &mut batch)?;
                Ok(Incoming::Rows(batch))
            }
            (Kind::Introduction, Channel::Lane(_)) => wire::read_introduction(frame).map(Incoming::Introduction),
            (Kind::Acks, Channel::Acks) => {
                let mut batch = AckBatch::default();
                wire::read_acks(frame, &mut batch)?;
                Ok(Incoming::Acks(batch))
            }
            (Kind::Left, Channel::Acks) => wire::read_left(frame).map(Incoming::Left),
            (kind, _) => Err(FrameError::Kind(kind as u8)),
        }
    }

    fn broken(&self, error: &FrameError) -> Status {
        let (from, channel, code) = (&self.from, self.channel, error.code());
        tracing::warn!(%code, "slot {from} has sent what is no frame on channel {channel:?}: {error}; {}", error.next_step());
        convert::refusal(&Refusal::Malformed, &format!("{code}: {error}"))
    }

    fn refused(&self, refusal: &Refusal) -> Status {
        let (from, channel) = (&self.from, self.channel);
        tracing::warn!("what slot {from} has sent on channel {channel:?} is refused: {refusal}");
        convert::refusal(refusal, &refusal.to_string())
    }
}
