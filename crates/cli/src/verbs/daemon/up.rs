//! `squall up`: a whole cluster on this machine, in this process or in several.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, FromArgMatches};
use squall_daemon::config::{self, Configured as _, HostPort};
use squall_master::config::MasterConfig;
use squall_worker::config::WorkerConfig;

use super::stop::Stop;
use super::{DaemonArgs, layers, log, master, on_threads, processes, ready, worker};
use crate::client::Output;
use crate::error::CliError;

/// What the cluster is made of; the settings are its master's.
#[derive(Clone, Debug, Default)]
pub struct UpArgs {
    daemon: DaemonArgs<MasterConfig>,
    masters: Option<u16>,
    workers: Option<u16>,
}

/// Settings of a master that are not for who runs a whole cluster to set.
const NOT_FOR_UP: [&str; 1] = ["masters"];

impl clap::Args for UpArgs {
    fn augment_args(command: Command) -> Command {
        let number = |name: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name("N").value_parser(clap::value_parser!(u16).range(1..=64)).help(help)
        };
        let command = command
            .arg(number("masters", "So many masters, each a process of its own"))
            .arg(number("workers", "So many workers, each a process of its own"));
        DaemonArgs::<MasterConfig>::augment(command, &NOT_FOR_UP)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for UpArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let number = |name| matches.get_one::<u16>(name).copied();
        let daemon = DaemonArgs::read(matches, &NOT_FOR_UP);
        Ok(Self { daemon, masters: number("masters"), workers: number("workers") })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Runs a cluster until it is told to end: one master and one worker in this process, unless so many are asked for.
pub fn up(args: &UpArgs, output: Output) -> Result<ExitCode, CliError> {
    let mut layers = layers(&args.daemon)?;
    // Whatever the environment says of others, it forms no cluster with them.
    layers.environment.retain(|(name, _)| *name != config::variable("masters"));
    let mut config = config::load::<MasterConfig>(&layers, super::data_dir("up"))?.config;
    log(&config.log);
    let data_dir = std::mem::take(&mut config.data_dir);
    if args.masters.is_some() || args.workers.is_some() {
        let (masters, workers) = (args.masters.unwrap_or(1), args.workers.unwrap_or(1));
        return on_threads(processes::run(masters, workers, data_dir, config.log, output));
    }
    for warning in config.warnings() {
        eprintln!("warning: {warning}");
    }
    config.data_dir = data_dir.join("master");
    on_threads(serve(config, data_dir, output))
}

async fn serve(config: MasterConfig, data_dir: PathBuf, output: Output) -> Result<ExitCode, CliError> {
    let mut stop = Stop::new()?;
    let tls = config.tls_files().is_some();
    let started = master::start(config, &mut stop).await?;
    let Some((master, ready)) = started else { return Ok(ExitCode::SUCCESS) };
    let mut all = vec![ready];
    let mut worker = None;
    if tls {
        eprintln!(
            "warning: no worker runs here: over TLS it wants a certificate of its own; start one with `squall worker`"
        );
    } else {
        let config = worker_config(&data_dir, master.address().into());
        let Some((node, ready)) = worker::start(config, &mut stop).await? else {
            master.shutdown().await?;
            return Ok(ExitCode::SUCCESS);
        };
        worker = Some(node);
        all.push(ready);
    }
    ready::say(&all, &data_dir, output)?;
    let over = async {
        match &worker {
            Some(worker) => worker.over().await,
            None => std::future::pending().await,
        }
    };
    let failed = tokio::select! {
        () = master.over() => true,
        () = over => true,
        () = stop.asked() => false,
    };
    if let Some(worker) = worker {
        worker.leave().await?;
    }
    master.shutdown().await?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn worker_config(data_dir: &Path, master: HostPort) -> WorkerConfig {
    let mut config = WorkerConfig::new(data_dir.join("worker"));
    // The same one at each start, on whatever port.
    config.name = "worker-1".parse().ok();
    config.listen.set_port(0);
    config.http.listen = None;
    config.masters = vec![master];
    config
}
