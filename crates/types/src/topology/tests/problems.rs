//! Each problem is found, alone, and says what was meant.

use std::time::Duration;

use super::*;
use crate::{Code, codes};

/// The problems' codes and texts, a line each.
fn lines(topology: Topology) -> Vec<String> {
    topology.validate().unwrap_err().to_string().lines().map(str::to_owned).collect()
}

/// That this is the topology's one problem.
#[track_caller]
fn only(topology: Topology, code: Code, text: &str) {
    assert_eq!(lines(topology), [format!("{code}: {text}")]);
}

/// The topology's one problem.
#[track_caller]
fn problem(topology: Topology) -> Problem {
    let invalid = topology.validate().unwrap_err();
    let mut problems = invalid.problems().cloned();
    let first = problems.next().unwrap();
    assert_eq!(problems.next(), None);
    first
}

#[test]
fn an_illegal_topology_name_is_found_with_the_legal_alphabet() {
    for name in ["", "word count", "a/b", "-a"] {
        let topology = Topology { name: name.into(), ..word_count() };
        let text = format!(
            "topology name {name:?} is not legal: a name is 1 to 128 of the letters A-Z and a-z, digits, '_', '-' and \
             '.', and starts with a letter, a digit or '_'"
        );
        only(topology, codes::ILLEGAL_NAME, &text);
    }
}

#[test]
fn an_illegal_component_id_is_found() {
    let broken = problem(with(2, |count| count.id = "count words".into()));
    assert_eq!(broken.code(), codes::ILLEGAL_NAME);
    assert_eq!(broken.component(), Some(&"count words".into()));
    assert!(broken.to_string().starts_with("component id \"count words\" is not legal"), "{broken}");
}

#[test]
fn an_illegal_stream_id_is_found_with_its_component() {
    let broken = problem(with(2, |count| count.streams[0].id = "".into()));
    assert_eq!(broken.component(), Some(&"count".into()));
    assert!(broken.to_string().starts_with("stream id \"\" of component \"count\" is not legal"), "{broken}");
}

#[test]
fn an_illegal_field_name_is_found_with_its_component() {
    let broken = problem(with(2, |count| count.streams[0].fields = Fields::new(["n\n"])));
    assert!(broken.to_string().starts_with("field name \"n\\n\" of component \"count\" is not legal"), "{broken}");
}

#[test]
fn reserved_names_are_found_wherever_they_are() {
    only(
        Topology { name: "__t".into(), ..word_count() },
        codes::RESERVED_NAME,
        "topology name \"__t\" is reserved, as all that start with \"__\"",
    );
    only(
        with(2, |count| count.id = "__acker".into()),
        codes::RESERVED_NAME,
        "component id \"__acker\" is reserved, as all that start with \"__\"",
    );
    only(
        with(2, |count| count.streams[0].id = "__tick".into()),
        codes::RESERVED_NAME,
        "stream id \"__tick\" of component \"count\" is reserved, as all that start with \"__\"",
    );
}

#[test]
fn a_component_declared_twice_is_found_and_inputs_mean_the_first() {
    let mut twice = word_count();
    twice.components.push(Component { streams: Vec::new(), ..bolt("split", &["sentences"]) });
    only(twice, codes::DUPLICATE_COMPONENT, "component \"split\" is declared twice");
}

#[test]
fn a_stream_declared_twice_is_found() {
    let twice = with(1, |split| split.streams.push(StreamDecl::new("default".into(), Fields::default())));
    only(twice, codes::DUPLICATE_STREAM, "component \"split\" declares stream \"default\" twice");
}

#[test]
fn a_field_declared_twice_is_found() {
    let twice = with(1, |split| split.streams[0].fields = Fields::new(["word", "n", "word"]));
    only(twice, codes::DUPLICATE_FIELD, "stream \"default\" of component \"split\" has field \"word\" twice");
}

#[test]
fn an_empty_topology_is_one_problem() {
    only(topology([]), codes::NO_COMPONENTS, "the topology has no components");
}

#[test]
fn a_topology_without_a_spout_is_one_problem_not_one_for_each_bolt() {
    let loops = topology([bolt("a", &["b"]), bolt("b", &["a"])]);
    only(loops, codes::NO_SPOUT, "the topology has no spout, so nothing makes tuples");
}

#[test]
fn a_spout_with_inputs_is_found_and_the_inputs_are_not_looked_at() {
    let broken = with(0, |spout| spout.inputs = vec![input("nobody", by(["nothing"]))]);
    only(broken, codes::SPOUT_WITH_INPUTS, "spout \"sentences\" has inputs; only bolts take tuples");
}

#[test]
fn a_bolt_without_inputs_is_found_and_those_after_it_are_not_blamed() {
    only(with(1, |split| split.inputs.clear()), codes::BOLT_WITHOUT_INPUTS, "bolt \"split\" has no inputs");
}

#[test]
fn an_unknown_component_is_found_with_the_one_that_was_meant() {
    only(
        with(1, |split| split.inputs[0].from = "sentense".into()),
        codes::UNKNOWN_COMPONENT,
        "bolt \"split\" takes stream \"default\" of \"sentense\": there is no component \"sentense\"; did you mean \
         \"sentences\"?",
    );
}

#[test]
fn a_bolt_is_never_told_that_it_meant_itself() {
    let broken = problem(with(2, |count| count.inputs = vec![input("cont", Grouping::Shuffle)]));
    assert!(matches!(broken, Problem::UnknownComponent { nearest: None, .. }), "{broken}");
}

#[test]
fn an_unknown_stream_is_found_with_the_one_that_was_meant() {
    only(
        with(2, |count| count.inputs[0].stream = "defualt".into()),
        codes::UNKNOWN_STREAM,
        "bolt \"count\" takes stream \"defualt\" of \"split\": it declares no stream \"defualt\"; did you mean \
         \"default\"?",
    );
}

#[test]
fn an_unknown_name_with_nothing_like_it_is_found_without_a_guess() {
    only(
        with(2, |count| count.inputs[0].stream = "lines".into()),
        codes::UNKNOWN_STREAM,
        "bolt \"count\" takes stream \"lines\" of \"split\": it declares no stream \"lines\"",
    );
}

#[test]
fn an_unknown_field_is_found_with_the_one_that_was_meant() {
    only(
        with(2, |count| count.inputs[0].grouping = by(["Wrod"])),
        codes::UNKNOWN_FIELD,
        "bolt \"count\" takes stream \"default\" of \"split\" by \"Wrod\": the stream has no field \"Wrod\"; did you \
         mean \"word\"?",
    );
    let partial = with(2, |count| count.inputs[0].grouping = Grouping::PartialKey(Fields::new(["words"])));
    let meant = problem(partial);
    assert!(matches!(&meant, Problem::UnknownField { nearest: Some(word), .. } if &**word == "word"), "{meant}");
}

#[test]
fn bolts_that_only_feed_each_other_are_found() {
    let mut island = word_count();
    island.components.extend([bolt("a", &["b"]), bolt("b", &["a"]), bolt("after", &["b"])]);
    let text = |id: &str| {
        format!("SQ1013: bolt {id:?} is reached by no spout: its inputs come only from bolts that get no tuples either")
    };
    assert_eq!(lines(island), [text("a"), text("b"), text("after")]);
}

#[test]
fn a_bolt_with_one_mistyped_input_is_not_called_unreachable_nor_is_what_follows() {
    let mut broken = word_count();
    broken.components.extend([bolt("a", &["nobody", "b"]), bolt("b", &["a"])]);
    assert_eq!(problem(broken).code(), codes::UNKNOWN_COMPONENT);
}

#[test]
fn no_executors_and_no_tasks_are_two_problems_and_nothing_follows() {
    let none = with(1, |split| (split.parallelism, split.tasks) = (0, 0));
    assert_eq!(
        lines(none),
        ["SQ1014: component \"split\" has a parallelism of 0", "SQ1015: component \"split\" has 0 tasks"]
    );
    assert_eq!(problem(with(1, |split| split.tasks = 0)).code(), codes::ZERO_TASKS);
    assert_eq!(problem(with(1, |split| split.parallelism = 0)).code(), codes::ZERO_PARALLELISM);
}

#[test]
fn executors_without_a_task_are_found() {
    only(
        with(1, |split| (split.parallelism, split.tasks) = (3, 2)),
        codes::IDLE_EXECUTORS,
        "component \"split\" has 3 executors for 2 task(s); each needs a task to run",
    );
}

#[test]
fn the_limit_of_tasks_counts_all_components() {
    assert!(with(1, |split| split.tasks = 65_533).validate().is_ok());
    only(
        with(1, |split| split.tasks = 65_534),
        codes::TOO_MANY_TASKS,
        "the topology has 65536 tasks; it can have 65535",
    );
    let huge = Topology {
        components: word_count().components.into_iter().map(|it| Component { tasks: u32::MAX, ..it }).collect(),
        key_groups: 1,
        ..word_count()
    };
    assert!(lines(huge).last().unwrap().contains("12884901885 tasks"));
}

#[test]
fn a_keyed_grouping_without_fields_is_found() {
    only(
        with(2, |count| count.inputs[0].grouping = by([])),
        codes::NO_KEY_FIELDS,
        "bolt \"count\" takes stream \"default\" of \"split\" by fields grouping, but names no fields to group by",
    );
    let partial = problem(with(2, |count| count.inputs[0].grouping = Grouping::PartialKey(Fields::default())));
    assert!(matches!(partial, Problem::NoKeyFields { grouping: "partial-key", .. }), "{partial}");
}

#[test]
fn a_field_grouped_by_twice_is_found() {
    only(
        with(2, |count| count.inputs[0].grouping = by(["word", "word", "word"])),
        codes::REPEATED_KEY_FIELD,
        "bolt \"count\" takes stream \"default\" of \"split\" by \"word\" twice",
    );
}

#[test]
fn an_unknown_field_grouped_by_twice_is_called_unknown_once() {
    let broken = with(2, |count| count.inputs[0].grouping = by(["zzz", "zzz"]));
    let invalid = broken.validate().unwrap_err();
    let found: Vec<_> = invalid.problems().map(Problem::code).collect();
    assert_eq!(found, [codes::REPEATED_KEY_FIELD, codes::UNKNOWN_FIELD]);
}

#[test]
fn direct_grouping_and_direct_streams_need_each_other() {
    only(
        with(1, |split| split.inputs[0].grouping = Grouping::Direct),
        codes::STREAM_NOT_DIRECT,
        "bolt \"split\" takes stream \"default\" of \"sentences\" by direct grouping, but the stream is not direct",
    );
    only(
        with(0, |sentences| sentences.streams[0].direct = true),
        codes::STREAM_DIRECT,
        "bolt \"split\" takes stream \"default\" of \"sentences\" by shuffle grouping, but the stream is direct",
    );
    let mut both = with(0, |sentences| sentences.streams[0].direct = true);
    both.components[1].inputs[0].grouping = Grouping::Direct;
    assert!(both.validate().is_ok());
}

#[test]
fn the_same_input_twice_is_one_problem_even_if_it_is_wrong() {
    only(
        with(1, |split| split.inputs.push(Input { chain: false, ..split.inputs[0].clone() })),
        codes::DUPLICATE_INPUT,
        "bolt \"split\" takes stream \"default\" of \"sentences\" twice by the same shuffle grouping",
    );
    let wrong = with(1, |split| split.inputs = vec![input("nobody", Grouping::All), input("nobody", Grouping::All)]);
    let invalid = wrong.validate().unwrap_err();
    let found: Vec<_> = invalid.problems().map(Problem::code).collect();
    assert_eq!(found, [codes::UNKNOWN_COMPONENT, codes::DUPLICATE_INPUT]);
}

#[test]
fn a_custom_grouping_without_a_name_is_found() {
    only(
        with(1, |split| split.inputs[0].grouping = Grouping::Custom("".into())),
        codes::UNNAMED_GROUPING,
        "bolt \"split\" takes stream \"default\" of \"sentences\" by a custom grouping without a name",
    );
}

#[test]
fn an_async_bolt_with_nothing_in_flight_is_found() {
    only(
        with(1, |split| split.execution = Execution::Async { in_flight: 0, ordered: true }),
        codes::ZERO_IN_FLIGHT,
        "async bolt \"split\" may have 0 tuples in flight, so it could take none",
    );
}

#[test]
fn an_async_spout_is_one_problem_whatever_it_has_in_flight() {
    for in_flight in [0, 1] {
        only(
            with(0, |spout| spout.execution = Execution::Async { in_flight, ordered: false }),
            codes::ASYNC_SPOUT,
            "spout \"sentences\" is declared async; only bolts can be",
        );
    }
}

#[test]
fn ticks_are_for_bolts_and_take_time() {
    for tick in [Duration::ZERO, Duration::from_secs(1)] {
        only(
            with(0, |spout| spout.tick = Some(tick)),
            codes::TICK_ON_SPOUT,
            "spout \"sentences\" asks for ticks; only bolts are given them",
        );
    }
    only(
        with(1, |split| split.tick = Some(Duration::ZERO)),
        codes::ZERO_TICK,
        "bolt \"split\" asks for a tick every 0s",
    );
}

#[test]
fn key_groups_are_1_to_32768_and_out_of_range_is_one_problem() {
    for key_groups in [0, 32_769, u16::MAX] {
        only(
            Topology { key_groups, ..word_count() },
            codes::KEY_GROUPS_OUT_OF_RANGE,
            &format!("the topology has {key_groups} key groups; it can have 1 to 32768"),
        );
    }
    for key_groups in [1, 32_768] {
        assert!(Topology { key_groups, ..word_count() }.validate().is_ok());
    }
}

#[test]
fn a_keyed_bolt_has_at_most_a_task_for_each_key_group() {
    let sized = |index: usize, tasks| Topology { key_groups: 4, ..with(index, |component| component.tasks = tasks) };
    assert!(sized(2, 4).validate().is_ok());
    assert!(sized(1, 5).validate().is_ok(), "a bolt that isn't keyed doesn't care");
    only(
        sized(2, 5),
        codes::TOO_FEW_KEY_GROUPS,
        "bolt \"count\" takes keyed rows with 5 tasks, but of 4 key group(s) some would own none",
    );
}

#[test]
fn settings_that_stop_every_tuple_are_found() {
    only(
        Topology { message_timeout: Duration::ZERO, ..word_count() },
        codes::ZERO_MESSAGE_TIMEOUT,
        "the message timeout is 0, so every tuple would fail at once",
    );
    only(
        Topology { max_spout_pending: 0, ..word_count() },
        codes::ZERO_MAX_SPOUT_PENDING,
        "max spout pending is 0, so no spout could emit",
    );
}

#[test]
fn resources_of_zero_are_found_each() {
    let none = with(1, |split| split.resources = Resources { cpu_percent: 0, memory_mib: 0 });
    assert_eq!(
        lines(none),
        [
            "SQ1032: component \"split\" has memory_mib 0; placement needs to know what an executor takes",
            "SQ1032: component \"split\" has cpu_percent 0; placement needs to know what an executor takes",
        ]
    );
}

#[test]
fn an_empty_tag_is_found() {
    only(
        with(1, |split| split.tags = vec!["gpu".into(), String::new()]),
        codes::EMPTY_TAG,
        "component \"split\" asks for workers with an empty tag",
    );
}

#[test]
fn all_problems_come_at_once_settings_first_then_by_component_then_the_whole() {
    let mut broken = with(2, |count| (count.parallelism, count.inputs[0].stream) = (0, "defalt".into()));
    broken.max_spout_pending = 0;
    broken.components[1].tags = vec![String::new()];
    broken.components.push(bolt("a", &["a"]));
    broken.components[0].tasks = 70_000;
    let invalid = broken.validate().unwrap_err();
    let found: Vec<_> = invalid.problems().map(Problem::code).collect();
    assert_eq!(
        found,
        [
            codes::ZERO_MAX_SPOUT_PENDING,
            codes::EMPTY_TAG,
            codes::ZERO_PARALLELISM,
            codes::UNKNOWN_STREAM,
            codes::TOO_MANY_TASKS,
            codes::UNREACHABLE,
        ]
    );
    assert_eq!(invalid.code(), codes::ZERO_MAX_SPOUT_PENDING);
    assert_eq!(invalid.to_string().lines().count(), 6);
}

#[test]
fn a_name_with_a_line_break_stays_on_its_line() {
    let broken = with(2, |count| (count.id, count.tasks) = ("a\nb".into(), 0));
    assert_eq!(lines(broken).len(), 2);
}

#[test]
fn next_steps_that_name_a_default_name_the_right_one() {
    let step = |change: fn(&mut Topology)| {
        let mut topology = word_count();
        change(&mut topology);
        problem(topology).next_step()
    };
    let timeout = crate::duration::format(Topology::DEFAULT_MESSAGE_TIMEOUT);
    assert!(step(|it| it.message_timeout = Duration::ZERO).contains(&format!("for {timeout},")));
    let pending = Topology::DEFAULT_MAX_SPOUT_PENDING;
    assert!(step(|it| it.max_spout_pending = 0).contains(&format!("for {pending},")));
    let key_groups = Topology::DEFAULT_KEY_GROUPS;
    assert!(step(|it| it.key_groups = 0).contains(&format!("for {key_groups},")));
}
