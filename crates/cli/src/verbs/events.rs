//! `squall events`.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use squall_proto::v1;

use super::follow::Follow;
use super::{Session, status};
use crate::client::Output;
use crate::error::CliError;
use crate::output::{utc, write};

/// How long no event may come before the past counts as shown.
const QUIET: Duration = Duration::from_millis(300);

/// Which events.
#[derive(clap::Args)]
pub struct EventsArgs {
    /// Goes on with those that come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// The first revision wanted [default: with -f from now on, else the first that is kept]
    #[arg(long, value_name = "REVISION")]
    since: Option<u64>,
    /// Only what is about this, as `topology word-count` or `worker node-1`
    #[arg(long, value_name = "SUBJECT")]
    about: Vec<String>,
}

/// Shows events, a line each.
pub async fn run(args: &EventsArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let last = if args.follow { u64::MAX } else { status::ask(session).await?.revision };
    let since = args.since.unwrap_or(u64::from(!args.follow));
    let mut follow = Follow::new(since, args.about.clone());
    loop {
        let next = follow.next(session);
        let event = if args.follow {
            next.await?
        } else {
            match tokio::time::timeout(QUIET, next).await {
                Ok(event) => event?,
                Err(_) => break,
            }
        };
        if event.revision > last {
            break;
        }
        write(&line(&event, session.settings.output))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(event: &v1::Event, output: Output) -> String {
    let by = if event.actor.is_empty() { String::new() } else { format!(" (by {})", event.actor) };
    let at = utc(event.at_ms);
    match output {
        Output::Json => format!("{}\n", value(event)),
        Output::Table => format!("{at} {:>6} {:<22} {}{by}\n", event.revision, event.kind, event.text),
        Output::Wide => {
            let request = [&event.origin, &event.request_id].map(|it| if it.is_empty() { "-" } else { it }).join(" ");
            format!(
                "{at} {:>6} {:<22} {:<24} {}{by} {request}\n",
                event.revision, event.kind, event.subject, event.text
            )
        }
    }
}

fn value(it: &v1::Event) -> Value {
    json!({
        "revision": it.revision, "at": utc(it.at_ms), "kind": it.kind, "subject": it.subject, "text": it.text,
        "actor": it.actor, "origin": it.origin, "request_id": it.request_id,
    })
}
