//! `squall why`.

use std::process::ExitCode;

use serde_json::{Value, json};
use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;

use super::placed::{executor, executors, unplaced};
use super::{Session, answer};
use crate::error::CliError;
use crate::output::View;

/// What is asked about.
#[derive(clap::Args)]
pub struct WhyArgs {
    /// A topology, one of its components, or an executor: `word-count`, `word-count/count`, `word-count/count[3 5]`
    #[arg(value_name = "EXECUTOR")]
    what: String,
}

struct Why(v1::WhyResponse);

impl View for Why {
    fn text(&self, _: bool) -> String {
        let lines: String = self.0.lines.iter().map(|line| format!("{line}\n")).collect();
        let missing: Vec<_> = self.0.executors.iter().filter(|it| it.slot.is_none()).cloned().collect();
        format!("{}{}{lines}{}", answer::stale(self.0.stale), executors(&self.0.executors), unplaced(&missing))
    }

    fn json(&self) -> Value {
        let executors: Vec<_> = self.0.executors.iter().map(executor).collect();
        json!({ "executors": executors, "lines": self.0.lines, "stale": self.0.stale })
    }
}

/// Asks and shows.
pub async fn run(args: &WhyArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let (topology, executor) = args.what.split_once('/').unwrap_or((&args.what, ""));
    let call = |link| {
        let request = v1::WhyRequest { topology: topology.to_owned(), executor: executor.to_owned() };
        async move { ClusterClient::new(link).why(request).await }
    };
    let answer = session.client.ask(call).await?;
    session.show(&Why(answer))
}
