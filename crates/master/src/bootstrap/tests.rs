//! Masters that form a cluster over a network that loses anything, while any of them is restarted at any time.

use std::collections::BTreeSet;

use proptest::prelude::*;
use squall_types::cluster::{ClusterId, FeatureLevel, MasterName, RaftId};

use super::core::{Decision, Formation, Identity, Seed, SeedRefused, Waiting};

fn address(number: usize) -> String {
    format!("m{number}:7400")
}

fn name(number: usize) -> MasterName {
    format!("m{number}").parse().unwrap()
}

fn id(number: usize) -> RaftId {
    RaftId::new(100 + number as u64).unwrap()
}

fn list(count: usize) -> Vec<String> {
    (0..count).map(address).collect()
}

fn formation(number: usize, listed: Vec<String>) -> Formation {
    Formation::new(id(number), address(number), listed)
}

fn empty(number: usize, listed: Vec<String>) -> Identity {
    Identity {
        id: id(number),
        name: name(number),
        cluster: None,
        knows_asker: false,
        member_there: None,
        listed,
        level: FeatureLevel::new(1),
    }
}

fn knowing(number: usize, cluster: u64, knows_asker: bool) -> Identity {
    Identity { cluster: ClusterId::new(cluster), knows_asker, ..empty(number, list(3)) }
}

fn waits(formation: &Formation) -> Waiting {
    match formation.decide() {
        Decision::Wait(waiting) => waiting,
        decided => panic!("{decided:?}"),
    }
}

#[test]
fn a_master_that_is_alone_founds_a_cluster_of_one_once_it_has_heard_itself() {
    let mut alone = formation(0, Vec::new());
    assert_eq!(waits(&alone), Waiting::Silent(list(1)));
    alone.heard(&address(0), empty(0, list(1)));
    assert_eq!(alone.level(), FeatureLevel::new(1));
    let Decision::Found(founders) = alone.decide() else { panic!() };
    assert_eq!(founders.iter().map(|it| it.id).collect::<Vec<_>>(), [id(0)]);
}

#[test]
fn the_first_of_the_list_founds_and_the_others_wait_for_it() {
    let [mut first, mut second] = [0, 1].map(|number| formation(number, list(3)));
    for number in 0..3 {
        first.heard(&address(number), empty(number, list(3)));
        second.heard(&address(number), empty(number, list(3)));
    }
    assert!(matches!(first.decide(), Decision::Found(founders) if founders.len() == 3));
    assert_eq!(waits(&second), Waiting::First { first: address(0) });
}

#[test]
fn nothing_is_founded_while_one_is_silent_nor_on_what_it_said_in_an_earlier_round() {
    let mut first = formation(0, list(3));
    (0..3).for_each(|number| first.heard(&address(number), empty(number, list(3))));
    first.ask_anew();
    (0..2).for_each(|number| first.heard(&address(number), empty(number, list(3))));
    assert_eq!(waits(&first), Waiting::Silent(vec![address(2)]));
}

#[test]
fn a_master_that_lost_its_disk_waits_and_names_the_way_back() {
    let mut wiped = formation(0, list(3));
    wiped.heard(&address(0), empty(0, list(3)));
    let knows_another_there = Identity { member_there: Some(name(0)), ..knowing(1, 7, false) };
    wiped.heard(&address(1), knows_another_there);
    let waiting = waits(&wiped);
    assert!(waiting.next_step().ends_with("squall masters replace m0"), "{}", waiting.next_step());
}

#[test]
fn a_new_master_names_the_way_in_whether_it_lists_itself_or_not() {
    for listed in [list(3), list(6)] {
        let mut new = formation(5, listed);
        new.heard(&address(1), knowing(1, 7, false));
        assert!(waits(&new).next_step().ends_with("squall masters add m5:7400"));
    }
}

#[test]
fn who_was_let_in_joins_whatever_the_others_don_t_answer() {
    let mut new = formation(5, list(3));
    new.heard(&address(1), knowing(1, 7, false));
    new.heard(&address(2), knowing(2, 7, true));
    assert_eq!(new.decide(), Decision::Join(ClusterId::new(7).unwrap()));
}

#[test]
fn two_clusters_in_one_list_are_named() {
    let mut new = formation(0, list(3));
    new.heard(&address(1), knowing(1, 7, true));
    new.heard(&address(2), knowing(2, 8, false));
    assert_eq!(waits(&new), Waiting::TwoClusters { one: address(1), other: address(2) });
}

#[test]
fn lists_that_differ_repeat_or_leave_out_are_named_before_anything_is_founded() {
    let mut other = formation(0, list(2));
    other.heard(&address(0), empty(0, list(2)));
    other.heard(&address(1), empty(1, list(3)));
    assert!(matches!(waits(&other), Waiting::OtherList { at, .. } if at == address(1)));

    let mut twice = formation(0, list(2));
    twice.heard(&address(0), empty(0, list(2)));
    twice.heard(&address(1), empty(0, list(2)));
    assert!(matches!(waits(&twice), Waiting::Twice { .. }));

    let mut namesakes = formation(0, list(2));
    namesakes.heard(&address(0), empty(0, list(2)));
    namesakes.heard(&address(1), Identity { name: name(0), ..empty(1, list(2)) });
    assert!(matches!(waits(&namesakes), Waiting::Namesakes { .. }));

    let mut unlisted = formation(5, list(2));
    (0..2).for_each(|number| unlisted.heard(&address(number), empty(number, list(2))));
    assert_eq!(waits(&unlisted), Waiting::NotListed);

    let mut repeated = formation(0, [list(2), list(2)].concat());
    (0..2).for_each(|number| repeated.heard(&address(number), empty(number, list(2))));
    assert!(matches!(repeated.decide(), Decision::Found(founders) if founders.len() == 2));
}

#[test]
fn a_seed_is_for_those_whose_disk_it_names() {
    let cluster = ClusterId::new(7).unwrap();
    let mut first = formation(0, list(2));
    (0..2).for_each(|number| first.heard(&address(number), empty(number, list(2))));
    let Decision::Found(founders) = first.decide() else { panic!() };
    let seed = Seed { cluster, founders };
    assert_eq!(formation(1, list(2)).accept(&seed), Ok(()));
    assert_eq!(formation(2, list(2)).accept(&seed), Err(SeedRefused::NotNamed(id(2))));
}

/// One master: what its disk holds, and its process's memory.
#[derive(Debug)]
struct Node {
    life: u64,
    formation: Formation,
    /// What its disk holds.
    cluster: Option<ClusterId>,
    /// As a founder: whom its seed names.
    seed: Option<Seed>,
}

/// Everything that can happen: who does it, and which of its messages get through.
#[derive(Clone, Debug)]
enum Step {
    /// Asks all, and does what follows; a bit for each question and for each seed sent.
    Round { node: usize, answers: u8, seeds: u8 },
    /// Its process ends and starts again.
    Restart { node: usize },
    /// A seed of before arrives, late.
    Late { seed: usize, to: usize },
    /// Its disk is replaced by an empty one.
    Wipe { node: usize },
}

fn steps(wipes: bool) -> impl Strategy<Value = Vec<Step>> {
    let round = (0..5_usize, any::<u8>(), any::<u8>());
    let round = prop_oneof![round.clone(), round.prop_map(|(node, _, seeds)| (node, 0xff, seeds))]
        .prop_map(|(node, answers, seeds)| Step::Round { node, answers, seeds });
    let restart = (0..5_usize).prop_map(|node| Step::Restart { node });
    let late = (0..5_usize, 0..5_usize).prop_map(|(seed, to)| Step::Late { seed, to });
    let wipe = (0..5_usize).prop_map(|node| Step::Wipe { node });
    let step = prop_oneof![12 => round, 3 => restart, 2 => late, u32::from(wipes) => wipe];
    prop::collection::vec(step, 0..60)
}

#[derive(Debug)]
struct World {
    nodes: Vec<Node>,
    sent: Vec<Seed>,
    lives: u64,
}

impl World {
    fn new(count: usize) -> Self {
        let mut world = Self { nodes: Vec::new(), sent: Vec::new(), lives: 0 };
        world.nodes = (0..count).map(|number| world.fresh(number, count)).collect();
        world
    }

    fn fresh(&mut self, number: usize, count: usize) -> Node {
        self.lives += 1;
        let formation = Formation::new(RaftId::new(self.lives).unwrap(), address(number), list(count));
        Node { life: self.lives, formation, cluster: None, seed: None }
    }

    fn identity(&self, of: usize, asker: u64) -> Identity {
        let node = &self.nodes[of];
        let mut seeds = self.sent.iter().filter(|seed| Some(seed.cluster) == node.cluster);
        let knows = seeds.any(|seed| seed.founders.iter().any(|founder| founder.id.get() == asker));
        Identity {
            id: RaftId::new(node.life).unwrap(),
            name: name(of),
            cluster: node.cluster,
            knows_asker: knows,
            member_there: None,
            listed: node.formation.listed().to_vec(),
            level: FeatureLevel::new(1),
        }
    }

    fn take(&mut self, number: usize, seed: &Seed) {
        let node = &mut self.nodes[number];
        if node.cluster.is_none() && node.formation.accept(seed).is_ok() {
            node.cluster = Some(seed.cluster);
        }
    }

    fn round(&mut self, number: usize, answers: u8, seeds: u8) {
        let count = self.nodes.len();
        if self.nodes[number].cluster.is_none() {
            let asker = self.nodes[number].life;
            let heard: Vec<_> = (0..count)
                .filter(|other| answers >> other & 1 == 1)
                .map(|other| (address(other), self.identity(other, asker)))
                .collect();
            let node = &mut self.nodes[number];
            node.formation.ask_anew();
            heard.into_iter().for_each(|(at, identity)| node.formation.heard(&at, identity));
            match node.formation.decide() {
                Decision::Found(founders) => {
                    let cluster = ClusterId::new(1_000 + self.sent.len() as u64).unwrap();
                    let seed = Seed { cluster, founders };
                    node.cluster = Some(cluster);
                    node.seed = Some(seed.clone());
                    self.sent.push(seed);
                }
                Decision::Join(cluster) => node.cluster = Some(cluster),
                Decision::Wait(_) => {}
            }
        }
        if let Some(seed) = self.nodes[number].seed.clone() {
            (0..count).filter(|other| seeds >> other & 1 == 1).for_each(|other| self.take(other, &seed));
        }
    }

    fn step(&mut self, step: &Step) {
        let count = self.nodes.len();
        match *step {
            Step::Round { node, answers, seeds } => self.round(node % count, answers, seeds),
            Step::Restart { node } => {
                let (number, node) = (node % count, &mut self.nodes[node % count]);
                node.seed = None;
                node.formation = Formation::new(RaftId::new(node.life).unwrap(), address(number), list(count));
            }
            Step::Late { seed, to } => {
                if let Some(seed) = self.sent.get(seed).cloned() {
                    self.take(to % count, &seed);
                }
            }
            Step::Wipe { node } => {
                let fresh = self.fresh(node % count, count);
                self.nodes[node % count] = fresh;
            }
        }
    }

    fn clusters(&self) -> BTreeSet<ClusterId> {
        self.nodes.iter().filter_map(|node| node.cluster).collect()
    }

    /// Clusters that a majority of their founders' disks holds: those that can decide anything.
    fn alive(&self) -> usize {
        let holds = |seed: &&Seed| {
            let held = |node: &&Node| {
                node.cluster == Some(seed.cluster) && seed.founders.iter().any(|it| it.id.get() == node.life)
            };
            self.nodes.iter().filter(held).count() * 2 > seed.founders.len()
        };
        self.sent.iter().filter(holds).count()
    }
}

proptest! {
    #[test]
    fn as_long_as_no_disk_is_lost_there_is_one_cluster_at_most_and_all_come_to_it(
        count in 1_usize..6, steps in steps(false),
    ) {
        let mut world = World::new(count);
        for step in &steps {
            world.step(step);
            prop_assert!(world.clusters().len() <= 1, "{world:?}");
        }
        for number in (0..count).chain(0..count) {
            world.round(number, 0xff, 0xff);
        }
        prop_assert!(world.nodes.iter().all(|node| node.cluster.is_some()), "{world:?}");
        prop_assert_eq!(world.clusters().len(), 1);
    }

    #[test]
    fn of_two_clusters_one_can_decide_at_most_even_if_disks_are_lost(count in 1_usize..6, steps in steps(true)) {
        let mut world = World::new(count);
        for step in &steps {
            world.step(step);
            prop_assert!(world.alive() <= 1, "{world:?}");
        }
    }
}
