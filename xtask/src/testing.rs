//! `cargo xtask test`: every test, every example run once, and fresh seeds of the simulation.

use std::time::Duration;

use crate::error::Error;
use crate::shell::Cmd;
use crate::sim;
use crate::workspace::Metadata;

/// The crate whose examples are run.
const SDK: &str = "squall";

/// An example must have ended by itself after this long.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(60);

/// Runs `cargo test`, then each example, and closes with what ran.
pub fn run() -> Result<(), Error> {
    let mut tally = Tally::default();
    let metadata = Metadata::read()?;
    // Built for the tests of the crate that it is in, before any test runs: tests of processes need build no other.
    let squall = metadata.target_directory.join("debug/squall").with_extension(std::env::consts::EXE_EXTENSION);
    let tests = Cmd::cargo(&["test", "--workspace", "--locked"]).env("SQUALL_BINARY_UNDER_TEST", squall);
    tests.tee(|line| tally.see(line))?;
    let examples = metadata.examples(SDK);
    if !examples.is_empty() {
        Cmd::cargo(&["build", "--quiet", "--workspace", "--locked", "--examples"]).run()?;
    }
    for name in &examples {
        println!("\nexample {name}: cargo run --example {name}");
        let program = metadata.target_directory.join("debug/examples").join(name);
        Cmd::at(&program.with_extension(std::env::consts::EXE_EXTENSION), &[]).run_within(EXAMPLE_LIMIT)?;
    }
    sim::test()?;
    println!("\n{tally}; {} examples ran and ended", examples.len());
    Ok(())
}

/// What the closing lines of the test programs add up to.
#[derive(Default, Debug, PartialEq, Eq)]
struct Tally {
    programs: usize,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Takes a line as `test result: ok. 3 passed; 0 failed; 1 ignored; …`; any other changes nothing.
    fn see(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let count = |what: &str| {
            let before = result.split(&format!(" {what}")).next().unwrap_or_default();
            before.rsplit(' ').next().and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(0)
        };
        self.programs += 1;
        self.passed += count("passed");
        self.failed += count("failed");
        self.ignored += count("ignored");
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { programs, passed, failed, ignored } = self;
        write!(f, "{passed} tests passed, {failed} failed, {ignored} ignored, in {programs} test programs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_add_up_and_other_lines_do_not_count() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s",
        ] {
            tally.see(line);
        }
        assert_eq!(tally, Tally { programs: 2, passed: 13, failed: 2, ignored: 1 });
    }
}
