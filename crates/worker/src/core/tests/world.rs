//! Masters that say this and that, processes that come and go, a daemon that is started anew: whatever happens in whatever order, no slot
//! has two processes, and in the end all run what the newest state wants.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// A newer state, with these programs in slots 0, 1, 2.
    Say([Option<u8>; 3]),
    /// A state that came late.
    SayOld([Option<u8>; 3]),
    /// A later life of the cluster.
    Epoch([Option<u8>; 3]),
    /// One of the answers that are under way arrives.
    Arrive(Index),
    /// A process dies.
    Die(Index),
    /// Processes are heard.
    Hear,
    Wait(u64),
    /// The daemon is killed and started anew.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let slots = || prop::array::uniform3(prop::option::of(1_u8..4));
    prop_oneof![
        4 => slots().prop_map(Step::Say),
        1 => slots().prop_map(Step::SayOld),
        1 => slots().prop_map(Step::Epoch),
        8 => any::<Index>().prop_map(Step::Arrive),
        3 => any::<Index>().prop_map(Step::Die),
        2 => Just(Step::Hear),
        4 => (1_u64..4_000).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

/// A process that lives. What it says it is, it knows once it has had orders.
#[derive(Clone, Debug)]
struct Living {
    incarnation: SlotIncarnation,
    identity: Option<Identity>,
    ordered: Option<Wanted>,
}

fn slot_of(event: &Event) -> Option<u16> {
    match event {
        Event::Found { number, .. }
        | Event::Started { number, .. }
        | Event::Greeted { number, .. }
        | Event::Beat { number, .. }
        | Event::Exited { number, .. } => Some(*number),
        Event::Desired(_) | Event::Fetched { .. } | Event::Leave | Event::Tick => None,
    }
}

struct World {
    core: Core,
    now: u64,
    epoch: u64,
    revision: u64,
    newest: [Option<u8>; 3],
    living: BTreeMap<u16, Living>,
    /// Answers under way.
    coming: Vec<Event>,
}

impl World {
    fn new() -> Self {
        let newest = [None; 3];
        Self { core: fresh(), now: 0, epoch: 1, revision: 1, newest, living: BTreeMap::new(), coming: Vec::new() }
    }

    fn tell(&mut self, event: Event) {
        for effect in self.core.handle(ms(self.now), self.now, event) {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Fetch(package) => self.coming.push(Event::Fetched { package, result: Ok(()) }),
            Effect::Start { number, incarnation, .. } => {
                let before = self.living.insert(number, Living { incarnation, identity: None, ordered: None });
                assert!(before.is_none(), "slot {number} has two processes");
                self.coming.push(Event::Started { number, incarnation, result: Ok(1) });
                self.coming.push(Event::Greeted { number, incarnation });
            }
            Effect::Order { number, orders } => {
                let living = self.living.get_mut(&number);
                if let Some(living) = living.filter(|it| it.incarnation == orders.identity.incarnation) {
                    living.identity = Some(orders.identity);
                    living.ordered = Some(orders.wanted);
                }
            }
            Effect::Stop { number, .. } | Effect::Kill { number } => self.die(number),
        }
    }

    fn die(&mut self, number: u16) {
        if let Some(Living { incarnation, .. }) = self.living.remove(&number) {
            self.coming.push(Event::Exited { number, incarnation, exit: exit("gone") });
        }
    }

    fn state(&self, slots: [Option<u8>; 3]) -> Desired {
        let slots: Vec<_> = (0_u16..).zip(slots).filter_map(|(number, program)| Some((number, program?))).collect();
        desired(self.epoch, self.revision, &slots)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Say(slots) => {
                self.revision += 1;
                self.newest = *slots;
                self.tell(Event::Desired(self.state(*slots)));
            }
            Step::SayOld(slots) => {
                let old = Desired { age: Age::default(), ..self.state(*slots) };
                self.tell(Event::Desired(old));
            }
            Step::Epoch(slots) => {
                self.epoch += 1;
                self.newest = *slots;
                self.tell(Event::Desired(self.state(*slots)));
            }
            Step::Arrive(index) => {
                if !self.coming.is_empty() {
                    self.arrive(index.index(self.coming.len()));
                }
            }
            Step::Die(index) => {
                if !self.living.is_empty() {
                    let number = *self.living.keys().nth(index.index(self.living.len())).unwrap();
                    self.die(number);
                }
            }
            Step::Hear => self.hear(),
            Step::Wait(time) => self.wait(*time),
            Step::Restart => self.restart(),
        }
    }

    /// What is said of one slot arrives in the order in which it was said.
    fn arrive(&mut self, index: usize) {
        let slot = slot_of(&self.coming[index]);
        let first = self.coming.iter().position(|it| slot.is_some() && slot_of(it) == slot).unwrap_or(index);
        let event = self.coming.remove(first);
        self.tell(event);
    }

    fn hear(&mut self) {
        for (number, living) in self.living.clone() {
            let incarnation = living.incarnation;
            self.tell(Event::Beat { number, incarnation, beat: beat(Doing::Running) });
        }
    }

    fn wait(&mut self, time: u64) {
        let until = self.now + time;
        while self.now < until {
            self.now += 100;
            self.tell(Event::Tick);
        }
    }

    /// What was under way to the old daemon is lost; the new one looks into each folder. Processes that had no orders yet can't say who they
    /// are: they are ended by who looks.
    fn restart(&mut self) {
        self.coming.clear();
        let memory = self.core.memory().clone();
        let folders = [0, 1, 2];
        self.core = Core::new(Patience::DEFAULT, ms(self.now), 0, memory, folders.into());
        self.living.retain(|_, living| living.identity.is_some());
        for number in folders {
            let found = self.living.get(&number).and_then(|living| Some((1, living.identity.clone()?)));
            self.coming.push(Event::Found { number, found });
        }
    }

    /// Everything that is under way arrives, processes are heard, time passes.
    fn heal(&mut self) {
        self.tell(Event::Desired(self.state(self.newest)));
        for _ in 0..450 {
            while !self.coming.is_empty() {
                self.arrive(0);
            }
            self.hear();
            self.now += 100;
            self.tell(Event::Tick);
        }
    }

    /// The programs that run, by slot; those of earlier lives of the cluster aside.
    fn run(&self) -> [Option<u8>; 3] {
        let runs = |number: u16| {
            let identity = self.living.get(&number)?.identity.as_ref()?;
            let program = (1..4).find(|it| program(*it) == identity.program);
            program.filter(|_| identity.epoch.get() == self.epoch)
        };
        [0, 1, 2].map(runs)
    }

    fn has_stranger(&self, number: u16) -> bool {
        let identity = self.living.get(&number).and_then(|it| it.identity.as_ref());
        identity.is_some_and(|identity| identity.epoch.get() != self.epoch)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_all_comes_to_what_the_newest_state_wants(steps in prop::collection::vec(step(), 0..80)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.heal();
        for number in 0_u16..3 {
            let index = usize::from(number);
            // A process of an earlier life of the cluster keeps its place until somebody ends it.
            if !world.has_stranger(number) {
                prop_assert_eq!(world.run()[index], world.newest[index], "slot {}", number);
            }
        }
        let told = world.living.iter().filter(|(number, _)| !world.has_stranger(**number));
        for (number, living) in told {
            prop_assert_eq!(living.ordered.as_ref(), world.core.memory().wanted.get(number));
        }
    }
}
