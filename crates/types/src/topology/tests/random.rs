//! Topologies that nobody wrote.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::TaskId;

fn any_name() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "b", "c", "A", "ab", "", "__a", "a b", "é", "default"])
}

fn any_fields() -> impl Strategy<Value = Fields> {
    vec(any_name(), 0..3).prop_map(Fields::new)
}

fn any_grouping() -> impl Strategy<Value = Grouping> {
    prop_oneof![
        Just(Grouping::Shuffle),
        any_fields().prop_map(Grouping::Fields),
        any_fields().prop_map(Grouping::PartialKey),
        Just(Grouping::Direct),
        any_name().prop_map(|name| Grouping::Custom(name.into())),
    ]
}

prop_compose! {
    fn any_component()(
        id in any_name(),
        kind in select(vec![Kind::Spout, Kind::Bolt]),
        in_flight in 0u32..2,
        is_async: bool,
        parallelism in prop_oneof![0u32..4, Just(u32::MAX)],
        tasks in prop_oneof![0u32..4, Just(u32::MAX)],
        streams in vec((any_name(), any_fields(), any::<bool>()), 0..3),
        inputs in vec((any_name(), any_name(), any_grouping()), 0..4),
        tick in select(vec![None, Some(Duration::ZERO), Some(Duration::from_secs(1))]),
    ) -> Component {
        let execution = if is_async { Execution::Async { in_flight, ordered: true } } else { Execution::Sync };
        Component {
            execution,
            parallelism,
            tasks,
            streams: streams
                .into_iter()
                .map(|(id, fields, direct)| StreamDecl { direct, ..StreamDecl::new(id.into(), fields) })
                .collect(),
            inputs: inputs
                .into_iter()
                .map(|(from, stream, grouping)| Input::new(from.into(), stream.into(), grouping))
                .collect(),
            tick,
            ..Component::new(id.into(), kind)
        }
    }
}

prop_compose! {
    fn any_topology()(
        name in any_name(),
        components in vec(any_component(), 0..6),
        key_groups in prop_oneof![0u16..4, any::<u16>()],
    ) -> Topology {
        Topology { components, key_groups, ..Topology::new(name) }
    }
}

/// What a bolt gets beside the tuples of a component before it, which make it reachable: from anyone, also later ones.
type Wires = (prop::sample::Index, Vec<prop::sample::Index>);

fn wired(spouts: usize, bolts: Vec<Wires>, sizes: &[(u32, u32)]) -> Topology {
    let count = spouts + bolts.len();
    let spout_components = (0..spouts).map(|index| spout(&index.to_string()));
    let bolt_components = bolts.into_iter().enumerate().map(|(place, (before, others))| {
        let index = spouts + place;
        let from: BTreeSet<usize> =
            others.iter().map(|other| other.index(count)).chain([before.index(index)]).collect();
        let from: Vec<String> = from.iter().map(usize::to_string).collect();
        bolt(&index.to_string(), &from.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let mut components: Vec<Component> = spout_components.chain(bolt_components).collect();
    for (component, &(executors, more)) in components.iter_mut().zip(sizes) {
        (component.parallelism, component.tasks) = (executors, executors + more);
    }
    topology(components)
}

prop_compose! {
    fn valid_topology()(
        spouts in 1usize..4,
        bolts in vec((any::<prop::sample::Index>(), vec(any::<prop::sample::Index>(), 0..4)), 0..9),
        sizes in vec((1u32..5, 0u32..5), 12),
        rotation: prop::sample::Index,
    ) -> Topology {
        let mut topology = wired(spouts, bolts, &sizes);
        let by = rotation.index(topology.components.len());
        topology.components.rotate_left(by);
        topology
    }
}

/// Every edge as (from, to, whether it closes a cycle).
fn edges(checked: &Checked) -> Vec<(usize, usize, bool)> {
    (0..checked.components().len())
        .flat_map(|to| (0..checked.component(to).inputs.len()).map(move |input| (to, input)))
        .map(|(to, input)| (checked.source(to, input).component, to, checked.closes_cycle(to, input)))
        .collect()
}

/// What can be reached over one edge or more, the slow and obvious way.
fn reach(edges: &[(usize, usize, bool)], len: usize) -> Vec<Vec<bool>> {
    let mut reach = vec![vec![false; len]; len];
    edges.iter().for_each(|&(from, to, _)| reach[from][to] = true);
    for via in 0..len {
        for from in 0..len {
            for to in 0..len {
                reach[from][to] |= reach[from][via] && reach[via][to];
            }
        }
    }
    reach
}

proptest! {
    #[test]
    fn any_topology_is_checked_without_a_panic_and_problems_are_one_a_line(topology in any_topology()) {
        match topology.clone().validate() {
            Ok(checked) => {
                let description = checked.describe();
                prop_assert_eq!(description["name"].as_str(), Some(&*topology.name));
            }
            Err(invalid) => {
                prop_assert_eq!(invalid.to_string().lines().count(), invalid.problems().count());
                prop_assert_eq!(topology.validate().unwrap_err(), invalid);
            }
        }
    }

    #[test]
    fn what_is_made_to_be_valid_is(topology in valid_topology()) {
        prop_assert_eq!(topology.validate().map(|_| ()), Ok(()));
    }

    #[test]
    fn each_task_belongs_to_one_component_and_one_executor(topology in valid_topology()) {
        let checked = topology.validate().unwrap();
        let mut next = 1;
        for index in 0..checked.components().len() {
            let component = checked.component(index);
            prop_assert_eq!(u32::from(checked.tasks_of(index).count()), component.tasks);
            for executor in 0..component.parallelism {
                for task in checked.tasks_of_executor(index, executor).iter() {
                    prop_assert_eq!(task, TaskId::new(next));
                    prop_assert_eq!(checked.component_of(task), Some(index));
                    prop_assert_eq!(checked.executor_of(task), Some(executor));
                    next += 1;
                }
            }
        }
        prop_assert_eq!(next - 1, checked.task_count());
    }

    #[test]
    fn without_the_edges_that_close_cycles_there_are_none_and_the_order_goes_with_all_others(
        topology in valid_topology(),
    ) {
        let checked = topology.validate().unwrap();
        let order = checked.topological_order();
        let mut place = vec![usize::MAX; checked.components().len()];
        order.iter().enumerate().for_each(|(at, &component)| place[component] = at);
        prop_assert!(!place.contains(&usize::MAX), "all are in it");
        for (from, to, closes) in edges(&checked) {
            prop_assert!(closes || place[from] < place[to], "{from} → {to}");
        }
    }

    #[test]
    fn an_edge_closes_a_cycle_only_if_it_lies_on_one(topology in valid_topology()) {
        let checked = topology.validate().unwrap();
        let edges = edges(&checked);
        let reach = reach(&edges, checked.components().len());
        for &(from, to, closes) in &edges {
            prop_assert!(!closes || from == to || reach[to][from]);
        }
        for (component, reached) in reach.iter().enumerate() {
            prop_assert_eq!(checked.in_cycle(component), reached[component]);
        }
    }

    #[test]
    fn the_edges_that_close_cycles_are_needed_one_by_one(topology in valid_topology()) {
        let checked = topology.validate().unwrap();
        let edges = edges(&checked);
        let kept: Vec<_> = edges.iter().copied().filter(|&(_, _, closes)| !closes).collect();
        let reach = reach(&kept, checked.components().len());
        for &(from, to, _) in edges.iter().filter(|&&(_, _, closes)| closes) {
            prop_assert!(from == to || reach[to][from], "{from} → {to} closes no cycle of the others");
        }
    }

    #[test]
    fn consumers_and_sources_agree(topology in valid_topology()) {
        let checked = topology.validate().unwrap();
        let mut seen = 0;
        for (index, component) in checked.components().iter().enumerate() {
            for (place, stream) in component.streams.iter().enumerate() {
                for consumer in checked.consumers(index, &stream.id) {
                    let source = Source { component: index, stream: place };
                    prop_assert_eq!(checked.source(consumer.component, consumer.input), source);
                    seen += 1;
                }
            }
        }
        prop_assert_eq!(seen, edges(&checked).len());
    }

    #[test]
    fn a_topology_is_read_back_from_its_description(topology in valid_topology()) {
        let description = topology.clone().validate().unwrap().describe();
        prop_assert_eq!(serde_json::from_value::<Topology>(description).unwrap(), topology);
    }

    #[test]
    fn the_description_says_where_tasks_begin_and_which_inputs_close_cycles(topology in valid_topology()) {
        let checked = topology.validate().unwrap();
        let description = checked.describe();
        let mut first_task = 1;
        for (index, component) in checked.components().iter().enumerate() {
            let described = &description["components"][index];
            prop_assert_eq!(described["first_task"].as_u64(), Some(first_task));
            first_task += u64::from(component.tasks);
            for input in 0..component.inputs.len() {
                let closes = checked.closes_cycle(index, input).then_some(true);
                prop_assert_eq!(described["inputs"][input]["closes_cycle"].as_bool(), closes);
            }
        }
        prop_assert_eq!(first_task - 1, u64::from(checked.task_count()));
    }

    #[test]
    fn overrides_change_one_component_and_its_tasks_only_if_they_went_with_it(
        topology in valid_topology(),
        which: prop::sample::Index,
        executors in 0u32..9,
    ) {
        let index = which.index(topology.components.len());
        let mut changed = topology.clone();
        changed.set_parallelism(&topology.components[index].id, executors).unwrap();
        for (place, (new, old)) in changed.components.iter().zip(&topology.components).enumerate() {
            let tasks = if place == index && old.tasks == old.parallelism { executors } else { old.tasks };
            let parallelism = if place == index { executors } else { old.parallelism };
            prop_assert_eq!(new, &Component { parallelism, tasks, ..old.clone() });
        }
    }

    #[test]
    fn a_component_in_no_cycle_stays_so_when_bolts_are_added_behind(topology in valid_topology()) {
        let before = topology.clone().validate().unwrap();
        let mut longer = topology;
        let ids: Vec<_> = longer.components.iter().map(|it| it.id.as_str().to_owned()).collect();
        longer.components.push(bolt("sink", &ids.iter().map(String::as_str).collect::<Vec<_>>()));
        let after = longer.validate().unwrap();
        let len = before.components().len();
        prop_assert_eq!(after.topological_order().last(), Some(&len));
        prop_assert!((0..len).all(|index| before.in_cycle(index) == after.in_cycle(index)));
        prop_assert!(!after.in_cycle(len));
    }
}
