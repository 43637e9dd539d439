//! Verbs about packages.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use squall_proto::v1;
use squall_proto::v1::blobs_client::BlobsClient;
use squall_types::cluster::BlobId;
use tokio_stream::StreamExt as _;
use tonic::{Response, Status};

use super::package::Package;
use super::{Session, upload};
use crate::client::{Link, Pace, now};
use crate::error::CliError;
use crate::file::Partial;
use crate::output::{Table, View, ago, bytes, size, utc};

/// What is done about packages.
#[derive(Default, clap::Subcommand)]
pub enum BlobsVerb {
    /// All packages
    #[default]
    List,
    /// Upload a file; it is collected after an hour unless a topology refers to it
    Put {
        /// The file
        file: PathBuf,
    },
    /// Download a package
    Get {
        /// Its id, whole or its first digits
        id: String,
        /// The file; it is not replaced
        file: PathBuf,
    },
}

struct Blobs(v1::ListBlobsResponse);

impl View for Blobs {
    fn text(&self, wide: bool) -> String {
        let mut table = Table::new(["ID", "SIZE", "USED BY", "MASTERS", "AGE"]);
        for it in &self.0.blobs {
            let id = if wide { it.id.clone() } else { bytes(&it.id) };
            let used = if it.used_by.is_empty() { "-".to_owned() } else { it.used_by.join(",") };
            table.row([id, size(it.size), used, it.masters.join(","), ago(it.stored_at_ms, now())]);
        }
        table.text("no packages")
    }

    fn json(&self) -> Value {
        let blob = |it: &v1::Blob| {
            json!({
                "id": it.id, "size": it.size, "used_by": it.used_by, "masters": it.masters, "stored_at": utc(it.stored_at_ms),
            })
        };
        json!({ "blobs": self.0.blobs.iter().map(blob).collect::<Vec<_>>() })
    }
}

struct Moved {
    id: String,
    size: u64,
}

impl View for Moved {
    fn text(&self, _: bool) -> String {
        format!("{}  {}\n", self.id, size(self.size))
    }

    fn json(&self) -> Value {
        json!({ "id": self.id, "size": self.size })
    }
}

/// Does it.
pub async fn run(verb: &BlobsVerb, session: &mut Session) -> Result<ExitCode, CliError> {
    match verb {
        BlobsVerb::List => {
            let answer = list(session).await?;
            session.show(&Blobs(answer))
        }
        BlobsVerb::Put { file } => put(file, session).await,
        BlobsVerb::Get { id, file } => get(id, file, session).await,
    }
}

async fn list(session: &mut Session) -> Result<v1::ListBlobsResponse, CliError> {
    let call = |link| async move { BlobsClient::new(link).list(v1::ListBlobsRequest {}).await };
    session.client.ask(call).await
}

async fn put(file: &Path, session: &mut Session) -> Result<ExitCode, CliError> {
    let package = Package::of(file)?;
    let answer = upload::bring(session, &package).await?;
    session.show(&Moved { id: answer.id, size: answer.size })
}

async fn get(id: &str, file: &Path, session: &mut Session) -> Result<ExitCode, CliError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => CliError::Exists(file.to_owned()),
        _ => CliError::File { what: "write", path: file.to_owned(), source },
    };
    let known = list(session).await?.blobs;
    let named: Vec<_> = known.iter().filter(|blob| blob.id.starts_with(id)).collect();
    let [blob] = named[..] else {
        return Err(CliError::NotOnePackage { given: id.to_owned(), found: named.len() });
    };
    let download = RefCell::new(Download::begin(file).map_err(failed)?);
    let pace = Pace::new(Some(blob.size));
    let call = |link| {
        let (download, pace) = (&download, &pace);
        async move { fetch(link, &blob.id, download, pace).await.map(Response::new) }
    };
    session.client.receive(&pace, call).await?.map_err(failed)?;
    let size = download.into_inner().file.keep().map_err(failed)?;
    session.show(&Moved { id: blob.id.clone(), size })
}

/// What has come of a package, and its hash.
struct Download {
    file: Partial,
    hash: Sha256,
}

impl Download {
    fn begin(file: &Path) -> io::Result<Self> {
        Ok(Self { file: Partial::begin(file, false)?, hash: Sha256::new() })
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.hash.update(data);
        self.file.write(data)
    }

    fn start_over(&mut self) -> io::Result<()> {
        self.hash = Sha256::new();
        self.file.start_over()
    }

    fn is(&self, id: &str) -> bool {
        BlobId::from_bytes(self.hash.clone().finalize().into()).to_string() == id
    }
}

/// Gets what is missing of a package. What this machine's disk says is no answer of the master's.
async fn fetch(link: Link, id: &str, download: &RefCell<Download>, pace: &Pace) -> Result<io::Result<()>, Status> {
    let offset = download.borrow().file.written();
    let request = v1::GetBlobRequest { id: id.to_owned(), offset };
    let mut chunks = BlobsClient::new(link).get(request).await?.into_inner();
    while let Some(chunk) = chunks.next().await {
        let written = download.borrow_mut().write(&chunk?.data);
        if written.is_err() {
            return Ok(written);
        }
        pace.reached(download.borrow().file.written());
    }
    if download.borrow().is(id) {
        return Ok(Ok(()));
    }
    // Cut short, or not what it should be: another master may do better.
    let emptied = download.borrow_mut().start_over();
    if emptied.is_err() { Ok(emptied) } else { Err(Status::unavailable("what came is not the package")) }
}
