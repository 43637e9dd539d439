//! `squall why`.

use std::process::ExitCode;

use serde_json::{Value, json};
use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;

use super::placed::{executor, executors, place};
use super::{Session, answer};
use crate::error::CliError;
use crate::output::{Table, View, slot};

/// How many places, and how many workers that can't take an executor, are shown of a large cluster.
const SHOWN: usize = 10;

/// What is asked about.
#[derive(clap::Args)]
pub struct WhyArgs {
    /// A topology, one of its components, or an executor: `word-count`, `word-count/count`, `'word-count/count[3 5]'`. Of an executor alone
    /// it says which places were considered
    #[arg(value_name = "EXECUTOR")]
    what: String,
}

struct Why(v1::WhyResponse);

impl View for Why {
    fn text(&self, wide: bool) -> String {
        let it = &self.0;
        let lines: String = it.lines.iter().map(|line| format!("{line}\n")).collect();
        // What is said of a single executor says it all.
        if !it.considered.is_empty() {
            return format!("{lines}{}", considered(&it.considered, if wide { usize::MAX } else { SHOWN }));
        }
        format!("{}{lines}{}", answer::stale(it.stale), executors(&it.executors))
    }

    fn json(&self) -> Value {
        let executors: Vec<_> = self.0.executors.iter().map(executor).collect();
        let considered = self.0.considered.iter().map(|it| {
            json!({
                "worker": it.worker, "slot": it.slot.as_ref().map(place), "opens": it.opens, "here": it.here, "reason": it.reason,
            })
        });
        json!({
            "executors": executors, "lines": self.0.lines, "considered": considered.collect::<Vec<_>>(), "stale": self.0.stale,
        })
    }
}

/// The places, the best first, and the workers that can't take it, at most so many of each.
fn considered(all: &[v1::Considered], most: usize) -> String {
    let (places, refused): (Vec<_>, Vec<_>) = all.iter().partition(|it| it.slot.is_some());
    let mut table = Table::new(["RANK", "PLACE", "NOTE", "WHAT DECIDES"]);
    let note = |it: &v1::Considered| {
        let note = if it.here {
            "here"
        } else if it.opens {
            "new slot"
        } else {
            ""
        };
        note.to_owned()
    };
    for (rank, it) in places.iter().enumerate().take(most) {
        let decides = if it.reason.is_empty() { "the best place" } else { &it.reason };
        table.row([(rank + 1).to_string(), slot(it.slot.as_ref()), note(it), decides.to_owned()]);
    }
    for it in refused.iter().take(most) {
        table.row(["no".to_owned(), it.worker.clone(), note(it), it.reason.clone()]);
    }
    let more = places.len().saturating_sub(most) + refused.len().saturating_sub(most);
    let more = if more > 0 { format!("and {more} more; `-o wide` shows all\n") } else { String::new() };
    table.text("no workers") + &more
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
