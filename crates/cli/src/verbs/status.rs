//! `squall status`.

use std::process::ExitCode;

use serde_json::{Value, json};
use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;

use super::{Session, answer};
use crate::error::{CliError, Exit};
use crate::output::{View, health};

/// Whether the answer decides the exit code.
#[derive(clap::Args)]
pub struct StatusArgs {
    /// Ends with 6 if something is amber, with 7 if something is red
    #[arg(long)]
    check: bool,
}

/// The way out stands below, among what is wrong.
const STALE: &str = "stale: without a majority of the masters this is what the one that answered knows\n";

struct Status(v1::StatusResponse);

impl View for Status {
    fn text(&self, wide: bool) -> String {
        let it = &self.0;
        let stale = if it.stale { STALE } else { "" };
        let leader = if it.leader.is_empty() { "no leader".to_owned() } else { format!("led by {}", it.leader) };
        let mut text = format!("{}: cluster {}, {leader}\n{stale}", health(it.health), it.cluster_id);
        text += &format!("masters    {} of {} alive\n", it.masters_alive, it.masters);
        text += &format!("workers    {} of {} alive\n", it.workers_alive, it.workers);
        text +=
            &format!("executors  {} of {} placed, topologies {}\n", it.executors_placed, it.executors, it.topologies);
        text += &format!("slots      {} of {} running\n", it.slots_running, it.slots);
        if wide {
            text += &format!(
                "revision   {}, term {}, epoch {}, feature level {}\n",
                it.revision, it.term, it.epoch, it.feature_level
            );
            text += &format!("answered   by {}\n", it.answered_by);
        }
        text + &answer::concerns(&it.concerns)
    }

    fn json(&self) -> Value {
        let it = &self.0;
        json!({
            "cluster_id": it.cluster_id, "health": health(it.health), "leader": it.leader, "answered_by": it.answered_by,
            "stale": it.stale, "revision": it.revision, "term": it.term, "epoch": it.epoch, "feature_level": it.feature_level,
            "masters": it.masters, "masters_alive": it.masters_alive,
            "workers": it.workers, "workers_alive": it.workers_alive,
            "topologies": it.topologies, "executors": it.executors, "executors_placed": it.executors_placed,
            "slots": it.slots, "slots_running": it.slots_running,
            "concerns": it.concerns.iter().map(answer::concern).collect::<Vec<_>>(),
        })
    }
}

/// Asks for the cluster's status and shows it.
pub async fn run(args: &StatusArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let status = ask(session).await?;
    let found = v1::Health::try_from(status.health);
    session.show(&Status(status))?;
    Ok(match found {
        Ok(v1::Health::Amber) if args.check => Exit::Amber.into(),
        Ok(v1::Health::Red) if args.check => Exit::Red.into(),
        _ => ExitCode::SUCCESS,
    })
}

/// Asks for the cluster's status.
pub async fn ask(session: &mut Session) -> Result<v1::StatusResponse, CliError> {
    let call = |link| async move { ClusterClient::new(link).status(v1::StatusRequest {}).await };
    session.client.ask(call).await
}
