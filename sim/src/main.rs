//! A cluster of masters in a deterministic simulation: `squall-sim run SEED` simulates one minute and what it takes to heal, and says what
//! did not hold; `squall-sim many` does it for many seeds.

#[cfg(not(tokio_unstable))]
compile_error!("build this in its own folder, where .cargo/config.toml sets --cfg tokio_unstable");

mod clients;
mod invariants;
mod many;
mod master;
mod net;
mod network;
mod report;
mod run;
mod scenario;
mod trace;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use report::Report;

/// Seeds that have found a bug: a line each, `SEED  what it found`.
const NAMED: &str = include_str!("../seeds.txt");

/// Simulates clusters of masters.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Simulate one seed.
    Run {
        /// The seed.
        seed: u64,
        /// Print everything that happens.
        #[arg(long)]
        trace: bool,
    },
    /// Simulate those that have found a bug, and some more.
    Many {
        /// The first of them.
        #[arg(long)]
        from: u64,
        /// How many.
        #[arg(long)]
        seeds: u64,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { seed, trace } => one(seed, trace),
        Command::Many { from, seeds } => many(from, seeds),
    }
}

fn one(seed: u64, trace: bool) -> ExitCode {
    let outcome = run::simulate(seed);
    let report = Report::of(seed, &outcome);
    if trace {
        print!("{}", outcome.trace);
    }
    println!("{}", serde_json::to_string(&report).expect("plain data is written as JSON"));
    if report.violation.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(from: u64, seeds: u64) -> ExitCode {
    let all: Vec<_> = named().chain(from..from + seeds).collect();
    println!("seeds {from} to {}, and {} that have found a bug", from + seeds - 1, all.len() as u64 - seeds);
    let reports = match many::run(&all) {
        Ok(reports) => reports,
        Err(error) => {
            eprintln!("this program can't start itself: {error}");
            return ExitCode::FAILURE;
        }
    };
    let wrong = many::judge(&reports);
    let (commands, faults) = reports.iter().fold((0, 0), |sum, it| (sum.0 + it.commands, sum.1 + it.faults));
    println!("{} seeds, {commands} changes, {faults} faults", reports.len());
    for line in &wrong {
        println!("{line}");
    }
    if let Some(broken) = reports.iter().find(|it| it.violation.is_some()) {
        println!("to see what happens: cargo xtask sim --trace --from {}", broken.seed);
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The seeds of `seeds.txt`.
fn named() -> impl Iterator<Item = u64> {
    let lines = NAMED.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().next().and_then(|seed| seed.parse().ok()).expect("a seed comes first"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_of_seeds_can_be_read() {
        super::named().for_each(drop);
    }
}
