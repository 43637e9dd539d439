//! What each worker is to run, and which workers have to be told when something was decided.

use std::collections::{BTreeMap, BTreeSet};

use squall_control::{Deployed, Event, Lifecycle, State, Subject, What};
use squall_proto::v1;
use squall_types::cluster::{SlotId, TopologyName, WorkerName};

use super::Reported;
use crate::services::show;

/// All that a worker has to run, as the state decides, with what is known of the other slots.
pub(crate) fn desired(state: &State, reported: &Reported, worker: &WorkerName) -> v1::DesiredState {
    let slots = state.slots_on(worker).filter_map(|(slot, name)| Some((slot.number, state.topology(name)?)));
    v1::DesiredState {
        epoch: state.epoch().get(),
        revision: state.revision().get(),
        slots: slots.map(|(number, topology)| slot(state, reported, number, topology)).collect(),
    }
}

fn slot(state: &State, reported: &Reported, number: u16, topology: &Deployed) -> v1::DesiredSlot {
    let current = topology.current();
    v1::DesiredSlot {
        number: number.into(),
        topology: topology.name().to_string(),
        topology_version: current.version.get(),
        assignment_version: topology.assignment().map_or(0, |it| it.version.get()),
        package: current.package.map_or_else(String::new, |id| id.to_string()),
        active: topology.lifecycle() == Lifecycle::Active,
        executors: show::executors(topology),
        peers: peers(state, reported, topology),
        description: topology.shape().checked().describe().to_string(),
    }
}

fn peers(state: &State, reported: &Reported, topology: &Deployed) -> Vec<v1::Peer> {
    let slots: BTreeSet<_> = topology.slots().collect();
    let peer = |slot: &SlotId| {
        let report = reported.of(slot, topology.name());
        v1::Peer {
            slot: Some(show::slot(slot)),
            zone: state.worker(&slot.worker).map_or_else(String::new, |it| it.registration.zone.to_string()),
            incarnation: report.map_or(0, |report| report.incarnation),
            address: report.map_or_else(String::new, |report| report.address.clone()),
        }
    };
    slots.into_iter().map(peer).collect()
}

/// Who was told of which topologies last.
#[derive(Debug, Default)]
pub(crate) struct Told {
    by_topology: BTreeMap<TopologyName, BTreeSet<WorkerName>>,
    by_worker: BTreeMap<WorkerName, BTreeSet<TopologyName>>,
}

impl Told {
    /// The workers for which these events may have changed what they run: those that a topology is on now, and those that were told of it.
    pub(crate) fn touched<'a>(&self, state: &State, events: impl Iterator<Item = &'a Event>) -> BTreeSet<WorkerName> {
        let mut touched = BTreeSet::new();
        for event in events {
            match (event.subject(), &event.what) {
                (Subject::Topology(name), _) => {
                    touched.extend(self.by_topology.get(&name).into_iter().flatten().cloned());
                    let topology = state.topology(&name);
                    touched.extend(topology.into_iter().flat_map(|it| it.slots().map(|slot| slot.worker.clone())));
                }
                // It may be in another zone now, which all have to know that send to it.
                (Subject::Worker(name), What::WorkerRegistered { .. }) => {
                    for topology in self.by_worker.get(&name).into_iter().flatten() {
                        touched.extend(self.by_topology.get(topology).into_iter().flatten().cloned());
                    }
                }
                (Subject::Cluster, What::EpochBegun { .. }) => touched.extend(self.by_worker.keys().cloned()),
                (
                    Subject::Worker(_) | Subject::Cluster | Subject::Master(_) | Subject::Blob(_) | Subject::Token(_),
                    _,
                ) => {}
            }
        }
        touched
    }

    /// The workers that were told of a topology.
    pub(crate) fn of(&self, topology: &TopologyName) -> impl Iterator<Item = &WorkerName> {
        self.by_topology.get(topology).into_iter().flatten()
    }

    /// A worker has been told this.
    pub(crate) fn tell(&mut self, worker: &WorkerName, desired: &v1::DesiredState) {
        self.forget(worker);
        let topologies: BTreeSet<TopologyName> =
            desired.slots.iter().filter_map(|slot| slot.topology.parse().ok()).collect();
        for topology in &topologies {
            self.by_topology.entry(topology.clone()).or_default().insert(worker.clone());
        }
        self.by_worker.insert(worker.clone(), topologies);
    }

    /// A worker's stream has ended.
    pub(crate) fn forget(&mut self, worker: &WorkerName) {
        for topology in self.by_worker.remove(worker).unwrap_or_default() {
            if let Some(workers) = self.by_topology.get_mut(&topology) {
                workers.remove(worker);
                if workers.is_empty() {
                    self.by_topology.remove(&topology);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_control::{Command, NewToken, Rebirth, SecretHash, TokenId};
    use squall_types::cluster::{Revision, Role};

    use super::*;
    use crate::testing::{History, slot, topology, worker};

    /// `one` on w1 and w2, `two` on w2 alone; w3 has nothing.
    fn placed() -> History {
        let mut history = History::new(1);
        (1..=3).for_each(|number| history.registers(&format!("w{number}"), 1, &format!("w{number}:7500")));
        for name in ["one", "two"] {
            history.submits(name, None);
        }
        history.assigns("one", &[slot("w1", 0), slot("w2", 0)]);
        history.assigns("two", &[slot("w2", 3)]);
        history
    }

    fn told(history: &History) -> Told {
        let mut told = Told::default();
        for name in ["w1", "w2", "w3"] {
            told.tell(&worker(name), &desired(&history.state, &Reported::default(), &worker(name)));
        }
        told
    }

    /// Who has to be told after what was done since then.
    fn touched(told: &Told, history: &History, since: Revision) -> Vec<String> {
        let events = history.state.events_since(since.next()).unwrap();
        told.touched(&history.state, events).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_worker_is_told_its_own_slots_and_where_the_others_of_their_topologies_listen() {
        let history = placed();
        let all = desired(&history.state, &Reported::default(), &worker("w2"));
        assert_eq!((all.epoch, all.revision), (1, history.state.revision().get()));
        let slots: Vec<_> = all.slots.iter().map(|it| (it.number, it.topology.as_str(), it.active)).collect();
        assert_eq!(slots, [(0, "one", true), (3, "two", true)]);
        let peers = |at: usize| {
            let slots = all.slots[at].peers.iter().filter_map(|peer| peer.slot.as_ref());
            slots.map(|slot| (slot.worker.clone(), slot.number)).collect::<Vec<_>>()
        };
        assert_eq!(peers(0), [("w1".to_owned(), 0), ("w2".to_owned(), 0)]);
        assert_eq!(peers(1), [("w2".to_owned(), 3)]);
        assert!(desired(&history.state, &Reported::default(), &worker("w3")).slots.is_empty());
    }

    #[test]
    fn whoever_has_something_of_a_topology_is_told_of_its_changes_and_nobody_else() {
        let mut history = placed();
        let told = told(&history);
        let since = history.state.revision();
        history.done(Command::Deactivate(topology("two")));
        assert_eq!(touched(&told, &history, since), ["w2"]);
        let since = history.state.revision();
        history.assigns("two", &[slot("w3", 0)]);
        assert_eq!(touched(&told, &history, since), ["w2", "w3"], "who had it, and who gets it");
    }

    #[test]
    fn a_worker_that_listens_elsewhere_is_told_to_all_that_send_to_it() {
        let mut history = placed();
        let mut told = told(&history);
        let since = history.state.revision();
        history.registers("w1", 2, "w1:9999");
        assert_eq!(touched(&told, &history, since), ["w1", "w2"]);
        told.forget(&worker("w1"));
        assert_eq!(
            touched(&told, &history, since),
            [""; 0],
            "its stream has ended, and it is told all when it comes back"
        );
    }

    #[test]
    fn a_new_epoch_touches_all_and_a_token_none() {
        let mut history = placed();
        let told = told(&history);
        let since = history.state.revision();
        history.done(Command::CreateToken(NewToken {
            id: TokenId::new(1),
            user: "ann".parse().unwrap(),
            role: Role::Read,
            hash: SecretHash::from_bytes([1; 32]),
            expires_at: None,
        }));
        assert_eq!(touched(&told, &history, since), [""; 0]);
        history.done(Command::BeginEpoch(Rebirth::Restored));
        assert_eq!(touched(&told, &history, since), ["w1", "w2", "w3"]);
    }
}
