//! The receiving end of a channel: frames out of gRPC's messages, parcels out of frames.

use squall_proto::internal::{Frame, LaneNotice};
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
    pub(super) frames: Streaming<Frame>,
    pub(super) told: Told,
    /// Dropped last: until then the channel isn't opened again.
    pub(super) _open: Open,
}

/// What a row costs, as the sender was told last. It is told again when that has become half as much more, or less by a third.
#[derive(Default)]
pub(super) struct Told(u32);

impl Told {
    fn is_news(&mut self, row_cost_ns: u32) -> bool {
        let near = self.0 / 3 * 2..=self.0.saturating_add(self.0 / 2);
        let news = !near.contains(&row_cost_ns);
        if news {
            self.0 = row_cost_ns;
        }
        news
    }
}

/// What the answer's stream does, driven by who reads it: takes parcels, and tells what the sender should know, until the channel ends, is
/// lost, or brings what is refused.
pub(super) async fn receive(mut receiver: Receiver) -> Option<(Result<LaneNotice, Status>, Option<Receiver>)> {
    match receiver.take().await {
        Ok(Some(notice)) => Some((Ok(notice), Some(receiver))),
        Ok(None) => None,
        Err(status) => Some((Err(status), None)),
    }
}

impl Receiver {
    /// Takes parcels until there is something to tell; `None` once no more come.
    async fn take(&mut self) -> Result<Option<LaneNotice>, Status> {
        let mut unpacked = Vec::new();
        while let Some(frame) = self.frames.message().await? {
            let parcel = self.read(&frame.data, &mut unpacked).map_err(|error| self.broken(&error))?;
            // The message's buffer is used again once nothing holds it.
            drop(frame);
            self.inbound.deliver(parcel).await.map_err(|refusal| self.refused(&refusal))?;
            let row_cost_ns = self.inbound.row_cost_ns();
            if self.told.is_news(row_cost_ns) {
                return Ok(Some(LaneNotice { row_cost_ns }));
            }
        }
        Ok(None)
    }

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
            (Kind::Placement, _) => wire::read_placement(frame).map(Incoming::Placement),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_told_when_it_has_changed_by_much() {
        let mut told = Told::default();
        let news = [0, 100, 140, 70, 151, 110, 99, 0, 0].map(|cost| told.is_news(cost));
        assert_eq!(news, [false, true, false, false, true, false, true, true, false]);
    }
}
