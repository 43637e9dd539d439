//! What the guides say is what there is.

use squall::{Options, TopologyBuilder};
use squall_types::topology::{Fields, Grouping, Topology};

const CONCEPTS: &str = include_str!("../../../docs/concepts.md");
const GETTING_STARTED: &str = include_str!("../../../docs/getting-started.md");
const WORD_COUNT: &str = include_str!("../examples/word_count.rs");

/// The lines of a table whose first cell is this.
fn row<'a>(text: &'a str, first: &str) -> Option<&'a str> {
    text.lines().find(|line| line.starts_with(&format!("| {first} |")))
}

#[test]
fn the_first_topology_is_the_example_that_is_run() {
    let (_, program) = WORD_COUNT.split_once("\n\n").expect("a comment, an empty line, the program");
    let (program, tests) = program.split_once("\n#[cfg(test)]").expect("its tests come last");
    assert!(GETTING_STARTED.contains(&format!("```rust,no_run\n{program}```")), "the program and the example differ");
    let tests = format!("```rust,ignore\n#[cfg(test)]{tests}```");
    assert!(GETTING_STARTED.contains(&tests), "the tests and the example's differ");
}

#[test]
fn every_grouping_has_its_row() {
    let key = || Fields::new(["word"]);
    let groupings = [
        Grouping::Shuffle,
        Grouping::Fields(key()),
        Grouping::PartialKey(key()),
        Grouping::All,
        Grouping::Global,
        Grouping::None,
        Grouping::Direct,
        Grouping::LocalOrShuffle,
        Grouping::Custom("mine".into()),
    ];
    for grouping in &groupings {
        // A variant that is added makes this match incomplete: list it above, and in the guide.
        match grouping {
            Grouping::Shuffle
            | Grouping::Fields(_)
            | Grouping::PartialKey(_)
            | Grouping::All
            | Grouping::Global
            | Grouping::None
            | Grouping::Direct
            | Grouping::LocalOrShuffle
            | Grouping::Custom(_) => {}
        }
        let method = grouping.name().replace('-', "_");
        let row = row(CONCEPTS, grouping.name()).unwrap_or_else(|| panic!("no row for {}", grouping.name()));
        assert!(row.contains(&format!("| `{method}` |")), "{row}");
    }
}

#[test]
fn the_defaults_and_limits_are_the_codes() {
    let said = |what: &str| assert!(CONCEPTS.contains(what), "concepts.md doesn't say: {what}");
    let topology = TopologyBuilder::new("defaults").topology().clone();
    said(&format!("`message_timeout` ({} s unless set)", topology.message_timeout.as_secs()));
    said(&format!("({} a task unless set)", grouped(topology.max_spout_pending.into())));
    said(&format!("(`{:?}`, the default)", topology.delivery));
    said(&format!(
        "| {} unless set, {} at most",
        grouped(topology.key_groups.into()),
        grouped(Topology::MAX_KEY_GROUPS.into())
    ));
    said(&format!("| tasks in a topology | {} |", grouped(Topology::MAX_TASKS.into())));

    let options = Options::default();
    let (rows, mib, ms) = (options.bound.rows, options.bound.bytes >> 20, options.bound.work_ns / 1_000_000);
    said(&format!("takes {} rows, {mib} MiB, or about {ms} ms of its own measured work", grouped(rows as u64)));
    said(&format!("more than {} rows together", grouped(options.feedback_limit as u64)));
    said(&format!("for over {} ms without having said that it blocks", options.stuck_after.as_millis()));
}

/// The number with commas between thousands.
fn grouped(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", grouped(number / 1_000), number % 1_000) }
}
