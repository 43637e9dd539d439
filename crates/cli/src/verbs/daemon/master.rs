//! `squall master`: a master in this process.

use std::process::ExitCode;

use squall_daemon::http::Readiness;
use squall_master::config::MasterConfig;
use squall_master::{Env, Node, Secured};

use super::ready::Ready;
use super::stop::Stop;
use super::{DaemonArgs, load, log, on_threads};
use crate::client::Output;
use crate::error::CliError;

/// Runs a master until it is told to end.
pub fn master(args: &DaemonArgs<MasterConfig>, output: Output) -> Result<ExitCode, CliError> {
    let config = load(args)?;
    log(&config.log);
    on_threads(serve(config, output))
}

async fn serve(config: MasterConfig, output: Output) -> Result<ExitCode, CliError> {
    // From the first moment on: a signal that comes early ends it well too.
    let mut stop = Stop::new()?;
    let Some((node, ready)) = start(config, &mut stop).await? else { return Ok(ExitCode::SUCCESS) };
    ready.say(output)?;
    tokio::select! {
        () = node.over() => {
            node.ended().await?;
            Ok(ExitCode::FAILURE)
        }
        () = stop.asked() => {
            node.shutdown().await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Starts a master, and waits until calls are answered. None: it was told to end before.
pub(super) async fn start(config: MasterConfig, stop: &mut Stop) -> Result<Option<(Node, Ready)>, CliError> {
    let env = Env::machine();
    let secured = Secured::of(&config, &env)?;
    let data_dir = config.data_dir.clone();
    let node = Node::start(config, secured, env).await?;
    let asked = tokio::select! {
        () = node.ready() => false,
        () = stop.asked() => true,
    };
    if asked {
        node.shutdown().await?;
        return Ok(None);
    }
    if matches!(*node.readiness().borrow(), Readiness::Failed { .. }) {
        node.ended().await?;
        return Ok(None);
    }
    let ready = Ready {
        role: "master",
        name: node.name().to_string(),
        pid: std::process::id(),
        grpc: node.address().to_string(),
        http: node.monitoring().map(|address| address.to_string()),
        data_dir,
    };
    Ok(Some((node, ready)))
}
