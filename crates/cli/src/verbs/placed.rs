//! Executors and their places, as several verbs show them.

use serde_json::{Value, json};
use squall_proto::v1;

use super::answer;
use crate::output::{Table, slot};

/// An executor as Storm writes it, as `count[3 5]`.
pub fn named(component: &str, first: u32, last: u32) -> String {
    format!("{component}[{first} {last}]")
}

/// Executors with their places. Those that have none are named below, with why.
pub fn executors(executors: &[v1::Executor]) -> String {
    let mut table = Table::new(["EXECUTOR", "PLACE"]);
    for it in executors {
        table.row([named(&it.component, it.first_task, it.last_task), slot(it.slot.as_ref())]);
    }
    let missing: Vec<_> = executors.iter().filter(|it| it.slot.is_none()).cloned().collect();
    table.text("no executors") + &unplaced(&missing)
}

/// The processes of a topology, and what there is to say of them.
pub fn processes(slots: &[v1::SlotStatus]) -> String {
    let mut table = Table::new(["SLOT", "PROCESS", "PID", "ADDRESS", "FAILED"]);
    for it in slots {
        let pid = if it.pid == 0 { "-".to_owned() } else { it.pid.to_string() };
        let address = if it.address.is_empty() { "-" } else { &it.address };
        table.row([slot(it.slot.as_ref()), state(it).to_owned(), pid, address.to_owned(), it.failures.to_string()]);
    }
    let said = slots.iter().filter(|it| !it.text.is_empty());
    let said: String = said.map(|it| format!("{}: {}\n", slot(it.slot.as_ref()), it.text)).collect();
    if slots.is_empty() { said } else { table.text("") + &said }
}

fn state(status: &v1::SlotStatus) -> &'static str {
    match status.state() {
        v1::SlotState::Unspecified => "unheard",
        v1::SlotState::Starting => "starting",
        v1::SlotState::Running => "running",
        v1::SlotState::Stopping => "stopping",
        v1::SlotState::Exited => "exited",
        v1::SlotState::Waiting => "waiting",
        v1::SlotState::Kept => "kept",
    }
}

/// A process as JSON.
pub fn process(it: &v1::SlotStatus) -> Value {
    json!({
        "slot": it.slot.as_ref().map(place), "state": state(it), "pid": it.pid, "address": it.address,
        "incarnation": it.incarnation, "failures": it.failures, "assignment_version": it.assignment_version, "text": it.text,
    })
}

/// Those that aren't placed, by reason, with what to do; nothing if all are.
pub fn unplaced(executors: &[v1::Executor]) -> String {
    let mut reasons: Vec<(v1::Concern, Vec<String>)> = Vec::new();
    for it in executors {
        let (reason, name) = (it.reason.clone().unwrap_or_default(), named(&it.component, it.first_task, it.last_task));
        let same = |(known, _): &&mut (v1::Concern, Vec<String>)| {
            (&known.cause, &known.next_step) == (&reason.cause, &reason.next_step)
        };
        match reasons.iter_mut().find(same) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    reasons.iter().map(|(reason, names)| without_place(reason, names)).collect()
}

fn without_place(reason: &v1::Concern, names: &[String]) -> String {
    const SHOWN: usize = 3;
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    let shown = names[..names.len().min(SHOWN)].join(", ");
    let why = if reason.cause.is_empty() { "the leader has not planned yet" } else { &reason.cause };
    let next = if reason.next_step.is_empty() { String::new() } else { format!("  next: {}\n", reason.next_step) };
    format!("not placed: {shown}{more}: {why}\n{next}")
}

/// An executor as JSON.
pub fn executor(it: &v1::Executor) -> Value {
    json!({
        "component": it.component, "first_task": it.first_task, "last_task": it.last_task,
        "slot": it.slot.as_ref().map(place), "reason": it.reason.as_ref().map(answer::concern),
    })
}

/// A place as JSON.
pub fn place(slot: &v1::Slot) -> Value {
    json!({ "worker": slot.worker, "number": slot.number })
}
