//! What slots say of themselves, as their workers report it. Soft: a new leader learns it anew.

use std::collections::{BTreeMap, BTreeSet};

use squall_proto::v1;
use squall_types::cluster::{SlotId, TopologyName, WorkerName};

/// The last report of each slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reported(BTreeMap<SlotId, v1::SlotReport>);

impl Reported {
    /// A worker has reported all its slots. Returns the topologies whose slots are to be found elsewhere now, or in another life.
    pub(crate) fn take(&mut self, worker: &WorkerName, reports: &[v1::SlotReport]) -> BTreeSet<TopologyName> {
        let numbered = |it: &v1::SlotReport| Some((u16::try_from(it.number).ok()?, it.clone()));
        let new: BTreeMap<u16, v1::SlotReport> = reports.iter().filter_map(numbered).collect();
        let mut moved = BTreeSet::new();
        for (number, report) in &new {
            let known = self.0.get(&SlotId { worker: worker.clone(), number: *number });
            if known.is_none_or(|known| !is_same_process(known, report)) {
                moved.extend(report.topology.parse());
            }
        }
        self.forget(worker);
        let slots = new.into_iter().map(|(number, report)| (SlotId { worker: worker.clone(), number }, report));
        self.0.extend(slots);
        moved
    }

    /// A worker is none any more.
    pub(crate) fn forget(&mut self, worker: &WorkerName) {
        self.0.retain(|slot, _| slot.worker != *worker);
    }

    /// What a slot said last, if it ran this topology.
    pub(crate) fn of(&self, slot: &SlotId, topology: &TopologyName) -> Option<&v1::SlotReport> {
        self.0.get(slot).filter(|report| report.topology == topology.as_str())
    }

    /// Where a worker's slots answer.
    pub(crate) fn address(&self, worker: &WorkerName, number: u16) -> Option<&str> {
        let slot = SlotId { worker: worker.clone(), number };
        self.0.get(&slot).map(|report| report.address.as_str()).filter(|address| !address.is_empty())
    }
}

/// Whether others reach it as before.
fn is_same_process(known: &v1::SlotReport, now: &v1::SlotReport) -> bool {
    (known.incarnation, &known.address, &known.topology) == (now.incarnation, &now.address, &now.topology)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(number: u32, topology: &str, incarnation: u64, address: &str) -> v1::SlotReport {
        let (topology, address) = (topology.to_owned(), address.to_owned());
        v1::SlotReport { number, topology, incarnation, address, ..v1::SlotReport::default() }
    }

    #[test]
    fn those_are_told_whose_slots_are_elsewhere_now() {
        let (worker, mut reported) = ("w".parse().unwrap(), Reported::default());
        let names = |moved: BTreeSet<TopologyName>| moved.iter().map(ToString::to_string).collect::<Vec<_>>();
        let both = [report(0, "a", 1, ""), report(1, "b", 1, "h:1")];
        assert_eq!(names(reported.take(&worker, &both)), ["a", "b"]);
        assert_eq!(names(reported.take(&worker, &both)), [""; 0]);
        assert_eq!(names(reported.take(&worker, &[report(0, "a", 1, "h:2"), both[1].clone()])), ["a"]);
        assert_eq!(names(reported.take(&worker, &[report(0, "a", 2, "h:2"), both[1].clone()])), ["a"]);
        assert_eq!(reported.address(&worker, 1), Some("h:1"));
        let slot = SlotId { worker: worker.clone(), number: 0 };
        assert!(reported.of(&slot, &"a".parse().unwrap()).is_some());
        assert!(reported.of(&slot, &"b".parse().unwrap()).is_none());
        reported.take(&worker, &[]);
        assert_eq!(reported, Reported::default());
    }
}
