//! `squall events`.

use std::collections::VecDeque;
use std::process::ExitCode;

use serde_json::{Value, json};
use squall_proto::v1;

use super::follow::{Follow, From};
use super::{Session, answer, status};
use crate::client::Output;
use crate::error::CliError;
use crate::output::{utc, write_on};

/// Which events.
#[derive(clap::Args)]
pub struct EventsArgs {
    /// Goes on with those that come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// The first revision wanted [default: the oldest that is kept; with -f only what comes]
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// Of those that there are, only the last N
    #[arg(long, value_name = "N")]
    tail: Option<usize>,
    /// Only what is about this, as `topology word-count` or `worker node-1`
    #[arg(long, value_name = "SUBJECT")]
    about: Vec<String>,
}

/// Shows events, a line each: those up to now, and with `--follow` those that come, without a gap between.
pub async fn run(args: &EventsArgs, session: &mut Session) -> Result<ExitCode, CliError> {
    let status = status::ask(session).await?;
    eprint!("{}", answer::stale(status.stale));
    let now = status.revision;
    let mut read = true;
    if !args.follow || args.from.is_some() || args.tail.is_some() {
        read = past(args, now, session).await?;
    }
    if args.follow {
        let from = args.from.unwrap_or(0).max(now + 1);
        let mut follow = Follow::new(From::Revision(from), None, args.about.clone());
        while read && let Some(event) = follow.next(session).await? {
            read = write_on(&line(&event, session.settings.output))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows what there is up to a revision. Whether anybody still reads.
async fn past(args: &EventsArgs, to: u64, session: &mut Session) -> Result<bool, CliError> {
    let from = args.from.map_or(From::Oldest, From::Revision);
    // Before the first revision nothing has happened.
    if to < args.from.unwrap_or(1) {
        return Ok(true);
    }
    let mut follow = Follow::new(from, Some(to), args.about.clone());
    let mut last = VecDeque::new();
    while let Some(event) = follow.next(session).await? {
        last.push_back(event);
        let shown = match args.tail {
            Some(tail) => {
                last.drain(..last.len().saturating_sub(tail));
                None
            }
            None => last.pop_front(),
        };
        if let Some(event) = shown
            && !write_on(&line(&event, session.settings.output))?
        {
            return Ok(false);
        }
    }
    let lines: String = last.iter().map(|event| line(event, session.settings.output)).collect();
    write_on(&lines)
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
