//! `cargo xtask sim`: the deterministic simulation, which is a workspace of its own.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Error;
use crate::shell::Cmd;
use crate::workspace::Metadata;

/// The folder of that workspace.
const FOLDER: &str = "sim";

/// How many fresh seeds the tests run.
const TESTED: u64 = 100;

/// What to simulate.
#[derive(clap::Args)]
pub struct Options {
    /// How many seeds to run, besides those that have found a bug before.
    #[arg(long, default_value_t = TESTED)]
    seeds: u64,
    /// The first of them; without it they are fresh.
    #[arg(long, value_name = "SEED")]
    from: Option<u64>,
    /// Print everything that happens in the first seed, and run no other.
    #[arg(long)]
    trace: bool,
    /// Plant bugs instead, one after the other, and fail if one isn't found.
    #[arg(long, conflicts_with_all = ["seeds", "from", "trace"])]
    hunt: bool,
}

/// A command of cargo within the simulation's workspace.
pub fn cargo(args: &[&str]) -> Result<Cmd, Error> {
    Ok(Cmd::cargo(args).within(folder()?))
}

fn folder() -> Result<PathBuf, Error> {
    Ok(Metadata::read()?.workspace_root.join(FOLDER))
}

/// Simulates what the options ask for.
pub fn run(options: &Options) -> Result<(), Error> {
    let from = options.from.unwrap_or_else(fresh).to_string();
    let seeds = options.seeds.to_string();
    let mut cmd = cargo(&["run", "--quiet", "--locked", "--"])?;
    cmd = match (options.trace, options.hunt) {
        (true, _) => cmd.arg("run").arg(from).arg("--trace"),
        (false, true) => cmd.arg("hunt"),
        (false, false) => cmd.arg("many").arg("--from").arg(from).arg("--seeds").arg(seeds),
    };
    cmd.run()
}

/// The simulation's own tests, then fresh seeds.
pub fn test() -> Result<(), Error> {
    cargo(&["test", "--quiet", "--locked"])?.run()?;
    run(&Options { seeds: TESTED, from: None, trace: false, hunt: false })
}

/// A seed that nobody has run before: the time.
fn fresh() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Room for a thousand seeds a second, and readable.
    since.as_secs() * 1_000
}
