//! Why an executor is where it is, or isn't.

use std::collections::BTreeSet;

use squall_control::plan::{self, Candidate, Explanation, Refused, Standing};
use squall_control::{Deployed, Lifecycle};
use squall_proto::v1;
use squall_types::cluster::{ExecutorId, TopologyName, UnixMillis};
use squall_types::nearest;

use super::show;
use crate::fault::{Answer, Fault};
use crate::health::Known;
use crate::leading::planner_input;

/// What decided about the executors that are asked for: one as `count[3 5]`, those of a component, or all.
pub(crate) fn why(known: &Known<'_>, name: &TopologyName, wanted: &str, now: UnixMillis) -> Answer<v1::WhyResponse> {
    let topology = known.state.topology(name).ok_or_else(|| Fault::from(known.state.unknown_topology(name)))?;
    let asked = |id: &ExecutorId| {
        let component = show::component(topology, *id);
        wanted.is_empty() || wanted == component || wanted == format!("{component}{id}") || wanted == id.to_string()
    };
    let ids: Vec<_> = topology.shape().executors().keys().copied().filter(asked).collect();
    if ids.is_empty() {
        return Err(nobody(topology, wanted));
    }
    let executors = ids.iter().map(|id| show::executor(topology, *id)).collect();
    let mut lines = vec![lifecycle(topology)];
    lines.extend(decision(topology));
    let explained = match ids[..] {
        [id] => explain(known, name, id, now),
        _ => None,
    };
    match (&explained, &ids[..]) {
        (Some(explained), [id]) => {
            lines.push(format!("{}{id}: {}", show::component(topology, *id), explained.verdict()));
        }
        (None, [id]) => lines.push(line(known, topology, *id)),
        _ => lines.extend(troubled(known, topology, &ids)),
    }
    let considered = explained.map(considered).unwrap_or_default();
    Ok(v1::WhyResponse { executors, lines, stale: known.stale, considered })
}

fn nobody(topology: &Deployed, wanted: &str) -> Fault {
    let shape = topology.shape();
    let components = shape.checked().components().iter().map(|it| it.id.as_str());
    let executors: Vec<_> =
        shape.executors().keys().map(|id| format!("{}{id}", show::component(topology, *id))).collect();
    let meant = nearest(wanted, components.chain(executors.iter().map(String::as_str)));
    let meant = meant.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    let cause = format!("topology {} has no executor or component {wanted:?}{meant}", topology.name());
    let next_step = "write an executor as squall describe lists it, like count[3 5], or name a component";
    Fault::new(tonic::Code::NotFound, squall_types::codes::NO_SUCH_COMPONENT, cause, next_step)
}

/// The planner's word on one executor. Only the leader knows how workers are.
fn explain(known: &Known<'_>, name: &TopologyName, id: ExecutorId, now: UnixMillis) -> Option<Explanation> {
    plan::explain(&planner_input(known.state, &known.view?.workers, now), name, id)
}

fn considered(explained: Explanation) -> Vec<v1::Considered> {
    let Explanation { at, candidates, refused, .. } = explained;
    let candidate = |it: Candidate| v1::Considered {
        worker: it.slot.worker.to_string(),
        slot: Some(show::slot(&it.slot)),
        opens: it.opens,
        here: at.as_ref() == Some(&it.slot),
        reason: it.behind.map_or_else(String::new, |behind| behind.to_string()),
    };
    let refused = refused.into_iter().map(|Refused { worker, why }| v1::Considered {
        here: at.as_ref().is_some_and(|at| at.worker == worker),
        worker: worker.to_string(),
        reason: why.to_string(),
        ..v1::Considered::default()
    });
    candidates.into_iter().map(candidate).chain(refused).collect()
}

fn lifecycle(topology: &Deployed) -> String {
    let (name, version) = (topology.name(), topology.current().version);
    match topology.lifecycle() {
        Lifecycle::Active => format!("{name}@{version} is active: it is to run"),
        Lifecycle::Inactive => format!("{name}@{version} is inactive: it keeps its places, and its spouts are stopped"),
        Lifecycle::Killed { stops_at } => {
            format!("{name}@{version} was killed: it keeps its places until {}", stops_at.utc())
        }
    }
}

fn decision(topology: &Deployed) -> Option<String> {
    let assignment = topology.assignment()?;
    let (version, parent) = (assignment.version, assignment.parent);
    Some(format!("assignment {version}, derived from {parent}, decides: what may stay where it is stays"))
}

/// The workers of these executors that aren't open, a line each.
fn troubled(known: &Known<'_>, topology: &Deployed, ids: &[ExecutorId]) -> Vec<String> {
    let (Some(view), Some(assignment)) = (known.view, topology.assignment()) else { return Vec::new() };
    let workers: BTreeSet<_> = ids.iter().filter_map(|id| assignment.places.get(id)).map(|slot| &slot.worker).collect();
    let standing = |worker| Some((worker, view.workers.get(worker)?.standing));
    let troubled = workers.into_iter().filter_map(standing).filter(|(_, standing)| *standing != Standing::Open);
    troubled.map(|(worker, standing)| format!("{worker} {}", standing.words())).collect()
}

fn line(known: &Known<'_>, topology: &Deployed, id: ExecutorId) -> String {
    let component = show::component(topology, id);
    let Some(assignment) = topology.assignment() else {
        return format!("{component}{id}: nothing is decided yet; the leader plans within a second");
    };
    if let Some(reason) = assignment.unplaced.get(&id) {
        return format!("{component}{id}: it has no place: {reason}");
    }
    let Some(slot) = assignment.places.get(&id) else {
        return format!("{component}{id}: it is newer than the assignment; the leader plans within a second");
    };
    let standing = known.view.and_then(|view| view.workers.get(&slot.worker)).map_or("", |seen| seen.standing.words());
    let worker = if standing.is_empty() { String::new() } else { format!("; that worker {standing}") };
    let report = known.view.and_then(|view| view.reported.of(slot, topology.name()));
    let process = report.map_or_else(String::new, |report| format!("; {}", process(report)));
    format!("{component}{id}: it is in slot {slot}{worker}{process}")
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
