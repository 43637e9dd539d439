//! What a worker's daemon and its slots agree on besides their [messages](crate::internal): where they meet, and what a placement looks like
//! on the way.

use std::collections::{BTreeMap, BTreeSet};

use squall_types::TaskId;
use squall_types::cluster::{AssignmentVersion, ExecutorId, IllegalName, Peer, Placement, SlotId, SlotIncarnation};

use crate::internal;

/// The level of the protocol that this build speaks. It understands the one before too.
pub const LEVEL: u32 = 1;

/// Names a slot's private folder, in the environment of its process. That alone makes a program a slot.
pub const VARIABLE: &str = "SQUALL_SLOT";

/// The socket where a slot listens for its daemon, in its folder.
pub const SOCKET: &str = "socket";

/// A file that a slot's process holds a lock on as long as it lives.
pub const LOCK: &str = "lock";

/// Where a process of a slot works, in its folder.
pub const WORK: &str = "work";

/// What it writes to stdout.
pub const STDOUT: &str = "stdout.log";

/// What it writes to stderr.
pub const STDERR: &str = "stderr.log";

/// A placement can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A worker's name is none.
    #[error("a slot's worker can't be called so")]
    Name(#[source] IllegalName),
    /// A number is too large for what it counts.
    #[error("{0} is no number of a slot or a task")]
    Number(u32),
}

impl From<&Placement> for internal::Placement {
    fn from(placement: &Placement) -> Self {
        let slot = |(slot, peer): (&SlotId, &Peer)| internal::PlacedSlot {
            worker: slot.worker.to_string(),
            number: slot.number.into(),
            zone: peer.zone.clone(),
            executors: peer.executors.iter().map(executor).collect(),
            incarnation: peer.incarnation.map_or(0, SlotIncarnation::get),
            address: peer.address.clone().unwrap_or_default(),
        };
        Self { version: placement.version.get(), slots: placement.slots.iter().map(slot).collect() }
    }
}

fn executor(executor: &ExecutorId) -> internal::PlacedExecutor {
    internal::PlacedExecutor { first_task: executor.first.get().into(), last_task: executor.last.get().into() }
}

impl TryFrom<internal::Placement> for Placement {
    type Error = Unreadable;

    fn try_from(placement: internal::Placement) -> Result<Self, Unreadable> {
        let slots = placement.slots.into_iter().map(peer).collect::<Result<BTreeMap<_, _>, _>>()?;
        Ok(Self { version: AssignmentVersion::new(placement.version), slots })
    }
}

fn peer(placed: internal::PlacedSlot) -> Result<(SlotId, Peer), Unreadable> {
    let worker = placed.worker.parse().map_err(Unreadable::Name)?;
    let executors = placed.executors.iter().map(|it| {
        Ok(ExecutorId { first: TaskId::new(small(it.first_task)?), last: TaskId::new(small(it.last_task)?) })
    });
    let peer = Peer {
        executors: executors.collect::<Result<BTreeSet<_>, Unreadable>>()?,
        zone: placed.zone,
        incarnation: Some(placed.incarnation).filter(|it| *it > 0).map(SlotIncarnation::new),
        address: Some(placed.address).filter(|it| !it.is_empty()),
    };
    Ok((SlotId { worker, number: small(placed.number)? }, peer))
}

fn small(number: u32) -> Result<u16, Unreadable> {
    u16::try_from(number).map_err(|_| Unreadable::Number(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peers() -> impl Strategy<Value = Placement> {
        let executor = (1_u16..100, 0_u16..9)
            .prop_map(|(first, more)| ExecutorId { first: TaskId::new(first), last: TaskId::new(first + more) });
        let peer = (
            prop::collection::btree_set(executor, 0..4),
            "[a-z]{0,5}",
            prop::option::of((1_u64..9).prop_map(SlotIncarnation::new)),
            prop::option::of("[a-z]{1,5}:[0-9]{1,4}"),
        );
        let peer =
            peer.prop_map(|(executors, zone, incarnation, address)| Peer { executors, zone, incarnation, address });
        let slot =
            ("[a-z]{1,9}", 0_u16..9).prop_map(|(worker, number)| SlotId { worker: worker.parse().unwrap(), number });
        let slots = prop::collection::btree_map(slot, peer, 0..5);
        (0_u64..99, slots).prop_map(|(version, slots)| Placement { version: AssignmentVersion::new(version), slots })
    }

    proptest! {
        #[test]
        fn a_placement_comes_through_as_it_was(placement in peers()) {
            prop_assert_eq!(Placement::try_from(internal::Placement::from(&placement)), Ok(placement));
        }
    }

    #[test]
    fn what_is_no_placement_is_refused() {
        let placed = |worker: &str, number| internal::PlacedSlot {
            worker: worker.to_owned(),
            number,
            ..internal::PlacedSlot::default()
        };
        for slot in [placed("a b", 0), placed("", 0), placed("a", 70_000)] {
            let placement = internal::Placement { version: 1, slots: vec![slot] };
            assert!(Placement::try_from(placement).is_err());
        }
    }
}
