//! The project's own checks and chores, as `cargo xtask …`.

mod bench;
mod error;
mod fix;
mod shell;
mod sim;
mod source;
mod structure;
mod testing;
mod verify;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own checks and chores.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check everything that must hold, changing nothing.
    Verify {
        /// Run this step alone; may be given several times.
        #[arg(long, value_name = "STEP")]
        only: Vec<verify::Step>,
        /// Leave this step out; may be given several times.
        #[arg(long, value_name = "STEP")]
        skip: Vec<verify::Step>,
    },
    /// Run every test, and every example once.
    Test,
    /// Simulate clusters of masters, seed by seed.
    Sim(sim::Options),
    /// Mend what a machine can mend: Cargo.lock, lints, format, the index of error pages.
    Fix,
    /// Measure, and compare with the probes.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().chore {
        Chore::Verify { only, skip } => verify::run(&only, &skip),
        Chore::Test => testing::run(),
        Chore::Sim(options) => sim::run(&options),
        Chore::Fix => fix::run(),
        Chore::Bench(options) => bench::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error::print_chain(&error);
            ExitCode::FAILURE
        }
    }
}
