//! `cargo xtask verify`: everything that must hold, and nothing is changed.

use std::time::{Duration, Instant};

use crate::error::{Error, print_chain};
use crate::shell::Cmd;
use crate::{sim, structure, testing};

/// One thing that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Step {
    /// The sources are formatted.
    Format,
    /// Rings, lengths, error pages, README's commands.
    Structure,
    /// Clippy is silent.
    Lint,
    /// The documentation builds without a warning.
    Docs,
    /// `cargo xtask test`.
    Tests,
}

const STEPS: [Step; 5] = [Step::Format, Step::Structure, Step::Lint, Step::Docs, Step::Tests];

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Structure => "structure",
            Self::Lint => "lint",
            Self::Docs => "docs",
            Self::Tests => "tests",
        }
    }

    fn run(self) -> Result<(), Error> {
        match self {
            Self::Format => {
                Cmd::cargo(&["fmt", "--all", "--check"]).run()?;
                sim::cargo(&["fmt", "--check"])?.run()
            }
            Self::Structure => structure::run(),
            Self::Lint => {
                Cmd::cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]).run()?;
                sim::cargo(&["clippy", "--all-targets", "--locked", "--", "-D", "warnings"])?.run()
            }
            Self::Docs => {
                let doc = Cmd::cargo(&["doc", "--no-deps", "--workspace", "--locked"]);
                doc.env("RUSTDOCFLAGS", "-D warnings").run()
            }
            Self::Tests => testing::run(),
        }
    }

    /// What to type when it fails.
    fn mend(self) -> &'static str {
        match self {
            Self::Format => "cargo xtask fix",
            Self::Structure => "cargo xtask verify --only structure   (names each file and what to do)",
            Self::Lint => "cargo xtask fix   (mends what a machine can; the rest is listed above)",
            Self::Docs => "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace",
            Self::Tests => "cargo xtask test",
        }
    }
}

/// The steps that were asked for, in their order.
fn chosen(only: &[Step], skip: &[Step]) -> Vec<Step> {
    STEPS.into_iter().filter(|step| (only.is_empty() || only.contains(step)) && !skip.contains(step)).collect()
}

/// Runs the steps, all of them even when one fails, and closes with a summary.
pub fn run(only: &[Step], skip: &[Step]) -> Result<(), Error> {
    let outcomes: Vec<_> = chosen(only, skip).into_iter().map(run_step).collect();
    print!("\n{}", summary(&outcomes));
    let failed: Vec<_> = outcomes.iter().filter(|it| !it.held).map(|it| it.step.name()).collect();
    if failed.is_empty() { Ok(()) } else { Err(Error::Steps(failed.join(", "))) }
}

struct Outcome {
    step: Step,
    took: Duration,
    held: bool,
}

fn run_step(step: Step) -> Outcome {
    println!("==> {}", step.name());
    let start = Instant::now();
    let result = step.run();
    if let Err(error) = &result {
        print_chain(error);
    }
    Outcome { step, took: start.elapsed(), held: result.is_ok() }
}

fn summary(outcomes: &[Outcome]) -> String {
    let line = |it: &Outcome| {
        let (name, took) = (it.step.name(), it.took.as_secs_f64());
        if it.held {
            format!("{name:<10} ok      {took:6.1} s\n")
        } else {
            format!("{name:<10} FAILED  {took:6.1} s   to mend: {}\n", it.step.mend())
        }
    };
    outcomes.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_and_skip_choose_and_keep_the_order() {
        assert_eq!(chosen(&[], &[]), STEPS);
        assert_eq!(chosen(&[Step::Tests, Step::Format], &[]), [Step::Format, Step::Tests]);
        assert_eq!(chosen(&[], &[Step::Tests]), STEPS[..4]);
    }

    #[test]
    fn the_summary_names_what_failed_and_what_mends_it() {
        let outcome = |step, held| Outcome { step, took: Duration::from_millis(1500), held };
        let text = summary(&[outcome(Step::Docs, true), outcome(Step::Format, false)]);
        assert_eq!(text, "docs       ok         1.5 s\nformat     FAILED     1.5 s   to mend: cargo xtask fix\n");
    }
}
