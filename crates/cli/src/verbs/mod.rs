//! What `squall` can do, a module a verb or a family of them.

mod answer;
mod blobs;
mod certs;
mod config;
mod daemon;
mod events;
mod explain;
mod follow;
mod masters;
mod offline;
mod package;
mod placed;
mod status;
mod submit;
mod tokens;
mod topologies;
mod upload;
mod wait;
mod why;
mod workers;

use std::future::Future;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Subcommand};
use squall_master::config::MasterConfig;
use squall_worker::config::WorkerConfig;

use crate::client::{Client, Settings, SettingsFlags};
use crate::error::CliError;
use crate::output::{View, show, write_bytes};
use crate::{Cli, demo};

/// All verbs.
#[derive(Subcommand)]
pub enum Verb {
    /// Trending hashtags, live: a topology with a spout, three bolts and a sliding window
    Demo(Box<demo::Args>),
    /// A whole cluster on this machine, until SIGTERM or Ctrl-C
    Up(daemon::UpArgs),
    /// A master, until SIGTERM or Ctrl-C
    Master(daemon::DaemonArgs<MasterConfig>),
    /// A worker, until SIGTERM or Ctrl-C, when it leaves its cluster
    Worker(daemon::DaemonArgs<WorkerConfig>),
    /// Is it healthy, and what is the worst thing
    Status(status::StatusArgs),
    /// All topologies
    Topologies,
    /// Submit a topology, or a new version of one
    Submit(submit::SubmitArgs),
    /// What a submit, kill, rebalance or drain would do
    Plan(submit::PlanArgs),
    /// All there is to know of a topology
    Describe(topologies::NameArgs),
    /// Let a topology's spouts emit
    Activate(topologies::ChangeArgs),
    /// Stop a topology's spouts; what is under way is finished
    Deactivate(topologies::ChangeArgs),
    /// Change parallelism, or spread executors evenly
    Rebalance(topologies::RebalanceArgs),
    /// Stop a topology's spouts, wait, then stop it and forget it
    Kill(topologies::KillArgs),
    /// All versions of a topology
    Versions(topologies::NameArgs),
    /// Go back to an earlier version of a topology
    Rollback(topologies::RollbackArgs),
    /// All workers
    Workers,
    /// Move a worker's work to others, and give it no new
    Drain(workers::DrainArgs),
    /// Give a drained worker work again
    Undrain(workers::WorkerArgs),
    /// Forget a worker that is gone for good
    Forget(workers::WorkerArgs),
    /// Who is a master, and who is to be; alone it lists them
    Masters {
        #[command(subcommand)]
        verb: Option<masters::MastersVerb>,
    },
    /// What happened, and who did it
    Events(events::EventsArgs),
    /// Packages; alone it lists them
    Blobs {
        #[command(subcommand)]
        verb: Option<blobs::BlobsVerb>,
    },
    /// Certificates of a cluster's own authority
    #[command(subcommand)]
    Certs(certs::CertsVerb),
    /// Who may do what; alone it lists tokens
    Tokens {
        #[command(subcommand)]
        verb: Option<tokens::TokensVerb>,
    },
    /// A daemon's configuration
    #[command(subcommand)]
    Config(config::ConfigVerb),
    /// What an error code means, and what to do
    Explain(explain::ExplainArgs),
    /// Why executors are where they are, or aren't anywhere
    Why(why::WhyArgs),
    /// Completions for a shell, on stdout
    Completions(CompletionsArgs),
}

/// For which shell.
#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// What most verbs run with.
pub struct Session {
    /// How the cluster is called.
    pub settings: Settings,
    /// Calls it.
    pub client: Client,
}

impl Session {
    /// Writes an answer in the form that was asked for.
    pub fn show(&self, view: &impl View) -> Result<ExitCode, CliError> {
        show(view, self.settings.output)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The settings that flags, environment and file come to.
pub fn settings(flags: &SettingsFlags) -> Result<Settings, CliError> {
    let read = |path: &std::path::PathBuf| match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        text => text.map(Some),
    };
    Ok(Settings::load(flags, |name| std::env::var(name).ok(), read)?)
}

/// Runs a verb to its end.
pub fn run(verb: Verb, flags: &SettingsFlags) -> Result<ExitCode, CliError> {
    match verb {
        Verb::Demo(args) => Ok(demo::run(*args)?),
        Verb::Up(args) => daemon::up(&args, settings(flags)?.output),
        Verb::Master(args) => daemon::master(&args, settings(flags)?.output),
        Verb::Worker(args) => daemon::worker(&args, settings(flags)?.output),
        Verb::Certs(verb) => certs::run(&verb, settings(flags)?.output),
        Verb::Config(verb) => config::run(&verb, settings(flags)?.output),
        Verb::Explain(args) => explain::run(&args, settings(flags)?.output),
        Verb::Masters { verb: Some(masters::MastersVerb::Restore(args)) } => {
            offline::restore(&args, settings(flags)?.output)
        }
        Verb::Masters { verb: Some(masters::MastersVerb::Recover(args)) } => {
            offline::recover(&args, settings(flags)?.output)
        }
        Verb::Tokens { verb: Some(tokens::TokensVerb::Bootstrap(args)) } => {
            tokens::bootstrap(&args, settings(flags)?.output)
        }
        Verb::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "squall", &mut script);
            write_bytes(&script)?;
            Ok(ExitCode::SUCCESS)
        }
        verb => {
            let settings = settings(flags)?;
            let mut session = Session { client: Client::new(&settings)?, settings };
            on_runtime(remote(verb, &mut session))
        }
    }
}

/// Runs what talks to a cluster.
fn on_runtime(work: impl Future<Output = Result<ExitCode, CliError>>) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| CliError::System { what: "an event loop", source })?;
    runtime.block_on(work)
}

async fn remote(verb: Verb, session: &mut Session) -> Result<ExitCode, CliError> {
    match verb {
        Verb::Status(args) => status::run(&args, session).await,
        Verb::Topologies => topologies::list(session).await,
        Verb::Submit(args) => submit::submit(&args, session).await,
        Verb::Plan(args) => submit::plan(&args, session).await,
        Verb::Describe(args) => topologies::describe(&args, session).await,
        Verb::Activate(args) => topologies::activate(&args, session).await,
        Verb::Deactivate(args) => topologies::deactivate(&args, session).await,
        Verb::Rebalance(args) => topologies::rebalance(&args, session).await,
        Verb::Kill(args) => topologies::kill(&args, session).await,
        Verb::Versions(args) => topologies::versions(&args, session).await,
        Verb::Rollback(args) => topologies::rollback(&args, session).await,
        Verb::Workers => workers::list(session).await,
        Verb::Drain(args) => workers::drain(&args, session).await,
        Verb::Undrain(args) => workers::undrain(&args, session).await,
        Verb::Forget(args) => workers::forget(&args, session).await,
        Verb::Masters { verb } => masters::run(&verb.unwrap_or_default(), session).await,
        Verb::Events(args) => events::run(&args, session).await,
        Verb::Blobs { verb } => blobs::run(&verb.unwrap_or_default(), session).await,
        Verb::Tokens { verb } => tokens::run(&verb.unwrap_or_default(), session).await,
        Verb::Why(args) => why::run(&args, session).await,
        Verb::Demo(_)
        | Verb::Up(_)
        | Verb::Master(_)
        | Verb::Worker(_)
        | Verb::Certs(_)
        | Verb::Config(_)
        | Verb::Explain(_)
        | Verb::Completions(_) => unreachable!("these call no cluster"),
    }
}
