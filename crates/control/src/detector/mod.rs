//! Which workers are alive, as the leader can know it: from heartbeats, and from what others get out of a worker that is silent.
//!
//! Silence is not death. After half of the time a silent worker's daemon and slots are probed, by the leader and by other workers: programs
//! answer, not kernels. Nobody answers: dead. Something answers: *cut off*, it keeps its work, gets no new, and is probed on.
//!
//! ```text
//!            beat                    silent for half       no answer in all the time
//!  unheard ───────► open ───────────────► suspect ───────────────────► dead ─┐ hello
//!     │              ▲  ◄──── beat ────────┘  │ answers                      │
//!     │ no answer    │                        ▼                              │
//!     └──► dead      ├──◄──── beat ──────── cut off ── answers no more ─► dead
//!                    └──────────────────────────────────────◄────────────────┘
//! ```
//!
//! Invariants:
//! - a worker of which a probe was answered within the last `dead_after` is never declared dead;
//! - whoever leads anew gives each worker a whole lease, less the silence that others have witnessed;
//! - a leader that was held up takes the time off everybody's silence: it may be the one who didn't listen.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use squall_types::cluster::WorkerName;

use crate::plan::Standing;

/// How long is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often workers beat, and how often a silent one is probed.
    pub heartbeat: Duration,
    /// How long a worker may be silent, and unanswering, before it counts as dead.
    pub dead_after: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { heartbeat: Duration::from_millis(500), dead_after: Duration::from_secs(3) }
    }
}

/// What the leader sees of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It has said hello, or beaten.
    Beat,
    /// Something of it has answered a probe.
    Answered,
    /// It says that it leaves.
    Goodbye,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// See whether anything of this worker answers.
    Probe(WorkerName),
    /// This worker stands so from now on.
    Stands(WorkerName, Standing),
    /// This worker comes and goes: it is to get work last, for so long.
    Quarantine(WorkerName, Duration),
}

/// Times are since the leader began to lead.
#[derive(Clone, Copy, Debug)]
struct Ward {
    standing: Standing,
    heard: Duration,
    answered: Option<Duration>,
    probed: Option<Duration>,
    /// How often it came back from the dead of late, and when last.
    returns: u32,
    returned: Duration,
}

/// The first quarantine; each further one is twice as long.
const QUARANTINE: Duration = Duration::from_secs(10);
/// The longest quarantine, and how long a worker must hold out for its past to be forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// The leader's view of all workers. Made anew with each term.
#[derive(Clone, Debug)]
pub struct Detector {
    timing: Timing,
    wards: BTreeMap<WorkerName, Ward>,
    ticked: Duration,
}

impl Detector {
    /// Begins to lead: all workers that are registered, each with how long others have witnessed its silence already.
    pub fn new(timing: Timing, workers: impl IntoIterator<Item = (WorkerName, Duration)>) -> Self {
        // Time zero lies far enough back for silences that began before the term.
        let mut detector = Self { timing, wards: BTreeMap::new(), ticked: timing.dead_after };
        for (worker, silent) in workers {
            let heard = detector.ticked.saturating_sub(silent);
            detector.wards.insert(worker, Ward::new(Standing::Unheard, heard));
        }
        detector
    }

    /// The time at which the term began, on this detector's clock. All times it is given count from here.
    pub fn began(timing: Timing) -> Duration {
        timing.dead_after
    }

    /// How a worker stands; none, if it is not known.
    pub fn standing(&self, worker: &WorkerName) -> Option<Standing> {
        self.wards.get(worker).map(|ward| ward.standing)
    }

    /// Every worker, how it stands, and since when it is silent.
    pub fn all(&self, now: Duration) -> impl Iterator<Item = (&WorkerName, Standing, Duration)> {
        self.wards.iter().map(move |(name, ward)| (name, ward.standing, now.saturating_sub(ward.heard)))
    }

    /// A worker was registered by another way than its own hello.
    pub fn registered(&mut self, now: Duration, worker: WorkerName) {
        self.wards.entry(worker).or_insert_with(|| Ward::new(Standing::Unheard, now));
    }

    /// A worker is forgotten.
    pub fn forgotten(&mut self, worker: &WorkerName) {
        self.wards.remove(worker);
    }

    /// A worker shows itself.
    pub fn sign(&mut self, now: Duration, worker: &WorkerName, sign: Sign) -> Vec<Effect> {
        match sign {
            Sign::Beat => self.beat(now, worker),
            Sign::Answered => {
                if let Some(ward) = self.wards.get_mut(worker) {
                    ward.answered = Some(now);
                }
                Vec::new()
            }
            Sign::Goodbye => self.stands(worker, Standing::Left).into_iter().collect(),
        }
    }

    fn beat(&mut self, now: Duration, worker: &WorkerName) -> Vec<Effect> {
        let ward = self.wards.entry(worker.clone()).or_insert_with(|| Ward::new(Standing::Unheard, now));
        ward.heard = now;
        (ward.answered, ward.probed) = (None, None);
        let mut effects = Vec::new();
        if ward.standing == Standing::Dead {
            effects.push(Effect::Quarantine(worker.clone(), ward.back_from_the_dead(now)));
        }
        effects.extend(self.stands(worker, Standing::Open));
        effects
    }

    fn stands(&mut self, worker: &WorkerName, standing: Standing) -> Option<Effect> {
        let ward = self.wards.get_mut(worker)?;
        let before = std::mem::replace(&mut ward.standing, standing);
        (before != standing).then(|| Effect::Stands(worker.clone(), standing))
    }

    /// Time passes. To be called about once a heartbeat; that it wasn't is taken into account.
    pub fn tick(&mut self, now: Duration) -> Vec<Effect> {
        self.forgive_stall(now);
        let (timing, mut effects) = (self.timing, Vec::new());
        for (worker, ward) in &mut self.wards {
            let before = ward.standing;
            ward.standing = ward.judged(now, timing);
            if ward.standing != before {
                effects.push(Effect::Stands(worker.clone(), ward.standing));
            }
            if ward.wants_probe(now, timing) {
                ward.probed = Some(now);
                effects.push(Effect::Probe(worker.clone()));
            }
        }
        effects
    }

    /// What passed unseen while this leader was held up counts against nobody.
    fn forgive_stall(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.ticked);
        self.ticked = now;
        let stalled = passed.saturating_sub(2 * self.timing.heartbeat);
        if stalled.is_zero() {
            return;
        }
        for ward in self.wards.values_mut() {
            ward.heard = (ward.heard + stalled).min(now);
            ward.answered = ward.answered.map(|at| (at + stalled).min(now));
        }
    }
}

impl Ward {
    const fn new(standing: Standing, heard: Duration) -> Self {
        Self { standing, heard, answered: None, probed: None, returns: 0, returned: Duration::ZERO }
    }

    /// How it stands now that nothing was heard since.
    fn judged(&self, now: Duration, timing: Timing) -> Standing {
        let silent = now.saturating_sub(self.heard);
        let answers = self.answered.is_some_and(|at| now.saturating_sub(at) < timing.dead_after);
        match self.standing {
            Standing::Open if silent >= timing.dead_after / 2 => Standing::Suspect,
            Standing::Unheard | Standing::Suspect if silent >= timing.dead_after => {
                if answers {
                    Standing::CutOff
                } else {
                    Standing::Dead
                }
            }
            Standing::CutOff if !answers => Standing::Dead,
            standing => standing,
        }
    }

    fn wants_probe(&self, now: Duration, timing: Timing) -> bool {
        let due = self.probed.is_none_or(|at| now.saturating_sub(at) >= timing.heartbeat);
        let silent = now.saturating_sub(self.heard) >= timing.dead_after / 2;
        due && match self.standing {
            Standing::Suspect | Standing::CutOff => true,
            Standing::Unheard => silent,
            Standing::Open | Standing::Quarantined | Standing::Draining | Standing::Left | Standing::Dead => false,
        }
    }

    /// How long it is quarantined for having been dead.
    fn back_from_the_dead(&mut self, now: Duration) -> Duration {
        if now.saturating_sub(self.returned) > FORGOTTEN {
            self.returns = 0;
        }
        self.returned = now;
        self.returns = self.returns.saturating_add(1);
        QUARANTINE.saturating_mul(1 << (self.returns - 1).min(6)).min(FORGOTTEN)
    }
}
