//! Ids and versions that are numbers.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            /// The one with this number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// Where a decision stands in the replicated log: its index. The newer state is the one with the higher revision, cluster wide.
    Revision
}
counter! {
    /// A topology's assignments, one chain: each names its parent, the version before.
    AssignmentVersion
}
counter! {
    /// A topology's packages and descriptions, counted from 1: what `rollback` goes back to.
    TopologyVersion
}
counter! {
    /// A slot's lives. Its worker's daemon keeps the counter on disk: higher is newer, also without masters.
    SlotIncarnation
}
counter! {
    /// A worker daemon's lives: one more at each start.
    WorkerIncarnation
}
counter! {
    /// A cluster's lives: one more at each `restore` or `recover`. A state of an older epoch is never obeyed again.
    Epoch
}
counter! {
    /// Raft's term.
    Term
}
counter! {
    /// Which commands a master understands. A command is proposed only once all members understand it.
    FeatureLevel
}
counter! {
    /// Wall time as the leader stamped it: milliseconds since 1970-01-01 UTC.
    UnixMillis
}

impl UnixMillis {
    /// So much later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long this is after `earlier`; zero if it isn't.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// One disk's life of one master, as Raft knows it: drawn at random when an empty disk joins, never used again once the disk is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RaftId(NonZeroU64);

impl RaftId {
    /// The id with this number; none for 0, which Raft has for "nobody".
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for RaftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One cluster, drawn at random when it is formed. What carries another cluster's id is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(NonZeroU64);

impl ClusterId {
    /// The id with this number, if it isn't 0.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c-{:016x}", self.0)
    }
}

/// The text is no cluster's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no cluster's id; it is written as c- and 16 hexadecimal digits")]
pub struct NotAClusterId(String);

impl FromStr for ClusterId {
    type Err = NotAClusterId;

    fn from_str(text: &str) -> Result<Self, NotAClusterId> {
        let digits = text.strip_prefix("c-").filter(|digits| digits.len() == 16 && !digits.starts_with('+'));
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number.and_then(Self::new).ok_or_else(|| NotAClusterId(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_starts_at_zero_and_its_successor_is_newer() {
        assert_eq!(Revision::ZERO.next(), Revision::new(1));
        assert!(AssignmentVersion::new(9) < AssignmentVersion::new(10));
        assert_eq!(TopologyVersion::new(3).to_string(), "3");
    }

    #[test]
    fn nobody_has_the_id_zero() {
        assert_eq!(RaftId::new(0), None);
        assert_eq!(ClusterId::new(0), None);
        assert_eq!(RaftId::new(7).unwrap().get(), 7);
    }

    #[test]
    fn ids_are_written_in_hexadecimal_of_a_fixed_width() {
        assert_eq!(RaftId::new(255).unwrap().to_string(), "00000000000000ff");
        assert_eq!(ClusterId::new(255).unwrap().to_string(), "c-00000000000000ff");
    }

    #[test]
    fn a_clusters_id_is_read_as_it_is_written() {
        let id = ClusterId::new(0x1f).unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "c-", "c-0000000000000000", "000000000000001f", "c-1f", "c-+00000000000001f"] {
            assert_eq!(text.parse::<ClusterId>(), Err(NotAClusterId(text.to_owned())));
        }
    }

    #[test]
    fn time_never_runs_below_zero_nor_past_its_end() {
        let (early, late) = (UnixMillis::new(1_000), UnixMillis::new(3_500));
        assert_eq!(late.since(early), Duration::from_millis(2_500));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.plus(Duration::from_secs(2)), UnixMillis::new(3_000));
        assert_eq!(late.plus(Duration::MAX), UnixMillis::new(u64::MAX));
    }
}
