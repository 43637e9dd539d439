//! Plans whenever something changed that plans are made from, checks what came out, and has it decided.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use squall_control::check::check;
use squall_control::plan::{self, Input, Plan, Standing, Stuck};
use squall_control::{Admin, Assign, Assignment, Command, Deployed, State, What};
use squall_types::cluster::{Revision, TopologyName, UnixMillis, WorkerName};
use squall_types::codes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Seen;
use crate::core::Core;
use crate::fault::Answer;
use crate::metrics::Kind;

/// What the planner has done last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    /// The last wish for a plan that it has seen to.
    pub asked: u64,
    /// Rules that the last plan broke.
    pub broken: Vec<String>,
    /// Executors that should leave a worker which is being drained, and can't.
    pub stuck: Vec<Stuck>,
}

/// How long after a plan that wasn't decided the next is made.
const AGAIN: Duration = Duration::from_millis(200);

/// Makes plans while this master leads.
pub(crate) struct Planner {
    core: Arc<Core>,
    seen: watch::Receiver<Arc<BTreeMap<WorkerName, Seen>>>,
    wants: watch::Receiver<u64>,
    done: watch::Sender<Done>,
}

impl Planner {
    pub(super) fn new(
        core: Arc<Core>,
        seen: watch::Receiver<Arc<BTreeMap<WorkerName, Seen>>>,
        wants: watch::Receiver<u64>,
        done: watch::Sender<Done>,
    ) -> Self {
        Self { core, seen, wants, done }
    }

    /// Plans until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut applied = self.core.shared.applied();
        // The first event that no plan has seen; none: everything is to be looked at.
        let mut unseen = None;
        loop {
            let asked = *self.wants.borrow_and_update();
            applied.mark_unchanged();
            let workers_changed = self.seen.has_changed().unwrap_or(false);
            let from = unseen.replace(self.core.read().revision().next());
            let again = (workers_changed || self.is_due(from)) && self.plan_once().await;
            self.done.send_if_modified(|done| std::mem::replace(&mut done.asked, asked) != asked);
            if again {
                unseen = None;
                // What stood in the way is gone soon, or this master leads no more.
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            tokio::select! {
                _ = applied.changed() => {}
                _ = self.seen.changed() => self.seen.mark_changed(),
                _ = self.wants.changed() => {}
            }
        }
    }

    /// Whether something has happened since that plans are made from.
    fn is_due(&self, from: Option<Revision>) -> bool {
        let state = self.core.read();
        let Some(Ok(mut events)) = from.map(|from| state.events_since(from)) else { return true };
        events.any(|event| calls_for_a_plan(&event.what))
    }

    /// Makes a plan and has it decided. Whether it has to be made again.
    async fn plan_once(&mut self) -> bool {
        let seen = self.seen.borrow_and_update().clone();
        let now = self.core.own_time();
        let (input, planned_at) = {
            let state = self.core.read();
            (input(&state, &seen, now), state.revision())
        };
        let begun = Instant::now();
        let plan = plan::plan(&input);
        self.core.metrics.plan_seconds.observe(begun.elapsed().as_secs_f64());
        let broken = broken(&input, &plan);
        let is_broken = !broken.is_empty();
        for rule in &broken {
            tracing::error!(code = %codes::PLAN_BREAKS_RULES, "a plan breaks a rule and is not carried out: {rule}");
        }
        self.done.send_if_modified(|done| {
            let same = done.broken == broken && done.stuck == plan.stuck;
            (done.broken, done.stuck) = (broken, plan.stuck.clone());
            !same
        });
        let became = |kind| self.core.metrics.plans.get_or_create(&Kind { kind }).inc();
        if plan.is_empty() || is_broken {
            became(if is_broken { "refused" } else { "unchanged" });
            return false;
        }
        let assignments = in_line(&self.core.read(), plan.assignments);
        let assign = Assign { planned_at, assignments };
        let again = self.decide(assign).await.is_err();
        became(if again { "stale" } else { "committed" });
        again
    }

    async fn decide(&self, assign: Assign) -> Answer<()> {
        let decided = self.core.decide(self.core.own(), Command::Assign(assign)).await;
        if let Err(fault) = &decided {
            let failure = fault.failure();
            tracing::debug!(code = %failure.code, "a plan was not decided: {}", failure.cause);
        }
        decided.map(|_| ())
    }
}

/// The rules that a plan breaks, in words.
fn broken(input: &Input, plan: &Plan) -> Vec<String> {
    check(input, plan).iter().map(ToString::to_string).collect()
}

/// Whether plans may come out otherwise after this.
const fn calls_for_a_plan(what: &What) -> bool {
    match what {
        What::TopologySubmitted { .. }
        | What::TopologyRebalanced { .. }
        | What::TopologyForgotten(_)
        | What::WorkerRegistered { .. }
        | What::WorkerDraining(_)
        | What::WorkerOpened(_)
        | What::WorkerForgotten(_)
        | What::WorkerQuarantined { .. }
        | What::WorkerReleased(_)
        | What::EpochBegun { .. } => true,
        What::TopologyActivated(_)
        | What::TopologyDeactivated(_)
        | What::TopologyKilled { .. }
        | What::TopologyAssigned { .. }
        | What::WorkerFate { .. }
        | What::MasterJoined { .. }
        | What::MasterVote { .. }
        | What::MasterLeft { .. }
        | What::MasterReported { .. }
        | What::BlobStored { .. }
        | What::BlobCollected(_)
        | What::TokenCreated { .. }
        | What::TokenRevoked { .. }
        | What::LevelRaised(_)
        | What::Audited(_) => false,
    }
}

/// Assignments that follow those which the state has: the first of a topology follows the last of its namesake that was forgotten.
fn in_line(state: &State, mut assignments: BTreeMap<TopologyName, Assignment>) -> BTreeMap<TopologyName, Assignment> {
    for (name, assignment) in &mut assignments {
        if let Some(topology) = state.topology(name).filter(|it| it.assignment().is_none()) {
            assignment.parent = topology.parent();
            assignment.version = topology.parent().next();
        }
    }
    assignments
}

/// What a plan is made from: what was decided, and how workers are.
pub(crate) fn input(state: &State, seen: &BTreeMap<WorkerName, Seen>, now: UnixMillis) -> Input {
    let workers =
        state.workers().iter().map(|(name, worker)| (name.clone(), planned_worker(worker, seen.get(name), now)));
    let topologies = state.topologies().iter().map(|(name, topology)| (name.clone(), planned_topology(topology)));
    Input { workers: workers.collect(), topologies: topologies.collect::<BTreeMap<TopologyName, _>>() }
}

fn planned_worker(worker: &squall_control::Worker, seen: Option<&Seen>, now: UnixMillis) -> plan::Worker {
    let registration = &worker.registration;
    plan::Worker {
        slots: registration.slots,
        cpu_percent: registration.capacity.cpu_percent.into(),
        memory_mib: registration.capacity.memory_mib,
        tags: registration.tags.iter().map(ToString::to_string).collect(),
        zone: registration.zone.to_string(),
        standing: standing(worker, seen, now),
        lost: seen.map(|seen| seen.lost.clone()).unwrap_or_default(),
    }
}

/// How a worker stands: how it is comes first, then what was decided about it.
pub(super) fn standing(worker: &squall_control::Worker, seen: Option<&Seen>, now: UnixMillis) -> Standing {
    let is = seen.map_or(Standing::Unheard, |seen| seen.standing);
    match (is, worker.admin) {
        (Standing::Open | Standing::Quarantined, Admin::Draining) => Standing::Draining,
        (Standing::Open, Admin::Open) if worker.quarantine.is_some_and(|it| now < it.until) => Standing::Quarantined,
        (is, _) => is,
    }
}

fn planned_topology(topology: &Deployed) -> plan::Topology {
    let options = topology.options();
    let options = plan::Options {
        max_slots: options.max_slots.unwrap_or(0),
        anti_affinity: options.anti_affinity.clone(),
        hard_cpu: options.hard_cpu,
        hard_memory: options.hard_memory,
    };
    let mut planned = plan::Topology::new(topology.shape().checked(), topology.current().version, options);
    planned.evenly = topology.evenly_since().is_some();
    planned.current = topology.assignment().map(|it| (**it).clone());
    planned
}
