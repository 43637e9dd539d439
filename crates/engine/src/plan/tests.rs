use super::*;
use squall_types::StreamId;
use squall_types::cluster::{AssignmentVersion, Peer, SlotId};
use squall_types::topology::{Fields, StreamDecl, Topology};

/// A line of components `a`, `b`, `c`…, each with one stream, joined by these groupings, with these parallelisms.
fn line(parallelism: &[u32], groupings: &[Grouping]) -> Topology {
    let mut topology = Topology::new("line");
    for (index, executors) in parallelism.iter().enumerate() {
        let id = |index: usize| ((b'a' + index as u8) as char).to_string().as_str().into();
        let mut component = Component::new(id(index), if index == 0 { Kind::Spout } else { Kind::Bolt });
        (component.parallelism, component.tasks) = (*executors, *executors);
        component.streams.push(StreamDecl::new(StreamId::default_stream(), Fields::new(["x"])));
        if index > 0 {
            let input = squall_types::topology::Input::new(
                id(index - 1),
                StreamId::default_stream(),
                groupings[index - 1].clone(),
            );
            component.inputs.push(input);
        }
        topology.components.push(component);
    }
    topology
}

fn plan(topology: Topology, cores: usize) -> Plan {
    Plan::new(&topology.validate().unwrap(), cores)
}

fn chained(topology: Topology, cores: usize) -> Vec<bool> {
    let components = topology.components.len();
    let plan = plan(topology, cores);
    (0..components).map(|component| plan.is_chained(component)).collect()
}

#[test]
fn every_task_is_in_exactly_one_lane() {
    let mut topology = line(&[3, 5, 4], &[Grouping::Shuffle, Grouping::All]);
    topology.components[1].tasks = 11;
    let plan = plan(topology, 2);
    let tasks: usize = plan.lanes().iter().flat_map(|lane| &lane.nodes).map(|node| node.tasks.len()).sum();
    assert_eq!(tasks, 3 + 11 + 4);
    assert_eq!(plan.places().len(), tasks);
}

#[test]
fn a_shuffle_is_chained_where_both_sides_cover_the_cores_evenly() {
    assert_eq!(chained(line(&[2, 2], &[Grouping::Shuffle]), 2), [false, true]);
    assert_eq!(chained(line(&[4, 4], &[Grouping::None]), 2), [false, true]);
    assert_eq!(chained(line(&[1, 1], &[Grouping::Shuffle]), 2), [false, false]);
    assert_eq!(chained(line(&[3, 3], &[Grouping::Shuffle]), 2), [false, false]);
    assert_eq!(chained(line(&[2, 4], &[Grouping::Shuffle]), 2), [false, false]);
}

#[test]
fn local_or_shuffle_is_chained_between_equal_parallelisms_on_the_same_cores() {
    let plan = plan(line(&[1, 1, 1], &[Grouping::LocalOrShuffle, Grouping::LocalOrShuffle]), 2);
    assert!(plan.is_chained(1) && plan.is_chained(2));
    assert_eq!(plan.lanes().len(), 1);
    assert_eq!(plan.lanes()[0].nodes[2].parent, Some((1, 0)));
}

#[test]
fn keyed_global_and_all_edges_are_never_chained() {
    let key = || Fields::new(["x"]);
    for grouping in [Grouping::Fields(key()), Grouping::PartialKey(key()), Grouping::Global, Grouping::All] {
        assert_eq!(chained(line(&[2, 2], std::slice::from_ref(&grouping)), 2), [false, false], "{grouping:?}");
    }
}

#[test]
fn an_edge_can_be_kept_out_of_a_chain() {
    let mut topology = line(&[2, 2], &[Grouping::Shuffle]);
    topology.components[1].inputs[0].chain = false;
    assert_eq!(chained(topology, 2), [false, false]);
}

#[test]
fn a_bolt_that_blocks_awaits_has_two_inputs_or_lies_in_a_cycle_is_not_chained() {
    let mut blocking = line(&[2, 2], &[Grouping::Shuffle]);
    blocking.components[1].execution = Execution::Blocking;
    assert_eq!(chained(blocking, 2), [false, false]);

    let mut awaiting = line(&[2, 2], &[Grouping::Shuffle]);
    awaiting.components[1].execution = Execution::Async { in_flight: 4, ordered: true };
    assert_eq!(chained(awaiting, 2), [false, false]);

    let mut joined = line(&[2, 2, 2], &[Grouping::Shuffle, Grouping::Shuffle]);
    let second = joined.components[1].inputs[0].clone();
    joined.components[2].inputs.push(second);
    assert_eq!(chained(joined, 2), [false, true, false]);

    let mut cycle = line(&[2, 2], &[Grouping::Shuffle]);
    let own = squall_types::topology::Input::new("b".into(), StreamId::default_stream(), Grouping::Shuffle);
    cycle.components[1].inputs.push(own);
    assert_eq!(chained(cycle, 2), [false, false]);
}

#[test]
fn a_bolt_that_blocks_has_a_thread_for_each_executor_and_its_tasks() {
    let mut topology = line(&[1, 2], &[Grouping::Shuffle]);
    topology.components[1].execution = Execution::Blocking;
    topology.components[1].tasks = 5;
    let plan = plan(topology, 2);
    let threads: Vec<_> = plan.lanes().iter().filter(|lane| lane.place == Place::Thread).collect();
    assert_eq!(threads.iter().map(|lane| lane.nodes[0].tasks.len()).collect::<Vec<_>>(), [3, 2]);
}

#[test]
fn executors_of_one_component_on_one_core_share_a_lane() {
    let plan = plan(line(&[1, 1_000], &[Grouping::Fields(Fields::new(["x"]))]), 2);
    let lanes: Vec<_> = plan.lanes().iter().filter(|lane| lane.nodes[0].component == 1).collect();
    assert_eq!(lanes.iter().map(|lane| lane.nodes[0].tasks.len()).collect::<Vec<_>>(), [500, 500]);
}

#[test]
fn single_executors_are_spread_over_the_cores() {
    let plan = plan(line(&[1, 1, 1, 1], &[Grouping::Global, Grouping::Global, Grouping::Global]), 2);
    let cores: Vec<_> = plan.lanes().iter().map(|lane| lane.place).collect();
    assert_eq!(cores, [Place::Core(0), Place::Core(1), Place::Core(0), Place::Core(1)]);
}

fn slot(number: u16) -> SlotId {
    SlotId { worker: "w".parse().unwrap(), number }
}

/// Executors by component and number, each in its slot.
fn placement(topology: &Checked, at: impl Fn(usize, u32) -> Option<u16>) -> Placement {
    let mut slots = BTreeMap::<SlotId, Peer>::new();
    for (component, declared) in topology.components().iter().enumerate() {
        for executor in 0..declared.parallelism {
            if let Some(number) = at(component, executor) {
                slots.entry(slot(number)).or_default().executors.insert(topology.executor(component, executor));
            }
        }
    }
    Placement { version: AssignmentVersion::new(1), slots }
}

fn plan_of(topology: &Checked, placement: &Placement, number: u16, cores: usize) -> Plan {
    let local = local_edges(topology, Some(placement));
    Plan::for_slot(topology, cores, &placement.slots[&slot(number)].executors, &local)
}

#[test]
fn the_slots_of_a_placement_run_all_of_its_tasks_once() {
    let topology = line(&[3, 5, 4], &[Grouping::Shuffle, Grouping::All]).validate().unwrap();
    let placement = placement(&topology, |component, executor| Some((component as u16 + executor as u16) % 3));
    let tasks: Vec<TaskId> =
        (0..3).flat_map(|number| plan_of(&topology, &placement, number, 2).places().into_keys()).collect();
    let all: std::collections::BTreeSet<TaskId> = tasks.iter().copied().collect();
    assert_eq!((tasks.len(), all.len()), (12, 12));
}

#[test]
fn a_shuffle_is_chained_in_the_slots_whose_cores_its_executors_cover() {
    let topology = line(&[5, 5], &[Grouping::Shuffle]).validate().unwrap();
    let placement = placement(&topology, |_, executor| Some(u16::from(executor >= 4)));
    assert!(plan_of(&topology, &placement, 0, 2).is_chained(1), "four on two cores");
    assert!(!plan_of(&topology, &placement, 1, 2).is_chained(1), "one on two cores");
    assert!(plan_of(&topology, &placement, 1, 1).is_chained(1));
}

#[test]
fn an_edge_is_local_only_if_executors_are_together_everywhere() {
    let topology = line(&[2, 2, 2], &[Grouping::LocalOrShuffle, Grouping::Shuffle]).validate().unwrap();
    let local = |at: &dyn Fn(usize, u32) -> Option<u16>| local_edges(&topology, Some(&placement(&topology, at)));
    assert_eq!(local(&|_, executor| Some(executor as u16)), [false, true, true]);
    assert_eq!(local(&|_, _| Some(0)), [false, true, true]);
    let last_elsewhere = |component, executor| Some(if component == 2 { 2 } else { executor as u16 });
    assert_eq!(local(&last_elsewhere), [false, true, false]);
    let crossed = |component, executor: u32| Some((component as u16 + executor as u16) % 2);
    assert_eq!(local(&crossed), [false, false, false]);
    // Where both ends have no place, nothing is apart.
    assert_eq!(local(&|_, executor| (executor == 0).then_some(0)), [false, true, true]);
    assert!(!plan_of(&topology, &placement(&topology, crossed), 0, 1).is_chained(1));
}

#[test]
fn an_edge_between_other_groupings_or_parallelisms_is_never_local() {
    for (parallelism, grouping, local) in [
        ([2, 2], Grouping::Shuffle, true),
        ([2, 2], Grouping::None, true),
        ([2, 2], Grouping::Fields(Fields::new(["x"])), false),
        ([2, 2], Grouping::All, false),
        ([2, 3], Grouping::LocalOrShuffle, false),
    ] {
        let topology = line(&parallelism, std::slice::from_ref(&grouping)).validate().unwrap();
        assert_eq!(local_parent(&topology, 1).is_some(), local, "{grouping:?} {parallelism:?}");
    }
    let mut blocking = line(&[2, 2], &[Grouping::Shuffle]);
    blocking.components[1].execution = Execution::Blocking;
    assert_eq!(local_parent(&blocking.validate().unwrap(), 1), None);
}
