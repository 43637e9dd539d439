//! Which workers live: a pure state machine that is told what was heard and what time it is, and says what to ask and what became of whom.
//!
//! Silence is not death. At half the time that a worker may be silent, the leader and up to three live workers ask its daemon and its slots;
//! what they answer decides. A worker of which something answers is *cut off*: it keeps its work. So of three workers two that are dead are
//! made good, and a cut between the masters and all workers moves nothing.
//!
//! Invariants:
//! - a worker is dead only if it was silent for the whole time, nothing of it answered for as long, and a live worker found it silent too;
//! - time in which the detector itself was not called doesn't count against anybody;
//! - after an election each worker has one lease, less the silence that live workers have witnessed; until it is over, it counts as alive;
//! - whoever is suspect is cut off or dead before long: silence that no live worker can witness cuts off, and moves nothing;
//! - whoever leaves by itself has not failed.

mod flaps;
mod probes;
#[cfg(test)]
mod tests;
mod ward;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall_types::cluster::{WorkerIncarnation, WorkerName};

use crate::Fate;
use crate::plan::Standing;
use probes::{Asked, Probes};
use ward::{Verdict, Ward};

/// How workers are watched over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often a worker beats.
    pub heartbeat: Duration,
    /// How long it may be silent.
    pub dead_after: Duration,
    /// How often [`Event::Tick`] comes.
    pub tick: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let millis = Duration::from_millis;
        Self { heartbeat: millis(500), dead_after: millis(3_000), tick: millis(100) }
    }
}

impl Settings {
    /// How long an answer may take, and how far apart a silent worker is asked.
    pub const fn answer_within(&self) -> Duration {
        Duration::from_nanos(self.dead_after.as_nanos() as u64 / 6)
    }
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A worker's daemon said hello, or beat.
    Heard {
        /// The worker.
        worker: WorkerName,
        /// The life of its daemon.
        incarnation: WorkerIncarnation,
        /// Those of its slots that can be asked.
        slots: BTreeSet<u16>,
    },
    /// A worker is on record, and has not been heard: it gets a lease.
    Registered(WorkerName, Known),
    /// A worker said goodbye.
    Left(WorkerName),
    /// A worker's stream ended without a goodbye.
    Closed(WorkerName),
    /// A worker isn't known any more.
    Forgotten(WorkerName),
    /// What came of a probe.
    Probed {
        /// The probe.
        id: ProbeId,
        /// Whether the program answered.
        answered: bool,
    },
    /// A worker says for how long its streams have had nothing from another.
    Witnessed {
        /// Who says it.
        by: WorkerName,
        /// Of whom.
        worker: WorkerName,
        /// For how long.
        silent: Duration,
    },
    /// Time passes.
    Tick,
}

/// A probe's number, never used twice by one detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u64);

/// Who is to ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prober {
    /// The leader itself.
    Leader,
    /// A worker that is heard.
    Worker(WorkerName),
}

/// What of a worker is to be asked. The program must answer, not its machine's kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Its daemon.
    Daemon,
    /// The process in a slot.
    Slot(u16),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask, and report with [`Event::Probed`].
    Probe {
        /// The probe.
        id: ProbeId,
        /// Who is to ask.
        by: Prober,
        /// Whom.
        worker: WorkerName,
        /// What of it.
        target: Target,
        /// How long the answer may take.
        within: Duration,
    },
    /// A worker stands otherwise than before, or has lost other slots: plan anew.
    Changed(WorkerName),
    /// Put on record what became of a worker.
    Became {
        /// The worker.
        worker: WorkerName,
        /// The life of its daemon.
        incarnation: WorkerIncarnation,
        /// What became of it.
        fate: Fate,
    },
    /// Hold new work off a worker that comes and goes.
    Quarantine {
        /// The worker.
        worker: WorkerName,
        /// From now on, for so long.
        lasting: Duration,
        /// How often in a row.
        strikes: u32,
    },
}

/// A worker as it was decided when the detector began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The life of its daemon.
    pub incarnation: WorkerIncarnation,
    /// How often it has been quarantined in a row.
    pub strikes: u32,
}

/// How the detector itself has been doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    /// How often it was called late.
    pub count: u64,
    /// How late, together.
    pub total: Duration,
}

/// Most workers that are asked to ask after one that is silent.
const WITNESSES: usize = 3;
/// Added to all times, so that what was before the election can be told.
const BEFORE: Duration = Duration::from_secs(24 * 60 * 60);

/// Watches over all workers, for as long as one master leads.
#[derive(Clone, Debug)]
pub struct Detector {
    settings: Settings,
    wards: BTreeMap<WorkerName, Ward>,
    probes: Probes,
    called: Duration,
    stalls: Stalls,
}

impl Detector {
    /// Begins to watch. `now` is when the first entry of this leader's term was applied: leases run from there. All times are since a moment
    /// of the caller's choice.
    pub fn new(settings: Settings, now: Duration, known: impl IntoIterator<Item = (WorkerName, Known)>) -> Self {
        let called = now + BEFORE;
        let ward = |(name, known): (WorkerName, Known)| (name, Ward::leased(called, &known));
        let wards = known.into_iter().map(ward).collect();
        Self { settings, wards, probes: Probes::default(), called, stalls: Stalls::default() }
    }

    /// Takes in what happened, and says what is to be done.
    pub fn handle(&mut self, now: Duration, event: Event) -> Vec<Effect> {
        let at = self.felt(now + BEFORE);
        match event {
            Event::Heard { worker, incarnation, slots } => self.heard(at, worker, incarnation, slots),
            Event::Registered(worker, known) => self.registered(at, worker, &known),
            Event::Left(worker) => self.left(&worker),
            Event::Closed(worker) => self.closed(at, &worker),
            Event::Forgotten(worker) => self.forgotten(&worker),
            Event::Probed { id, answered } => self.probed(at, id, answered),
            Event::Witnessed { by, worker, silent } => self.witnessed(at, &by, &worker, silent),
            Event::Tick => self.tick(at),
        }
    }

    /// How a worker stands, apart from what was decided about it.
    pub fn standing(&self, worker: &WorkerName) -> Option<Standing> {
        self.wards.get(worker).map(Ward::standing)
    }

    /// All workers that it watches over.
    pub fn workers(&self) -> impl Iterator<Item = &WorkerName> {
        self.wards.keys()
    }

    /// For how long a worker has not been heard.
    pub fn silent(&self, now: Duration, worker: &WorkerName) -> Option<Duration> {
        let felt = (now + BEFORE).saturating_sub(self.stalls.total);
        self.wards.get(worker).map(|ward| ward.silent(felt))
    }

    /// Slots of a worker whose process is lost while nobody is left there to start it again.
    pub fn lost(&self, worker: &WorkerName) -> BTreeSet<u16> {
        self.wards.get(worker).map(|ward| ward.lost().clone()).unwrap_or_default()
    }

    /// How often, and how late, it was called late.
    pub const fn stalls(&self) -> Stalls {
        self.stalls
    }

    /// The time less that in which nobody called: what workers said in it waits to be heard.
    fn felt(&mut self, now: Duration) -> Duration {
        let gap = now.saturating_sub(self.called);
        self.called = self.called.max(now);
        if gap > self.settings.tick * 2 {
            self.stalls.count += 1;
            self.stalls.total += gap - self.settings.tick;
        }
        self.called - self.stalls.total
    }

    fn heard(
        &mut self,
        at: Duration,
        worker: WorkerName,
        incarnation: WorkerIncarnation,
        slots: BTreeSet<u16>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(ward) = self.wards.get_mut(&worker) else {
            self.wards.insert(worker.clone(), Ward::new(at, incarnation, slots));
            return vec![Effect::Changed(worker)];
        };
        if incarnation < ward.incarnation() {
            return effects;
        }
        let (stood, lost) = (ward.standing(), !ward.lost().is_empty());
        let quarantine = ward.heard(at, incarnation, slots);
        if matches!(stood, Standing::CutOff | Standing::Dead | Standing::Left) {
            effects.push(Effect::Became { worker: worker.clone(), incarnation, fate: Fate::Back });
        }
        if stood != ward.standing() || lost {
            self.probes.drop_of(&worker);
            effects.push(Effect::Changed(worker.clone()));
        }
        let quarantine = quarantine.map(|(lasting, strikes)| Effect::Quarantine { worker, lasting, strikes });
        effects.extend(quarantine);
        effects
    }

    fn registered(&mut self, at: Duration, worker: WorkerName, known: &Known) -> Vec<Effect> {
        if self.wards.contains_key(&worker) {
            return Vec::new();
        }
        self.wards.insert(worker.clone(), Ward::leased(at, known));
        vec![Effect::Changed(worker)]
    }

    fn left(&mut self, worker: &WorkerName) -> Vec<Effect> {
        let Some(ward) = self.wards.get_mut(worker) else { return Vec::new() };
        if !ward.leave() {
            return Vec::new();
        }
        self.probes.drop_of(worker);
        let became = Effect::Became { worker: worker.clone(), incarnation: ward.incarnation(), fate: Fate::Left };
        vec![became, Effect::Changed(worker.clone())]
    }

    fn closed(&mut self, at: Duration, worker: &WorkerName) -> Vec<Effect> {
        if let Some(ward) = self.wards.get_mut(worker) {
            ward.closed(at);
        }
        Vec::new()
    }

    fn forgotten(&mut self, worker: &WorkerName) -> Vec<Effect> {
        self.probes.drop_of(worker);
        self.wards.remove(worker).map(|_| Effect::Changed(worker.clone())).into_iter().collect()
    }

    /// A no counts only from a worker that is itself heard; a yes from anybody.
    fn probed(&mut self, at: Duration, id: ProbeId, answered: bool) -> Vec<Effect> {
        let Some(Asked { by, worker, target, .. }) = self.probes.take(id) else { return Vec::new() };
        let credible = match &by {
            Prober::Leader => false,
            Prober::Worker(name) => self.standing(name) == Some(Standing::Open),
        };
        if let Some(ward) = self.wards.get_mut(&worker) {
            match (answered, credible) {
                (true, _) => ward.answered(at, target),
                (false, true) => ward.denied(target),
                (false, false) => {}
            }
        }
        Vec::new()
    }

    fn witnessed(&mut self, at: Duration, by: &WorkerName, worker: &WorkerName, silent: Duration) -> Vec<Effect> {
        if self.standing(by) == Some(Standing::Open)
            && let Some(ward) = self.wards.get_mut(worker).filter(|_| by != worker)
        {
            ward.witnessed(at.saturating_sub(silent));
        }
        Vec::new()
    }

    fn tick(&mut self, at: Duration) -> Vec<Effect> {
        self.probes.expire(at, self.settings.dead_after);
        let mut effects = Vec::new();
        let mut to_ask = Vec::new();
        for (name, ward) in &mut self.wards {
            let (stood, lost) = (ward.standing(), ward.lost().clone());
            let fate = match ward.tick(at, &self.settings) {
                Verdict::Nothing => None,
                Verdict::CutOff => Some(Fate::CutOff),
                Verdict::Dead => {
                    let silent_ms = u64::try_from(ward.silent(at).as_millis()).unwrap_or(u64::MAX);
                    Some(Fate::Dead { silent_ms })
                }
            };
            let incarnation = ward.incarnation();
            effects.extend(fate.map(|fate| Effect::Became { worker: name.clone(), incarnation, fate }));
            if stood != ward.standing() || lost != *ward.lost() {
                effects.push(Effect::Changed(name.clone()));
            }
            if let Some(round) = ward.round(at, &self.settings) {
                to_ask.push((name.clone(), round, ward.targets()));
            }
        }
        let live: Vec<_> =
            self.wards.iter().filter(|(_, it)| it.standing() == Standing::Open).map(|(name, _)| name.clone()).collect();
        for (worker, round, targets) in to_ask {
            let witnesses = probes::witnesses(&live, &worker, round, WITNESSES).map(Prober::Worker);
            for by in [Prober::Leader].into_iter().chain(witnesses) {
                let within = self.settings.answer_within();
                effects.extend(targets.iter().filter_map(|target| self.probes.ask(at, &by, &worker, *target, within)));
            }
        }
        effects
    }
}
