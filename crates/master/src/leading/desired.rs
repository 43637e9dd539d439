//! What each worker is to run, and which workers have to be told when something was decided.

use std::collections::{BTreeMap, BTreeSet};

use squall_control::{Deployed, Event, Lifecycle, State, Subject, What};
use squall_proto::v1;
use squall_types::cluster::{TopologyName, WorkerName};

use crate::services::show;

/// All that a worker has to run, as the state decides.
pub(crate) fn desired(state: &State, worker: &WorkerName) -> v1::DesiredState {
    let slots = state.slots_on(worker).filter_map(|(slot, name)| Some((slot.number, state.topology(name)?)));
    v1::DesiredState {
        epoch: state.epoch().get(),
        revision: state.revision().get(),
        slots: slots.map(|(number, topology)| slot(state, number, topology)).collect(),
    }
}

fn slot(state: &State, number: u16, topology: &Deployed) -> v1::DesiredSlot {
    let current = topology.current();
    let workers: BTreeSet<_> = topology.slots().map(|slot| &slot.worker).collect();
    let address =
        |worker: &&WorkerName| Some((worker.to_string(), state.worker(worker)?.registration.address.to_string()));
    v1::DesiredSlot {
        number: number.into(),
        topology: topology.name().to_string(),
        topology_version: current.version.get(),
        assignment_version: topology.assignment().map_or(0, |it| it.version.get()),
        package: current.package.map_or_else(String::new, |id| id.to_string()),
        active: topology.lifecycle() == Lifecycle::Active,
        executors: show::executors(topology),
        workers: workers.iter().filter_map(address).collect(),
        description: topology.shape().checked().describe().to_string(),
    }
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
                // It may listen elsewhere now, which all have to know that send to it.
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
