//! Verbs about a master's disk while no master runs on it: `masters restore` and `masters recover`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use squall_control::{Counts, Line};
use squall_master::config::MasterConfig;
use squall_master::offline::{Answers, Begun, Offline, Other, Survey};
use squall_master::{Env, Secured};
use squall_types::cluster::BlobId;

use super::daemon::{DaemonArgs, load};
use super::on_runtime;
use crate::client::Output;
use crate::error::CliError;
use crate::output::{Table, View, show, utc};

/// From what, and to where.
#[derive(clap::Args)]
pub struct RestoreArgs {
    /// The backup, as `masters backup` wrote it
    file: PathBuf,
    #[command(flatten)]
    daemon: DaemonArgs<MasterConfig>,
}

/// On which disk.
#[derive(clap::Args)]
pub struct RecoverArgs {
    /// Do it; without it is only said what would be done, and lost
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    daemon: DaemonArgs<MasterConfig>,
}

/// Makes the first disk of a cluster out of a backup.
pub fn restore(args: &RestoreArgs, output: Output) -> Result<ExitCode, CliError> {
    let file = &args.file;
    let backup = std::fs::read(file).map_err(|source| CliError::File { what: "read", path: file.clone(), source })?;
    let config = load(&args.daemon)?;
    let origin = format!("restore of {} to {}", file.display(), config.data_dir.display());
    with(&config, &origin, async |offline| {
        let begun = offline.restore(&backup).await?;
        show(&begun, output)?;
        advise(&begun);
        Ok(ExitCode::SUCCESS)
    })
}

/// Makes a cluster of one out of what a survivor's disk holds; or says what that would come to.
pub fn recover(args: &RecoverArgs, output: Output) -> Result<ExitCode, CliError> {
    let config = load(&args.daemon)?;
    let origin = format!("recovery from {}", config.data_dir.display());
    with(&config, &origin, async |offline| {
        if !args.force {
            show(&offline.survey().await?, output)?;
            eprintln!("nothing was changed; to do it: the same with --force");
            return Ok(ExitCode::SUCCESS);
        }
        let begun = offline.recover().await?;
        show(&begun, output)?;
        advise(&begun);
        Ok(ExitCode::SUCCESS)
    })
}

fn with(
    config: &MasterConfig,
    origin: &str,
    work: impl AsyncFnOnce(&Offline<'_>) -> Result<ExitCode, CliError>,
) -> Result<ExitCode, CliError> {
    let env = Env::machine();
    let secured = Secured::of(config, &env)?;
    let actor = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()?.parse().ok());
    let offline = Offline { config, secured: &secured, env: &env, actor, origin: Line::lossy(origin) };
    on_runtime(work(&offline))
}

/// What is left to do.
fn advise(begun: &Begun) {
    if !begun.missing.is_empty() {
        eprintln!(
            "its disk lacks {} of the cluster's packages: once it runs, bring each back with `squall blobs put PROGRAM`",
            begun.missing.len()
        );
    }
    eprintln!(
        "next: start this master; then, one after the other, start each further one on an empty data directory, and: squall masters \
         add HOST:PORT"
    );
}

fn ids(missing: &[BlobId]) -> Vec<String> {
    missing.iter().map(ToString::to_string).collect()
}

fn counted(counts: &Counts) -> String {
    format!(
        "topologies {}, workers {}, tokens {}, packages {}",
        counts.topologies, counts.workers, counts.tokens, counts.blobs
    )
}

fn counts_json(counts: &Counts) -> Value {
    json!({
        "topologies": counts.topologies, "workers": counts.workers, "tokens": counts.tokens, "packages": counts.blobs,
    })
}

fn kept(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!("before      {}\n", path.display()))
}

impl View for Begun {
    fn text(&self, wide: bool) -> String {
        let missing: String = self.missing.iter().map(|id| format!("missing     package {id}\n")).collect();
        format!(
            "cluster {} goes on in epoch {}, with {} at {} as its one master\nas of       {}\nholds       {}\n{}{}{}",
            self.cluster,
            self.epoch,
            self.name,
            self.address,
            utc(self.known_until.get()),
            counted(&self.counts),
            if wide { format!("revision    {}\n", self.revision) } else { String::new() },
            kept(self.kept.as_deref()),
            missing,
        )
    }

    fn json(&self) -> Value {
        json!({
            "cluster_id": self.cluster.to_string(), "epoch": self.epoch.get(), "revision": self.revision.get(),
            "name": self.name.to_string(), "address": self.address, "as_of": utc(self.known_until.get()),
            "counts": counts_json(&self.counts), "missing_packages": ids(&self.missing), "log_before": self.kept,
        })
    }
}

fn answers(other: &Other) -> &'static str {
    match other.answers {
        Answers::No => "no answer",
        Answers::WithoutLeader => "runs, without a leader: stop it",
        Answers::AsAnother => "another disk answers there",
    }
}

impl View for Survey {
    fn text(&self, _: bool) -> String {
        let mut others = Table::new(["OUT OF THE CLUSTER", "RAFT ID", "ADDRESS", "NOW"]);
        for it in &self.others {
            others.row([it.name.to_string(), it.raft_id.to_string(), it.address.clone(), answers(it).to_owned()]);
        }
        let missing = if self.missing.is_empty() {
            String::new()
        } else {
            format!("missing     {} packages\n", self.missing.len())
        };
        format!(
            "cluster {}, epoch {}, would go on with {} alone, in a new epoch\nas of       {}: revision {} in term {}; up to {} it is known to be \
             decided\nholds       {}\n{missing}lost        whatever the others decided after that; and their places: they come back with empty disks\n\n{}",
            self.cluster,
            self.epoch,
            self.name,
            utc(self.known_until.get()),
            self.last,
            self.term,
            self.committed,
            counted(&self.counts),
            others.text("it has no other members")
        )
    }

    fn json(&self) -> Value {
        let other = |it: &Other| {
            json!({
                "name": it.name.to_string(), "raft_id": it.raft_id.to_string(), "address": it.address, "voter": it.voter,
                "answers": it.answers != Answers::No,
            })
        };
        json!({
            "cluster_id": self.cluster.to_string(), "epoch": self.epoch.get(), "name": self.name.to_string(),
            "revision": self.last.get(), "committed": self.committed.get(), "term": self.term.get(),
            "as_of": utc(self.known_until.get()), "counts": counts_json(&self.counts),
            "missing_packages": ids(&self.missing), "others": self.others.iter().map(other).collect::<Vec<_>>(),
        })
    }
}
