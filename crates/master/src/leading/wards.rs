//! stand-in
use super::{Seen, Settings};
use crate::core::Core;
use squall_control::Command;
use squall_control::plan::Standing;
use squall_proto::v1;
use squall_types::cluster::{WorkerIncarnation, WorkerName};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

pub(super) struct Wards {
    heard: BTreeMap<WorkerName, (Instant, Standing)>,
    settings: Settings,
    changed: bool,
}
impl Wards {
    pub(super) fn new(core: &Core, settings: Settings) -> Self {
        let now = Instant::now();
        Self {
            heard: core.read().workers().keys().map(|n| (n.clone(), (now, Standing::Unheard))).collect(),
            settings,
            changed: true,
        }
    }
    pub(super) fn attached(&mut self, now: Instant, worker: &WorkerName, _: WorkerIncarnation, _: &[v1::SlotReport]) {
        self.set(worker, now, Standing::Open);
    }
    pub(super) fn beat(&mut self, now: Instant, worker: &WorkerName, _: &[v1::SlotReport]) {
        self.set(worker, now, Standing::Open);
    }
    fn set(&mut self, worker: &WorkerName, now: Instant, standing: Standing) {
        let before = self.heard.insert(worker.clone(), (now, standing));
        self.changed |= before.is_none_or(|b| b.1 != standing);
    }
    pub(super) fn probed(&mut self, _: Instant, _: &WorkerName, _: u64, _: bool) {}
    pub(super) fn left(&mut self, now: Instant, worker: &WorkerName) {
        self.set(worker, now, Standing::Left);
    }
    pub(super) fn closed(&mut self, _: Instant, _: &WorkerName) {}
    pub(super) fn tick(&mut self, now: Instant, _: &Core) {
        let dead = self.settings.dead_after;
        for (at, s) in self.heard.values_mut() {
            if *s != Standing::Dead && *s != Standing::Left && now - *at > dead {
                *s = Standing::Dead;
                self.changed = true;
            }
        }
    }
    pub(super) fn probes(&mut self) -> Vec<(WorkerName, v1::Probe)> {
        Vec::new()
    }
    pub(super) fn commands(&mut self) -> Vec<Command> {
        Vec::new()
    }
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
    pub(super) fn seen(&self, now: Instant) -> BTreeMap<WorkerName, Seen> {
        self.heard
            .iter()
            .map(|(n, (at, s))| {
                (n.clone(), Seen { standing: *s, silent: now.saturating_duration_since(*at), lost: BTreeSet::new() })
            })
            .collect()
    }
    #[allow(dead_code)]
    fn x(_: Duration) {}
}
