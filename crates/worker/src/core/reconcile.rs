//! Makes slots match what is wanted, one at a time, whatever has happened to them.

use std::collections::BTreeSet;
use std::time::Duration;

use squall_types::cluster::SlotIncarnation;

use super::failures::Failures;
use super::packages::Wait;
use super::process::{Beat, Exit, Identity, Life, Phase, Process};
use super::{Core, Effect, NotStarted, Orders, Wanted, Word};

/// How long a process that was killed may take to be gone before it is killed again.
const AGAIN: Duration = Duration::from_secs(1);

impl Core {
    pub(super) fn found(&mut self, now: Duration, number: u16, found: Option<(u32, Identity)>) {
        let Some(slot) = self.slots.get_mut(&number).filter(|slot| matches!(slot.life, Life::Unknown)) else { return };
        let Some((pid, identity)) = found else {
            slot.life = Life::Empty { not_before: now };
            return;
        };
        // Its counter may have been lost; it must never be used twice.
        let latest = self.memory.incarnations.entry(number).or_insert(identity.incarnation);
        self.dirty |= *latest < identity.incarnation;
        *latest = (*latest).max(identity.incarnation);
        slot.life = Life::Alive(Box::new(Process {
            identity,
            pid: Some(pid),
            phase: Phase::Heard,
            since: now,
            heard: now,
            beat: None,
            ordered: true,
            told: None,
        }));
    }

    pub(super) fn started(
        &mut self,
        now: Duration,
        random: u64,
        number: u16,
        incarnation: SlotIncarnation,
        result: Result<u32, NotStarted>,
    ) {
        let Some(process) = self.process(number, incarnation) else { return };
        match result {
            Ok(pid) => process.pid = Some(pid),
            Err(NotStarted::Package(_)) => {
                let package = process.identity.program.package;
                self.slot(number, now).life = Life::Empty { not_before: now };
                package.into_iter().for_each(|package| self.packages.lost(package));
            }
            Err(NotStarted::System(why)) => {
                let slot = self.slot(number, now);
                let wait = slot.failures.add(Duration::ZERO, why, random);
                // The system needs time: an immediate second attempt would meet the same.
                slot.life = Life::Empty { not_before: now + wait.max(AGAIN) };
            }
        }
    }

    pub(super) fn greeted(&mut self, now: Duration, number: u16, incarnation: SlotIncarnation) {
        if let Some(process) = self.process(number, incarnation) {
            process.heard = now;
            if process.phase == Phase::Started {
                process.phase = Phase::Heard;
            }
        }
    }

    pub(super) fn heard(&mut self, now: Duration, number: u16, incarnation: SlotIncarnation, beat: Beat) {
        let Some(process) = self.process(number, incarnation) else { return };
        process.heard = now;
        let ran = now.saturating_sub(process.since);
        let port = beat.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        process.beat = Some(beat);
        self.slot(number, now).failures.ran(ran);
        if let Some(port) = port.filter(|port| self.memory.ports.get(&number) != Some(port)) {
            self.memory.ports.insert(number, port);
            self.dirty = true;
        }
    }

    pub(super) fn exited(&mut self, now: Duration, random: u64, number: u16, incarnation: SlotIncarnation, exit: Exit) {
        let Some(process) = self.process(number, incarnation) else { return };
        let (ran, phase) = (now.saturating_sub(process.since), process.phase);
        let said = process.beat.take().map(|beat| beat.text).filter(|text| !text.is_empty());
        let slot = self.slot(number, now);
        let wait = match phase {
            Phase::Stopping { .. } => {
                slot.failures = Failures::default();
                Duration::ZERO
            }
            Phase::Started | Phase::Heard => slot.failures.add(ran, why(&exit, said.as_deref()), random),
            Phase::Killing { why, .. } => slot.failures.add(ran, why.to_owned(), random),
        };
        slot.life = Life::Empty { not_before: now + wait };
    }

    /// In time that this daemon has slept through nobody was silent.
    pub(super) fn forgive_own_stall(&mut self, now: Duration) {
        let slept = now.saturating_sub(self.last_tick);
        self.last_tick = now;
        let Some(stall) = slept.checked_sub(self.patience.tick * 2) else { return };
        for slot in self.slots.values_mut() {
            if let Life::Alive(process) = &mut slot.life {
                process.heard += stall;
                process.since += stall;
            }
        }
    }

    /// Looks at every slot, and returns what is to be done.
    pub(super) fn reconcile(&mut self, now: Duration) -> Vec<Effect> {
        let numbers: BTreeSet<u16> = self.slots.keys().chain(self.memory.wanted.keys()).copied().collect();
        let effects = numbers.into_iter().flat_map(|number| self.settle(now, number)).collect();
        let used = self.packages();
        self.packages.retain(|id| used.contains(id));
        effects
    }

    fn settle(&mut self, now: Duration, number: u16) -> Vec<Effect> {
        self.slot(number, now);
        let Self { slots, memory, patience, .. } = self;
        let word = Word { cluster: memory.cluster, epoch: memory.age.epoch, wanted: memory.wanted.get(&number) };
        let Some(slot) = slots.get_mut(&number) else { return Vec::new() };
        match (&mut slot.life, word.wanted) {
            (Life::Unknown, _) => Vec::new(),
            (Life::Empty { .. }, None) => {
                slots.remove(&number);
                Vec::new()
            }
            (Life::Empty { not_before }, Some(_)) => {
                let not_before = (*not_before).max(self.word_by);
                if now < not_before { Vec::new() } else { self.start(now, number) }
            }
            (Life::Alive(process), _) => {
                let port = memory.ports.get(&number).copied().unwrap_or(0);
                tend(process, &word, now, patience, (number, port))
            }
        }
    }

    fn start(&mut self, now: Duration, number: u16) -> Vec<Effect> {
        let (Some(wanted), Some(cluster)) = (self.memory.wanted.get(&number), self.memory.cluster) else {
            return Vec::new();
        };
        let (program, epoch) = (wanted.program.clone(), self.memory.age.epoch);
        let Some(package) = program.package else { return Vec::new() };
        match self.packages.want(package, now) {
            Wait::Fetch => vec![Effect::Fetch(package)],
            Wait::Until(_) => Vec::new(),
            Wait::No => {
                let incarnation = self.memory.next_life(number);
                self.dirty = true;
                let identity = Identity { cluster, epoch, incarnation, program };
                let slot = self.slot(number, now);
                slot.restarts = slot.restarts.saturating_add(1);
                slot.life = Life::Alive(Box::new(Process {
                    identity,
                    pid: None,
                    phase: Phase::Started,
                    since: now,
                    heard: now,
                    beat: None,
                    ordered: false,
                    told: None,
                }));
                vec![Effect::Start { number, incarnation, package }]
            }
        }
    }
}

/// What is to be done about a process that lives.
fn tend(
    process: &mut Process,
    word: &Word<'_>,
    now: Duration,
    patience: &super::Patience,
    (number, port): (u16, u16),
) -> Vec<Effect> {
    match process.phase {
        Phase::Stopping { kill_at } if now >= kill_at => {
            process.phase = Phase::Stopping { kill_at: now + AGAIN };
            return vec![Effect::Kill { number }];
        }
        Phase::Killing { again_at, why } if now >= again_at => {
            process.phase = Phase::Killing { again_at: now + AGAIN, why };
            return vec![Effect::Kill { number }];
        }
        Phase::Stopping { .. } | Phase::Killing { .. } => return Vec::new(),
        Phase::Started if now.saturating_sub(process.since) > patience.hello => {
            return kill(process, now, number, "it didn't say hello in time");
        }
        Phase::Heard if now.saturating_sub(process.heard) > patience.silence => {
            return kill(process, now, number, "it stopped answering");
        }
        Phase::Started | Phase::Heard => {}
    }
    match word.wanted.filter(|wanted| process.identity.program.may_become(&wanted.program)) {
        Some(wanted) if process.phase == Phase::Heard => order(process, word, wanted, number, port),
        Some(_) => Vec::new(),
        None if process.belongs(word.cluster, word.epoch) => {
            // One that another is to replace makes way: what is in flight is emitted again.
            let drain = if word.wanted.is_some() { patience.replaced } else { patience.drain };
            process.phase = Phase::Stopping { kill_at: now + drain + AGAIN };
            vec![Effect::Stop { number, drain }]
        }
        None => Vec::new(),
    }
}

fn kill(process: &mut Process, now: Duration, number: u16, why: &'static str) -> Vec<Effect> {
    process.phase = Phase::Killing { again_at: now + AGAIN, why };
    vec![Effect::Kill { number }]
}

/// Tells a process what to run, if it hasn't been told just that.
fn order(process: &mut Process, word: &Word<'_>, wanted: &Wanted, number: u16, port: u16) -> Vec<Effect> {
    let told = (word.epoch, wanted.clone());
    let Some(cluster) = word.cluster.filter(|_| process.told.as_ref() != Some(&told)) else { return Vec::new() };
    (process.told, process.ordered) = (Some(told), true);
    (process.identity.cluster, process.identity.epoch) = (cluster, word.epoch);
    process.identity.program.executors.clone_from(&wanted.program.executors);
    let orders = Orders { identity: process.identity.clone(), wanted: wanted.clone(), port };
    vec![Effect::Order { number, orders: Box::new(orders) }]
}

fn why(exit: &Exit, said: Option<&str>) -> String {
    let Exit { how, stderr } = exit;
    match (said, stderr.is_empty()) {
        (Some(said), _) => format!("{said} ({how})"),
        (None, true) => how.clone(),
        (None, false) => format!("{how}; the end of its stderr:\n{stderr}"),
    }
}
