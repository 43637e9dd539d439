use proptest::prelude::*;

use super::*;

fn name(text: &str) -> WorkerName {
    text.parse().unwrap()
}

/// One worker's machine, as it really is.
#[derive(Clone, Copy, Debug)]
struct Machine {
    daemon: bool,
    slots: bool,
    /// Whether it and the masters reach each other.
    masters: bool,
    incarnation: u64,
}

/// Machines, and a detector that watches over them in steps of a tenth of a second.
struct World {
    detector: Detector,
    machines: BTreeMap<WorkerName, Machine>,
    now: Duration,
    effects: Vec<(Duration, Effect)>,
    /// When each worker was heard, or something of it answered, last.
    signs: BTreeMap<WorkerName, Duration>,
    pending: Vec<Event>,
}

const STEP: Duration = Duration::from_millis(100);

impl World {
    /// Workers `w0`, `w1`, … with two slots each, all of them heard.
    fn new(count: usize) -> Self {
        let mut world = Self::elected(count);
        world.run(Duration::from_millis(600));
        world.effects.clear();
        world
    }

    /// The moment after an election: nobody has been heard.
    fn elected(count: usize) -> Self {
        let names: Vec<_> = (0..count).map(|number| name(&format!("w{number}"))).collect();
        let known =
            |worker: &WorkerName| (worker.clone(), Known { incarnation: WorkerIncarnation::new(1), strikes: 0 });
        let detector = Detector::new(Settings::default(), Duration::ZERO, names.iter().map(known));
        let machine = Machine { daemon: true, slots: true, masters: true, incarnation: 1 };
        Self {
            detector,
            machines: names.into_iter().map(|name| (name, machine)).collect(),
            now: Duration::ZERO,
            effects: Vec::new(),
            signs: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    fn edit(&mut self, worker: &str, edit: impl FnOnce(&mut Machine)) {
        edit(self.machines.get_mut(&name(worker)).unwrap());
    }

    fn kill(&mut self, worker: &str) {
        self.edit(worker, |it| (it.daemon, it.slots) = (false, false));
    }

    fn say(&mut self, event: Event) {
        let effects = self.detector.handle(self.now, event);
        self.take(effects);
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match &effect {
                Effect::Probe { id, by, worker, target, .. } => self.probe(*id, by, worker, *target),
                Effect::Became { worker, fate: Fate::Dead { .. }, .. } => {
                    let silent = self.signs.get(worker).map(|sign| self.now - *sign);
                    let dead_after = Settings::default().dead_after;
                    assert!(silent.is_none_or(|silent| silent >= dead_after), "{worker} is dead after {silent:?}");
                }
                _ => {}
            }
            self.effects.push((self.now, effect));
        }
    }

    fn probe(&mut self, id: ProbeId, by: &Prober, worker: &WorkerName, target: Target) {
        let asked = self.machines[worker];
        let reached = match by {
            Prober::Leader => asked.masters,
            // Who can't be told, or can't tell, gives no answer at all.
            Prober::Worker(prober) if !(self.machines[prober].daemon && self.machines[prober].masters) => return,
            Prober::Worker(_) => true,
        };
        let alive = match target {
            Target::Daemon => asked.daemon,
            Target::Slot(_) => asked.slots,
        };
        self.pending.push(Event::Probed { id, answered: reached && alive });
    }

    /// Time passes: daemons that reach the masters beat, and what was asked is answered.
    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now += STEP;
            for event in std::mem::take(&mut self.pending) {
                if let Event::Probed { id, answered: true } = event {
                    let asked = self.effects.iter().rev().find_map(|(_, effect)| match effect {
                        Effect::Probe { id: it, worker, .. } if *it == id => Some(worker.clone()),
                        _ => None,
                    });
                    self.signs.insert(asked.unwrap(), self.now);
                }
                self.say(event);
            }
            if self.now.as_millis().is_multiple_of(500) {
                let up: Vec<_> = self.machines.iter().filter(|(_, it)| it.daemon && it.masters).collect();
                for (worker, machine) in up.into_iter().map(|(name, it)| (name.clone(), *it)).collect::<Vec<_>>() {
                    self.beat(&worker, machine);
                }
            }
            self.say(Event::Tick);
        }
    }

    fn beat(&mut self, worker: &WorkerName, machine: Machine) {
        self.signs.insert(worker.clone(), self.now);
        let slots = if machine.slots { BTreeSet::from([0, 1]) } else { BTreeSet::new() };
        let incarnation = WorkerIncarnation::new(machine.incarnation);
        self.say(Event::Heard { worker: worker.clone(), incarnation, slots });
    }

    fn standing(&self, worker: &str) -> Standing {
        self.detector.standing(&name(worker)).unwrap()
    }

    /// What became of workers, in order.
    fn fates(&self) -> Vec<(String, Fate)> {
        let fate = |(_, effect): &(Duration, Effect)| match effect {
            Effect::Became { worker, fate, .. } => Some((worker.to_string(), *fate)),
            _ => None,
        };
        self.effects.iter().filter_map(fate).collect()
    }

    fn dead(&self) -> BTreeSet<String> {
        self.fates()
            .into_iter()
            .filter(|(_, fate)| matches!(fate, Fate::Dead { .. }))
            .map(|(worker, _)| worker)
            .collect()
    }

    fn quarantines(&self) -> Vec<(Duration, u32)> {
        let quarantine = |(_, effect): &(Duration, Effect)| match effect {
            Effect::Quarantine { lasting, strikes, .. } => Some((*lasting, *strikes)),
            _ => None,
        };
        self.effects.iter().filter_map(quarantine).collect()
    }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_dead_worker_is_suspect_at_half_the_time_and_dead_at_the_full() {
    let mut world = World::new(3);
    world.kill("w1");
    world.run(Duration::from_millis(1_400));
    assert_eq!(world.standing("w1"), Standing::Suspect);
    world.run(Duration::from_millis(1_200));
    assert_eq!(world.standing("w1"), Standing::Suspect);
    world.run(Duration::from_millis(400));
    assert_eq!(world.fates(), [("w1".to_owned(), Fate::Dead { silent_ms: 3_000 })]);
    assert_eq!([world.standing("w0"), world.standing("w2")], [Standing::Open; 2]);
}

#[test]
fn a_suspect_is_asked_by_the_leader_and_three_live_workers_daemon_and_slots() {
    let mut world = World::new(6);
    world.kill("w1");
    world.run(Duration::from_millis(1_500));
    let mut asked: BTreeMap<Prober, BTreeSet<Target>> = BTreeMap::new();
    for (_, effect) in &world.effects {
        if let Effect::Probe { by, worker, target, .. } = effect {
            assert_eq!(worker, &name("w1"));
            asked.entry(by.clone()).or_default().insert(*target);
        }
    }
    assert_eq!(asked.len(), 4);
    assert!(asked.contains_key(&Prober::Leader) && !asked.contains_key(&Prober::Worker(name("w1"))));
    let all = BTreeSet::from([Target::Daemon, Target::Slot(0), Target::Slot(1)]);
    assert!(asked.values().all(|targets| *targets == all));
}

#[test]
fn two_dead_of_three_are_found_by_the_third() {
    let mut world = World::new(3);
    world.kill("w0");
    world.kill("w1");
    world.run(secs(4));
    assert_eq!(world.dead(), BTreeSet::from(["w0".to_owned(), "w1".to_owned()]));
}

#[test]
fn a_worker_that_only_the_masters_dont_reach_is_cut_off_then_back() {
    let mut world = World::new(3);
    world.edit("w1", |it| it.masters = false);
    world.run(secs(30));
    assert_eq!(world.standing("w1"), Standing::CutOff);
    assert_eq!(world.detector.lost(&name("w1")), BTreeSet::new());
    world.edit("w1", |it| it.masters = true);
    world.run(secs(1));
    assert_eq!(world.fates(), [("w1".to_owned(), Fate::CutOff), ("w1".to_owned(), Fate::Back)]);
    assert_eq!(world.standing("w1"), Standing::Open);
}

#[test]
fn slots_outlive_their_daemon_until_they_too_are_silent() {
    let mut world = World::new(3);
    world.edit("w1", |it| it.daemon = false);
    world.run(secs(20));
    assert_eq!(world.standing("w1"), Standing::CutOff);
    world.edit("w1", |it| it.slots = false);
    world.run(secs(5));
    assert_eq!(world.standing("w1"), Standing::Dead);
}

#[test]
fn a_lost_slot_of_a_worker_without_daemon_is_named() {
    let mut world = World::new(3);
    let mut ward = world.detector.clone();
    world.edit("w1", |it| it.daemon = false);
    let mut now = world.now;
    let mut pending: Vec<Event> = Vec::new();
    let mut lost = BTreeSet::new();
    for step in 0..80_u32 {
        now += STEP;
        let heard = step.is_multiple_of(5).then_some(["w0", "w2"]).into_iter().flatten().map(|worker| Event::Heard {
            worker: name(worker),
            incarnation: WorkerIncarnation::new(1),
            slots: BTreeSet::new(),
        });
        let events: Vec<_> = pending.drain(..).chain(heard).chain([Event::Tick]).collect();
        for effect in events.into_iter().flat_map(|event| ward.handle(now, event)) {
            if let Effect::Probe { id, target, .. } = effect {
                pending.push(Event::Probed { id, answered: target == Target::Slot(0) });
            }
        }
        lost = ward.lost(&name("w1"));
    }
    assert_eq!(ward.standing(&name("w1")), Some(Standing::CutOff));
    assert_eq!(lost, BTreeSet::from([1]));
}

#[test]
fn the_last_worker_is_cut_off_and_its_death_waits_for_a_witness() {
    let mut world = World::new(2);
    world.kill("w0");
    world.kill("w1");
    world.run(secs(4));
    assert_eq!(world.standing("w0"), Standing::Suspect, "there might be a witness yet");
    world.run(secs(1));
    let cut_off = ["w0", "w1"].map(|it| (it.to_owned(), Fate::CutOff));
    assert_eq!((world.standing("w0"), world.standing("w1")), (Standing::CutOff, Standing::CutOff));
    world.run(secs(60));
    assert_eq!(world.fates(), cut_off, "silence alone is no death, however long");
    world.edit("w1", |it| (it.daemon, it.incarnation) = (true, 2));
    world.run(secs(2));
    assert_eq!(world.dead(), BTreeSet::from(["w0".to_owned()]));
}

#[test]
fn a_last_worker_that_comes_back_has_never_been_dead() {
    let mut world = World::new(1);
    world.kill("w0");
    world.run(secs(20));
    world.edit("w0", |it| (it.daemon, it.slots, it.incarnation) = (true, true, 2));
    world.run(secs(1));
    assert_eq!(world.fates(), [("w0".to_owned(), Fate::CutOff), ("w0".to_owned(), Fate::Back)]);
    assert_eq!(world.standing("w0"), Standing::Open);
}

#[test]
fn who_says_goodbye_has_not_failed() {
    let mut world = World::new(2);
    world.say(Event::Left(name("w1")));
    world.edit("w1", |it| (it.daemon, it.slots) = (false, false));
    world.run(secs(10));
    assert_eq!(world.fates(), [("w1".to_owned(), Fate::Left)]);
    for incarnation in 2..8 {
        world.edit("w1", |it| (it.daemon, it.incarnation) = (true, incarnation));
        world.run(secs(1));
        world.edit("w1", |it| it.daemon = false);
        world.say(Event::Left(name("w1")));
    }
    assert_eq!(world.quarantines(), []);
}

#[test]
fn a_stream_that_ends_is_looked_into_before_half_the_time() {
    let mut world = World::new(2);
    world.kill("w1");
    world.say(Event::Closed(name("w1")));
    world.run(Duration::from_millis(600));
    assert_eq!(world.standing("w1"), Standing::Suspect);
    assert_eq!(world.fates(), []);
}

#[test]
fn a_detector_that_stalled_distrusts_itself_first() {
    let mut world = World::new(3);
    world.now += secs(20);
    world.run(secs(5));
    assert_eq!(world.fates(), []);
    assert!(world.effects.iter().all(|(_, effect)| !matches!(effect, Effect::Probe { .. })));
    assert_eq!(world.detector.stalls(), Stalls { count: 1, total: secs(20) });
}

#[test]
fn a_lease_runs_for_the_full_time_after_an_election() {
    let mut world = World::elected(3);
    world.kill("w1");
    world.run(Duration::from_millis(1_400));
    assert_eq!(world.standing("w1"), Standing::Unheard);
    world.run(Duration::from_millis(1_500));
    assert_eq!(world.standing("w1"), Standing::Suspect);
    world.run(Duration::from_millis(300));
    assert_eq!(world.standing("w1"), Standing::Dead);
}

#[test]
fn witnessed_silence_shortens_the_lease_by_the_latest_sign() {
    let mut world = World::elected(3);
    world.kill("w1");
    world.run(Duration::from_millis(500));
    let silence =
        |by: &str, millis| Event::Witnessed { by: name(by), worker: name("w1"), silent: Duration::from_millis(millis) };
    world.say(silence("w0", 9_000));
    world.say(silence("w2", 2_000));
    world.run(Duration::from_millis(900));
    assert_eq!(world.standing("w1"), Standing::Suspect);
    world.run(Duration::from_millis(200));
    assert_eq!(world.standing("w1"), Standing::Dead);
}

#[test]
fn streams_that_flow_show_life() {
    let mut world = World::new(2);
    world.kill("w1");
    for _ in 0..20 {
        world.run(secs(1));
        world.say(Event::Witnessed { by: name("w0"), worker: name("w1"), silent: Duration::from_millis(50) });
    }
    assert_eq!(world.standing("w1"), Standing::CutOff);
    world.run(secs(4));
    assert_eq!(world.standing("w1"), Standing::Dead);
}

#[test]
fn flapping_is_quarantined_for_longer_each_time() {
    let mut world = World::new(2);
    for incarnation in 2..8 {
        world.edit("w1", |it| it.incarnation = incarnation);
        world.run(secs(1));
    }
    assert_eq!(world.quarantines(), [(secs(60), 1), (secs(120), 2)]);
}

#[test]
fn a_daemon_of_the_past_is_not_heard() {
    let mut world = World::new(2);
    world.edit("w1", |it| it.incarnation = 5);
    world.run(secs(1));
    world.edit("w1", |it| it.incarnation = 4);
    world.run(secs(4));
    assert_eq!(world.standing("w1"), Standing::CutOff);
}

#[test]
fn who_is_on_record_and_was_never_heard_gets_a_lease() {
    let mut world = World::new(2);
    let known = Known { incarnation: WorkerIncarnation::new(1), strikes: 0 };
    let machine = Machine { daemon: false, slots: false, masters: true, incarnation: 1 };
    world.machines.insert(name("w9"), machine);
    world.say(Event::Registered(name("w9"), known));
    assert_eq!(world.standing("w9"), Standing::Unheard);
    world.run(Duration::from_millis(3_200));
    assert_eq!(world.standing("w9"), Standing::Dead);
}

#[test]
fn who_is_forgotten_is_watched_no_more() {
    let mut world = World::new(2);
    world.say(Event::Forgotten(name("w1")));
    assert_eq!(world.detector.workers().collect::<Vec<_>>(), [&name("w0")]);
}

#[test]
fn a_mass_death_asks_no_prober_for_more_than_it_can_do() {
    let mut world = World::new(400);
    for number in 1..400 {
        world.kill(&format!("w{number}"));
    }
    world.run(Duration::from_millis(1_500));
    let mut loads: BTreeMap<Prober, usize> = BTreeMap::new();
    for (_, effect) in &world.effects {
        if let Effect::Probe { by, .. } = effect {
            *loads.entry(by.clone()).or_default() += 1;
        }
    }
    assert!(loads.values().all(|load| *load <= 256), "{loads:?}");
    world.run(secs(10));
    assert_eq!(world.dead().len(), 399);
}

/// What befalls a machine.
#[derive(Clone, Debug)]
enum Blow {
    Kill,
    KillDaemon,
    Cut,
    Heal,
    Leave,
    Close,
    Stall(u64),
}

fn blow() -> impl Strategy<Value = Blow> {
    prop_oneof![
        3 => Just(Blow::Kill),
        2 => Just(Blow::KillDaemon),
        3 => Just(Blow::Cut),
        6 => Just(Blow::Heal),
        1 => Just(Blow::Leave),
        2 => Just(Blow::Close),
        1 => (300_u64..8_000).prop_map(Blow::Stall),
    ]
}

fn strike(world: &mut World, worker: &str, blow: &Blow) {
    match blow {
        Blow::Kill => world.kill(worker),
        Blow::KillDaemon => world.edit(worker, |it| it.daemon = false),
        Blow::Cut => world.edit(worker, |it| it.masters = false),
        Blow::Heal => world.edit(worker, |it| {
            it.incarnation += u64::from(!it.daemon);
            (it.daemon, it.slots, it.masters) = (true, true, true);
        }),
        Blow::Leave => {
            world.kill(worker);
            world.say(Event::Left(name(worker)));
        }
        Blow::Close => world.say(Event::Closed(name(worker))),
        Blow::Stall(millis) => world.now += Duration::from_millis(millis / 100 * 100),
    }
}

proptest! {
    /// [`World::take`] holds each death against the last sign of life that the detector was given.
    #[test]
    fn whoever_gave_a_sign_is_not_declared_dead(
        blows in proptest::collection::vec((0_usize..4, blow(), 1_u64..40), 1..30),
    ) {
        let mut world = World::new(4);
        for (worker, blow, steps) in blows {
            strike(&mut world, &format!("w{worker}"), &blow);
            world.run(STEP * u32::try_from(steps).unwrap());
        }
        for worker in 0..4 {
            strike(&mut world, &format!("w{worker}"), &Blow::Heal);
        }
        world.run(secs(2));
        for worker in 0..4 {
            prop_assert_eq!(world.standing(&format!("w{worker}")), Standing::Open);
        }
    }

    #[test]
    fn a_cut_between_the_masters_and_all_workers_moves_nothing(count in 1_usize..8, seconds in 1_u64..60) {
        let mut world = World::new(count);
        world.machines.values_mut().for_each(|machine| machine.masters = false);
        world.run(secs(seconds));
        prop_assert_eq!(world.dead(), BTreeSet::new());
        let stands = |it| matches!(world.detector.standing(it), Some(Standing::Open | Standing::Suspect | Standing::CutOff));
        prop_assert!(world.machines.keys().all(stands));
        prop_assert!(seconds < 6 || world.machines.keys().all(|it| world.detector.standing(it) == Some(Standing::CutOff)));
        world.machines.values_mut().for_each(|machine| machine.masters = true);
        world.run(secs(1));
        prop_assert!(world.machines.keys().all(|it| world.detector.standing(it) == Some(Standing::Open)));
    }

    #[test]
    fn who_dies_beside_a_living_worker_is_found_in_time(
        dead in proptest::collection::btree_set(1_usize..6, 1..5),
        lead_in in 0_u32..20,
    ) {
        let mut world = World::new(6);
        world.run(STEP * lead_in);
        for worker in &dead {
            world.kill(&format!("w{worker}"));
        }
        world.run(Duration::from_millis(3_100));
        prop_assert_eq!(world.dead(), dead.iter().map(|worker| format!("w{worker}")).collect::<BTreeSet<_>>());
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let worker = || (0_usize..4).prop_map(|number| name(&format!("w{number}")));
    let slots = proptest::collection::btree_set(0_u16..3, 0..3);
    prop_oneof![
        (worker(), 0_u64..4, slots).prop_map(|(worker, incarnation, slots)| {
            Event::Heard { worker, incarnation: WorkerIncarnation::new(incarnation), slots }
        }),
        worker().prop_map(Event::Left),
        worker().prop_map(Event::Closed),
        worker().prop_map(Event::Forgotten),
        (0_u64..200, any::<bool>()).prop_map(|(id, answered)| Event::Probed { id: ProbeId(id), answered }),
        (worker(), worker(), any::<u32>()).prop_map(|(by, worker, millis)| {
            Event::Witnessed { by, worker, silent: Duration::from_millis(millis.into()) }
        }),
        Just(Event::Tick),
        Just(Event::Tick),
    ]
}

proptest! {
    #[test]
    fn the_same_events_have_the_same_effects_whatever_they_are(
        events in proptest::collection::vec((0_u64..400, any_event()), 0..200),
    ) {
        let run = || {
            let mut detector = Detector::new(Settings::default(), Duration::ZERO, []);
            let mut now = Duration::ZERO;
            let mut effects = Vec::new();
            for (millis, event) in &events {
                now += Duration::from_millis(*millis);
                effects.extend(detector.handle(now, event.clone()));
            }
            (effects, detector.stalls())
        };
        let (effects, stalls) = run();
        let ids: Vec<_> = effects.iter().filter_map(|effect| match effect {
            Effect::Probe { id, .. } => Some(*id),
            _ => None,
        }).collect();
        prop_assert!(ids.is_sorted_by(|one, other| one < other), "a probe's number came twice");
        prop_assert_eq!(run(), (effects, stalls));
    }
}
