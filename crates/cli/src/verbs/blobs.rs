//! Verbs about packages.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use squall_proto::v1;
use squall_proto::v1::blobs_client::BlobsClient;
use squall_types::cluster::BlobId;
use tokio_stream::StreamExt as _;

use super::Session;
use super::package::Package;
use crate::client::now;
use crate::error::CliError;
use crate::output::{Table, View, ago, bytes, size, utc};

/// What is done about packages.
#[derive(clap::Subcommand)]
pub enum BlobsVerb {
    /// All packages
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
    let call = |link| {
        use v1::put_blob_request::Part;
        let header = v1::PutBlobHeader { id: package.id.to_string(), size: package.size, offset: 0 };
        let first = v1::PutBlobRequest { part: Some(Part::Header(header)) };
        let stream = package.stream(0, first, |data| v1::PutBlobRequest { part: Some(Part::Chunk(data)) });
        async move { BlobsClient::new(link).put(stream).await }
    };
    let answer = session.client.change(call).await?;
    session.show(&Moved { id: answer.id, size: answer.size })
}

async fn get(id: &str, file: &Path, session: &mut Session) -> Result<ExitCode, CliError> {
    let failed = |source| CliError::File { what: "write", path: file.to_owned(), source };
    let known = list(session).await?.blobs;
    let mut named = known.iter().filter(|blob| blob.id.starts_with(id));
    // What fits none or several is asked for as it is: the master says that there is no such package.
    let id = match (named.next(), named.next()) {
        (Some(one), None) => one.id.clone(),
        _ => id.to_owned(),
    };
    let call = |link| {
        let request = v1::GetBlobRequest { id: id.clone(), offset: 0 };
        let wanted = id.clone();
        async move {
            let mut chunks = BlobsClient::new(link).get(request).await?.into_inner();
            let mut content = Vec::new();
            while let Some(chunk) = chunks.next().await {
                content.extend_from_slice(&chunk?.data);
            }
            let found = BlobId::from_bytes(Sha256::digest(&content).into()).to_string();
            if found == wanted {
                Ok(tonic::Response::new(content))
            } else {
                Err(tonic::Status::unavailable("cut short"))
            }
        }
    };
    let content = session.client.ask(call).await?;
    let mut out = super::certs::create(file, false).map_err(failed)?;
    out.write_all(&content).and_then(|()| out.sync_all()).map_err(failed)?;
    session.show(&Moved { id, size: content.len() as u64 })
}
