//! Who uploads packages, and fetches them again once nothing is wrong any more: from each master.

use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use squall_proto::v1;
use squall_proto::v1::blobs_client::BlobsClient;
use squall_proto::v1::put_blob_request::Part;
use squall_tests::Rng;
use squall_types::cluster::BlobId;
use tokio::time::Instant;
use tonic::Status;
use tonic::transport::Channel;

use super::{Desk, SPAN};

/// How long an upload may take.
const CALL: Duration = Duration::from_secs(3);
/// Between two attempts to fetch one.
const PAUSE: Duration = Duration::from_millis(100);
/// The largest package, in bytes, and how much of it goes into a message.
const LARGEST: usize = 40_000;
const CHUNK: usize = 8_000;

/// Uploads one after the other, until the desk closes.
pub async fn run(masters: Vec<Channel>, mut rng: Rng, desk: Desk) {
    let mut there: Vec<Bytes> = Vec::new();
    while !desk.closing() {
        tokio::time::sleep(rng.between(Duration::from_millis(500), Duration::from_secs(4))).await;
        if turmoil::sim_elapsed().is_some_and(|elapsed| elapsed > SPAN) {
            continue;
        }
        let mut package = vec![0; rng.below(LARGEST)];
        rng.fill(&mut package);
        let package = Bytes::from(package);
        let master = rng.pick(&masters).clone();
        // Whoever isn't told that it is there knows nothing of it.
        if let Ok(Ok(())) = tokio::time::timeout(CALL, put(master, &package)).await {
            there.push(package);
        }
    }
    for package in &there {
        for master in &masters {
            match get_in_time(master, package).await {
                Ok(found) if found == *package => {}
                Ok(found) => {
                    desk.complain(format!("a package of {} bytes came as {} others", package.len(), found.len()));
                }
                Err(status) => desk.complain(format!("a package that was acknowledged can't be fetched: {status}")),
            }
        }
    }
    desk.finish();
}

fn id(package: &[u8]) -> String {
    BlobId::from_bytes(Sha256::digest(package).into()).to_string()
}

async fn put(master: Channel, package: &Bytes) -> Result<(), Status> {
    let header = v1::PutBlobHeader { id: id(package), size: package.len() as u64, offset: 0 };
    let chunks = package.chunks(CHUNK).map(Bytes::copy_from_slice).map(Part::Chunk);
    let parts: Vec<_> = std::iter::once(Part::Header(header)).chain(chunks).collect();
    let parts = parts.into_iter().map(|part| v1::PutBlobRequest { part: Some(part) });
    BlobsClient::new(master).put(tokio_stream::iter(parts)).await.map(|_| ())
}

/// The first call over a connection that broke meanwhile fails, and makes a new one.
async fn get_in_time(master: &Channel, package: &[u8]) -> Result<Vec<u8>, Status> {
    let until = Instant::now() + CALL;
    loop {
        match get(master.clone(), package).await {
            Err(status) if status.code() == tonic::Code::Unavailable && Instant::now() < until => {
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

async fn get(master: Channel, package: &[u8]) -> Result<Vec<u8>, Status> {
    let request = v1::GetBlobRequest { id: id(package), offset: 0 };
    let mut chunks = BlobsClient::new(master).get(request).await?.into_inner();
    let mut found = Vec::new();
    while let Some(chunk) = chunks.message().await? {
        found.extend_from_slice(&chunk.data);
    }
    Ok(found)
}
