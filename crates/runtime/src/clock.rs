//! The process's clock: nanoseconds since it was made, and the wall-clock time that belongs to them.

use squall_types::Timestamp;
use tokio::time::{Duration, Instant};

/// Reads time. Under simulated time (a paused tokio runtime) it stands still until everything waits.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    epoch: Timestamp,
}

impl Clock {
    /// A clock that starts now, when the wall clock shows `epoch`.
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self { start: Instant::now(), epoch }
    }

    /// A clock that starts now, by the machine's wall clock.
    pub fn system() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Nanoseconds since the start.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        // A process that runs for 584 years may wrap.
        self.start.elapsed().as_nanos() as u64
    }

    /// The wall-clock time.
    pub fn now(&self) -> Timestamp {
        self.timestamp(self.now_ns())
    }

    /// The wall-clock time that belongs to a reading.
    pub fn timestamp(&self, ns: u64) -> Timestamp {
        Timestamp::from_micros(self.epoch.micros().saturating_add((ns / 1_000) as i64))
    }

    /// The instant that belongs to a reading, to sleep until.
    pub fn instant(&self, ns: u64) -> Instant {
        self.start + Duration::from_nanos(ns)
    }
}
