//! What goes over the network and over slots' sockets, turned into the vocabulary and back.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use squall_proto::{internal, v1};
use squall_types::TaskId;
use squall_types::cluster::{
    AssignmentVersion, ClusterId, Epoch, ExecutorId, Peer, Placement, Revision, SlotId, SlotIncarnation,
    TopologyVersion, WorkerName,
};

use crate::config::Slots;
use crate::core::{Age, Beat, Concern, Desired, Doing, Identity, Orders, Program, Report, State, Wanted};

/// Something can't be what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} can't be {value:?}")]
pub(crate) struct Unreadable {
    what: &'static str,
    value: String,
}

fn unreadable(what: &'static str, value: impl ToString) -> Unreadable {
    Unreadable { what, value: value.to_string() }
}

fn small(what: &'static str, number: u32) -> Result<u16, Unreadable> {
    u16::try_from(number).map_err(|_| unreadable(what, number))
}

fn parsed<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T, Unreadable> {
    text.parse().map_err(|_| unreadable(what, text))
}

/// What a master of this cluster wants to run on this worker.
pub(crate) fn desired(cluster: ClusterId, own: &WorkerName, state: v1::DesiredState) -> Result<Desired, Unreadable> {
    let age = Age { epoch: Epoch::new(state.epoch), revision: Revision::new(state.revision) };
    let slots = state.slots.into_iter().map(|slot| {
        let number = small("a slot's number", slot.number)?;
        Ok((number, wanted(&SlotId { worker: own.clone(), number }, slot)?))
    });
    Ok(Desired { cluster, age, slots: slots.collect::<Result<_, _>>()? })
}

fn wanted(own: &SlotId, slot: v1::DesiredSlot) -> Result<Wanted, Unreadable> {
    let mut slots: BTreeMap<SlotId, Peer> = BTreeMap::new();
    for peer in &slot.peers {
        let known = Peer {
            zone: peer.zone.clone(),
            incarnation: Some(peer.incarnation).filter(|it| *it > 0).map(SlotIncarnation::new),
            address: Some(peer.address.clone()).filter(|it| !it.is_empty()),
            ..Peer::default()
        };
        slots.insert(place(peer.slot.as_ref())?, known);
    }
    for executor in slot.executors.iter().filter(|it| it.slot.is_some()) {
        let id = self::executor(executor.first_task, executor.last_task)?;
        slots.entry(place(executor.slot.as_ref())?).or_default().executors.insert(id);
    }
    let package = Some(slot.package).filter(|it| !it.is_empty()).map(|it| parsed("a package", &it)).transpose()?;
    Ok(Wanted {
        program: Program {
            topology: parsed("a topology's name", &slot.topology)?,
            version: TopologyVersion::new(slot.topology_version),
            package,
            shape: shape(&slot.description),
            executors: slots.get(own).map(|peer| peer.executors.clone()).unwrap_or_default(),
        },
        active: slot.active,
        description: slot.description,
        placement: Placement { version: AssignmentVersion::new(slot.assignment_version), slots },
    })
}

/// The first bytes of a hash of the topology as it is to run.
fn shape(description: &str) -> u64 {
    let hash: [u8; 32] = Sha256::digest(description.as_bytes()).into();
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn executor(first: u32, last: u32) -> Result<ExecutorId, Unreadable> {
    let task = |number| Ok(TaskId::new(small("a task", number)?));
    Ok(ExecutorId { first: task(first)?, last: task(last)? })
}

fn place(slot: Option<&v1::Slot>) -> Result<SlotId, Unreadable> {
    let slot = slot.ok_or_else(|| unreadable("a slot", "nothing"))?;
    Ok(SlotId { worker: parsed("a worker's name", &slot.worker)?, number: small("a slot's number", slot.number)? })
}

/// A slot's report, as masters take it.
pub(crate) fn report(report: &Report) -> v1::SlotReport {
    let state = match report.state {
        State::Waiting => v1::SlotState::Waiting,
        State::Starting => v1::SlotState::Starting,
        State::Running => v1::SlotState::Running,
        State::Stopping => v1::SlotState::Stopping,
        State::Kept => v1::SlotState::Kept,
    };
    v1::SlotReport {
        number: report.number.into(),
        topology: report.program.topology.to_string(),
        topology_version: report.program.version.get(),
        assignment_version: report.version.get(),
        incarnation: report.incarnation.map_or(0, SlotIncarnation::get),
        state: state.into(),
        address: report.address.clone(),
        text: report.text.clone(),
        pid: report.pid.unwrap_or(0),
        failures: report.failures,
    }
}

/// Something that isn't as it should be, as masters take it.
pub(crate) fn concern(worker: &WorkerName, concern: &Concern) -> v1::Concern {
    v1::Concern {
        health: v1::Health::Amber.into(),
        subject: format!("worker {worker}"),
        code: concern.code.to_string(),
        cause: concern.cause.clone(),
        next_step: concern.next_step.clone(),
    }
}

/// Where slots listen, and by which host others reach them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub listen: std::net::IpAddr,
    pub advertised: String,
}

/// What a slot's process is told.
pub(crate) fn orders(
    worker: &WorkerName,
    number: u16,
    orders: &Orders,
    reach: &Reach,
    slots: &Slots,
) -> internal::Orders {
    let Orders { identity, wanted, port } = orders;
    internal::Orders {
        identity: Some(internal::SlotIdentity {
            cluster_id: identity.cluster.to_string(),
            epoch: identity.epoch.get(),
            worker: worker.to_string(),
            number: number.into(),
            incarnation: identity.incarnation.get(),
            topology: identity.program.topology.to_string(),
            topology_version: identity.program.version.get(),
            package: identity.program.package.map_or_else(String::new, |id| id.to_string()),
            shape: identity.program.shape,
            executors: identity.program.executors.iter().map(placed).collect(),
        }),
        description: wanted.description.clone(),
        active: wanted.active,
        placement: Some((&wanted.placement).into()),
        listen: std::net::SocketAddr::new(reach.listen, *port).to_string(),
        advertised_host: reach.advertised.clone(),
        log_bytes: slots.log_size.get(),
        log_files: slots.log_files,
    }
}

fn placed(executor: &ExecutorId) -> internal::PlacedExecutor {
    internal::PlacedExecutor { first_task: executor.first.get().into(), last_task: executor.last.get().into() }
}

/// Who a process says it is.
pub(crate) fn identity(identity: &internal::SlotIdentity) -> Result<Identity, Unreadable> {
    let package = Some(&identity.package).filter(|it| !it.is_empty());
    let executors = identity.executors.iter().map(|it| executor(it.first_task, it.last_task));
    Ok(Identity {
        cluster: parsed("a cluster's id", &identity.cluster_id)?,
        epoch: Epoch::new(identity.epoch),
        incarnation: SlotIncarnation::new(identity.incarnation),
        program: Program {
            topology: parsed("a topology's name", &identity.topology)?,
            version: TopologyVersion::new(identity.topology_version),
            package: package.map(|it| parsed("a package", it)).transpose()?,
            shape: identity.shape,
            executors: executors.collect::<Result<_, _>>()?,
        },
    })
}

/// What a process says.
pub(crate) fn beat(beat: internal::Beat) -> Beat {
    let doing = match beat.phase() {
        internal::Phase::Running => Doing::Running,
        internal::Phase::Stopping => Doing::Stopping,
        internal::Phase::Failed => Doing::Failed,
        internal::Phase::Finished => Doing::Finished,
        // What a later level knows besides is none of these yet.
        internal::Phase::Unspecified | internal::Phase::Starting => Doing::Starting,
    };
    Beat { doing, address: beat.address, version: AssignmentVersion::new(beat.assignment_version), text: beat.text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executors_come_to_their_slots_and_what_is_known_of_those_with_them() {
        let slot = |number| Some(v1::Slot { worker: "w".to_owned(), number });
        let executor =
            |first_task, slot| v1::Executor { first_task, last_task: first_task, slot, ..v1::Executor::default() };
        let state = v1::DesiredState {
            epoch: 1,
            revision: 2,
            slots: vec![v1::DesiredSlot {
                number: 3,
                topology: "t".to_owned(),
                executors: vec![executor(1, slot(3)), executor(2, slot(4)), executor(5, None)],
                peers: vec![v1::Peer {
                    slot: slot(4),
                    incarnation: 9,
                    address: "h:1".to_owned(),
                    zone: "z".to_owned(),
                }],
                ..v1::DesiredSlot::default()
            }],
        };
        let desired = desired(ClusterId::new(1).unwrap(), &"w".parse().unwrap(), state).unwrap();
        let placement = &desired.slots[&3].placement;
        let at = |number| &placement.slots[&SlotId { worker: "w".parse().unwrap(), number }];
        assert_eq!((at(3).executors.len(), at(3).address.as_deref()), (1, None));
        assert_eq!(
            (at(4).zone.as_str(), at(4).incarnation, at(4).address.as_deref()),
            ("z", Some(SlotIncarnation::new(9)), Some("h:1"))
        );
        assert_eq!(placement.slots.len(), 2);
        assert_eq!(desired.slots[&3].program.executors, at(3).executors);
    }

    #[test]
    fn what_is_no_state_is_refused() {
        let slot = |number, topology: &str| v1::DesiredSlot {
            number,
            topology: topology.to_owned(),
            ..v1::DesiredSlot::default()
        };
        for slot in [slot(70_000, "t"), slot(1, "a b"), v1::DesiredSlot { package: "x".to_owned(), ..slot(1, "t") }] {
            let state = v1::DesiredState { slots: vec![slot], ..v1::DesiredState::default() };
            assert!(desired(ClusterId::new(1).unwrap(), &"w".parse().unwrap(), state).is_err());
        }
    }
}
