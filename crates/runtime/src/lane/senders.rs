//! Who sends to a lane: lanes of this slot and of others, numbered for each input as they become known.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use squall_types::TaskId;
use squall_types::cluster::{SlotId, SlotIncarnation};

use crate::transport::LaneNumber;

struct Sender {
    /// `None`: this slot.
    slot: Option<(SlotId, SlotIncarnation)>,
    lane: LaneNumber,
    tasks: Arc<[TaskId]>,
}

/// The lanes that send to one input of a lane. A number, once given, means the same lane with the same tasks for good; the lane looks here
/// for numbers that it doesn't know yet.
pub struct Senders {
    known: Mutex<Vec<Sender>>,
}

impl Senders {
    /// Lanes of this slot, numbered from 0.
    pub fn new(here: impl IntoIterator<Item = (LaneNumber, Arc<[TaskId]>)>) -> Self {
        let known = here.into_iter().map(|(lane, tasks)| Sender { slot: None, lane, tasks }).collect();
        Self { known: Mutex::new(known) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sender>> {
        // What is done under the lock can't panic halfway.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a lane with these tasks, here or in a life of another slot; a new one, if it wasn't known. `None`: there are no more
    /// numbers.
    pub fn number(&self, slot: Option<(&SlotId, SlotIncarnation)>, lane: LaneNumber, tasks: &[TaskId]) -> Option<u16> {
        let mut known = self.lock();
        let same = |sender: &Sender| {
            let from = sender.slot.as_ref().map(|(slot, incarnation)| (slot, *incarnation));
            sender.lane == lane && from == slot && *sender.tasks == *tasks
        };
        let at = known.iter().position(same).unwrap_or_else(|| {
            let slot = slot.map(|(slot, incarnation)| (slot.clone(), incarnation));
            known.push(Sender { slot, lane, tasks: tasks.into() });
            known.len() - 1
        });
        u16::try_from(at).ok()
    }

    /// The tasks of all senders from a number on.
    pub fn tasks_from(&self, first: usize) -> Vec<Arc<[TaskId]>> {
        self.lock().iter().skip(first).map(|sender| sender.tasks.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_keeps_its_number_and_gets_a_new_one_with_other_tasks() {
        let task = TaskId::new;
        let (one, two) =
            (SlotId { worker: "w".parse().unwrap(), number: 1 }, SlotId { worker: "w".parse().unwrap(), number: 2 });
        let life = SlotIncarnation::new;
        let senders = Senders::new([(LaneNumber(0), [task(1)].into()), (LaneNumber(4), [task(2)].into())]);
        assert_eq!(senders.number(None, LaneNumber(4), &[task(2)]), Some(1));
        assert_eq!(senders.number(Some((&one, life(1))), LaneNumber(4), &[task(3)]), Some(2));
        assert_eq!(senders.number(Some((&two, life(1))), LaneNumber(4), &[task(3)]), Some(3));
        assert_eq!(senders.number(Some((&one, life(1))), LaneNumber(4), &[task(3), task(4)]), Some(4));
        assert_eq!(senders.number(Some((&one, life(2))), LaneNumber(4), &[task(3)]), Some(5), "another life");
        assert_eq!(senders.number(Some((&one, life(1))), LaneNumber(4), &[task(3)]), Some(2));
        assert_eq!(senders.tasks_from(4), [Arc::from([task(3), task(4)]), Arc::from([task(3)])]);
    }
}
