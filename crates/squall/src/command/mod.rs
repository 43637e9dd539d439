//! A topology's program: its command line, and what it says.

mod args;
mod describe;
mod settings;
#[cfg(unix)]
mod slot;
mod table;
mod talk;

use std::io::Write as _;
use std::process::ExitCode;

use squall_runtime::Options;
use tracing_subscriber::filter::LevelFilter;

pub use describe::describe;

use self::args::{Args, Level};
use self::table::Table;
use self::talk::{CommandError, say};
pub(crate) use self::talk::{Remainder, errors, outside};
use crate::TopologyBuilder;
use crate::run::{Outcome, Runner};

/// Makes a program of a topology: what `fn main` calls.
///
/// Run by hand it runs the topology on this machine, until it ends by itself or Ctrl-C drains it; `--describe` prints it as JSON,
/// and `--help` lists the rest. What it returns is the process's exit code: 0 if the topology ended or was drained with nothing
/// left and no root given up, 1 if it couldn't start, something was left behind, or roots failed for good, 2 if the command line is wrong. Where components hang past the
/// drain, the process is ended from here.
///
/// A worker's daemon starts it with `SQUALL_SLOT` in its environment; then it is a slot of that worker, and runs what it is told to.
pub fn main(topology: TopologyBuilder) -> ExitCode {
    #[cfg(unix)]
    if let Some(folder) = slot::folder() {
        return slot::run(topology, &folder);
    }
    let name = topology.topology().name.to_string();
    let done =
        Args::read(&name, std::env::args_os()).map_err(CommandError::Usage).and_then(|args| act(topology, &args));
    match done {
        Ok(code) => code,
        // Help was asked for: it goes to stdout and is no error.
        Err(CommandError::Usage(help)) if !help.use_stderr() => match help.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            say(&error.report());
            error.exit_code()
        }
    }
}

fn act(mut topology: TopologyBuilder, args: &Args) -> Result<ExitCode, CommandError> {
    settings::apply(args, &mut topology)?;
    let program = topology.build()?;
    let mut options = Options::default();
    if let Some(cores) = args.cores {
        options.cores = cores.get();
    }
    if args.describe {
        return print(&describe(&program, options.cores));
    }
    log(filter(args.log));
    let mut table = Table::default();
    let mut runner = Runner::new(program).options(options).drain_timeout(args.drain_timeout);
    if let Some(time) = args.run_for {
        runner = runner.run_for(time);
    }
    if let Some(every) = args.metrics_every {
        runner = runner.every(every, |progress| say(&table.next(progress.snapshot)));
    }
    let outcome = runner.run()?;
    if args.metrics_every.is_some() {
        say(&table.next(&outcome.last));
    }
    Ok(end(&outcome))
}

fn print(description: &serde_json::Value) -> Result<ExitCode, CommandError> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{description:#}").and_then(|()| stdout.flush()).map_err(CommandError::NoOutput)?;
    Ok(ExitCode::SUCCESS)
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

fn log(level: LevelFilter) {
    let format = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_max_level(level);
    // What the log says of itself would go to stderr as well, and end the program where that is full.
    let format = format.log_internal_errors(false);
    // A program that has set up its own log keeps it.
    let _ = tracing::subscriber::set_global_default(format.finish());
}

/// Says how it ended, the books last.
fn end(outcome: &Outcome) -> ExitCode {
    say(&outcome.report());
    say(&format!("{outcome}\n"));
    let code = ExitCode::from(u8::from(!outcome.is_success()));
    if !outcome.books.hung.is_empty() {
        leave();
    }
    code
}

/// Ends the process though components are at work: what the caller's `main` would still do might wait for them.
#[expect(clippy::exit, reason = "a hung thread can't be ended in any other way")]
fn leave() -> ! {
    std::process::exit(1)
}
