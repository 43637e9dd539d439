//! The failure detector, with what it needs of this master: clocks, addresses to probe, and who can probe them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall_control::detector::{Detector, Effect, Sign, Timing};
use squall_control::plan::Standing;
use squall_control::{Command, Fate, WorkerRecord};
use squall_proto::v1;
use squall_types::cluster::{WorkerIncarnation, WorkerName};
use tokio::time::Instant;

use super::{Seen, Settings};
use crate::core::Core;

/// How many live workers probe a silent one, besides the leader.
const PROBERS: usize = 3;
/// How many probes under way are remembered.
const UNDER_WAY: usize = 16_384;

/// Something that may answer for a silent worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub worker: WorkerName,
    /// `host:port`.
    pub address: String,
}

/// All workers, watched over.
pub(super) struct Wards {
    detector: Detector,
    began: Instant,
    timing: Timing,
    incarnations: BTreeMap<WorkerName, WorkerIncarnation>,
    /// Where slots answer, by worker.
    slots: BTreeMap<WorkerName, BTreeSet<String>>,
    connected: BTreeSet<WorkerName>,
    probed: BTreeMap<u64, WorkerName>,
    last_probe: u64,
    targets: Vec<Target>,
    commands: Vec<Command>,
    /// Penalties to be put on record, as soon as the time is known.
    quarantines: Vec<(WorkerName, Duration)>,
    changed: bool,
}

impl Wards {
    pub(super) fn new(core: &Core, settings: Settings) -> Self {
        let timing = Timing { heartbeat: settings.heartbeat, dead_after: settings.dead_after };
        let state = core.read();
        let known = state.workers().iter();
        let incarnations =
            known.clone().map(|(name, worker)| (name.clone(), worker.registration.incarnation)).collect();
        let detector = Detector::new(timing, known.map(|(name, _)| (name.clone(), Duration::ZERO)));
        Self {
            detector,
            began: Instant::now(),
            timing,
            incarnations,
            slots: BTreeMap::new(),
            connected: BTreeSet::new(),
            probed: BTreeMap::new(),
            last_probe: 0,
            targets: Vec::new(),
            commands: Vec::new(),
            quarantines: Vec::new(),
            changed: true,
        }
    }

    fn clock(&self, now: Instant) -> Duration {
        Detector::began(self.timing) + now.saturating_duration_since(self.began)
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
        let addresses = reports.iter().map(|report| report.address.clone()).filter(|address| !address.is_empty());
        self.slots.insert(worker.clone(), addresses.collect());
        self.signed(now, worker, Sign::Beat);
    }

    /// A probe that this master has asked a worker to carry out.
    pub(super) fn probed(&mut self, now: Instant, id: u64, answered: bool) {
        if let (Some(worker), true) = (self.probed.remove(&id), answered) {
            self.signed(now, &worker, Sign::Answered);
        }
    }

    /// A probe that this master has carried out itself has been answered.
    pub(super) fn answered(&mut self, now: Instant, worker: &WorkerName) {
        self.signed(now, worker, Sign::Answered);
    }

    pub(super) fn left(&mut self, now: Instant, worker: &WorkerName) {
        self.signed(now, worker, Sign::Goodbye);
    }

    /// Its stream has ended. Silence will tell whether it is a failure.
    pub(super) fn closed(&mut self, worker: &WorkerName) {
        self.connected.remove(worker);
    }

    fn signed(&mut self, now: Instant, worker: &WorkerName, sign: Sign) {
        let before = self.detector.standing(worker);
        let clock = self.clock(now);
        let effects = self.detector.sign(clock, worker, sign);
        self.carry_out(now, effects, before);
    }

    pub(super) fn tick(&mut self, now: Instant, core: &Core) {
        self.keep_up(now, core);
        let clock = self.clock(now);
        let effects = self.detector.tick(clock);
        self.carry_out(now, effects, None);
        self.put_on_record(core);
        let silent: Vec<_> = std::mem::take(&mut self.targets);
        for target in silent {
            self.aim(core, &target.worker);
        }
    }

    /// Workers that the log lists and nobody has heard of here, and those that it lists no more.
    fn keep_up(&mut self, now: Instant, core: &Core) {
        let state = core.read();
        let clock = self.clock(now);
        for name in state.workers().keys() {
            if self.detector.standing(name).is_none() {
                self.detector.registered(clock, name.clone());
                self.changed = true;
            }
        }
        let forgotten: Vec<_> = self
            .detector
            .all(clock)
            .map(|(name, ..)| name.clone())
            .filter(|name| state.worker(name).is_none())
            .collect();
        for name in forgotten.iter().filter(|name| !self.connected.contains(*name)) {
            self.detector.forgotten(name);
            self.slots.remove(name);
            self.changed = true;
        }
    }

    fn carry_out(&mut self, now: Instant, effects: Vec<Effect>, before: Option<Standing>) {
        for effect in effects {
            match effect {
                Effect::Probe(worker) => self.targets.push(Target { worker, address: String::new() }),
                Effect::Quarantine(worker, delay) => self.quarantines.push((worker, delay)),
                Effect::Stands(worker, standing) => {
                    self.changed = true;
                    let fate = self.fate(now, &worker, standing, before);
                    let incarnation = self.incarnations.get(&worker).copied();
                    if let Some((fate, incarnation)) = fate.zip(incarnation) {
                        self.commands.push(Command::RecordWorkers(vec![WorkerRecord { worker, incarnation, fate }]));
                    }
                }
            }
        }
    }

    fn fate(&self, now: Instant, worker: &WorkerName, standing: Standing, before: Option<Standing>) -> Option<Fate> {
        let clock = self.clock(now);
        let silent = || self.detector.all(clock).find(|(name, ..)| *name == worker).map(|(.., silent)| silent);
        match standing {
            Standing::Dead => {
                let silent_ms = u64::try_from(silent()?.as_millis()).unwrap_or(u64::MAX);
                Some(Fate::Dead { silent_ms })
            }
            Standing::CutOff => Some(Fate::CutOff),
            Standing::Left => Some(Fate::Left),
            Standing::Open => matches!(before, Some(Standing::Dead | Standing::CutOff)).then_some(Fate::Back),
            Standing::Quarantined | Standing::Draining | Standing::Unheard | Standing::Suspect => None,
        }
    }

    fn put_on_record(&mut self, core: &Core) {
        for (worker, delay) in std::mem::take(&mut self.quarantines) {
            let strikes = core.read().worker(&worker).and_then(|it| it.quarantine).map_or(0, |it| it.strikes);
            let until = Some(core.env.clock.now().plus(delay));
            self.commands.push(Command::Quarantine { worker, until, strikes: strikes.saturating_add(1) });
        }
    }

    /// The daemon of a silent worker, and each of its slots.
    fn aim(&mut self, core: &Core, worker: &WorkerName) {
        let daemon = core.read().worker(worker).map(|it| it.registration.address.to_string());
        let slots = self.slots.get(worker).cloned().unwrap_or_default();
        let addresses = daemon.into_iter().chain(slots).filter(|address| !address.is_empty());
        self.targets.extend(addresses.map(|address| Target { worker: worker.clone(), address }));
    }

    /// What this master probes itself.
    pub(super) fn take_targets(&mut self) -> Vec<Target> {
        std::mem::take(&mut self.targets)
    }

    /// Who of the live workers probes the same, and with which message.
    pub(super) fn probes(&mut self, now: Instant, targets: &[Target]) -> Vec<(WorkerName, v1::Probe)> {
        let clock = self.clock(now);
        let open = self
            .detector
            .all(clock)
            .filter(|(name, standing, _)| *standing == Standing::Open && self.connected.contains(*name));
        let probers: Vec<WorkerName> = open.map(|(name, ..)| name.clone()).take(PROBERS).collect();
        let timeout_ms = u64::try_from(self.timing.heartbeat.as_millis()).unwrap_or(u64::MAX);
        let mut probes = Vec::new();
        for target in targets {
            for prober in &probers {
                self.last_probe += 1;
                self.probed.insert(self.last_probe, target.worker.clone());
                let probe = v1::Probe { id: self.last_probe, address: target.address.clone(), timeout_ms };
                probes.push((prober.clone(), probe));
            }
        }
        // Old ones that nobody answered are no witnesses of anything any more.
        while self.probed.len() > UNDER_WAY {
            self.probed.pop_first();
        }
        probes
    }

    pub(super) fn commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn seen(&self, now: Instant) -> BTreeMap<WorkerName, Seen> {
        let seen = self.detector.all(self.clock(now)).map(|(name, standing, silent)| {
            // What became of single slots is for their worker to say, and for nobody once it is gone.
            (name.clone(), Seen { standing, silent, lost: BTreeSet::new() })
        });
        seen.collect()
    }
}
