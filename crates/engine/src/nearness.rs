//! Which of a consumer's tasks an edge deals its rows to, where the grouping leaves that open: those that are near, or all.

use squall_types::cluster::{Placement, SlotId};
use squall_types::topology::Grouping;

/// How far a slot is from another. Less is nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// The same slot.
    Slot,
    /// Another slot of the same worker.
    Worker,
    /// Another worker of the same zone.
    Zone,
    /// Elsewhere.
    Cluster,
}

impl Nearness {
    /// How far `to` is from `from`. Workers without a zone are in no zone together.
    pub fn between(placement: &Placement, from: &SlotId, to: &SlotId) -> Self {
        let zone = |slot| placement.slots.get(slot).map(|peer| &*peer.zone).filter(|zone| !zone.is_empty());
        match (zone(from), zone(to)) {
            _ if from == to => Self::Slot,
            _ if from.worker == to.worker => Self::Worker,
            (Some(here), Some(there)) if here == there => Self::Zone,
            _ => Self::Cluster,
        }
    }
}

/// The tasks that an open edge deals to, as places among the consumer's tasks: of those that can be reached (`Some`, with how far they are)
/// all; on a local edge those in the slot; for local-or-shuffle the nearest. None, if none of these can be reached.
pub fn dealt_to(grouping: &Grouping, local: bool, tasks: &[Option<Nearness>]) -> Vec<u16> {
    let farthest = match grouping {
        _ if local => Some(Nearness::Slot),
        Grouping::LocalOrShuffle => tasks.iter().flatten().min().copied(),
        _ => Some(Nearness::Cluster),
    };
    let within = |task: &Option<Nearness>| task.is_some_and(|nearness| Some(nearness) <= farthest);
    (0..).zip(tasks).filter(|(_, task)| within(task)).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use squall_types::cluster::{AssignmentVersion, Peer};

    use super::Nearness::{Cluster, Slot, Worker, Zone};
    use super::*;

    fn slot(worker: &str, number: u16) -> SlotId {
        SlotId { worker: worker.parse().unwrap(), number }
    }

    #[test]
    fn the_slot_is_nearer_than_its_worker_and_that_than_its_zone() {
        let zones = [("a", "east"), ("b", "east"), ("c", "west"), ("d", ""), ("e", "")];
        let peer = |zone: &str| Peer { zone: zone.to_owned(), ..Peer::default() };
        let slots: BTreeMap<SlotId, Peer> =
            zones.iter().flat_map(|(worker, zone)| [0, 1].map(|number| (slot(worker, number), peer(zone)))).collect();
        let placement = Placement { version: AssignmentVersion::new(1), slots };
        let between = |from, to| Nearness::between(&placement, &from, &to);
        assert_eq!(between(slot("a", 0), slot("a", 0)), Slot);
        assert_eq!(between(slot("a", 0), slot("a", 1)), Worker);
        assert_eq!(between(slot("a", 0), slot("b", 0)), Zone);
        assert_eq!(between(slot("a", 0), slot("c", 0)), Cluster);
        assert_eq!(between(slot("d", 0), slot("e", 0)), Cluster, "no zone is no zone in common");
        assert_eq!(between(slot("a", 0), slot("gone", 0)), Cluster);
    }

    #[test]
    fn local_or_shuffle_takes_the_nearest_and_a_shuffle_all_that_can_be_reached() {
        let tasks = [Some(Cluster), None, Some(Worker), Some(Zone), Some(Worker)];
        assert_eq!(dealt_to(&Grouping::LocalOrShuffle, false, &tasks), [2, 4]);
        assert_eq!(dealt_to(&Grouping::Shuffle, false, &tasks), [0, 2, 3, 4]);
        assert_eq!(dealt_to(&Grouping::None, false, &tasks), [0, 2, 3, 4]);
        assert_eq!(dealt_to(&Grouping::LocalOrShuffle, false, &tasks[..2]), [0]);
        assert_eq!(dealt_to(&Grouping::LocalOrShuffle, false, &[Some(Slot), Some(Worker)]), [0]);
    }

    #[test]
    fn a_local_edge_never_leaves_its_slot() {
        for grouping in [Grouping::LocalOrShuffle, Grouping::Shuffle, Grouping::None] {
            assert_eq!(dealt_to(&grouping, true, &[Some(Worker), Some(Slot), None, Some(Slot)]), [1, 3]);
            assert_eq!(dealt_to(&grouping, true, &[Some(Worker)]), [0u16; 0]);
        }
    }
}
