//! Tests of the model as a whole.

mod checked;
mod combined;
mod describe;
mod overrides;
mod problems;
mod random;
mod valid;

use super::*;

/// A spout with one stream `default` of one field `word`.
pub(super) fn spout(id: &str) -> Component {
    emitting(Component::new(id.into(), Kind::Spout))
}

/// A bolt that takes the `default` streams of these, shuffled, and emits one of its own.
pub(super) fn bolt(id: &str, from: &[&str]) -> Component {
    let mut bolt = emitting(Component::new(id.into(), Kind::Bolt));
    bolt.inputs = from.iter().map(|from| input(from, Grouping::Shuffle)).collect();
    bolt
}

fn emitting(mut component: Component) -> Component {
    component.streams = vec![StreamDecl::new("default".into(), Fields::new(["word"]))];
    component
}

/// An input from a `default` stream.
pub(super) fn input(from: &str, grouping: Grouping) -> Input {
    Input::new(from.into(), "default".into(), grouping)
}

/// Fields grouping by these.
pub(super) fn by<const N: usize>(fields: [&str; N]) -> Grouping {
    Grouping::Fields(Fields::new(fields))
}

/// A topology of these.
pub(super) fn topology(components: impl IntoIterator<Item = Component>) -> Topology {
    Topology { components: components.into_iter().collect(), ..Topology::new("test") }
}

/// Sentences, split and counted; small, and valid.
pub(super) fn word_count() -> Topology {
    let mut count = bolt("count", &[]);
    count.inputs = vec![input("split", by(["word"]))];
    topology([spout("sentences"), bolt("split", &["sentences"]), count])
}

/// A change to the word count, by component index.
pub(super) fn with(index: usize, change: impl FnOnce(&mut Component)) -> Topology {
    let mut topology = word_count();
    change(&mut topology.components[index]);
    topology
}
