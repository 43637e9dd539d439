//! Packages on their way between callers' streams, this master's disk, and the other masters' disks.
//!
//! Invariant: the index names a package only once a majority of the voters has it on disk.

mod copies;
mod parts;
mod service;

pub(crate) use copies::{chase, sweep};
pub(crate) use parts::Parts;
pub(crate) use service::{BlobsService, FetchService};

use std::sync::Arc;

use squall_types::cluster::BlobId;

use crate::blobs::BlobError;
use crate::core::{Core, Wish};
use crate::fault::{Answer, Fault};
use parts::Part;

/// Takes a package from a caller's stream, unless the cluster has it: then nothing of it needs come.
pub(crate) async fn put_unless_there<T: Part>(
    core: &Arc<Core>,
    by: Wish,
    id: BlobId,
    size: u64,
    parts: &mut Parts<T>,
) -> Answer<()> {
    if core.read().blobs().get(&id).is_some_and(|blob| !blob.held_by.is_empty()) {
        return Ok(());
    }
    put(core, by, Upload { id, size, offset: 0 }, parts).await.map(|_| ())
}

/// A package that comes, from `offset` on.
struct Upload {
    id: BlobId,
    size: u64,
    offset: u64,
}

/// Takes a package from a caller's stream. Returns once a majority has it.
async fn put<T: Part>(core: &Arc<Core>, by: Wish, upload: Upload, parts: &mut Parts<T>) -> Answer<u64> {
    let Upload { id, size, offset } = upload;
    if core.blobs.size(id) != Some(size) {
        let mut upload = core.blobs.upload(id, size, offset).await?;
        while let Some(chunk) = parts.chunk().await? {
            upload.write(chunk).await?;
        }
        upload.finish().await?;
    }
    copies::spread(core, by, id, size).await?;
    Ok(size)
}

impl From<BlobError> for Fault {
    fn from(error: BlobError) -> Self {
        let grpc = match &error {
            BlobError::TooLarge { .. } | BlobError::Length { .. } | BlobError::Mismatch { .. } => {
                tonic::Code::InvalidArgument
            }
            BlobError::Offset { .. } => tonic::Code::FailedPrecondition,
            BlobError::Busy(_) => tonic::Code::Aborted,
            BlobError::NoRoom(..) => tonic::Code::ResourceExhausted,
            BlobError::Missing(_) => tonic::Code::NotFound,
            BlobError::Damaged(_) | BlobError::Disk(_) => tonic::Code::Internal,
        };
        let cause = crate::error::chain(&error);
        Self::new(grpc, error.code(), cause, error.next_step()).with_retry(error.retry())
    }
}
