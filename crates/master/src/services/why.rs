//! Why an executor is where it is, or isn't.

use squall_control::{Deployed, Lifecycle};
use squall_proto::v1;
use squall_types::cluster::{ExecutorId, TopologyName};

use super::show;
use crate::fault::{Answer, Fault};
use crate::health::Known;

/// What decided about the executors that are asked for: one as `count[3 5]`, those of a component, or all.
pub(crate) fn why(known: &Known<'_>, name: &TopologyName, wanted: &str) -> Answer<v1::WhyResponse> {
    let topology = known.state.topology(name).ok_or_else(|| Fault::from(known.state.unknown_topology(name)))?;
    let asked = |id: &ExecutorId| {
        let component = show::component(topology, *id);
        wanted.is_empty() || wanted == component || wanted == format!("{component}{id}") || wanted == id.to_string()
    };
    let ids: Vec<_> = topology.shape().executors().keys().copied().filter(asked).collect();
    if ids.is_empty() {
        let cause =
            format!("topology {name} has no executor or component {wanted:?}; executors are written as count[3 5]");
        return Err(Fault::field("executor", cause));
    }
    let executors = ids.iter().map(|id| show::executor(topology, *id)).collect();
    let mut lines = vec![lifecycle(topology)];
    lines.extend(decision(topology));
    lines.extend(ids.iter().map(|id| line(known, topology, *id)));
    Ok(v1::WhyResponse { executors, lines, stale: known.stale })
}

fn lifecycle(topology: &Deployed) -> String {
    let (name, version) = (topology.name(), topology.current().version);
    match topology.lifecycle() {
        Lifecycle::Active => format!("{name}@{version} is active: it is to run"),
        Lifecycle::Inactive => format!("{name}@{version} is inactive: it keeps its places, and its spouts are stopped"),
        Lifecycle::Killed { stops_at } => {
            format!("{name}@{version} was killed: it keeps its places until {stops_at} ms")
        }
    }
}

fn decision(topology: &Deployed) -> Option<String> {
    let assignment = topology.assignment()?;
    let (version, parent) = (assignment.version, assignment.parent);
    Some(format!("assignment {version}, derived from {parent}, decides: what may stay where it is stays"))
}

fn line(known: &Known<'_>, topology: &Deployed, id: ExecutorId) -> String {
    let component = show::component(topology, id);
    let Some(assignment) = topology.assignment() else {
        return format!("{component}{id}: nothing is decided yet; the leader plans within a second");
    };
    if let Some(reason) = assignment.unplaced.get(&id) {
        return format!("{component}{id} has no place: {reason}");
    }
    let Some(slot) = assignment.places.get(&id) else {
        return format!("{component}{id}: it is newer than the assignment; the leader plans within a second");
    };
    let standing = known.view.and_then(|view| view.workers.get(&slot.worker)).map_or("", |seen| seen.standing.words());
    let worker = if standing.is_empty() { String::new() } else { format!("; that worker {standing}") };
    let report = known.view.and_then(|view| view.reported.of(slot, topology.name()));
    let process = report.map_or_else(String::new, |report| format!("; {}", process(report)));
    format!("{component}{id} is in slot {slot}{worker}{process}")
}

/// What the process of a slot does, in words.
fn process(report: &v1::SlotReport) -> String {
    let state = match report.state() {
        v1::SlotState::Running => "its process runs",
        v1::SlotState::Starting => "its process is being started",
        v1::SlotState::Stopping => "its process ends",
        v1::SlotState::Waiting | v1::SlotState::Exited => "its process isn't there",
        v1::SlotState::Kept => "a process of an earlier life of the cluster is there",
        v1::SlotState::Unspecified => "its process does what this release doesn't know",
    };
    if report.text.is_empty() { state.to_owned() } else { format!("{state}: {}", report.text.replace('\n', " | ")) }
}
