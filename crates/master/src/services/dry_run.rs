//! What a change would do, without doing it: the change is applied to a copy of the state, and the planner is asked about that.

use std::sync::Arc;

use squall_control::plan::{self, Move};
use squall_control::{Command, Envelope, State};
use squall_proto::v1::{self, plan_request::What};
use squall_types::cluster::TopologyName;
use squall_types::codes;

use super::{read, show};
use crate::core::Core;
use crate::fault::{Answer, Fault};
use crate::leading::planner_input;

/// What would happen.
pub(crate) async fn plan(core: &Arc<Core>, what: What) -> Answer<v1::PlanResponse> {
    let command = command(what)?;
    let view = core.leading()?.view().await?;
    let mut copy = core.read().clone();
    let at = core.env.clock.now();
    let own = core.own();
    let planned_against = copy.revision();
    let ends = match &command {
        Command::Kill { name, .. } => ends(&copy, name),
        _ => Vec::new(),
    };
    let envelope =
        Envelope { request: own.request, at, actor: None, origin: None, expected: None, command: command.clone() };
    copy.apply(planned_against.next(), &envelope).reply?;
    if let Command::Kill { name, .. } = &command {
        finish(core, &mut copy, name)?;
    }
    let plan = plan::plan(&planner_input(&copy, &view.workers, at));
    let mut response = response(planned_against.get(), &copy, &plan);
    response.moves.extend(ends);
    Ok(response)
}

fn command(what: What) -> Answer<Command> {
    Ok(match what {
        What::Submit(header) => {
            let (mut submit, _) = read::submit(header)?;
            // The package comes with the submit itself.
            submit.package = None;
            Command::Submit(Box::new(submit))
        }
        What::Kill(name) => Command::Kill { name: read::parsed("kill", &name)?, wait: Some(std::time::Duration::ZERO) },
        What::Rebalance(request) => Command::Rebalance(read::rebalance(request)?),
        What::Drain(worker) => Command::Drain(read::parsed("drain", &worker)?),
    })
}

/// A killed topology's end, which is what a plan of it is to show.
fn finish(core: &Core, copy: &mut State, name: &TopologyName) -> Answer<()> {
    let at = core.env.clock.now();
    let command = Command::FinishKill(name.clone());
    let envelope = Envelope { request: core.own().request, at, actor: None, origin: None, expected: None, command };
    let revision = copy.revision().next();
    copy.apply(revision, &envelope).reply.map(|_| ()).map_err(Fault::from)
}

/// What a killed topology gives up.
fn ends(state: &State, name: &TopologyName) -> Vec<v1::Move> {
    let Some(topology) = state.topology(name) else { return Vec::new() };
    let executors = show::executors(topology).into_iter().filter(|executor| executor.slot.is_some());
    let end = |executor: v1::Executor| v1::Move {
        topology: name.to_string(),
        component: executor.component,
        first_task: executor.first_task,
        last_task: executor.last_task,
        from: executor.slot,
        to: None,
        reason: "its topology ends".to_owned(),
    };
    executors.map(end).collect()
}

fn response(revision: u64, state: &State, plan: &plan::Plan) -> v1::PlanResponse {
    let mut unplaced = Vec::new();
    for (name, assignment) in &plan.assignments {
        let Some(topology) = state.topology(name) else { continue };
        unplaced.extend(assignment.unplaced.iter().map(|(id, reason)| v1::Executor {
            slot: None,
            reason: Some(show::unplaced(topology, *id, reason)),
            ..show::executor(topology, *id)
        }));
    }
    let concern = |stuck: &plan::Stuck| {
        let why = stuck.why.to_string();
        let (cause, next_step) = why.split_once("; ").unwrap_or((&why, ""));
        v1::Concern {
            health: v1::Health::Amber.into(),
            subject: format!("worker {}", stuck.slot.worker),
            code: codes::UNPLACED.to_string(),
            cause: format!("executor {} of {} would stay there: {cause}", stuck.executor, stuck.topology),
            next_step: next_step.to_owned(),
        }
    };
    v1::PlanResponse {
        revision,
        moves: plan.moves.iter().map(shown).collect(),
        unplaced,
        concerns: plan.stuck.iter().map(concern).collect(),
    }
}

fn shown(change: &Move) -> v1::Move {
    v1::Move {
        topology: change.topology.to_string(),
        component: change.component.as_ref().map_or_else(String::new, ToString::to_string),
        first_task: change.executor.first.get().into(),
        last_task: change.executor.last.get().into(),
        from: change.from.as_ref().map(show::slot),
        to: change.to.as_ref().map(show::slot),
        reason: change.reason.to_string(),
    }
}
