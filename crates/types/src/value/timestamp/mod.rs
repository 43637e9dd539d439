//! Instants.

mod civil;
mod rfc3339;

use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use rfc3339::TimestampError;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
///
/// Shown and parsed as RFC 3339, in UTC. Years outside 0000 to 9999 have a sign and six digits, as in ISO 8601. Arithmetic with a
/// [`Duration`] saturates, and drops what is finer than a microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before every instant.
    pub const MIN: Self = Self(i64::MIN);
    /// After every instant: as a watermark, the end of the input.
    pub const MAX: Self = Self(i64::MAX);

    /// The instant so many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The instant so many milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        if self > earlier { Duration::from_micros(self.0.abs_diff(earlier.0)) } else { Duration::ZERO }
    }

    /// The last multiple of `unit` since the epoch that isn't after this instant: the start of its window. A unit under a
    /// microsecond leaves it as it is.
    #[must_use]
    pub fn truncate(self, unit: Duration) -> Self {
        match i64::try_from(unit.as_micros()) {
            Ok(0) => self,
            Ok(unit) => Self(self.0.saturating_sub(self.0.rem_euclid(unit))),
            Err(_) if self.0 < 0 => Self::MIN,
            Err(_) => Self(0),
        }
    }
}

/// More than any two instants are apart is as good as the most.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(micros(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub_unsigned(micros(duration)))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl SubAssign<Duration> for Timestamp {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}
