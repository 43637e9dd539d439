//! Whatever there is, a plan keeps the rules, is the same each time, and is empty right after it was carried out.

use std::collections::BTreeMap;

use proptest::prelude::*;
use squall_types::cluster::{ExecutorId, TopologyName, TopologyVersion, WorkerName};
use squall_types::topology::Resources;
use squall_types::{ComponentId, TaskId};

use super::{Component, Input, Options, Standing, Topology, Worker, plan};
use crate::check;

fn worker() -> impl Strategy<Value = Worker> {
    use Standing as S;
    let standing = prop::sample::select(vec![
        S::Open,
        S::Open,
        S::Open,
        S::Quarantined,
        S::Draining,
        S::Unheard,
        S::Suspect,
        S::CutOff,
        S::Left,
        S::Dead,
    ]);
    let tags = prop::sample::subsequence(vec!["gpu".to_owned(), "ssd".to_owned()], 0..=2);
    let lost = prop::collection::btree_set(0_u16..4, 0..2);
    (0_u16..4, 0_u64..400, 0_u64..1_000, tags, standing, lost).prop_map(
        |(slots, cpu_percent, memory_mib, tags, standing, lost)| Worker {
            slots,
            cpu_percent,
            memory_mib,
            tags: tags.into_iter().collect(),
            zone: String::new(),
            standing,
            lost,
        },
    )
}

fn topology() -> impl Strategy<Value = Topology> {
    let tags = prop::sample::subsequence(vec!["gpu".to_owned()], 0..=1);
    let enemies = prop::sample::subsequence(vec!["t0", "t1", "t2"], 0..=1);
    (1_u16..6, 1_u32..100, tags, enemies, 0_u32..3, any::<[bool; 2]>()).prop_map(
        |(count, needs, tags, enemies, max_slots, hard)| {
            let executor = |task| ExecutorId { first: TaskId::new(task), last: TaskId::new(task) };
            let component = Component {
                id: ComponentId::from("c"),
                spout: true,
                executors: (1..=count).map(executor).collect(),
                needs: Resources { cpu_percent: needs, memory_mib: needs * 2 },
                tags: tags.into_iter().collect(),
                inputs: Vec::new(),
            };
            let anti_affinity = enemies.into_iter().map(|name| name.parse().unwrap()).collect();
            let options = Options { max_slots, anti_affinity, hard_cpu: hard[0], hard_memory: hard[1] };
            let version = TopologyVersion::new(1);
            Topology { version, components: vec![component], options, evenly: false, current: None }
        },
    )
}

fn input() -> impl Strategy<Value = Input> {
    let workers = prop::collection::vec(worker(), 0..6);
    let topologies = prop::collection::vec(topology(), 0..4);
    (workers, topologies).prop_map(|(workers, topologies)| {
        let worker = |(number, it): (usize, Worker)| (format!("w{number}").parse::<WorkerName>().unwrap(), it);
        let topology = |(number, it): (usize, Topology)| (format!("t{number}").parse::<TopologyName>().unwrap(), it);
        Input {
            workers: workers.into_iter().enumerate().map(worker).collect(),
            topologies: topologies.into_iter().enumerate().map(topology).collect(),
        }
    })
}

/// The input once a plan for it was carried out.
fn after(mut input: Input) -> Input {
    let plan = plan(&input);
    for (name, assignment) in plan.assignments {
        let topology = input.topologies.get_mut(&name).unwrap();
        (topology.current, topology.evenly) = (Some(assignment), false);
    }
    input
}

proptest! {
    #[test]
    fn a_plan_keeps_all_rules_and_is_the_same_each_time(input in input()) {
        let planned = plan(&input);
        prop_assert_eq!(check(&input, &planned), []);
        prop_assert_eq!(plan(&input), planned);
    }

    #[test]
    fn a_plan_right_after_another_is_empty(input in input()) {
        let input = after(input);
        let again = plan(&input);
        prop_assert!(again.is_empty(), "{:?}", again.moves);
    }

    #[test]
    fn when_workers_change_the_rules_still_hold_and_what_may_stay_does(
        input in input(), standings in prop::collection::vec(worker(), 6),
    ) {
        let mut input = after(input);
        let before: BTreeMap<_, _> = input.topologies.clone();
        for (worker, other) in input.workers.values_mut().zip(standings) {
            worker.standing = other.standing;
        }
        let planned = plan(&input);
        prop_assert_eq!(check(&input, &planned), []);
        for change in planned.moves.iter().filter(|change| change.from.is_some()) {
            let from = change.from.as_ref().unwrap();
            let standing = input.workers[&from.worker].standing;
            let had_to = !standing.keeps() || standing == Standing::Draining;
            prop_assert!(had_to, "{change:?} of {:?}", before[&change.topology].current);
        }
    }
}
