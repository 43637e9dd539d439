//! The binary `squall`: daemons, and everything that an operator does with a cluster.
//!
//! Invariants: stdout is data, stderr is talk; every error has a code, its causes and a next step; exit codes mean what `docs/cli.md` says.

mod client;
mod demo;
mod error;
mod file;
mod output;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use client::{Output, SettingsFlags};
use error::CliError;
use output::say;
use verbs::Verb;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXIT_CODES: &str = "\
Exit codes:
  0  it was done
  1  it was refused, or failed
  2  the command line, a setting or a configuration is wrong
  3  no master answered in time; a change may have been made
  4  what --wait waited for didn't come
  5  who calls isn't known, or may not
  6  status --check: something is amber
  7  status --check: something is red";

/// Squall, a distributed real-time stream processor.
#[derive(Parser)]
#[command(name = "squall", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    settings: SettingsFlags,
    #[command(subcommand)]
    verb: Verb,
}

fn main() -> ExitCode {
    let Cli { settings, verb } = Cli::parse();
    match verbs::run(verb, &settings) {
        Ok(code) => code,
        Err(error) => report(&error, verbs::settings(&settings).map_or(settings.output, |known| Some(known.output))),
    }
}

/// Says on stderr what went wrong, in the form that was asked for.
fn report(error: &CliError, output: Option<Output>) -> ExitCode {
    for said in error.said() {
        match output {
            Some(Output::Json) => say(&format!("{}\n", said.json())),
            Some(Output::Table | Output::Wide) | None => say(&said.text()),
        }
    }
    error.exit().into()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_page_has_the_exit_codes_that_help_lists() {
        let page = include_str!("../../../docs/cli.md");
        for line in EXIT_CODES.lines().skip(1) {
            let (code, meaning) = line.trim().split_once("  ").expect("a code and its meaning");
            assert!(
                page.contains(&format!(
                    "| {code} | {} |",
                    meaning.replace("--wait", "`--wait`").replace("status --check", "`status --check`")
                )),
                "{line}"
            );
        }
    }
}
