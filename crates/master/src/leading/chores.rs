//! What a leader finishes that was begun: kills whose wait is over, packages that nothing refers to, members that have caught up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use squall_control::{Command, State, Supported};
use squall_raft::{Standing, Status};
use squall_types::cluster::{RaftId, UnixMillis};
use tokio::time::MissedTickBehavior;

use crate::core::Core;

/// How often the leader looks for something to do.
const ROUND: Duration = Duration::from_millis(200);
/// A learner this close to the leader has caught up.
const CLOSE: u64 = 64;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Have this decided.
    Decide(Command),
    /// Give this learner a vote.
    Promote(RaftId),
}

/// What there is to do. At most one change of the members at a time.
pub(crate) fn chores(state: &State, raft: &Status, supported: Supported, now: UnixMillis) -> Vec<Chore> {
    let mut chores: Vec<_> = state.finished(now).map(|name| Chore::Decide(Command::FinishKill(name.clone()))).collect();
    let collectable: BTreeSet<_> = state.collectable_blobs(now).collect();
    if !collectable.is_empty() {
        chores.push(Chore::Decide(Command::CollectBlobs(collectable)));
    }
    let level = state.reported_level().min(supported.get());
    if level > state.level() {
        chores.push(Chore::Decide(Command::RaiseLevel(level)));
    }
    chores.extend(learner(state, raft).map(Chore::Promote));
    chores
}

/// A learner that has all of the log and all packages.
fn learner(state: &State, raft: &Status) -> Option<RaftId> {
    let mut learners =
        raft.members.iter().filter(|(_, standing)| *standing == Standing::Learner).map(|(member, _)| member.id);
    learners.find(|id| {
        let progress = raft.progress.iter().find(|it| it.id == *id && it.recent_active && !it.snapshot);
        let close = progress.is_some_and(|it| it.matched.get() + CLOSE >= raft.commit.get());
        close && state.missing_blobs(*id).next().is_none()
    })
}

/// Does chores until it is dropped.
pub(crate) async fn run(core: Arc<Core>, supported: Supported) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let due = {
            let raft = core.log.status().borrow().clone();
            let now = core.own_time();
            chores(&core.read(), &raft, supported, now)
        };
        for chore in due {
            self::due(&core, chore).await;
        }
    }
}

async fn due(core: &Core, chore: Chore) {
    match chore {
        Chore::Decide(command) => {
            if let Err(fault) = core.decide(core.own(), command).await {
                let failure = fault.failure();
                tracing::debug!(code = %failure.code, "a chore is put off: {}", failure.cause);
            }
        }
        Chore::Promote(id) => match core.log.promote(id).await {
            Ok(_) => tracing::info!("{id} has caught up, and has a vote now"),
            Err(error) => tracing::debug!(code = %error.code(), "{id} isn't promoted yet: {error}"),
        },
    }
}
