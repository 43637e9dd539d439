//! What can be set.

use std::time::Duration;

/// How slots talk.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes that may be on their way on one channel, or wait there for room.
    pub window: u32,
    /// Channels that a peer may have open here at the same time.
    pub channels: u32,
    /// After what silence a peer is asked whether it lives.
    pub silence: Duration,
    /// How long it may take to say so.
    pub patience: Duration,
    /// How long a peer may take to be reached, and then to answer a hello or to open a channel.
    pub reach: Duration,
}

impl Settings {
    /// 512 KiB a channel, 1,024 channels; lost after 1 s of silence and 2 s without an answer; reached in 2 s.
    pub const DEFAULT: Self = Self {
        window: 512 << 10,
        channels: 1_024,
        silence: Duration::from_secs(1),
        patience: Duration::from_secs(2),
        reach: Duration::from_secs(2),
    };

    /// The connection's window: what all channels may have, so that none waits for another.
    pub(super) fn connection_window(&self) -> u32 {
        const MOST: u32 = i32::MAX as u32;
        self.window.saturating_mul(self.channels).min(MOST)
    }

    /// The largest piece that HTTP/2 cuts frames into: a full one goes in one.
    pub(super) const PIECE: u32 = 128 << 10;
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}
