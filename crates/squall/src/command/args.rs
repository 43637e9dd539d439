//! The command line of a topology's program.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use squall_types::duration;
use squall_types::topology::Delivery;

use super::settings::{Count, Setting};

const EXIT_CODES: &str = "\
Ctrl-C and SIGTERM drain: spouts stop, and what is in flight has until --drain-timeout to finish. A second one ends at once. \
The last line on stderr says what was acked, failed and left.

Exit codes:
  0  it ended by itself or was drained; nothing was left, and no root failed for good
  1  it couldn't start; or roots failed and weren't emitted again; or roots, rows or hung components were left behind
  2  the command line is wrong";

/// What a topology's program is told.
#[derive(Debug, Parser)]
#[command(after_help = EXIT_CODES, disable_version_flag = true)]
pub struct Args {
    /// Prints the topology as JSON, with what is chained on these cores, and ends
    #[arg(long)]
    pub describe: bool,
    /// Executors of a component
    #[arg(long, value_name = "COMPONENT=N")]
    pub parallelism: Vec<Count>,
    /// Tasks of a component
    #[arg(long, value_name = "COMPONENT=N")]
    pub tasks: Vec<Count>,
    /// A setting of all components, or of one as COMPONENT.KEY; what isn't JSON is text
    #[arg(long, value_name = "[COMPONENT.]KEY=VALUE")]
    pub set: Vec<Setting>,
    /// Cores to run on; all of the machine unless given
    #[arg(long, value_name = "N")]
    pub cores: Option<NonZeroUsize>,
    /// What the topology promises for each spout tuple, in place of what it declares
    #[arg(long, value_enum, value_name = "PROMISE")]
    pub delivery: Option<Promise>,
    /// Drains after so long
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    pub run_for: Option<Duration>,
    /// How long a drain may take
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "10s")]
    pub drain_timeout: Duration,
    /// Shows a table of all components on stderr, this often, and once at the end
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub metrics_every: Option<Duration>,
    /// The least severe messages to log
    #[arg(long, value_enum, default_value_t = Level::Info)]
    pub log: Level,
}

/// A delivery mode, as it is written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Promise {
    /// Nothing is tracked.
    AtMostOnce,
    /// Every tracked tuple is acked or failed.
    AtLeastOnce,
}

impl From<Promise> for Delivery {
    fn from(promise: Promise) -> Self {
        match promise {
            Promise::AtMostOnce => Self::AtMostOnce,
            Promise::AtLeastOnce => Self::AtLeastOnce,
        }
    }
}

/// A level of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// What needs attention.
    Warn,
    /// What happens.
    Info,
    /// What is done for it.
    Debug,
    /// All there is.
    Trace,
}

impl Args {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// It is wrong, or asks for help: clap tells the two apart.
    pub fn read<S: Into<std::ffi::OsString> + Clone>(
        topology: &str,
        line: impl IntoIterator<Item = S>,
    ) -> Result<Self, clap::Error> {
        let command = Self::command().about(format!("Runs the topology {topology:?} on this machine."));
        Self::from_arg_matches(&command.try_get_matches_from(line)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, String> {
        let words = std::iter::once("program").chain(line.split_whitespace());
        Args::read("words", words).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn nothing_has_to_be_said() {
        let args = read("").unwrap();
        assert_eq!((args.drain_timeout, args.log), (Duration::from_secs(10), Level::Info));
        assert!(!args.describe && args.run_for.is_none() && args.cores.is_none());
    }

    #[test]
    fn everything_can_be_said_and_the_repeatable_repeated() {
        let args = read(
            "--parallelism a=2 --parallelism b.c=3 --tasks a=4 --set k=1 --set a.k=x --cores 2 \
             --delivery at-most-once --for 1500ms --drain-timeout 2m --metrics-every 1s --log off",
        );
        let args = args.unwrap();
        assert_eq!(args.parallelism, [Count::new("a", 2), Count::new("b.c", 3)]);
        assert_eq!((args.tasks.len(), args.set.len()), (1, 2));
        assert_eq!(args.delivery.map(Delivery::from), Some(Delivery::AtMostOnce));
        assert_eq!(args.run_for, Some(Duration::from_millis(1_500)));
        assert_eq!(args.drain_timeout, Duration::from_secs(120));
    }

    #[test]
    fn garbage_is_named_with_what_would_be_right() {
        for (line, hint) in [
            ("--parallelism split", "COMPONENT=N"),
            ("--parallelism split=many", "\"many\" is no count"),
            ("--tasks =3", "COMPONENT=N"),
            ("--set nothing", "KEY=VALUE"),
            ("--set .k=1", "KEY=VALUE"),
            ("--set a.=1", "KEY=VALUE"),
            ("--for soon", "as in 30s or 1500ms"),
            ("--cores 0", "zero"),
            ("--delivery exactly-once", "at-least-once"),
            ("--paralelism a=1", "--parallelism"),
            ("stray", "unexpected argument 'stray'"),
        ] {
            let error = read(line).expect_err(line);
            assert!(error.contains(hint), "{line}: {error}");
        }
    }
}
