//! Packages on their way to the masters. What they have of one is not sent again.

use squall_proto::v1::blobs_client::BlobsClient;
use squall_proto::v1::put_blob_request::Part;
use squall_proto::v1::{PutBlobHeader, PutBlobRequest, PutBlobResponse};
use tonic::{Response, Status};

use super::Session;
use super::package::Package;
use crate::client::{Link, Pace};
use crate::error::CliError;
use crate::output::size;

/// Sees to it that a package is on a majority's disks. An upload that breaks goes on where the master says that it broke, in this call or the
/// next; at the end the master hashes all of it.
pub async fn bring(session: &mut Session, package: &Package) -> Result<PutBlobResponse, CliError> {
    let pace = Pace::new(Some(package.size));
    let call = |link| put(link, package.clone(), pace.clone());
    session.client.send(&pace, call).await
}

async fn put(link: Link, package: Package, pace: Pace) -> Result<Response<PutBlobResponse>, Status> {
    let mut client = BlobsClient::new(link);
    let header = |offset| {
        let header = PutBlobHeader { id: package.id.to_string(), size: package.size, offset };
        PutBlobRequest { part: Some(Part::Header(header)) }
    };
    // Who would go on at the end is told how much is there.
    let known = client.put(tokio_stream::once(header(package.size))).await?;
    let received = known.get_ref().received;
    let how = match received {
        some if some >= package.size => "the masters have it".to_owned(),
        0 => "uploading".to_owned(),
        some => format!("the upload goes on at {}", size(some)),
    };
    eprintln!("package {}, {}: {how}", package.id.short(), size(package.size));
    if received >= package.size {
        return Ok(known);
    }
    let chunk = |data| PutBlobRequest { part: Some(Part::Chunk(data)) };
    client.put(package.stream(received, header(received), chunk, pace)).await
}
