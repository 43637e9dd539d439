//! A cluster of masters in a deterministic simulation: `squall-sim run SEED` simulates one minute and what it takes to heal, and says what
//! did not hold; `squall-sim many` does it for many seeds.

#[cfg(not(tokio_unstable))]
compile_error!("build this in its own folder, where .cargo/config.toml sets --cfg tokio_unstable");

mod clients;
mod disk;
mod invariants;
mod many;
mod master;
mod net;
mod network;
mod plant;
mod report;
mod run;
mod scenario;
mod shelf;
mod stillness;
mod surroundings;
mod trace;
mod workers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use plant::Plant;
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
        /// Plant a bug first.
        #[arg(long, value_enum, default_value_t = Plant::None)]
        plant: Plant,
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
    /// See that planted bugs are found: each, or this one.
    Hunt {
        /// The bug.
        bug: Option<Plant>,
        /// The most seeds that it may take.
        #[arg(long, default_value_t = 200)]
        seeds: u64,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { seed, trace, plant } => one(seed, trace, plant),
        Command::Many { from, seeds } => many(from, seeds),
        Command::Hunt { bug, seeds } => hunt(bug, seeds),
    }
}

fn one(seed: u64, trace: bool, plant: Plant) -> ExitCode {
    // A panic in one task would be one in whatever is dropped after it, and end in no words at all.
    std::panic::set_hook(Box::new(move |panic| {
        println!("{}", Report::of_panic(seed, &panic.to_string()).line());
        std::process::exit(1);
    }));
    let outcome = run::simulate(seed, plant);
    let report = Report::of(seed, &outcome);
    if trace {
        print!("{}", outcome.trace);
    }
    println!("{}", report.line());
    if report.violation.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(from: u64, seeds: u64) -> ExitCode {
    let all: Vec<_> = named().chain(from..from + seeds).collect();
    println!("seeds {from} to {}, and {} that have found a bug", from + seeds - 1, all.len() as u64 - seeds);
    let reports = match many::run(&all, Plant::None, false) {
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

fn hunt(bug: Option<Plant>, seeds: u64) -> ExitCode {
    let bugs = bug.map_or(Plant::ALL.to_vec(), |bug| vec![bug]);
    let all: Vec<_> = (0..seeds).collect();
    let mut missed = false;
    for bug in bugs {
        let reports = many::run(&all, bug, true).unwrap_or_default();
        match reports.iter().find_map(|it| Some((it.seed, it.violation.as_ref()?))) {
            Some((seed, violation)) => {
                println!("{bug:?}: found by seed {seed}, after {} seeds: {violation}", reports.len())
            }
            None => {
                println!("{bug:?}: not found in {} seeds", reports.len());
                missed = true;
            }
        }
    }
    if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
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
