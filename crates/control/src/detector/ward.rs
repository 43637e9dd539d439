//! One worker that is watched over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall_types::cluster::WorkerIncarnation;

use super::flaps::Flaps;
use super::{Known, Settings, Target};
use crate::plan::Standing;

/// Where a worker is, as far as can be told.
#[derive(Clone, Debug)]
enum Life {
    /// Nothing is wrong, as yet.
    Quiet,
    /// Silent, and being asked.
    Suspect(Inquiry),
    /// Silent for the whole time, but something of it answers, or nobody is left who could find it dead.
    CutOff(Inquiry),
    /// Silent, and nothing of it answers.
    Dead,
    /// It said goodbye.
    Left,
}

/// What came of asking.
#[derive(Clone, Debug)]
struct Inquiry {
    began: Duration,
    next: Duration,
    rounds: u64,
    /// When each target answered last.
    answers: BTreeMap<Target, Duration>,
    /// Targets that a live worker found silent since they answered last.
    denied: BTreeSet<Target>,
    /// When a live worker had something from its streams last.
    streamed: Option<Duration>,
}

impl Inquiry {
    const fn new(now: Duration) -> Self {
        Self { began: now, next: now, rounds: 0, answers: BTreeMap::new(), denied: BTreeSet::new(), streamed: None }
    }

    fn last_sign(&self) -> Option<Duration> {
        self.answers.values().copied().chain(self.streamed).max()
    }

    fn shows_life(&self, now: Duration, within: Duration) -> bool {
        self.last_sign().is_some_and(|sign| now.saturating_sub(sign) < within)
    }

    /// Whether it was asked after for the whole time, and nobody who could have was able to say no: as with the last worker of all. That is no
    /// death; it is looked into further, and dead as soon as a live worker says so.
    fn is_in_vain(&self, now: Duration, settings: &Settings) -> bool {
        now.saturating_sub(self.began) >= settings.dead_after
    }

    fn silent_target(&self, target: Target, now: Duration, within: Duration) -> bool {
        let last = self.answers.get(&target).copied().unwrap_or(self.began);
        self.denied.contains(&target) && now.saturating_sub(last) >= within
    }
}

/// What became of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Nothing,
    CutOff,
    Dead,
}

/// One worker that is watched over.
#[derive(Clone, Debug)]
pub(super) struct Ward {
    incarnation: WorkerIncarnation,
    slots: BTreeSet<u16>,
    /// When it was heard last; before that, when its lease began.
    heard: Duration,
    /// Whether it hasn't been heard since the election.
    leased: bool,
    /// The latest moment at which a live worker had something from it, of those before its lease.
    witnessed: Option<Duration>,
    closed: Option<Duration>,
    life: Life,
    lost: BTreeSet<u16>,
    flaps: Flaps,
}

impl Ward {
    pub fn new(now: Duration, incarnation: WorkerIncarnation, slots: BTreeSet<u16>) -> Self {
        let known = Known { incarnation, strikes: 0 };
        Self { slots, leased: false, ..Self::leased(now, &known) }
    }

    pub const fn leased(now: Duration, known: &Known) -> Self {
        Self {
            incarnation: known.incarnation,
            slots: BTreeSet::new(),
            heard: now,
            leased: true,
            witnessed: None,
            closed: None,
            life: Life::Quiet,
            lost: BTreeSet::new(),
            flaps: Flaps::new(now, known.strikes),
        }
    }

    pub const fn incarnation(&self) -> WorkerIncarnation {
        self.incarnation
    }

    pub const fn lost(&self) -> &BTreeSet<u16> {
        &self.lost
    }

    pub const fn standing(&self) -> Standing {
        match self.life {
            Life::Quiet if self.leased => Standing::Unheard,
            Life::Quiet => Standing::Open,
            Life::Suspect(_) => Standing::Suspect,
            Life::CutOff(_) => Standing::CutOff,
            Life::Dead => Standing::Dead,
            Life::Left => Standing::Left,
        }
    }

    pub fn silent(&self, now: Duration) -> Duration {
        let since = self.witnessed.map_or(self.heard, |witnessed| witnessed.min(self.heard));
        now.saturating_sub(since)
    }

    /// It is heard. A quarantine, if it came back once too often.
    pub fn heard(
        &mut self,
        now: Duration,
        incarnation: WorkerIncarnation,
        slots: BTreeSet<u16>,
    ) -> Option<(Duration, u32)> {
        let died = matches!(self.life, Life::Dead);
        let restarted = incarnation > self.incarnation && !self.leased && !matches!(self.life, Life::Left);
        self.incarnation = incarnation;
        self.slots = slots;
        (self.heard, self.leased, self.witnessed, self.closed) = (now, false, None, None);
        self.life = Life::Quiet;
        self.lost.clear();
        if died || restarted { self.flaps.count(now) } else { None }
    }

    /// It says goodbye. Whether that is news.
    pub fn leave(&mut self) -> bool {
        self.lost.clear();
        !matches!(std::mem::replace(&mut self.life, Life::Left), Life::Left)
    }

    pub fn closed(&mut self, now: Duration) {
        self.closed.get_or_insert(now);
    }

    pub fn answered(&mut self, now: Duration, target: Target) {
        if let Life::Suspect(inquiry) | Life::CutOff(inquiry) = &mut self.life {
            inquiry.answers.insert(target, now);
            inquiry.denied.remove(&target);
        }
    }

    pub fn denied(&mut self, target: Target) {
        if let Life::Suspect(inquiry) | Life::CutOff(inquiry) = &mut self.life {
            inquiry.denied.insert(target);
        }
    }

    /// A live worker had something from it last at this moment.
    pub fn witnessed(&mut self, moment: Duration) {
        if self.leased {
            self.witnessed = self.witnessed.max(Some(moment));
        }
        if let Life::Suspect(inquiry) | Life::CutOff(inquiry) = &mut self.life
            && moment >= inquiry.began
        {
            inquiry.streamed = inquiry.streamed.max(Some(moment));
        }
    }

    pub fn tick(&mut self, now: Duration, settings: &Settings) -> Verdict {
        let silent = self.silent(now);
        let overdue = silent >= settings.dead_after;
        let cut = self.closed.is_some_and(|closed| now.saturating_sub(closed) >= settings.heartbeat);
        match &self.life {
            Life::Quiet if silent >= settings.dead_after / 2 || cut => {
                self.life = Life::Suspect(Inquiry::new(now));
                Verdict::Nothing
            }
            Life::Suspect(inquiry) if overdue && inquiry.shows_life(now, settings.dead_after) => {
                self.life = Life::CutOff(inquiry.clone());
                Verdict::CutOff
            }
            Life::Suspect(inquiry) | Life::CutOff(inquiry) if overdue && is_dead(inquiry, now, settings) => {
                self.life = Life::Dead;
                self.lost.clear();
                Verdict::Dead
            }
            Life::Suspect(inquiry) if overdue && inquiry.is_in_vain(now, settings) => {
                self.life = Life::CutOff(inquiry.clone());
                Verdict::CutOff
            }
            Life::CutOff(inquiry) => {
                self.lost = lost(inquiry, &self.slots, now, settings);
                Verdict::Nothing
            }
            Life::Quiet | Life::Suspect(_) | Life::Dead | Life::Left => Verdict::Nothing,
        }
    }

    /// The number of the round of probes that is due, if one is.
    pub fn round(&mut self, now: Duration, settings: &Settings) -> Option<u64> {
        let (Life::Suspect(inquiry) | Life::CutOff(inquiry)) = &mut self.life else { return None };
        if now < inquiry.next {
            return None;
        }
        inquiry.next = now + settings.answer_within();
        inquiry.rounds += 1;
        Some(inquiry.rounds)
    }

    /// All of it that can be asked.
    pub fn targets(&self) -> Vec<Target> {
        [Target::Daemon].into_iter().chain(self.slots.iter().copied().map(Target::Slot)).collect()
    }
}

/// Nothing answered for the whole time, a live worker found the daemon silent too, and there was time to answer.
fn is_dead(inquiry: &Inquiry, now: Duration, settings: &Settings) -> bool {
    !inquiry.shows_life(now, settings.dead_after)
        && inquiry.denied.contains(&Target::Daemon)
        && now.saturating_sub(inquiry.began) > settings.answer_within()
}

/// Slots whose process is gone. While the daemon answers, it starts them again by itself.
fn lost(inquiry: &Inquiry, slots: &BTreeSet<u16>, now: Duration, settings: &Settings) -> BTreeSet<u16> {
    let within = settings.dead_after;
    if !inquiry.silent_target(Target::Daemon, now, within) {
        return BTreeSet::new();
    }
    slots.iter().copied().filter(|slot| inquiry.silent_target(Target::Slot(*slot), now, within)).collect()
}
