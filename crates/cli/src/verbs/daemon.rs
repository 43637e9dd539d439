//! `squall up` and `squall master`: a master in this process.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use squall_master::certs::{Client, DefaultTimeProvider, Material, Server};
use squall_master::config::{self, Effective, Layers, LogFormat, LogLevel, MasterConfig, SETTINGS};
use squall_master::http::Readiness;
use squall_master::{Env, Node, Secured};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

use crate::client::{Output, now};
use crate::error::CliError;
use crate::output::{View, write};

/// How long the process may take to end after the master has: what still hangs then is left.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A daemon's configuration file, and a flag for each of its settings.
#[derive(Clone, Debug, Default)]
pub struct DaemonArgs {
    file: Option<PathBuf>,
    flags: Vec<(String, String)>,
}

impl clap::Args for DaemonArgs {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config").long("config").value_name("FILE").value_parser(clap::value_parser!(PathBuf));
        let command = command.arg(file.help("The configuration file, in TOML"));
        SETTINGS.iter().fold(command, |command, setting| {
            let arg = Arg::new(setting.key).long(setting.flag()).value_name("VALUE").action(ArgAction::Set);
            let help = setting
                .help
                .split_inclusive(". ")
                .next()
                .unwrap_or_default()
                .trim_end()
                .trim_end_matches('.')
                .to_owned();
            let arg = arg.help(help).help_heading("Settings, over the file and the environment");
            // `--insecure` alone says it all.
            let arg =
                if setting.kind == "true or false" { arg.num_args(0..=1).default_missing_value("true") } else { arg };
            command.arg(arg)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for DaemonArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |setting: &squall_master::config::Setting| {
            Some((setting.key.to_owned(), matches.get_one::<String>(setting.key)?.clone()))
        };
        let flags = SETTINGS.iter().filter_map(given).collect();
        Ok(Self { file: matches.get_one::<PathBuf>("config").cloned(), flags })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Where a master's data goes on this machine unless it is told.
pub fn data_dir() -> Option<PathBuf> {
    config::default_data_dir("master", rustix::process::geteuid().is_root(), |name| std::env::var(name).ok())
}

/// Reads a configuration file.
pub fn read(path: &Path) -> Result<String, CliError> {
    let unreadable = |source| config::ConfigError::Unreadable { path: path.to_owned(), source };
    std::fs::read_to_string(path).map_err(|source| CliError::Config(unreadable(source).into()))
}

/// All that configures a daemon.
pub fn layers(args: &DaemonArgs) -> Result<Layers, CliError> {
    let file = args.file.as_ref().map(|path| Ok::<_, CliError>((path.clone(), read(path)?))).transpose()?;
    Ok(Layers { file, environment: std::env::vars().collect(), flags: args.flags.clone() })
}

/// Runs a master until it is told to end.
pub fn master(args: &DaemonArgs, output: Output) -> Result<ExitCode, CliError> {
    let Effective { config, .. } = config::load(&layers(args)?, data_dir())?;
    run(config, output)
}

/// Runs a cluster of one: whatever the environment says of others, it forms none with them.
pub fn up(args: &DaemonArgs, output: Output) -> Result<ExitCode, CliError> {
    let mut layers = layers(args)?;
    layers.environment.retain(|(name, _)| *name != config::variable("masters"));
    let Effective { config, .. } = config::load(&layers, data_dir())?;
    run(config, output)
}

fn run(config: MasterConfig, output: Output) -> Result<ExitCode, CliError> {
    log(&config);
    allow_files();
    for warning in config.warnings() {
        eprintln!("warning: {warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|source| CliError::System { what: "threads", source })?;
    let ended = runtime.block_on(serve(config, output));
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

struct Up {
    node: String,
    grpc: String,
    http: Option<String>,
    data_dir: PathBuf,
}

impl View for Up {
    fn text(&self, _: bool) -> String {
        format!("squall is up: {} at {}, data in {}\n", self.node, self.grpc, self.data_dir.display())
    }

    fn json(&self) -> Value {
        json!({
            "name": self.node, "grpc": self.grpc, "http": self.http, "data_dir": self.data_dir,
            "pids": [std::process::id()],
        })
    }
}

async fn serve(config: MasterConfig, output: Output) -> Result<ExitCode, CliError> {
    // From the first moment on: a signal that comes early ends it well too.
    let mut stop = Stop::new()?;
    let secured = secured(&config)?;
    let data_dir = config.data_dir.clone();
    let node = Node::start(config, secured, Env::machine()).await?;
    tokio::select! {
        () = node.ready() => {}
        () = stop.asked() => return end(node).await,
    }
    if matches!(*node.readiness().borrow(), Readiness::Failed { .. }) {
        node.ended().await?;
        return Ok(ExitCode::FAILURE);
    }
    let http = node.monitoring().map(|address| address.to_string());
    let up = Up { node: node.name().to_string(), grpc: node.address().to_string(), http, data_dir };
    // One line in every form: who started it reads a line and goes on.
    match output {
        Output::Json => write(&format!("{}\n", up.json()))?,
        Output::Table | Output::Wide => write(&up.text(false))?,
    }
    tokio::select! {
        () = node.over() => {
            node.ended().await?;
            Ok(ExitCode::FAILURE)
        }
        () = stop.asked() => end(node).await,
    }
}

async fn end(node: Node) -> Result<ExitCode, CliError> {
    node.shutdown().await?;
    Ok(ExitCode::SUCCESS)
}

/// SIGTERM and Ctrl-C.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> Result<Self, CliError> {
        let of = |kind| signal(kind).map_err(|source| CliError::System { what: "a signal handler", source });
        Ok(Self { terminate: of(SignalKind::terminate())?, interrupt: of(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn secured(config: &MasterConfig) -> Result<Secured, CliError> {
    let Some(files) = config.tls_files() else {
        return Ok(Secured::plain());
    };
    let material = Material::read(&files, now(), "master")?;
    let time = Arc::new(DefaultTimeProvider);
    Ok(Secured::tls(Server::with_certificate(&material, time.clone()), Client::with_certificate(&material, time)))
}

fn log(config: &MasterConfig) {
    let level = match config.log.level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let format = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level);
    // The process has one log; it is set up here alone.
    let _ = match config.log.format {
        LogFormat::Text => tracing::subscriber::set_global_default(format.with_ansi(false).finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(format.json().flatten_event(true).finish()),
    };
}
