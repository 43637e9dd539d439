//! `squall worker`: a worker in this process.

use std::process::ExitCode;

use squall_daemon::http::Readiness;
use squall_worker::config::WorkerConfig;
use squall_worker::{Node, Secured};

use super::ready::Ready;
use super::stop::Stop;
use super::{DaemonArgs, load, log, on_threads};
use crate::client::{Output, now};
use crate::error::CliError;

/// Runs a worker until it is told to leave.
pub fn worker(args: &DaemonArgs<WorkerConfig>, output: Output) -> Result<ExitCode, CliError> {
    let config = load(args)?;
    log(&config.log);
    on_threads(serve(config, output))
}

async fn serve(config: WorkerConfig, output: Output) -> Result<ExitCode, CliError> {
    let mut stop = Stop::new()?;
    let Some((node, ready)) = start(config, &mut stop).await? else { return Ok(ExitCode::SUCCESS) };
    ready.say(output)?;
    tokio::select! {
        () = node.over() => {
            node.ended().await?;
            Ok(ExitCode::FAILURE)
        }
        () = stop.asked() => {
            node.leave().await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Starts a worker, and waits until a master is heard. None: it was told to end before.
pub(super) async fn start(config: WorkerConfig, stop: &mut Stop) -> Result<Option<(Node, Ready)>, CliError> {
    let secured = Secured::of(&config, now())?;
    let data_dir = config.data_dir.clone();
    let node = Node::start(config, secured).await?;
    let asked = tokio::select! {
        () = node.ready() => false,
        () = stop.asked() => true,
    };
    if asked {
        node.leave().await?;
        return Ok(None);
    }
    if matches!(*node.readiness().borrow(), Readiness::Failed { .. }) {
        node.ended().await?;
        return Ok(None);
    }
    let ready = Ready {
        role: "worker",
        name: node.name().to_string(),
        pid: std::process::id(),
        grpc: node.address().to_string(),
        http: node.monitoring().map(|address| address.to_string()),
        data_dir,
    };
    Ok(Some((node, ready)))
}
