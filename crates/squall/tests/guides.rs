//! What the guides say is what there is.

use std::path::Path;

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

#[test]
fn every_link_between_the_guides_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let in_folder = |folder: &str| {
        let entries = std::fs::read_dir(root.join(folder)).expect("the folder is there");
        entries.map(|entry| entry.expect("it can be read").path()).collect::<Vec<_>>()
    };
    let pages = [vec![root.join("README.md")], in_folder("docs"), in_folder("docs/errors")].concat();
    let mut links = 0;
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = std::fs::read_to_string(page).expect("it can be read");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            links += 1;
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.with_file_name(path) };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            if !heading.is_empty() {
                let target = std::fs::read_to_string(&target).expect("it can be read");
                assert!(headings(&target).any(|it| it == heading), "{}: {link}: no such heading", page.display());
            }
        }
    }
    assert!(links > 20, "only {links} links were found");
}

/// The headings of a page, as links name them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| {
        let kept = line.trim_start_matches('#').trim().chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    })
}
