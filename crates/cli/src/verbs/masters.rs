//! Verbs about masters.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;
use tokio_stream::StreamExt as _;
use tonic::{Response, Status};

use super::answer::{self, Done};
use super::{Session, offline};
use crate::client::{Client, Link, Pace};
use crate::error::CliError;
use crate::file::Partial;
use crate::output::{Table, View, master_role, size};

/// What is done about masters.
#[derive(Default, clap::Subcommand)]
pub enum MastersVerb {
    /// All masters
    #[default]
    List,
    /// Let a master with an empty disk in: as a learner, then as a voter
    Add {
        /// Where it listens; it must be running
        address: String,
    },
    /// Let a master go
    Remove {
        /// Its name
        name: String,
    },
    /// A master lost its disk: its old self goes out, the new one comes in
    Replace {
        /// Its name
        name: String,
    },
    /// Hand leadership over
    Transfer {
        /// To whom [default: the one that has most of the log]
        to: Option<String>,
    },
    /// Write the whole replicated state to a file
    Backup {
        /// The file; it is not replaced
        file: PathBuf,
    },
    /// On an empty data directory: make a cluster of one out of a backup
    Restore(Box<offline::RestoreArgs>),
    /// On a survivor's data directory, when a majority is lost for good: make a cluster of one out of what it holds
    Recover(Box<offline::RecoverArgs>),
}

struct Masters(v1::MastersResponse);

impl View for Masters {
    fn text(&self, wide: bool) -> String {
        let mut heads = vec!["NAME", "ROLE", "ALIVE", "ADDRESS", "LAG", "MISSING PACKAGES"];
        if wide {
            heads.extend(["RAFT ID", "APPLIED", "FEATURE LEVEL"]);
        }
        let mut table = Table::new(heads);
        for it in &self.0.masters {
            let alive = if it.alive { "yes" } else { "no" };
            let mut cells =
                vec![it.name.clone(), master_role(it.role).to_owned(), alive.to_owned(), it.address.clone()];
            cells.extend([it.lag.to_string(), it.missing_blobs.to_string()]);
            if wide {
                cells.extend([it.raft_id.clone(), it.applied.to_string(), it.feature_level.to_string()]);
            }
            table.row(cells);
        }
        format!("{}{}", answer::stale(self.0.stale), table.text("no masters"))
    }

    fn json(&self) -> Value {
        let master = |it: &v1::Master| {
            json!({
                "name": it.name, "raft_id": it.raft_id, "address": it.address, "role": master_role(it.role), "alive": it.alive,
                "applied": it.applied, "lag": it.lag, "feature_level": it.feature_level, "missing_blobs": it.missing_blobs,
            })
        };
        let masters: Vec<_> = self.0.masters.iter().map(master).collect();
        json!({ "masters": masters, "revision": self.0.revision, "stale": self.0.stale })
    }
}

/// Does it.
pub async fn run(verb: &MastersVerb, session: &mut Session) -> Result<ExitCode, CliError> {
    match verb {
        MastersVerb::List => list(session).await,
        MastersVerb::Add { address } => add(address, session).await,
        MastersVerb::Remove { name } => remove(name, session).await,
        MastersVerb::Replace { name } => replace(name, session).await,
        MastersVerb::Transfer { to } => transfer(to.as_deref(), session).await,
        MastersVerb::Backup { file } => backup(file, session).await,
        MastersVerb::Restore(_) | MastersVerb::Recover(_) => unreachable!("these call no cluster"),
    }
}

async fn list(session: &mut Session) -> Result<ExitCode, CliError> {
    let call = |link| async move { ClusterClient::new(link).masters(v1::MastersRequest {}).await };
    let answer = session.client.ask(call).await?;
    session.show(&Masters(answer))
}

async fn add(address: &str, session: &mut Session) -> Result<ExitCode, CliError> {
    let request = v1::AddMasterRequest { mutation: Client::mutation()?, address: address.to_owned() };
    let call = |link| {
        let request = request.clone();
        async move { ClusterClient::new(link).add_master(request).await }
    };
    let applied = session.client.change(call).await?;
    session.show(&Done::new(format!("{address} is a learner, and a voter once it has caught up"), Some(applied)))
}

async fn remove(name: &str, session: &mut Session) -> Result<ExitCode, CliError> {
    let request = v1::RemoveMasterRequest { mutation: Client::mutation()?, name: name.to_owned() };
    let call = |link| {
        let request = request.clone();
        async move { ClusterClient::new(link).remove_master(request).await }
    };
    let applied = session.client.change(call).await?;
    session.show(&Done::new(format!("{name} is no master any more"), Some(applied)))
}

async fn replace(name: &str, session: &mut Session) -> Result<ExitCode, CliError> {
    let request = v1::ReplaceMasterRequest { mutation: Client::mutation()?, name: name.to_owned() };
    let call = |link| {
        let request = request.clone();
        async move { ClusterClient::new(link).replace_master(request).await }
    };
    let applied = session.client.change(call).await?;
    session.show(&Done::new(
        format!("{name} is a learner with its new disk, and a voter once it has caught up"),
        Some(applied),
    ))
}

struct Led(String);

impl View for Led {
    fn text(&self, _: bool) -> String {
        format!("{} leads\n", self.0)
    }

    fn json(&self) -> Value {
        json!({ "leader": self.0 })
    }
}

async fn transfer(to: Option<&str>, session: &mut Session) -> Result<ExitCode, CliError> {
    let request =
        v1::TransferLeadershipRequest { mutation: Client::mutation()?, to: to.unwrap_or_default().to_owned() };
    let call = |link| {
        let request = request.clone();
        async move { ClusterClient::new(link).transfer_leadership(request).await }
    };
    let answer = session.client.change(call).await?;
    session.show(&Led(answer.leader))
}

struct BackedUp {
    file: String,
    bytes: u64,
}

impl View for BackedUp {
    fn text(&self, _: bool) -> String {
        format!("{} has the whole state, {}\n", self.file, size(self.bytes))
    }

    fn json(&self) -> Value {
        json!({ "file": self.file, "bytes": self.bytes })
    }
}

async fn backup(file: &Path, session: &mut Session) -> Result<ExitCode, CliError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => CliError::Exists(file.to_owned()),
        _ => CliError::File { what: "write", path: file.to_owned(), source },
    };
    // A backup of the whole state is for its owner's eyes: hashes of tokens are in it.
    let partial = RefCell::new(Partial::begin(file, true).map_err(failed)?);
    let pace = Pace::new(None);
    let call = |link| {
        let (partial, pace) = (&partial, &pace);
        async move { state(link, partial, pace).await.map(Response::new) }
    };
    session.client.receive(&pace, call).await?.map_err(failed)?;
    let bytes = partial.into_inner().keep().map_err(failed)?;
    session.show(&BackedUp { file: file.display().to_string(), bytes })
}

/// Gets the state, from the beginning: what came before may be of another moment. What this machine's disk says is no answer of the master's.
async fn state(link: Link, partial: &RefCell<Partial>, pace: &Pace) -> Result<io::Result<()>, Status> {
    let mut chunks = ClusterClient::new(link).backup(v1::BackupRequest {}).await?.into_inner();
    let mut written = partial.borrow_mut().start_over();
    while let (Ok(()), Some(chunk)) = (&written, chunks.next().await) {
        written = partial.borrow_mut().write(&chunk?.data);
        pace.reached(partial.borrow().written());
    }
    Ok(written)
}
