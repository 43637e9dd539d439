//! Keeps the gauges that monitoring reads near what is.

use std::sync::Arc;
use std::time::Duration;

use squall_control::Lifecycle;
use squall_control::plan::Standing;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::core::{Core, Leader};
use crate::http::Readiness;
use crate::leading::View;
use crate::metrics::{Kind, Metrics};

/// How often.
const ROUND: Duration = Duration::from_secs(1);

/// Keeps gauges until it is dropped.
pub(super) async fn keep(core: Arc<Core>, metrics: Metrics) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let leading = core.leading.borrow().clone();
        let view = match leading {
            Some(leading) => leading.view().await.ok(),
            None => None,
        };
        set(&core, &metrics, view.as_ref());
    }
}

fn set(core: &Core, metrics: &Metrics, view: Option<&View>) {
    let raft = core.log.status().borrow().clone();
    let here = core.blobs.list();
    let state = core.read();
    let counts = state.counts();
    metrics.leader.set((*core.leader.borrow() == Leader::Here).into());
    metrics.term.set(whole(raft.term.get()));
    metrics.committed.set(whole(raft.commit.get()));
    metrics.applied.set(whole(raft.applied.get()));
    let others_alive = raft.progress.iter().filter(|it| it.id != core.me.id && it.recent_active).count();
    if view.is_some() {
        kind(&metrics.masters, "alive", others_alive + 1);
        kind(&metrics.masters, "silent", counts.members.saturating_sub(others_alive + 1));
    }
    for (name, standing) in [
        ("alive", &[Standing::Open, Standing::Quarantined, Standing::Draining][..]),
        ("unheard", &[Standing::Unheard]),
        ("suspect", &[Standing::Suspect]),
        ("cut_off", &[Standing::CutOff]),
        ("dead", &[Standing::Dead]),
        ("left", &[Standing::Left]),
    ] {
        let among =
            view.map_or(0, |view| view.workers.values().filter(|seen| standing.contains(&seen.standing)).count());
        kind(&metrics.workers, name, among);
    }
    let phase = |wanted: fn(Lifecycle) -> bool| state.topologies().values().filter(|it| wanted(it.lifecycle())).count();
    kind(&metrics.topologies, "active", phase(|it| it == Lifecycle::Active));
    kind(&metrics.topologies, "inactive", phase(|it| it == Lifecycle::Inactive));
    kind(&metrics.topologies, "killed", phase(|it| matches!(it, Lifecycle::Killed { .. })));
    kind(&metrics.executors, "placed", counts.placed);
    kind(&metrics.executors, "unplaced", counts.executors.saturating_sub(counts.placed));
    metrics.blobs.set(whole(here.len() as u64));
    metrics.blob_bytes.set(whole(here.iter().map(|kept| kept.size).sum()));
    let missing = state.blobs().keys().filter(|id| !here.iter().any(|kept| kept.id == **id)).count();
    metrics.blobs_missing.set(whole(missing as u64));
}

fn kind(
    family: &prometheus_client::metrics::family::Family<Kind, prometheus_client::metrics::gauge::Gauge>,
    kind: &'static str,
    count: usize,
) {
    family.get_or_create(&Kind { kind }).set(whole(count as u64));
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Says whether calls are answered: once somebody leads.
pub(super) async fn tell_readiness(core: Arc<Core>, readiness: watch::Sender<Readiness>) {
    let mut leader = core.leader.clone();
    loop {
        let now = match &*leader.borrow_and_update() {
            Leader::Here | Leader::There { .. } => Readiness::Ready,
            Leader::Nobody => Readiness::NotReady { reason: "no master leads".to_owned() },
        };
        readiness.send_replace(now);
        if leader.changed().await.is_err() {
            return;
        }
    }
}
