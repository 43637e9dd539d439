//! Squall's figures: `squall-bench list` says what can be measured, `squall-bench run NAME` measures it once.
//!
//! Both print JSON, an object a line, for `cargo xtask bench`, which repeats, compares and judges.

mod allocations;
mod awaiting;
mod bare;
mod bare_grpc;
mod carriage;
mod catalog;
mod derive;
mod error;
mod frames;
mod harness;
mod idle;
mod latency;
mod line;
mod masters;
mod memory;
mod meter;
mod null;
mod pace;
mod plans;
mod rare;
mod remote;
mod rows;
mod tally;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Squall.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print what can be measured, and what is asked of it.
    List,
    /// Measure once, and print the figures.
    Run {
        /// One of the list.
        name: String,
        /// How long to measure.
        #[arg(long, value_name = "S")]
        seconds: Option<f64>,
    },
}

fn main() -> ExitCode {
    let benches = catalog::benches();
    match Cli::parse().command {
        Command::List => benches.iter().for_each(|bench| println!("{}", bench.json())),
        Command::Run { name, seconds } => {
            let Some(bench) = benches.iter().find(|bench| bench.name == name) else {
                eprintln!("there is no bench {name:?}: see `squall-bench list`");
                return ExitCode::FAILURE;
            };
            let outcome = match (bench.run)(seconds.unwrap_or(bench.seconds)) {
                Ok(figures) => json!({ "name": name, "ok": true, "why": null, "metrics": figures }),
                Err(error) => json!({ "name": name, "ok": false, "why": error.chain(), "metrics": {} }),
            };
            println!("{outcome}");
        }
    }
    ExitCode::SUCCESS
}
