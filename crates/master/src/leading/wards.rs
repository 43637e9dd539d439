//! The failure detector, with what it needs of this master: clocks, addresses to probe, and who can probe them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall_control::detector::{self, Detector, Effect, Event, Known, ProbeId, Prober};
use squall_control::{Command, WorkerRecord};
use squall_proto::v1;
use squall_types::cluster::{WorkerIncarnation, WorkerName};
use tokio::time::Instant;

use super::Reported;
use super::watch::TICK;
use super::{Seen, Settings, Witnessed};
use crate::core::Core;

/// Something to be probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub id: u64,
    pub by: Prober,
    /// `host:port`.
    pub address: String,
    pub within: Duration,
}

/// All workers, watched over.
pub(super) struct Wards {
    detector: Detector,
    began: Instant,
    incarnations: BTreeMap<WorkerName, WorkerIncarnation>,
    connected: BTreeSet<WorkerName>,
    /// What the detector wants done, and hasn't been seen to yet.
    effects: Vec<Effect>,
    probes: Vec<Probe>,
    commands: Vec<Command>,
    forgotten: Vec<WorkerName>,
    changed: bool,
}

impl Wards {
    pub(super) fn new(core: &Core, settings: Settings) -> Self {
        let settings =
            detector::Settings { heartbeat: settings.heartbeat, dead_after: settings.dead_after, tick: TICK };
        let known: Vec<_> = core.read().workers().iter().map(|(name, worker)| (name.clone(), known(worker))).collect();
        Self {
            detector: Detector::new(settings, Duration::ZERO, known),
            began: Instant::now(),
            incarnations: BTreeMap::new(),
            connected: BTreeSet::new(),
            effects: Vec::new(),
            probes: Vec::new(),
            commands: Vec::new(),
            forgotten: Vec::new(),
            changed: true,
        }
    }

    fn tell(&mut self, now: Instant, event: Event) {
        let effects = self.detector.handle(now.saturating_duration_since(self.began), event);
        self.changed |= effects.iter().any(|effect| matches!(effect, Effect::Changed(_)));
        self.effects.extend(effects);
    }

    pub(super) fn attached(
        &mut self,
        now: Instant,
        worker: &WorkerName,
        incarnation: WorkerIncarnation,
        reports: &[v1::SlotReport],
    ) {
        self.incarnations.insert(worker.clone(), incarnation);
        self.connected.insert(worker.clone());
        self.beat(now, worker, reports);
    }

    pub(super) fn beat(&mut self, now: Instant, worker: &WorkerName, reports: &[v1::SlotReport]) {
        let answering = reports.iter().filter(|report| !report.address.is_empty());
        let numbers = answering.filter_map(|report| u16::try_from(report.number).ok()).collect();
        let incarnation = self.incarnations.get(worker).copied().unwrap_or_default();
        self.tell(now, Event::Heard { worker: worker.clone(), incarnation, slots: numbers });
    }

    /// A worker says for how long it has had nothing from others.
    pub(super) fn witnessed(&mut self, now: Instant, by: &WorkerName, witnessed: Vec<Witnessed>) {
        for Witnessed { worker, silent } in witnessed {
            self.tell(now, Event::Witnessed { by: by.clone(), worker, silent });
        }
    }

    /// What came of a probe, whoever carried it out.
    pub(super) fn probed(&mut self, now: Instant, id: u64, answered: bool) {
        self.tell(now, Event::Probed { id: ProbeId(id), answered });
    }

    pub(super) fn left(&mut self, now: Instant, worker: &WorkerName) {
        self.tell(now, Event::Left(worker.clone()));
    }

    /// Its stream has ended.
    pub(super) fn closed(&mut self, now: Instant, worker: &WorkerName) {
        self.connected.remove(worker);
        self.tell(now, Event::Closed(worker.clone()));
    }

    pub(super) fn tick(&mut self, now: Instant, core: &Core) {
        self.keep_up(now, core);
        self.tell(now, Event::Tick);
    }

    /// Workers that the log lists and nobody has heard of here, and those that it lists no more.
    fn keep_up(&mut self, now: Instant, core: &Core) {
        let (new, forgotten): (Vec<_>, Vec<_>) = {
            let state = core.read();
            let new = state.workers().iter().filter(|(name, _)| self.detector.standing(name).is_none());
            let watched = self.detector.workers().filter(|name| !self.connected.contains(*name));
            (
                new.map(|(name, worker)| (name.clone(), known(worker))).collect(),
                watched.filter(|name| state.worker(name).is_none()).cloned().collect(),
            )
        };
        for (worker, known) in new {
            self.tell(now, Event::Registered(worker, known));
        }
        for worker in forgotten {
            self.incarnations.remove(&worker);
            self.forgotten.push(worker.clone());
            self.tell(now, Event::Forgotten(worker));
        }
    }

    /// Sees to what the detector wants done.
    pub(super) fn carry_out(&mut self, core: &Core, reported: &Reported) {
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Changed(_) => {}
                Effect::Probe { id, by, worker, target, within } => {
                    let address = match target {
                        detector::Target::Daemon => {
                            core.read().worker(&worker).map(|it| it.registration.address.to_string())
                        }
                        detector::Target::Slot(number) => reported.address(&worker, number).map(str::to_owned),
                    };
                    let address = address.filter(|address| !address.is_empty());
                    self.probes.extend(address.map(|address| Probe { id: id.0, by, address, within }));
                }
                Effect::Became { worker, incarnation, fate } => {
                    self.commands.push(Command::RecordWorkers(vec![WorkerRecord { worker, incarnation, fate }]));
                }
                Effect::Quarantine { worker, lasting, strikes } => {
                    let until = Some(core.own_time().plus(lasting));
                    self.commands.push(Command::Quarantine { worker, until, strikes });
                }
            }
        }
    }

    /// Workers that are none any more.
    pub(super) fn take_forgotten(&mut self) -> Vec<WorkerName> {
        std::mem::take(&mut self.forgotten)
    }

    pub(super) fn take_probes(&mut self) -> Vec<Probe> {
        std::mem::take(&mut self.probes)
    }

    pub(super) fn commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn seen(&self, now: Instant) -> BTreeMap<WorkerName, Seen> {
        let now = now.saturating_duration_since(self.began);
        let seen = |name: &WorkerName| {
            let (standing, silent) = (self.detector.standing(name)?, self.detector.silent(now, name)?);
            Some((name.clone(), Seen { standing, silent, lost: self.detector.lost(name) }))
        };
        self.detector.workers().filter_map(seen).collect()
    }
}

fn known(worker: &squall_control::Worker) -> Known {
    Known {
        incarnation: worker.registration.incarnation,
        strikes: worker.quarantine.map_or(0, |quarantine| quarantine.strikes),
    }
}
