//! `squall certs`: an authority of the cluster's own, in a folder.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use squall_daemon::certs::{Authority, DAY, Identity, Issued, Request};
use squall_types::cluster::{MasterName, Role, UserName, WorkerName};

use crate::client::{Output, now};
use crate::error::CliError;
use crate::file::create;
use crate::output::{View, show};

/// What is done about certificates.
#[derive(clap::Subcommand)]
pub enum CertsVerb {
    /// Make a cluster's authority: ca.crt for everyone, ca.key for nobody
    Init {
        #[command(flatten)]
        place: Place,
        /// What the authority is called
        #[arg(long, default_value = "Squall cluster authority")]
        name: String,
        /// Days that it is good for
        #[arg(long, value_name = "DAYS", default_value_t = 3_650)]
        days: u32,
    },
    /// Make a certificate and its key
    #[command(subcommand)]
    Issue(IssueVerb),
}

/// Where the files are.
#[derive(clap::Args)]
pub struct Place {
    /// The folder with the authority and what it made
    #[arg(long, value_name = "DIR", default_value = "certs")]
    dir: PathBuf,
}

/// For whom.
#[derive(clap::Subcommand)]
pub enum IssueVerb {
    /// For a master
    Master {
        /// Its name
        #[arg(long)]
        name: MasterName,
        #[command(flatten)]
        daemon: DaemonCert,
    },
    /// For a worker
    Worker {
        /// Its name
        #[arg(long)]
        name: WorkerName,
        #[command(flatten)]
        daemon: DaemonCert,
    },
    /// For a person or a tool
    User {
        /// Its name
        #[arg(long)]
        name: UserName,
        /// What it may do: read, operate or admin
        #[arg(long, default_value = "read")]
        role: Role,
        /// Days that it is good for
        #[arg(long, value_name = "DAYS", default_value_t = 90)]
        days: u32,
        #[command(flatten)]
        place: Place,
    },
}

/// What a daemon's certificate says besides its name.
#[derive(clap::Args)]
pub struct DaemonCert {
    /// A name or an address by which it is called; give all
    #[arg(long = "host", value_name = "HOST", required = true)]
    hosts: Vec<String>,
    /// Days that it is good for
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    days: u32,
    #[command(flatten)]
    place: Place,
}

struct Made {
    cert: PathBuf,
    key: PathBuf,
    whose: String,
}

impl View for Made {
    fn text(&self, _: bool) -> String {
        format!("{}\n{}\n", self.cert.display(), self.key.display())
    }

    fn json(&self) -> Value {
        json!({ "cert": self.cert, "key": self.key, "identity": self.whose })
    }
}

/// Does it.
pub fn run(verb: &CertsVerb, output: Output) -> Result<ExitCode, CliError> {
    let made = match verb {
        CertsVerb::Init { place, name, days } => init(&place.dir, name, *days)?,
        CertsVerb::Issue(IssueVerb::Master { name, daemon }) => issue_daemon(Identity::Master(name.clone()), daemon)?,
        CertsVerb::Issue(IssueVerb::Worker { name, daemon }) => issue_daemon(Identity::Worker(name.clone()), daemon)?,
        CertsVerb::Issue(IssueVerb::User { name, role, days, place }) => {
            issue(Identity::User { name: name.clone(), role: *role }, Vec::new(), *days, &place.dir)?
        }
    };
    show(&made, output)?;
    Ok(ExitCode::SUCCESS)
}

fn good_for(days: u32) -> Duration {
    DAY.saturating_mul(days)
}

fn init(dir: &Path, name: &str, days: u32) -> Result<Made, CliError> {
    std::fs::create_dir_all(dir).map_err(|source| CliError::File { what: "write", path: dir.to_owned(), source })?;
    let issued = Authority::generate(name, now(), good_for(days))?;
    let made = write(dir, "ca", &issued, name.to_owned())?;
    eprintln!("keep {} off every daemon's machine: whoever has it can let anyone in", made.key.display());
    Ok(made)
}

fn issue_daemon(identity: Identity, daemon: &DaemonCert) -> Result<Made, CliError> {
    issue(identity, daemon.hosts.clone(), daemon.days, &daemon.place.dir)
}

fn issue(identity: Identity, hosts: Vec<String>, days: u32, dir: &Path) -> Result<Made, CliError> {
    let read = |name: &str| {
        let path = dir.join(name);
        std::fs::read_to_string(&path).map_err(|source| CliError::File { what: "read", path, source })
    };
    let authority = Authority::from_pem(&read("ca.crt")?, &read("ca.key")?)?;
    let (name, whose) = (identity.name().to_owned(), identity.to_string());
    let issued = authority.issue(&Request { identity, hosts, now: now(), valid_for: good_for(days) })?;
    write(dir, &name, &issued, whose)
}

/// Writes both files, or neither.
fn write(dir: &Path, name: &str, issued: &Issued, whose: String) -> Result<Made, CliError> {
    let made = Made { cert: dir.join(format!("{name}.crt")), key: dir.join(format!("{name}.key")), whose };
    put(&made.cert, &issued.cert, false)?;
    if let Err(error) = put(&made.key, &issued.key, true) {
        let _ = std::fs::remove_file(&made.cert);
        return Err(error);
    }
    Ok(made)
}

fn put(path: &Path, text: &str, secret: bool) -> Result<(), CliError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => CliError::CertExists(path.to_owned()),
        _ => CliError::File { what: "write", path: path.to_owned(), source },
    };
    create(path, secret)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(failed)
}
