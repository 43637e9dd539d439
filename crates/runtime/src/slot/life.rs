//! What tells one life of a slot from the others of its topology, and from its own earlier ones.

use squall_types::cluster::{AssignmentVersion, SlotId, SlotIncarnation};
use squall_types::{Incarnation, Sequence, TaskId};

use super::assemble::mix;

/// How a spout task's roots are told from those of its earlier lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoutLife {
    /// Its first incarnation.
    pub incarnation: Incarnation,
    /// The first root's number.
    pub first: Sequence,
}

/// A slot's life.
///
/// A root id has 12 bits for the life of its spout task. The slot's incarnation and the assignment's version make 8 of them: a slot that is
/// started again by its daemon, and one that a later version starts, each get others than before, for the next 255 starts. The lower 4 are
/// for restarts within the process. A task that moves to another slot may meet bits that it had, once in 256 moves; so its numbers begin at
/// a place among the 2³⁶ that is drawn from all of it, and roots of two lives don't meet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    /// What edge ids and hash maps are seeded with.
    pub seed: u64,
    /// Incarnation, version, and a mix of these with the slot's name; none in a slot that is alone.
    of: Option<(u64, u64, u64)>,
}

impl Life {
    /// Of a slot that is alone.
    pub fn alone(seed: u64) -> Self {
        Self { seed, of: None }
    }

    /// Of a slot among others, each of which may have been given the same seed.
    pub fn among_others(seed: u64, slot: &SlotId, incarnation: SlotIncarnation, version: AssignmentVersion) -> Self {
        let worker = slot.worker.as_str().bytes().fold(u64::from(slot.number), |hash, byte| mix(hash, u64::from(byte)));
        let own = mix(mix(worker, incarnation.get()), version.get());
        Self { seed: mix(seed, own), of: Some((incarnation.get(), version.get(), own)) }
    }

    /// Of a spout task.
    pub fn of(&self, task: TaskId) -> SpoutLife {
        self.of.map_or_else(SpoutLife::default, |(incarnation, version, own)| {
            // Odd factors: each goes round all 256 before it repeats.
            let start = incarnation.wrapping_mul(37).wrapping_add(version.wrapping_mul(101)) as u8;
            SpoutLife {
                incarnation: Incarnation::new(u16::from(start) << 4),
                first: Sequence::new(mix(own, u64::from(task.get()))),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn life(worker: &str, incarnation: u64, version: u64) -> SpoutLife {
        let slot = SlotId { worker: worker.parse().unwrap(), number: 1 };
        let (incarnation, version) = (SlotIncarnation::new(incarnation), AssignmentVersion::new(version));
        Life::among_others(7, &slot, incarnation, version).of(TaskId::new(3))
    }

    #[test]
    fn a_slot_alone_counts_from_the_beginning() {
        assert_eq!(Life::alone(5).of(TaskId::new(3)), SpoutLife::default());
    }

    #[test]
    fn consecutive_starts_of_a_slot_have_other_incarnations_whoever_starts_them() {
        let by_daemon: BTreeSet<u16> = (0..256).map(|n| life("a", n, 4).incarnation.get()).collect();
        let by_masters: BTreeSet<u16> = (0..256).map(|n| life("a", 4, n).incarnation.get()).collect();
        assert_eq!((by_daemon.len(), by_masters.len()), (256, 256));
        assert!(
            by_daemon.iter().all(|incarnation| incarnation % 16 == 0),
            "16 restarts within the process fit between"
        );
        assert_ne!(life("a", 4, 5).incarnation, life("a", 5, 4).incarnation);
    }

    #[test]
    fn roots_are_numbered_from_another_place_wherever_the_task_is_started() {
        let starts: BTreeSet<u64> = ["a", "b", "c"]
            .iter()
            .flat_map(|worker| {
                (0..10).flat_map(move |n| (0..10).map(move |version| life(worker, n, version).first.get()))
            })
            .collect();
        assert_eq!(starts.len(), 300);
    }
}
