//! Why a slot doesn't let another one in.

use serde::{Deserialize, Serialize};

use super::{AssignmentVersion, SlotId, SlotIncarnation};

/// Why a slot refuses what another sends it. Counted where it happens, and told to the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// It belongs to another cluster.
    #[error("this slot belongs to another cluster")]
    OtherCluster,
    /// It runs another topology.
    #[error("this slot runs another topology")]
    OtherTopology,
    /// Somebody else lives at this address now.
    #[error("this is slot {here}")]
    OtherSlot {
        /// Who lives here.
        here: SlotId,
    },
    /// A later life of the sender has been seen.
    #[error("a later life of that slot has been seen: {seen}")]
    Stale {
        /// The latest life.
        seen: SlotIncarnation,
    },
    /// The sender doesn't own what it sends for.
    #[error("that slot doesn't run what it sends for, in assignment {version}")]
    NotOwner {
        /// The newest assignment known here.
        version: AssignmentVersion,
    },
    /// The sender knows a newer assignment, and what it says may hold there.
    #[error("only assignment {version} is known here so far")]
    NotYet {
        /// The newest assignment known here.
        version: AssignmentVersion,
    },
    /// There is no such lane here, or not yet.
    #[error("there is no such lane here")]
    NoSuchLane,
    /// What came makes no sense here.
    #[error("what came can't be understood")]
    Malformed,
    /// The slot ends.
    #[error("this slot ends")]
    Stopping,
}

impl Refusal {
    /// Whether the same may be let in a moment later.
    pub fn may_pass_later(&self) -> bool {
        matches!(self, Self::NotYet { .. } | Self::NoSuchLane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_may_be_right_is_asked_to_come_again() {
        let version = AssignmentVersion::new(3);
        let later = [Refusal::NotYet { version }, Refusal::NoSuchLane];
        assert!(later.iter().all(Refusal::may_pass_later));
        let here = SlotId { worker: "w".parse().unwrap(), number: 2 };
        let for_good = [
            Refusal::OtherCluster,
            Refusal::OtherTopology,
            Refusal::OtherSlot { here },
            Refusal::Stale { seen: SlotIncarnation::new(7) },
            Refusal::NotOwner { version },
            Refusal::Malformed,
            Refusal::Stopping,
        ];
        assert!(!for_good.iter().any(Refusal::may_pass_later));
        assert_eq!(for_good[2].to_string(), "this is slot w/2");
        assert_eq!(for_good[3].to_string(), "a later life of that slot has been seen: 7");
    }
}
