//! Verbs about workers.

use std::process::ExitCode;

use serde_json::{Value, json};
use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;

use super::Session;
use super::answer::{self, Done};
use super::wait::{Missing, WaitArgs, until};
use crate::client::Client;
use crate::error::CliError;
use crate::output::{Table, View, silence, utc, worker_state};

/// Which worker.
#[derive(clap::Args)]
pub struct WorkerArgs {
    /// The worker's name
    worker: String,
}

/// Which worker, and whether to wait until it is empty.
#[derive(clap::Args)]
pub struct DrainArgs {
    /// The worker's name
    worker: String,
    #[command(flatten)]
    wait: WaitArgs,
}

struct Workers(v1::WorkersResponse);

impl View for Workers {
    fn text(&self, wide: bool) -> String {
        let mut heads = vec!["NAME", "STATE", "SLOTS", "EXECUTORS", "CPU", "MEMORY", "SILENT"];
        if wide {
            heads.extend(["ZONE", "TAGS", "ADDRESS", "INCARNATION", "QUARANTINED UNTIL"]);
        }
        let mut table = Table::new(heads);
        for it in &self.0.workers {
            let (used, all) = (it.used.unwrap_or_default(), it.capacity.unwrap_or_default());
            let mut cells = vec![
                it.name.clone(),
                worker_state(it),
                format!("{}/{}", it.slots_used, it.slots),
                it.executors.to_string(),
                format!("{}/{}%", used.cpu_percent, all.cpu_percent),
                format!("{}/{} MiB", used.memory_mib, all.memory_mib),
                silence(it.silent_ms),
            ];
            if wide {
                cells.extend([it.zone.clone(), it.tags.join(","), it.address.clone(), it.incarnation.to_string()]);
                cells.push(utc(it.quarantined_until_ms));
            }
            table.row(cells);
        }
        format!("{}{}", answer::stale(self.0.stale), table.text("no workers"))
    }

    fn json(&self) -> Value {
        json!({ "workers": self.0.workers.iter().map(worker).collect::<Vec<_>>(), "revision": self.0.revision, "stale": self.0.stale })
    }
}

fn worker(it: &v1::Worker) -> Value {
    let resources = |it: v1::Resources| json!({ "cpu_percent": it.cpu_percent, "memory_mib": it.memory_mib });
    json!({
        "name": it.name, "state": worker_state(&v1::Worker { admin: 0, quarantined_until_ms: 0, ..it.clone() }),
        "draining": it.admin() == v1::WorkerAdmin::Draining,
        "zone": it.zone, "tags": it.tags, "address": it.address, "slots": it.slots, "slots_used": it.slots_used,
        "capacity": resources(it.capacity.unwrap_or_default()), "used": resources(it.used.unwrap_or_default()),
        "executors": it.executors, "incarnation": it.incarnation, "silent_ms": it.silent_ms,
        "quarantined_until": if it.quarantined_until_ms > 0 { json!(utc(it.quarantined_until_ms)) } else { Value::Null },
        "revision": it.revision,
    })
}

async fn ask(session: &mut Session) -> Result<v1::WorkersResponse, CliError> {
    let call = |link| async move { ClusterClient::new(link).workers(v1::WorkersRequest {}).await };
    session.client.ask(call).await
}

/// All workers.
pub async fn list(session: &mut Session) -> Result<ExitCode, CliError> {
    let answer = ask(session).await?;
    session.show(&Workers(answer))
}

/// Moves a worker's work to others.
pub async fn drain(args: &DrainArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let request = v1::DrainRequest { mutation: Client::mutation()?, worker: args.worker.clone() };
    let call = |link| {
        let request = request.clone();
        async move { ClusterClient::new(link).drain(request).await }
    };
    let applied = session.client.change(call).await?;
    if args.wait.wait {
        empty(session, args).await?;
    }
    let what = if args.wait.wait { "empty" } else { "draining" };
    session.show(&Done::new(format!("{} is {what}", args.worker), Some(applied)))
}

async fn empty(session: &mut Session, args: &DrainArgs) -> Result<(), CliError> {
    let cell = tokio::sync::Mutex::new(session);
    until(&args.wait, || async {
        let workers = ask(&mut **cell.lock().await).await?.workers;
        let left = workers.iter().find(|worker| worker.name == args.worker).map_or(0, |worker| worker.executors);
        let what = format!("{} still has {left} executors", args.worker);
        let next = "`squall status` says what can't be placed elsewhere".to_owned();
        Ok((left > 0).then_some(Missing { what, next, ever: true }))
    })
    .await
}

/// Gives it work again.
pub async fn undrain(args: &WorkerArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let request = v1::UndrainRequest { mutation: Client::mutation()?, worker: args.worker.clone() };
    let call = |link| {
        let request = request.clone();
        async move { ClusterClient::new(link).undrain(request).await }
    };
    let applied = session.client.change(call).await?;
    session.show(&Done::new(format!("{} gets work again", args.worker), Some(applied)))
}

/// Forgets it.
pub async fn forget(args: &WorkerArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let request = v1::ForgetWorkerRequest { mutation: Client::mutation()?, worker: args.worker.clone() };
    let call = |link| {
        let request = request.clone();
        async move { ClusterClient::new(link).forget_worker(request).await }
    };
    let applied = session.client.change(call).await?;
    session.show(&Done::new(format!("{} is forgotten", args.worker), Some(applied)))
}
