//! What follows from a valid topology.

use super::*;
use crate::TaskId;

fn at(component: usize, input: usize) -> InputRef {
    InputRef { component, input }
}

/// The inputs that close a cycle.
fn closing(checked: &Checked) -> Vec<InputRef> {
    (0..checked.components().len())
        .flat_map(|component| (0..checked.component(component).inputs.len()).map(move |input| at(component, input)))
        .filter(|edge| checked.closes_cycle(edge.component, edge.input))
        .collect()
}

fn in_cycle(checked: &Checked) -> Vec<usize> {
    (0..checked.components().len()).filter(|&component| checked.in_cycle(component)).collect()
}

#[test]
fn components_are_found_by_id_and_index() {
    let checked = word_count().validate().unwrap();
    assert_eq!(checked.index_of(&"count".into()), Some(2));
    assert_eq!(checked.index_of(&"nobody".into()), None);
    assert_eq!(checked.component(2).id, "count".into());
}

#[test]
fn tasks_are_numbered_from_1_in_declared_order() {
    let mut sized = with(1, |split| split.tasks = 4);
    sized.components[2].tasks = 2;
    let checked = sized.validate().unwrap();
    let numbers: Vec<Vec<u16>> =
        (0..3).map(|index| checked.tasks_of(index).iter().map(TaskId::get).collect()).collect();
    assert_eq!(numbers, [vec![1], vec![2, 3, 4, 5], vec![6, 7]]);
    assert_eq!(checked.task_count(), 7);
    let owners: Vec<_> = (0..=8).map(|task| checked.component_of(TaskId::new(task))).collect();
    let owner = Some;
    assert_eq!(owners, [None, owner(0), owner(1), owner(1), owner(1), owner(1), owner(2), owner(2), None]);
}

#[test]
fn the_last_task_id_can_be_used() {
    let checked =
        with(2, |count| (count.tasks, count.inputs[0].grouping) = (65_533, Grouping::All)).validate().unwrap();
    assert_eq!(checked.tasks_of(2).last(), TaskId::new(65_535));
    assert_eq!(checked.component_of(TaskId::new(65_535)), Some(2));
    assert_eq!(checked.executor_of(TaskId::new(65_535)), Some(0));
}

#[test]
fn executors_run_neighbouring_tasks() {
    let checked = with(1, |split| (split.parallelism, split.tasks) = (2, 5)).validate().unwrap();
    let numbers = |executor| checked.tasks_of_executor(1, executor).iter().map(TaskId::get).collect::<Vec<_>>();
    assert_eq!(numbers(0), [2, 3, 4]);
    assert_eq!(numbers(1), [5, 6]);
    let executors: Vec<_> = (1..=7).map(|task| checked.executor_of(TaskId::new(task))).collect();
    assert_eq!(executors, [Some(0), Some(0), Some(0), Some(0), Some(1), Some(1), Some(0)]);
    assert_eq!(checked.executor_of(TaskId::new(8)), None);
}

#[test]
fn a_streams_consumers_and_an_inputs_source_are_the_same_edge() {
    let mut two = word_count();
    two.components[1].streams.push(StreamDecl::new("late".into(), Fields::default()));
    two.components.push(bolt("sink", &["sentences"]));
    two.components[3].inputs.push(Input::new("split".into(), "late".into(), Grouping::Global));
    let checked = two.validate().unwrap();
    assert_eq!(checked.consumers(0, &"default".into()), [at(1, 0), at(3, 0)]);
    assert_eq!(checked.consumers(1, &"default".into()), [at(2, 0)]);
    assert_eq!(checked.consumers(1, &"late".into()), [at(3, 1)]);
    assert_eq!(checked.consumers(1, &"nothing".into()), []);
    assert_eq!(checked.consumers(2, &"default".into()), []);
    assert_eq!(checked.source(3, 1), Source { component: 1, stream: 1 });
    assert_eq!(checked.source(3, 0), Source { component: 0, stream: 0 });
}

#[test]
fn a_line_has_no_cycle() {
    let checked = word_count().validate().unwrap();
    assert_eq!(closing(&checked), []);
    assert!(in_cycle(&checked).is_empty());
}

#[test]
fn a_diamond_is_no_cycle() {
    let diamond = [spout("s"), bolt("a", &["s"]), bolt("b", &["s"]), bolt("end", &["a", "b"])];
    let checked = topology(diamond).validate().unwrap();
    assert_eq!(closing(&checked), []);
    assert!(in_cycle(&checked).is_empty());
}

#[test]
fn a_self_loop_closes_a_cycle_of_one() {
    let checked = topology([spout("s"), bolt("a", &["s", "a"]), bolt("b", &["a"])]).validate().unwrap();
    assert_eq!(closing(&checked), [at(1, 1)]);
    assert_eq!(in_cycle(&checked), [1]);
}

#[test]
fn the_edge_that_leads_back_towards_the_spout_closes_the_cycle() {
    let checked = topology([spout("s"), bolt("a", &["c", "s"]), bolt("b", &["a"]), bolt("c", &["b"])]);
    let checked = checked.validate().unwrap();
    assert_eq!(closing(&checked), [at(1, 0)]);
    assert_eq!(in_cycle(&checked), [1, 2, 3]);
    assert_eq!(checked.topological_order(), [0, 1, 2, 3]);
}

#[test]
fn both_of_two_streams_that_lead_back_close_the_cycle() {
    let mut two = topology([spout("s"), bolt("a", &["s", "b"]), bolt("b", &["a"])]);
    two.components[2].streams.push(StreamDecl::new("retry".into(), Fields::default()));
    two.components[1].inputs.push(Input::new("b".into(), "retry".into(), Grouping::Shuffle));
    let checked = two.validate().unwrap();
    assert_eq!(closing(&checked), [at(1, 1), at(1, 2)]);
}

#[test]
fn which_edge_closes_a_cycle_depends_on_the_spout_declared_first() {
    let components = || [bolt("a", &["s", "b"]), bolt("b", &["t", "a"])];
    let first = topology([spout("s"), spout("t")].into_iter().chain(components())).validate().unwrap();
    let second = topology([spout("t"), spout("s")].into_iter().chain(components())).validate().unwrap();
    assert_eq!(closing(&first), [at(2, 1)]);
    assert_eq!(closing(&second), [at(3, 1)]);
}

#[test]
fn a_cross_edge_into_a_cycle_that_was_left_is_still_in_it() {
    // a → b → a, and a → c → b: when the walk comes to b again by c, b has been left but isn't done.
    let checked = topology([spout("s"), bolt("a", &["s", "b"]), bolt("b", &["a", "c"]), bolt("c", &["a"])]);
    let checked = checked.validate().unwrap();
    assert_eq!(in_cycle(&checked), [1, 2, 3]);
    assert_eq!(closing(&checked), [at(1, 1)]);
    assert_eq!(checked.topological_order(), [0, 1, 3, 2]);
}

#[test]
fn what_comes_after_a_cycle_is_not_in_it() {
    let checked = topology([spout("s"), bolt("a", &["s", "b"]), bolt("b", &["a"]), bolt("end", &["b"])]);
    assert_eq!(in_cycle(&checked.validate().unwrap()), [1, 2]);
}

#[test]
fn the_order_goes_with_the_tuples_and_else_as_declared() {
    let checked = topology([bolt("end", &["a", "b"]), bolt("b", &["s"]), bolt("a", &["s"]), spout("s"), spout("t")]);
    assert_eq!(checked.validate().unwrap().topological_order(), [3, 1, 2, 0, 4]);
}

fn keying(inputs: Vec<Input>) -> Keying {
    let mut keyed = topology([spout("s"), spout("t"), bolt("b", &[])]);
    for spout in &mut keyed.components[..2] {
        spout.streams[0].fields = Fields::new(["word", "n"]);
    }
    keyed.components[2].inputs = inputs;
    keyed.validate().unwrap().keying(2)
}

fn partial<const N: usize>(fields: [&str; N]) -> Grouping {
    Grouping::PartialKey(Fields::new(fields))
}

#[test]
fn inputs_with_as_many_key_fields_are_keyed_alike_whatever_their_names() {
    assert_eq!(keying(vec![input("s", by(["word"])), input("t", by(["n"]))]), Keying::Keyed { fields: 1 });
    assert_eq!(keying(vec![input("s", by(["word", "n"]))]), Keying::Keyed { fields: 2 });
    assert_eq!(
        keying(vec![input("s", partial(["n"])), input("t", partial(["n"]))]),
        Keying::PartialKeyed { fields: 1 }
    );
}

#[test]
fn an_input_without_a_key_is_named() {
    for inputs in [
        vec![input("s", by(["word"])), input("t", Grouping::Shuffle)],
        vec![input("t", Grouping::Shuffle), input("s", by(["word"]))],
    ] {
        let Keying::No(reason) = keying(inputs) else { panic!("keyed") };
        assert_eq!(reason.code().to_string(), "SQ1101");
        assert_eq!(
            reason.to_string(),
            "bolt \"b\" takes stream \"default\" of \"t\" by shuffle grouping, which has no key"
        );
    }
}

#[test]
fn an_input_keyed_in_another_way_than_the_first_is_named() {
    let Keying::No(reason) = keying(vec![input("s", by(["word"])), input("t", by(["word", "n"]))]) else {
        panic!("keyed")
    };
    assert_eq!(
        reason.to_string(),
        "bolt \"b\" takes stream \"default\" of \"t\" by fields grouping with 2 field(s), but its first input by fields \
         grouping with 1"
    );
    let mixed = keying(vec![input("s", by(["word"])), input("t", partial(["word"]))]);
    assert!(matches!(mixed, Keying::No(NotKeyed::Unlike { grouping: "partial-key", .. })), "{mixed:?}");
}

#[test]
fn a_spout_has_no_key() {
    let Keying::No(reason) = word_count().validate().unwrap().keying(0) else { panic!("keyed") };
    assert_eq!(reason.to_string(), "spout \"sentences\" takes no rows, so it has no key to keep state by");
}

#[test]
fn two_cycles_that_share_a_bolt_are_closed_each() {
    // a → b → a and a → c → a.
    let checked = topology([spout("s"), bolt("a", &["s", "b", "c"]), bolt("b", &["a"]), bolt("c", &["a"])]);
    let checked = checked.validate().unwrap();
    assert_eq!(closing(&checked), [at(1, 1), at(1, 2)]);
    assert_eq!(in_cycle(&checked), [1, 2, 3]);
    assert_eq!(checked.topological_order(), [0, 1, 2, 3]);
}

#[test]
fn two_cycles_one_after_the_other_stay_two() {
    let checked = topology([
        spout("s"),
        bolt("a", &["s", "b"]),
        bolt("b", &["a"]),
        bolt("between", &["b"]),
        bolt("c", &["between", "c"]),
    ]);
    let checked = checked.validate().unwrap();
    assert_eq!(closing(&checked), [at(1, 1), at(4, 1)]);
    assert_eq!(in_cycle(&checked), [1, 2, 4]);
}

#[test]
fn a_cycle_within_a_cycle_is_closed_where_each_leads_back() {
    // s → a → b → c → a, and c → b.
    let checked = topology([spout("s"), bolt("a", &["s", "c"]), bolt("b", &["a", "c"]), bolt("c", &["b"])]);
    let checked = checked.validate().unwrap();
    assert_eq!(closing(&checked), [at(1, 1), at(2, 1)]);
    assert_eq!(in_cycle(&checked), [1, 2, 3]);
}

#[test]
fn each_reason_for_no_key_has_its_next_step() {
    let spout = word_count().validate().unwrap().keying(0);
    let shuffled = keying(vec![input("s", Grouping::Shuffle)]);
    let unlike = keying(vec![input("s", by(["word"])), input("t", partial(["word"]))]);
    let steps: std::collections::BTreeSet<_> = [spout, shuffled, unlike]
        .into_iter()
        .map(|keying| match keying {
            Keying::No(reason) => reason.next_step(),
            keyed => panic!("{keyed:?}"),
        })
        .collect();
    assert_eq!(steps.len(), 3);
}

#[test]
fn only_grouping_by_fields_keys_a_bolt() {
    for grouping in [Grouping::All, Grouping::Global, Grouping::None, Grouping::LocalOrShuffle] {
        let name = grouping.name();
        let Keying::No(NotKeyed::NoKey { grouping, at }) = keying(vec![input("s", grouping)]) else { panic!("{name}") };
        assert_eq!((grouping, at.from.as_str()), (name, "s"));
    }
}

#[test]
fn a_longer_key_is_not_the_shorter_even_if_it_begins_with_it() {
    let unlike = keying(vec![input("s", partial(["word", "n"])), input("t", partial(["word"]))]);
    assert!(matches!(unlike, Keying::No(NotKeyed::Unlike { fields: 1, first_fields: 2, .. })), "{unlike:?}");
}
