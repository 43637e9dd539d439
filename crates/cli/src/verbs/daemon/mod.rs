//! The daemons: `squall master`, `squall worker`, and `squall up`, which is both.

mod args;
mod master;
mod processes;
mod ready;
mod stop;
mod up;
mod worker;

pub use args::DaemonArgs;
pub use master::master;
pub use up::{UpArgs, up};
pub use worker::worker;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use squall_daemon::config::{self, Configured, Layers, Log, LogFormat, LogLevel};
use tracing_subscriber::filter::LevelFilter;

use crate::error::CliError;

/// How long the process may take to end after its daemon has: what still hangs then is left.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Where a daemon's data goes on this machine unless it is told.
pub fn data_dir(kind: &str) -> Option<PathBuf> {
    config::default_data_dir(kind, rustix::process::geteuid().is_root(), |name| std::env::var(name).ok())
}

/// Reads a configuration file.
pub fn read(path: &Path) -> Result<String, CliError> {
    let unreadable = |source| config::ConfigError::Unreadable { path: path.to_owned(), source };
    std::fs::read_to_string(path).map_err(|source| CliError::Config(unreadable(source).into()))
}

/// All that configures a daemon.
pub fn layers<C: Configured>(args: &DaemonArgs<C>) -> Result<Layers, CliError> {
    let file = args.file.as_ref().map(|path| Ok::<_, CliError>((path.clone(), read(path)?))).transpose()?;
    Ok(Layers { file, environment: std::env::vars().collect(), flags: args.flags.clone() })
}

/// A daemon's configuration; what it warns of is said.
pub fn load<C: Configured>(args: &DaemonArgs<C>) -> Result<C, CliError> {
    let config = config::load::<C>(&layers(args)?, data_dir(C::ROLE))?.config;
    for warning in config.warnings() {
        eprintln!("warning: {warning}");
    }
    Ok(config)
}

/// Runs a daemon to its end.
fn on_threads(work: impl Future<Output = Result<ExitCode, CliError>>) -> Result<ExitCode, CliError> {
    allow_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|source| CliError::System { what: "threads", source })?;
    let ended = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WORDS);
    ended
}

/// Each worker and each client is a connection, and so a file: the process takes as many as the system lets it have.
fn allow_files() {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, files) {
        tracing::warn!("the limit of open files can't be raised: {error}");
    }
}

fn log(log: &Log) {
    let level = match log.level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let format = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level);
    // What the log says of itself would go to stderr as well, and end the daemon where that is full.
    let format = format.log_internal_errors(false);
    // The process has one log; it is set up here alone.
    let _ = match log.format {
        LogFormat::Text => tracing::subscriber::set_global_default(format.with_ansi(false).finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(format.json().flatten_event(true).finish()),
    };
}
