//! Several mistakes at once: each is still found, in its place, and hides no other.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;
use crate::{Code, ComponentId, codes};

/// A mistake in the word count that stands for itself.
type Mistake = (Code, fn(&mut Topology));

/// In the order in which they are found. No two touch the same thing.
const MISTAKES: [Mistake; 22] = [
    (codes::ILLEGAL_NAME, |it| it.name = "word count".into()),
    (codes::ZERO_MESSAGE_TIMEOUT, |it| it.message_timeout = Duration::ZERO),
    (codes::ZERO_MAX_SPOUT_PENDING, |it| it.max_spout_pending = 0),
    (codes::EMPTY_TAG, |it| it.components[0].tags.push(String::new())),
    (codes::ZERO_PARALLELISM, |it| it.components[0].parallelism = 0),
    (codes::ZERO_TASKS, |it| it.components[0].tasks = 0),
    (codes::ASYNC_SPOUT, |it| it.components[0].execution = Execution::Async { in_flight: 1, ordered: true }),
    (codes::TICK_ON_SPOUT, |it| it.components[0].tick = Some(Duration::from_secs(1))),
    (codes::RESERVED_NAME, |it| it.components[0].streams.push(StreamDecl::new("__x".into(), Fields::default()))),
    (codes::SPOUT_WITH_INPUTS, |it| it.components[0].inputs.push(input("split", Grouping::All))),
    (codes::IDLE_EXECUTORS, |it| it.components[1].parallelism = 9),
    (codes::ZERO_RESOURCE, |it| it.components[1].resources.memory_mib = 0),
    (codes::ZERO_IN_FLIGHT, |it| it.components[1].execution = Execution::Async { in_flight: 0, ordered: true }),
    (codes::ZERO_TICK, |it| it.components[1].tick = Some(Duration::ZERO)),
    (codes::DUPLICATE_FIELD, |it| it.components[1].streams[0].fields = Fields::new(["word", "word"])),
    (codes::STREAM_NOT_DIRECT, |it| it.components[1].inputs.push(input("sentences", Grouping::Direct))),
    (codes::TOO_FEW_KEY_GROUPS, |it| it.components[2].tasks = 2_000),
    (codes::DUPLICATE_STREAM, |it| it.components[2].streams.push(StreamDecl::new("default".into(), Fields::default()))),
    (codes::NO_KEY_FIELDS, |it| it.components[2].inputs.push(input("split", by([])))),
    (codes::UNKNOWN_FIELD, |it| it.components[2].inputs.push(input("split", by(["line"])))),
    (codes::UNNAMED_GROUPING, |it| it.components[2].inputs.push(input("split", Grouping::Custom("".into())))),
    (codes::UNKNOWN_COMPONENT, |it| it.components[2].inputs.push(input("nobody", Grouping::Shuffle))),
];

fn made(mistakes: &[Mistake]) -> Topology {
    let mut topology = word_count();
    mistakes.iter().for_each(|(_, make)| make(&mut topology));
    topology
}

fn found(topology: Topology) -> Vec<Code> {
    topology.validate().err().map_or_else(Vec::new, |invalid| invalid.problems().map(Problem::code).collect())
}

#[test]
fn each_mistake_is_found_alone_and_all_are_found_together() {
    for mistake in MISTAKES {
        assert_eq!(found(made(&[mistake])), [mistake.0]);
    }
    assert_eq!(found(made(&MISTAKES)), MISTAKES.map(|(code, _)| code));
}

#[test]
fn each_mistake_has_a_next_step_of_its_own_and_names_its_component() {
    let invalid = made(&MISTAKES).validate().unwrap_err();
    let steps: BTreeSet<_> = invalid.problems().map(Problem::next_step).collect();
    assert_eq!(steps.len(), MISTAKES.len());
    let components: Vec<_> = invalid.problems().map(|it| it.component().map(ComponentId::as_str)).collect();
    let of = |range: std::ops::Range<usize>| components[range].iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(of(0..3), BTreeSet::from([None]));
    assert_eq!(of(3..10), BTreeSet::from([Some("sentences")]));
    assert_eq!(of(10..16), BTreeSet::from([Some("split")]));
    assert_eq!(of(16..22), BTreeSet::from([Some("count")]));
}

#[test]
fn what_is_wrong_in_one_component_is_found_again_in_another() {
    let mut twice = word_count();
    twice.components.iter_mut().for_each(|component| component.tags = vec![String::new(); 2]);
    assert_eq!(found(twice), [codes::EMPTY_TAG; 3], "once for each component, not for each tag");
}

#[test]
fn a_reserved_name_with_an_illegal_letter_is_both() {
    assert_eq!(found(with(2, |count| count.id = "__a b".into())), [codes::ILLEGAL_NAME, codes::RESERVED_NAME]);
}

proptest! {
    #[test]
    fn of_any_mistakes_each_is_found_once_in_order(mistakes in subsequence(MISTAKES.to_vec(), 0..=MISTAKES.len())) {
        let codes: Vec<Code> = mistakes.iter().map(|(code, _)| *code).collect();
        prop_assert_eq!(found(made(&mistakes)), codes);
    }
}
