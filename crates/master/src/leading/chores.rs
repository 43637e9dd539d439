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

#[cfg(test)]
mod tests {
    use squall_control::Line;
    use squall_types::cluster::FeatureLevel;

    use super::*;
    use crate::testing::{History, blob, id, leading, topology, voters};

    fn due(history: &History, raft: &Status) -> Vec<Chore> {
        chores(&history.state, raft, Supported::newest(), history.now)
    }

    fn after(history: &mut History, seconds: u64) {
        history.now = history.now.plus(Duration::from_secs(seconds));
    }

    #[test]
    fn a_kill_is_finished_once_its_wait_is_over_and_no_sooner() {
        let mut history = History::new(1);
        history.submits("words", None);
        let wait = Some(Duration::from_secs(10));
        history.done(Command::Kill { name: topology("words"), wait });
        after(&mut history, 9);
        assert_eq!(due(&history, &leading(&voters(1))), []);
        after(&mut history, 1);
        assert_eq!(due(&history, &leading(&voters(1))), [Chore::Decide(Command::FinishKill(topology("words")))]);
    }

    #[test]
    fn packages_that_nothing_refers_to_are_collected_together_an_hour_later() {
        let mut history = History::new(1);
        (1..=3).for_each(|byte| history.stores(blob(byte), &[1]));
        history.submits("words", Some(blob(2)));
        assert_eq!(due(&history, &leading(&voters(1))), []);
        after(&mut history, 3_600);
        let collected = Command::CollectBlobs(BTreeSet::from([blob(1), blob(3)]));
        assert_eq!(due(&history, &leading(&voters(1))), [Chore::Decide(collected)]);
    }

    #[test]
    fn the_level_rises_to_what_all_report_and_this_build_understands() {
        let report = |number: u64, level| Command::ReportMember {
            raft_id: id(number),
            name: format!("m{number}").parse().unwrap(),
            address: Line::lossy("m:7400"),
            level: FeatureLevel::new(level),
        };
        let mut history = History::at_level(2, FeatureLevel::new(1));
        history.done(report(1, 9));
        assert_eq!(due(&history, &leading(&voters(2))), []);
        history.done(report(2, 9));
        let raised = Command::RaiseLevel(Supported::NEWEST);
        assert_eq!(due(&history, &leading(&voters(2))), [Chore::Decide(raised)]);
        let old = Supported::level(FeatureLevel::new(1));
        assert_eq!(chores(&history.state, &leading(&voters(2)), old, history.now), []);
    }

    #[test]
    fn a_learner_gets_its_vote_once_it_has_the_log_and_the_packages() {
        let mut history = History::new(3);
        history.stores(blob(1), &[1]);
        let mut raft = leading(&[(1, Standing::Voter), (2, Standing::Learner), (3, Standing::Learner)]);
        assert_eq!(due(&history, &raft), [], "both lack a package");
        history.stores(blob(1), &[2, 3]);
        assert_eq!(due(&history, &raft), [Chore::Promote(id(2))], "one at a time");
        let mut progress = raft.progress.to_vec();
        progress[0].recent_active = false;
        progress[1].matched = squall_types::cluster::Revision::new(1_000 - CLOSE - 1);
        raft.progress = progress.clone().into();
        assert_eq!(due(&history, &raft), [], "one is silent, the other far behind");
        progress[1].matched = squall_types::cluster::Revision::new(1_000 - CLOSE);
        raft.progress = progress.clone().into();
        assert_eq!(due(&history, &raft), [Chore::Promote(id(3))]);
        progress[1].snapshot = true;
        raft.progress = progress.into();
        assert_eq!(due(&history, &raft), [], "what it has is on its way");
    }
}
