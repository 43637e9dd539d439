//! A store against the plainest model of one: a sorted map by table, group and key.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const GROUPS: u16 = 6;

#[derive(Clone, Debug)]
enum Step {
    Add { table: usize, group: u16, key: u32, n: u64 },
    Remove { table: usize, group: u16, key: u32 },
    KeepEven { table: usize, group: u16 },
    Drop { group: u16 },
    Save { group: u16 },
    Load { group: u16 },
    Restart,
    Move { group: u16 },
}

fn step() -> impl Strategy<Value = Step> {
    let group = || prop_oneof![0..GROUPS, Just(u16::MAX)];
    prop_oneof![
        6 => (0..2usize, group(), 0..8u32, 1..4u64).prop_map(|(table, group, key, n)| Step::Add { table, group, key, n }),
        2 => (0..2usize, group(), 0..8u32).prop_map(|(table, group, key)| Step::Remove { table, group, key }),
        1 => (0..2usize, group()).prop_map(|(table, group)| Step::KeepEven { table, group }),
        1 => group().prop_map(|group| Step::Drop { group }),
        1 => group().prop_map(|group| Step::Save { group }),
        1 => group().prop_map(|group| Step::Load { group }),
        1 => Just(Step::Restart),
        1 => group().prop_map(|group| Step::Move { group }),
    ]
}

type Model = BTreeMap<(usize, u16, u32), u64>;

struct Subject {
    store: StateStore,
    tables: [StateHandle<u32, u64>; 2],
    model: Model,
    saved: BTreeMap<u16, (Vec<u8>, Model)>,
}

fn register(store: &mut StateStore) -> [StateHandle<u32, u64>; 2] {
    ["one", "two"].map(|name| store.register(name).expect("always the same types"))
}

impl Subject {
    fn new() -> Self {
        let mut store = StateStore::new(GROUPS, 5);
        let tables = register(&mut store);
        Self { store, tables, model: Model::new(), saved: BTreeMap::new() }
    }

    fn map(&mut self, table: usize, group: u16) -> &mut GroupMap<u32, u64> {
        self.store.group(&self.tables[table], KeyGroup::new(group))
    }

    fn snapshot(&self, group: u16) -> Vec<u8> {
        self.store.snapshot(KeyGroup::new(group)).expect("numbers serialize")
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Add { table, group, key, n } => {
                *self.map(table, group).get_or_default(&key) += n;
                *self.model.entry((table, group, key)).or_default() += n;
            }
            Step::Remove { table, group, key } => {
                assert_eq!(self.map(table, group).remove(&key), self.model.remove(&(table, group, key)));
            }
            Step::KeepEven { table, group } => {
                self.map(table, group).retain(|_, n| *n % 2 == 0);
                self.model.retain(|&(t, g, _), n| (t, g) != (table, group) || *n % 2 == 0);
            }
            Step::Drop { group } => {
                self.store.drop_group(KeyGroup::new(group));
                self.model.retain(|key, _| key.1 != group);
            }
            Step::Save { group } => {
                let model = self.model.iter().filter(|(key, _)| key.1 == group).map(|(key, n)| (*key, *n)).collect();
                self.saved.insert(group, (self.snapshot(group), model));
            }
            Step::Load { group } => self.load(group),
            Step::Restart => self.tables = register(&mut self.store),
            Step::Move { group } => self.pass_on(group),
        }
    }

    fn load(&mut self, group: u16) {
        if let Some((bytes, saved)) = self.saved.get(&group) {
            self.store.restore(KeyGroup::new(group), bytes).expect("it is whole");
            self.model.retain(|key, _| key.1 != group);
            self.model.extend(saved);
        }
    }

    /// Through a store that knows no tables, and back.
    fn pass_on(&mut self, group: u16) {
        let bytes = self.snapshot(group);
        let mut other = StateStore::new(GROUPS, 77);
        other.restore(KeyGroup::new(group), &bytes).expect("it is whole");
        let passed = other.snapshot(KeyGroup::new(group)).expect("it is only copied");
        assert_eq!(passed, bytes);
        self.store.restore(KeyGroup::new(group), &passed).expect("it is whole");
    }

    fn content(&mut self) -> Model {
        let mut content = Model::new();
        for table in 0..2 {
            let handle = self.tables[table];
            self.store.for_each(&handle, |group, key, n| {
                content.insert((table, group.get(), *key), *n);
            });
        }
        content
    }
}

proptest! {
    #[test]
    fn a_store_holds_what_a_sorted_map_would(steps in prop::collection::vec(step(), 0..60)) {
        let mut subject = Subject::new();
        for step in steps {
            subject.apply(step);
            prop_assert_eq!(&subject.content(), &subject.model);
            prop_assert_eq!(subject.store.entries(), subject.model.len());
            prop_assert_eq!(subject.store.is_empty(), subject.model.is_empty());
        }
    }
}
