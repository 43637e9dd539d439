//! README's two commands are what CI runs.

use super::Finding;
use crate::workspace::Files;

const README: &str = "README.md";
const CI: &str = ".ci/run";

/// The command that `verify` runs as its tests.
const TEST: &str = "cargo xtask test";

/// What makes a script stop at the first failure.
const STRICT: &str = "set -euo pipefail";

/// Checks that `.ci/run` runs the first two commands that README shows, in that order.
pub fn check(files: &Files) -> Vec<Finding> {
    let text = |path: &str| files.get(path).map_or("", String::as_str);
    let commands = commands(text(README));
    let [first, second, ..] = commands.as_slice() else {
        return vec![Finding::new(README, "shows fewer than two commands", "show them in two fenced `sh` blocks")];
    };
    let mut found: Vec<_> = [first, second].into_iter().filter_map(|lines| crowded(lines)).collect();
    if second.as_slice() != [TEST] {
        found.push(Finding::new(README, "the second command is not the tests", format!("make it `{TEST}`")));
    }
    found.extend(unrun(text(CI), [first, second]));
    found.extend(careless(text(CI)));
    found
}

fn crowded(lines: &[&str]) -> Option<Finding> {
    let what = format!("the block `{}` is not one command", lines.join("; "));
    (lines.len() != 1).then(|| Finding::new(README, what, "give each of the first two blocks one command"))
}

/// The lines of each fenced `sh` block.
fn commands(readme: &str) -> Vec<Vec<&str>> {
    let blocks = readme.split("```sh\n").skip(1);
    let inside = blocks.map(|block| block.split("```").next().unwrap_or(block));
    inside.map(|block| block.lines().map(str::trim).filter(|line| !line.is_empty()).collect()).collect()
}

fn unrun(ci: &str, commands: [&Vec<&str>; 2]) -> Option<Finding> {
    let mut lines = ci.lines();
    let missing = commands.into_iter().flatten().find(|command| !lines.any(|line| runs(line, command)))?;
    let what = format!("does not run README's `{missing}` in its turn");
    Some(Finding::new(CI, what, "run it as README shows it; flags may follow"))
}

/// A script that goes on after a failure checks nothing.
fn careless(ci: &str) -> Option<Finding> {
    let strict = ci.lines().any(|line| line.trim() == STRICT);
    (!strict).then(|| Finding::new(CI, "goes on after a failure", format!("begin it with `{STRICT}`")))
}

/// Whether a line of the script is this command, alone or as a `step`, with nothing after it but flags.
fn runs(line: &str, command: &str) -> bool {
    let line = line.trim();
    let line = line.strip_prefix("step ").unwrap_or(line);
    let Some(rest) = line.strip_prefix(command) else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.: ".contains(c);
    rest.is_empty() || rest.starts_with(" --") && rest.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::super::sample::files;
    use super::*;

    const README_TEXT: &str =
        "# X\n```sh\ncargo run -- demo\n```\nand\n```sh\ncargo xtask test\n```\n```sh\nother\n```\n";

    fn found(readme: &str, ci: &str) -> Vec<String> {
        let ci = format!("{STRICT}\n{ci}");
        check(&files(&[(README, readme), (CI, &ci)])).into_iter().map(|it| it.what).collect()
    }

    #[test]
    fn a_script_that_runs_both_passes_with_flags_or_without() {
        assert_eq!(found(README_TEXT, "cargo run -- demo\ncargo xtask test\n"), [""; 0]);
        assert_eq!(found(README_TEXT, "step cargo run -- demo --for 5s\n  step cargo xtask test\n"), [""; 0]);
    }

    #[test]
    fn a_command_that_is_missing_changed_muffled_or_commented_out_is_found() {
        for first in [
            "",
            "cargo run -- demon",
            "cargo run -- demo || true",
            "cargo run -- demo --x; true",
            "# cargo run -- demo",
        ] {
            let found = found(README_TEXT, &format!("{first}\ncargo xtask test\n"));
            assert_eq!(found, ["does not run README's `cargo run -- demo` in its turn"], "{first}");
        }
    }

    #[test]
    fn a_script_that_goes_on_after_a_failure_is_found() {
        let files = files(&[(README, README_TEXT), (CI, "set -e\ncargo run -- demo\ncargo xtask test\n")]);
        assert_eq!(check(&files)[0].what, "goes on after a failure");
    }

    #[test]
    fn the_wrong_order_is_found() {
        assert_eq!(found(README_TEXT, "cargo xtask test\ncargo run -- demo\n").len(), 1);
    }

    #[test]
    fn a_readme_without_two_single_commands_is_found() {
        assert_eq!(found("```sh\na\n```\n", "a\n"), ["shows fewer than two commands"]);
        let two_in_one = README_TEXT.replace("-- demo\n", "-- demo\nsecond\n");
        assert!(found(&two_in_one, "cargo run -- demo\nsecond\ncargo xtask test\n")[0].contains("is not one command"));
    }

    #[test]
    fn a_second_command_that_is_not_the_tests_is_found() {
        let readme = README_TEXT.replace("xtask test", "test");
        assert_eq!(found(&readme, "cargo run -- demo\ncargo test\n"), ["the second command is not the tests"]);
    }
}
