//! `--wait`: looks again until it is so.

use std::future::Future;
use std::time::Duration;

use squall_proto::v1;
use squall_proto::v1::topologies_client::TopologiesClient;
use squall_types::{codes, duration};
use tokio::time::Instant;

use super::Session;
use crate::error::CliError;
use crate::output::topology_state;

const EVERY: Duration = Duration::from_millis(200);

/// Whether to wait, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct WaitArgs {
    /// Ends when it is so: all executors placed, the topology gone, the worker empty
    #[arg(long)]
    pub wait: bool,
    /// How long --wait waits
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "2m", requires = "wait")]
    pub wait_timeout: Duration,
}

/// Looks until `look` finds nothing that is missing. What it finds is said if the time is over: what isn't so yet, and what to do.
pub async fn until<F: Future<Output = Result<Option<Missing>, CliError>>>(
    args: &WaitArgs,
    mut look: impl FnMut() -> F,
) -> Result<(), CliError> {
    let start = Instant::now();
    while let Some(Missing { what, next, ever }) = look().await? {
        if !ever || start.elapsed() >= args.wait_timeout {
            let what = if ever { format!("{what}, after {}", duration::format(args.wait_timeout)) } else { what };
            return Err(CliError::NotYet { what, next });
        }
        tokio::time::sleep(EVERY).await;
    }
    Ok(())
}

/// What isn't so yet.
pub struct Missing {
    /// As a sentence.
    pub what: String,
    /// What to do next.
    pub next: String,
    /// Whether it may still become so.
    pub ever: bool,
}

/// Until all executors of a topology are placed, and it is in this state, if one is wanted.
pub async fn placed(
    session: &mut Session,
    args: &WaitArgs,
    name: &str,
    state: Option<v1::TopologyState>,
) -> Result<(), CliError> {
    if !args.wait {
        return Ok(());
    }
    let cell = tokio::sync::Mutex::new(session);
    until(args, || async {
        let summary = summary(&mut **cell.lock().await, name).await?;
        Ok(not_placed(name, summary.as_ref(), state))
    })
    .await
}

fn not_placed(name: &str, summary: Option<&v1::TopologySummary>, state: Option<v1::TopologyState>) -> Option<Missing> {
    let who = || format!("`squall events --about 'topology {name}'` says who killed it");
    let Some(it) = summary else {
        return Some(Missing { what: format!("{name} is gone"), next: who(), ever: false });
    };
    if it.state() == v1::TopologyState::Killed {
        return Some(Missing { what: format!("{name} has been killed"), next: who(), ever: false });
    }
    if state.is_none_or(|state| it.state() == state) && it.placed == it.executors {
        return None;
    }
    let is = topology_state(it.state);
    let wanted = state.filter(|state| *state != it.state());
    let wanted = wanted.map_or_else(String::new, |state| format!(", not {}", topology_state(state.into())));
    let what = format!("{name} is {is}{wanted}, with {} of {} executors placed", it.placed, it.executors);
    Some(Missing { what, next: format!("`squall why {name}` says what is in the way"), ever: true })
}

/// Until a topology is gone.
pub async fn gone(session: &mut Session, args: &WaitArgs, name: &str) -> Result<(), CliError> {
    if !args.wait {
        return Ok(());
    }
    let cell = tokio::sync::Mutex::new(session);
    until(args, || async {
        let found = summary(&mut **cell.lock().await, name).await?;
        let next = format!("`squall describe {name}` says when it stops; `squall kill {name} --after 0s` doesn't wait");
        Ok(found.map(|_| Missing { what: format!("{name} isn't gone"), next, ever: true }))
    })
    .await
}

async fn summary(session: &mut Session, name: &str) -> Result<Option<v1::TopologySummary>, CliError> {
    let call = |link| {
        let request = v1::GetTopologyRequest { name: name.to_owned() };
        async move { TopologiesClient::new(link).get(request).await }
    };
    match session.client.ask(call).await {
        Ok(topology) => Ok(topology.summary),
        Err(CliError::Refused(failure)) if failure.code == codes::UNKNOWN_TOPOLOGY => Ok(None),
        Err(error) => Err(error),
    }
}
