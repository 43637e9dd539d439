//! The vocabulary, turned into what goes over the network.

use std::collections::BTreeSet;

use squall_control::{Deployed, Event, Lifecycle, Options, Outcome, Reply, Unplaced, Version};
use squall_proto::v1;
use squall_types::cluster::{ExecutorId, Role, SlotId, UnixMillis};
use squall_types::codes;

use crate::leading::Reported;

/// A number that is small by nature, in the width that the protos have for it.
pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(crate) fn millis(at: Option<UnixMillis>) -> u64 {
    at.map_or(0, UnixMillis::get)
}

pub(crate) fn applied(outcome: &Outcome) -> v1::Applied {
    v1::Applied { revision: outcome.revision.get(), repeated: outcome.repeated }
}

/// The version that a submit or a rollback made.
pub(crate) fn version(outcome: &Outcome) -> u64 {
    match outcome.reply {
        Ok(Reply::Version(version)) => version.get(),
        Ok(Reply::Done | Reply::StopsAt(_) | Reply::Epoch(_)) | Err(_) => 0,
    }
}

pub(crate) fn slot(slot: &SlotId) -> v1::Slot {
    v1::Slot { worker: slot.worker.to_string(), number: slot.number.into() }
}

/// Why an executor has no place, as a concern about its topology.
pub(crate) fn unplaced(topology: &Deployed, executor: ExecutorId, reason: &Unplaced) -> v1::Concern {
    let text = reason.to_string();
    let (cause, next_step) = text.split_once("; ").unwrap_or((&text, ""));
    v1::Concern {
        health: v1::Health::Amber.into(),
        subject: format!("executor {}/{}{executor}", topology.name(), component(topology, executor)),
        code: codes::UNPLACED.to_string(),
        cause: cause.to_owned(),
        next_step: next_step.to_owned(),
    }
}

/// The component that an executor belongs to; empty for one that the topology doesn't have any more.
pub(crate) fn component(topology: &Deployed, executor: ExecutorId) -> String {
    let shape = topology.shape();
    shape.executors().get(&executor).map_or_else(String::new, |index| shape.checked().component(*index).id.to_string())
}

/// All executors of a topology, each with its place, or with why it has none.
pub(crate) fn executors(topology: &Deployed) -> Vec<v1::Executor> {
    topology.shape().executors().keys().map(|id| executor(topology, *id)).collect()
}

pub(crate) fn executor(topology: &Deployed, id: ExecutorId) -> v1::Executor {
    let assignment = topology.assignment();
    v1::Executor {
        component: component(topology, id),
        first_task: id.first.get().into(),
        last_task: id.last.get().into(),
        slot: assignment.and_then(|it| it.places.get(&id)).map(slot),
        reason: assignment.and_then(|it| it.unplaced.get(&id)).map(|reason| unplaced(topology, id, reason)),
    }
}

/// The executors that are still without a place.
pub(crate) fn without_place(topology: &Deployed) -> Vec<v1::Executor> {
    executors(topology).into_iter().filter(|executor| executor.slot.is_none()).collect()
}

pub(crate) fn summary(topology: &Deployed) -> v1::TopologySummary {
    let (state, _) = lifecycle(topology.lifecycle());
    let current = topology.current();
    let workers: BTreeSet<_> = topology.slots().map(|slot| &slot.worker).collect();
    let shape = topology.shape();
    let placed = topology.assignment().map_or(0, |it| it.places.len());
    let health = match placed {
        all if all >= shape.executors().len() => v1::Health::Green,
        0 => v1::Health::Red,
        _ => v1::Health::Amber,
    };
    v1::TopologySummary {
        name: topology.name().to_string(),
        state: state.into(),
        version: current.version.get(),
        revision: topology.revision().get(),
        components: count(shape.checked().components().len()),
        executors: count(shape.executors().len()),
        tasks: shape.checked().task_count().into(),
        placed: count(placed),
        workers: count(workers.len()),
        health: health.into(),
        submitted_at_ms: current.submitted_at.get(),
        submitted_by: current.submitted_by.as_ref().map_or_else(String::new, ToString::to_string),
    }
}

/// The processes of a topology, as far as they were heard of.
pub(crate) fn slots(topology: &Deployed, reported: &Reported) -> Vec<v1::SlotStatus> {
    let places: BTreeSet<_> = topology.slots().collect();
    places.into_iter().map(|slot| status(slot, reported.of(slot, topology.name()))).collect()
}

fn status(slot: &SlotId, report: Option<&v1::SlotReport>) -> v1::SlotStatus {
    let slot = Some(self::slot(slot));
    let Some(report) = report else { return v1::SlotStatus { slot, ..v1::SlotStatus::default() } };
    v1::SlotStatus {
        slot,
        state: report.state,
        address: report.address.clone(),
        incarnation: report.incarnation,
        pid: report.pid,
        failures: report.failures,
        assignment_version: report.assignment_version,
        text: report.text.clone(),
    }
}

pub(crate) fn topology(topology: &Deployed, reported: &Reported) -> v1::Topology {
    let current = topology.current();
    let (_, stops_at) = lifecycle(topology.lifecycle());
    let executors = executors(topology);
    v1::Topology {
        summary: Some(summary(topology)),
        description: current.description.to_string(),
        package: package(current),
        config: current.config.clone().into_iter().collect(),
        assignment_version: topology.assignment().map_or(0, |it| it.version.get()),
        concerns: executors.iter().filter_map(|executor| executor.reason.clone()).collect(),
        executors,
        stops_at_ms: millis(stops_at),
        options: Some(options(topology.options(), topology.lifecycle())),
        parallelism: topology.parallelism().iter().map(|(id, executors)| (id.to_string(), *executors)).collect(),
        slots: slots(topology, reported),
    }
}

fn options(options: &Options, lifecycle: Lifecycle) -> v1::SubmitOptions {
    v1::SubmitOptions {
        inactive: lifecycle == Lifecycle::Inactive,
        update: false,
        max_slots: options.max_slots.unwrap_or(0),
        anti_affinity: options.anti_affinity.iter().map(ToString::to_string).collect(),
        hard_memory: options.hard_memory,
        hard_cpu: options.hard_cpu,
    }
}

fn package(version: &Version) -> String {
    version.package.map_or_else(String::new, |id| id.to_string())
}

fn lifecycle(lifecycle: Lifecycle) -> (v1::TopologyState, Option<UnixMillis>) {
    match lifecycle {
        Lifecycle::Active => (v1::TopologyState::Active, None),
        Lifecycle::Inactive => (v1::TopologyState::Inactive, None),
        Lifecycle::Killed { stops_at } => (v1::TopologyState::Killed, Some(stops_at)),
    }
}

pub(crate) fn versions(topology: &Deployed) -> v1::VersionsResponse {
    let current = topology.current().version;
    let version = |it: &Version| v1::TopologyVersion {
        version: it.version.get(),
        revision: it.revision.get(),
        package: package(it),
        submitted_at_ms: it.submitted_at.get(),
        submitted_by: it.submitted_by.as_ref().map_or_else(String::new, ToString::to_string),
        current: it.version == current,
    };
    v1::VersionsResponse { versions: topology.versions().map(version).collect() }
}

pub(crate) fn event(event: &Event) -> v1::Event {
    v1::Event {
        revision: event.revision.get(),
        at_ms: event.at.get(),
        kind: event.kind().to_owned(),
        subject: event.subject().to_string(),
        text: event.text(),
        actor: event.actor.as_ref().map_or_else(String::new, ToString::to_string),
        origin: event.origin.as_ref().map_or_else(String::new, ToString::to_string),
        request_id: event.request.map_or_else(String::new, |id| id.to_string()),
    }
}

pub(crate) fn role(role: Role) -> v1::TokenRole {
    match role {
        Role::Read => v1::TokenRole::Read,
        Role::Operate => v1::TokenRole::Operate,
        Role::Admin => v1::TokenRole::Admin,
    }
}
