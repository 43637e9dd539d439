//! The binary `squall`.

mod demo;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Squall, a distributed real-time stream processor.
#[derive(Parser)]
#[command(name = "squall", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trending hashtags, live: a topology with a spout, three bolts and a sliding window
    Demo(demo::Args),
}

fn main() -> ExitCode {
    let Command::Demo(args) = Cli::parse().command;
    match demo::run(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error[{}]: {}", error.code(), chain(&error));
            eprintln!("  see docs/errors/{}.md", error.code());
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, outermost first.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
