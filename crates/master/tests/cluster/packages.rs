//! Packages: what is uploaded is what it says it is, and comes back as it went.

use sha2::{Digest as _, Sha256};
use squall_proto::v1::blobs_client::BlobsClient;
use squall_proto::{Failure, v1};
use squall_types::cluster::BlobId;
use tonic::Status;

use crate::support::{Master, alone, header, within};

pub fn package(size: usize) -> (String, Vec<u8>) {
    let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
    (BlobId::from_bytes(Sha256::digest(&bytes).into()).to_string(), bytes)
}

pub async fn put(
    master: &Master,
    id: &str,
    size: usize,
    offset: usize,
    bytes: &[u8],
) -> Result<v1::PutBlobResponse, Status> {
    use v1::put_blob_request::Part;
    let header = v1::PutBlobHeader { id: id.to_owned(), size: size as u64, offset: offset as u64 };
    let mut parts = vec![v1::PutBlobRequest { part: Some(Part::Header(header)) }];
    parts.extend(
        bytes.chunks(1 << 20).map(|chunk| v1::PutBlobRequest { part: Some(Part::Chunk(chunk.to_vec().into())) }),
    );
    within(BlobsClient::new(master.channel()).put(tokio_stream::iter(parts))).await.map(tonic::Response::into_inner)
}

pub async fn get(master: &Master, id: &str, offset: u64) -> Result<Vec<u8>, Status> {
    let request = v1::GetBlobRequest { id: id.to_owned(), offset };
    let mut chunks = within(BlobsClient::new(master.channel()).get(request)).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(chunk) = within(chunks.message()).await? {
        bytes.extend_from_slice(&chunk.data);
    }
    Ok(bytes)
}

#[tokio::test]
async fn a_package_comes_back_as_it_went_and_is_listed() {
    let master = alone().await;
    let (id, bytes) = package(3_000_000);
    assert_eq!(put(&master, &id, bytes.len(), 0, &bytes).await.unwrap().received, 3_000_000);
    assert_eq!(get(&master, &id, 0).await.unwrap(), bytes);
    assert_eq!(get(&master, &id, 2_999_000).await.unwrap(), bytes[2_999_000..]);
    let list =
        within(BlobsClient::new(master.channel()).list(v1::ListBlobsRequest {})).await.unwrap().into_inner().blobs;
    assert_eq!((list.len(), list[0].id.as_str(), list[0].masters.len()), (1, id.as_str(), 1));
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on_where_it_was() {
    let master = alone().await;
    let (id, bytes) = package(2_500_000);
    put(&master, &id, bytes.len(), 0, &bytes[..1_000_000]).await.unwrap_err();
    // Who would go on at the end is told how much is there.
    let received = put(&master, &id, bytes.len(), bytes.len(), &[]).await.unwrap().received;
    assert_eq!(received, 1_000_000);
    put(&master, &id, bytes.len(), 1_000_000, &bytes[1_000_000..]).await.unwrap();
    assert_eq!(get(&master, &id, 0).await.unwrap(), bytes);
    // What the cluster has needs no bytes.
    assert_eq!(put(&master, &id, bytes.len(), bytes.len(), &[]).await.unwrap().received, 2_500_000);
}

#[tokio::test]
async fn what_came_as_a_whole_and_is_not_what_it_says_does_not_become_it_by_going_on() {
    let master = alone().await;
    let (id, bytes) = package(1_000_000);
    let mut other = bytes.clone();
    other[0] ^= 1;
    put(&master, &id, bytes.len(), 0, &other[..600_000]).await.unwrap_err();
    let status = put(&master, &id, bytes.len(), 600_000, &bytes[600_000..]).await.unwrap_err();
    assert_eq!(Failure::from_status(&status).unwrap().code.to_string(), "SQ6302");
    assert_eq!(put(&master, &id, bytes.len(), bytes.len(), &[]).await.unwrap().received, 0);
}

#[tokio::test]
async fn what_is_not_what_it_says_is_refused_and_not_kept() {
    let master = alone().await;
    let (id, bytes) = package(1_000);
    let other = vec![0; bytes.len()];
    let status = put(&master, &id, other.len(), 0, &other).await.unwrap_err();
    assert_eq!(Failure::from_status(&status).unwrap().code.to_string(), "SQ6302");
    assert!(get(&master, &id, 0).await.is_err());
}

#[tokio::test]
async fn a_submit_brings_its_package_or_names_one_that_is_there() {
    let master = alone().await;
    let (id, bytes) = package(1_500_000);
    let header = |name| v1::SubmitHeader { package: id.clone(), package_size: 1_500_000, ..header(name, 1) };
    let part = |part| v1::SubmitRequest { part: Some(part) };
    let mut parts = vec![part(v1::submit_request::Part::Header(header("one")))];
    parts.extend(bytes.chunks(1 << 20).map(|chunk| part(v1::submit_request::Part::Chunk(chunk.to_vec().into()))));
    within(master.topologies().submit(tokio_stream::iter(parts))).await.unwrap();
    within(master.topologies().submit(crate::support::submission(header("two")))).await.unwrap();
    assert_eq!(master.get("two").await.unwrap().package, id);
    let list =
        within(BlobsClient::new(master.channel()).list(v1::ListBlobsRequest {})).await.unwrap().into_inner().blobs;
    assert_eq!(list[0].used_by, ["one@1", "two@1"]);
}
