//! How Squall places things, as stories: each file of `tests/scenarios` is a script with what came of it below each line.
//!
//! A line that begins a command is run; the indented lines below it are what it must say. `SQUALL_WRITE_GOLDEN=1` writes them anew.

mod common;
mod script;

use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

#[test]
fn each_story_goes_as_it_is_written() {
    let mut stories: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    stories.sort();
    assert!(stories.len() >= 12, "only {} stories", stories.len());
    let mut wrong = Vec::new();
    for story in stories {
        let written = fs::read_to_string(&story).unwrap();
        let told = script::run(&written).unwrap_or_else(|fault| panic!("{}: {fault}", story.display()));
        if common::writes_golden() {
            fs::write(&story, told).unwrap();
        } else if written != told {
            wrong.push(format!("{}:\n{told}", story.display()));
        }
    }
    assert!(wrong.is_empty(), "set SQUALL_WRITE_GOLDEN=1 to write anew\n{}", wrong.join("\n"));
}

#[test]
fn a_line_that_is_no_command_is_refused() {
    for line in ["dance", "kill-worker nobody", "why nothing [1 1]", "add-worker", "submit a b", "add-worker w slots=x"]
    {
        assert!(script::run(line).is_err(), "{line}");
    }
}
