//! Who lives: what follows from what workers say, from their silence, and from what others see of the silent ones.
//!
//! Silence is not death. At half the time a silent worker is probed by others; nothing of it answers: it is dead; something does: it is cut
//! off, and probed on. A new leader gives every worker one lease. A leader that has stalled itself blames nobody for that time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall_control::plan::Standing;
use squall_control::{Command, Fate, State, WorkerRecord};
use squall_proto::v1;
use squall_types::cluster::{WorkerIncarnation, WorkerName};
use tokio::time::Instant;

use super::{Seen, Settings};

/// A tick that comes so late tells of a stall of this master's own.
const STALL: Duration = Duration::from_millis(300);
/// The most workers that probe one silent.
const WITNESSES: usize = 3;

struct Ward {
    standing: Standing,
    heard: Instant,
    /// When something of it answered a probe last.
    answered: Option<Instant>,
    probed: Option<Instant>,
    incarnation: WorkerIncarnation,
    /// Where its slots answer probes.
    slots: BTreeSet<String>,
}

/// All workers that are known.
pub(super) struct Wards {
    wards: BTreeMap<WorkerName, Ward>,
    dead_after: Duration,
    ticked: Instant,
    probes_ever: u64,
    /// Whom each probe under way is about.
    probing: BTreeMap<u64, WorkerName>,
    probes: Vec<(WorkerName, v1::Probe)>,
    news: Vec<WorkerRecord>,
    changed: bool,
    /// How often this master noticed that it had stalled itself.
    pub(super) stalls: u64,
}

impl Wards {
    pub(super) fn new(now: Instant, state: &State, settings: Settings) -> Self {
        let ward = |incarnation| Ward {
            standing: Standing::Unheard,
            heard: now,
            answered: None,
            probed: None,
            incarnation,
            slots: BTreeSet::new(),
        };
        let wards = state.workers().iter().map(|(name, it)| (name.clone(), ward(it.registration.incarnation)));
        Self {
            wards: wards.collect(),
            dead_after: settings.dead_after,
            ticked: now,
            probes_ever: 0,
            probing: BTreeMap::new(),
            probes: Vec::new(),
            news: Vec::new(),
            changed: true,
            stalls: 0,
        }
    }

    /// A worker has said hello.
    pub(super) fn attached(
        &mut self,
        now: Instant,
        worker: &WorkerName,
        life: WorkerIncarnation,
        slots: &[v1::SlotReport],
    ) {
        let ward = self.wards.entry(worker.clone()).or_insert_with(|| Ward {
            standing: Standing::Unheard,
            heard: now,
            answered: None,
            probed: None,
            incarnation: life,
            slots: BTreeSet::new(),
        });
        ward.incarnation = life;
        self.heard(now, worker, slots, true);
    }

    /// A worker beats. One that has said goodbye only comes back by another hello.
    pub(super) fn beat(&mut self, now: Instant, worker: &WorkerName, slots: &[v1::SlotReport]) {
        self.heard(now, worker, slots, false);
    }

    fn heard(&mut self, now: Instant, worker: &WorkerName, slots: &[v1::SlotReport], hello: bool) {
        let Some(ward) = self.wards.get_mut(worker) else { return };
        ward.heard = now;
        ward.slots = slots.iter().map(|it| it.address.clone()).filter(|address| !address.is_empty()).collect();
        if ward.standing != Standing::Left || hello {
            self.stand(worker, Standing::Open, now);
        }
    }

    /// A worker leaves by itself.
    pub(super) fn left(&mut self, now: Instant, worker: &WorkerName) {
        self.stand(worker, Standing::Left, now);
    }

    /// What somebody saw of a silent worker.
    pub(super) fn probed(&mut self, now: Instant, id: u64, answered: bool) {
        let Some(worker) = self.probing.remove(&id) else { return };
        let Some(ward) = self.wards.get_mut(&worker).filter(|_| answered) else { return };
        ward.answered = Some(now);
        if ward.standing == Standing::Suspect {
            self.stand(&worker, Standing::CutOff, now);
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant, state: &State) {
        let since = now.duration_since(self.ticked);
        self.ticked = now;
        if since > STALL {
            // What was not heard meanwhile may be waiting to be read.
            self.stalls += 1;
            self.wards.values_mut().for_each(|ward| ward.heard += since);
        }
        self.wards.retain(|name, _| state.workers().contains_key(name));
        let names: Vec<_> = self.wards.keys().cloned().collect();
        names.iter().for_each(|worker| self.judge(now, worker, state));
        let wards = &self.wards;
        let silent = |ward: &Ward| matches!(ward.standing, Standing::Suspect | Standing::CutOff);
        self.probing.retain(|_, worker| wards.get(worker).is_some_and(silent));
    }

    fn judge(&mut self, now: Instant, worker: &WorkerName, state: &State) {
        let Some(ward) = self.wards.get(worker) else { return };
        let silent = now.saturating_duration_since(ward.heard);
        let answers =
            ward.answered.is_some_and(|at| now.saturating_duration_since(at) < self.dead_after && at > ward.heard);
        match ward.standing {
            Standing::Open if silent >= self.dead_after / 2 => {
                self.stand(worker, Standing::Suspect, now);
                self.probe(now, worker, state);
            }
            Standing::Unheard | Standing::Suspect if silent >= self.dead_after => {
                self.stand(worker, Standing::Dead, now);
            }
            Standing::CutOff if !answers => self.stand(worker, Standing::Dead, now),
            Standing::CutOff | Standing::Suspect => self.probe(now, worker, state),
            _ => {}
        }
    }

    /// Has others look at a silent worker's daemon and slots, unless they have just done so.
    fn probe(&mut self, now: Instant, worker: &WorkerName, state: &State) {
        let pause = self.dead_after / 4;
        let Some(ward) = self.wards.get_mut(worker) else { return };
        if ward.probed.is_some_and(|at| now.saturating_duration_since(at) < pause) {
            return;
        }
        ward.probed = Some(now);
        let daemon = state.worker(worker).map(|it| it.registration.address.to_string());
        let addresses: Vec<_> = ward.slots.iter().cloned().chain(daemon).collect();
        let open = |(name, it): &(&WorkerName, &Ward)| it.standing == Standing::Open && *name != worker;
        let witnesses: Vec<_> = self.wards.iter().filter(open).map(|(name, _)| name.clone()).take(WITNESSES).collect();
        let timeout_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        for witness in &witnesses {
            for address in &addresses {
                self.probes_ever += 1;
                self.probing.insert(self.probes_ever, worker.clone());
                let probe = v1::Probe { id: self.probes_ever, address: address.clone(), timeout_ms };
                self.probes.push((witness.clone(), probe));
            }
        }
    }

    fn stand(&mut self, worker: &WorkerName, standing: Standing, now: Instant) {
        let Some(ward) = self.wards.get_mut(worker) else { return };
        let before = std::mem::replace(&mut ward.standing, standing);
        if before == standing {
            return;
        }
        self.changed = true;
        let silent = now.saturating_duration_since(ward.heard);
        let fate = match (before, standing) {
            (_, Standing::Dead) => Fate::Dead { silent_ms: u64::try_from(silent.as_millis()).unwrap_or(u64::MAX) },
            (_, Standing::CutOff) => Fate::CutOff,
            (_, Standing::Left) => Fate::Left,
            (Standing::Dead | Standing::CutOff | Standing::Left, Standing::Open) => Fate::Back,
            _ => return,
        };
        self.news.push(WorkerRecord { worker: worker.clone(), incarnation: ward.incarnation, fate });
    }

    /// What others are to be asked.
    pub(super) fn probes(&mut self) -> Vec<(WorkerName, v1::Probe)> {
        std::mem::take(&mut self.probes)
    }

    /// What is to be put on record.
    pub(super) fn commands(&mut self) -> Option<Command> {
        let news = std::mem::take(&mut self.news);
        (!news.is_empty()).then_some(Command::RecordWorkers(news))
    }

    /// Whether anything has changed that plans are made from, since this was asked last.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn seen(&self, now: Instant) -> BTreeMap<WorkerName, Seen> {
        let seen = |ward: &Ward| Seen {
            standing: ward.standing,
            silent: now.saturating_duration_since(ward.heard),
            lost: BTreeSet::new(),
        };
        self.wards.iter().map(|(name, ward)| (name.clone(), seen(ward))).collect()
    }
}

#[cfg(test)]
mod tests {
    use squall_control::{Capacity, Envelope, Line, Registration, Seed};
    use squall_types::cluster::{ClusterId, FeatureLevel, RequestId, Revision, UnixMillis};

    use super::*;

    const SETTINGS: Settings = Settings { heartbeat: Duration::from_millis(500), dead_after: Duration::from_secs(3) };

    fn name(number: usize) -> WorkerName {
        format!("w{number}").parse().unwrap()
    }

    fn state(workers: usize) -> State {
        let cluster = ClusterId::new(1).unwrap();
        let mut state =
            State::new(Seed { cluster, at: UnixMillis::ZERO, level: FeatureLevel::new(1), members: BTreeMap::new() });
        for number in 0..workers {
            let registration = Registration {
                incarnation: WorkerIncarnation::new(1),
                address: Line::new("w:1").unwrap(),
                zone: Line::new("").unwrap(),
                tags: BTreeSet::new(),
                slots: 1,
                capacity: Capacity { cpu_percent: 100, memory_mib: 100 },
            };
            let command = Command::RegisterWorker { name: name(number), registration };
            let request = RequestId::new(UnixMillis::ZERO, number as u128);
            let envelope =
                Envelope { request, at: UnixMillis::ZERO, actor: None, origin: None, expected: None, command };
            let revision = Revision::new(number as u64 + 1);
            assert!(state.apply(revision, &envelope).reply.is_ok());
        }
        state
    }

    /// Lets time pass in ticks; those workers beat that are named.
    fn pass(wards: &mut Wards, state: &State, now: &mut Instant, time: Duration, beating: &[usize]) {
        let until = *now + time;
        while *now < until {
            *now += Duration::from_millis(100);
            beating.iter().for_each(|&number| wards.beat(*now, &name(number), &[]));
            wards.tick(*now, state);
        }
    }

    fn standing(wards: &Wards, now: Instant, number: usize) -> Standing {
        wards.seen(now)[&name(number)].standing
    }

    fn met(count: usize) -> (Wards, State, Instant) {
        let (state, now) = (state(count), Instant::now());
        let mut wards = Wards::new(now, &state, SETTINGS);
        (0..count).for_each(|number| wards.attached(now, &name(number), WorkerIncarnation::new(1), &[]));
        (wards, state, now)
    }

    #[test]
    fn who_is_not_heard_after_an_election_has_one_lease() {
        let (state, mut now) = (state(2), Instant::now());
        let mut wards = Wards::new(now, &state, SETTINGS);
        pass(&mut wards, &state, &mut now, Duration::from_millis(2_900), &[0]);
        assert_eq!((standing(&wards, now, 0), standing(&wards, now, 1)), (Standing::Open, Standing::Unheard));
        pass(&mut wards, &state, &mut now, Duration::from_millis(200), &[0]);
        assert_eq!(standing(&wards, now, 1), Standing::Dead);
    }

    #[test]
    fn a_silent_worker_of_which_nothing_answers_is_probed_and_then_dead() {
        let (mut wards, state, mut now) = met(3);
        pass(&mut wards, &state, &mut now, Duration::from_millis(1_600), &[1, 2]);
        assert_eq!(standing(&wards, now, 0), Standing::Suspect);
        let witnesses: BTreeSet<_> = wards.probes().into_iter().map(|(witness, _)| witness).collect();
        assert_eq!(witnesses, BTreeSet::from([name(1), name(2)]));
        pass(&mut wards, &state, &mut now, Duration::from_millis(1_500), &[1, 2]);
        assert_eq!(standing(&wards, now, 0), Standing::Dead);
        let Some(Command::RecordWorkers(news)) = wards.commands() else { panic!() };
        assert!(matches!(news[..], [WorkerRecord { fate: Fate::Dead { .. }, .. }]), "{news:?}");
    }

    #[test]
    fn a_silent_worker_of_which_something_answers_is_cut_off_for_as_long_as_it_does() {
        let (mut wards, state, mut now) = met(2);
        for _ in 0..10 {
            pass(&mut wards, &state, &mut now, Duration::from_secs(1), &[1]);
            for (_, probe) in wards.probes() {
                wards.probed(now, probe.id, true);
            }
        }
        assert_eq!(standing(&wards, now, 0), Standing::CutOff);
        pass(&mut wards, &state, &mut now, Duration::from_millis(3_200), &[1]);
        assert_eq!(standing(&wards, now, 0), Standing::Dead);
        wards.beat(now, &name(0), &[]);
        assert_eq!(standing(&wards, now, 0), Standing::Open);
    }

    #[test]
    fn a_leader_that_stalled_blames_nobody_for_it() {
        let (mut wards, state, mut now) = met(2);
        now += Duration::from_secs(60);
        wards.tick(now, &state);
        assert_eq!((standing(&wards, now, 0), wards.stalls), (Standing::Open, 1));
    }

    #[test]
    fn who_has_left_does_not_come_back_by_a_late_beat() {
        let (mut wards, _, now) = met(1);
        wards.left(now, &name(0));
        wards.beat(now, &name(0), &[]);
        assert_eq!(standing(&wards, now, 0), Standing::Left);
        wards.attached(now, &name(0), WorkerIncarnation::new(2), &[]);
        assert_eq!(standing(&wards, now, 0), Standing::Open);
    }
}
