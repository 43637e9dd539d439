//! What looks odd, but is legal.

use super::*;

#[test]
fn the_word_count_is_valid_and_comes_back_as_declared() {
    let checked = word_count().validate().unwrap();
    assert_eq!(checked.topology(), &word_count());
    assert_eq!(checked.into_topology(), word_count());
}

#[test]
fn a_spout_alone_is_valid() {
    assert!(topology([spout("s")]).validate().is_ok());
}

#[test]
fn a_bolt_that_feeds_itself_is_valid_if_a_spout_feeds_it_too() {
    assert!(topology([spout("s"), bolt("loop", &["s", "loop"])]).validate().is_ok());
}

#[test]
fn the_same_stream_by_two_groupings_is_valid() {
    let twice = with(2, |count| count.inputs.push(input("split", Grouping::All)));
    assert!(twice.validate().is_ok());
}

#[test]
fn the_same_stream_by_two_keys_is_valid() {
    let mut twice = with(2, |count| {
        count.inputs = vec![input("split", by(["word"])), input("split", by(["n"]))];
    });
    twice.components[1].streams[0].fields = Fields::new(["word", "n"]);
    assert!(twice.validate().is_ok());
}

#[test]
fn a_stream_that_nobody_takes_is_valid_also_without_fields() {
    let extra = with(1, |split| split.streams.push(StreamDecl::new("late".into(), Fields::default())));
    assert!(extra.validate().is_ok());
}

#[test]
fn a_bolt_declared_before_its_spout_is_valid() {
    assert!(topology([bolt("b", &["s"]), spout("s")]).validate().is_ok());
}

#[test]
fn a_blocking_spout_and_an_async_bolt_are_valid() {
    let mut mixed = with(1, |split| split.execution = Execution::Async { in_flight: 1, ordered: false });
    mixed.components[0].execution = Execution::Blocking;
    assert!(mixed.validate().is_ok());
}

#[test]
fn fields_may_start_with_two_underscores() {
    assert!(with(2, |count| count.streams[0].fields = Fields::new(["__key"])).validate().is_ok());
}

#[test]
fn a_line_of_ten_thousand_bolts_is_checked_without_recursion() {
    let bolts = (1..10_000).map(|n| bolt(&n.to_string(), &[&(n - 1).to_string()]));
    let checked = topology(std::iter::once(spout("0")).chain(bolts)).validate().unwrap();
    assert_eq!(checked.topological_order(), (0..10_000).collect::<Vec<_>>());
}
