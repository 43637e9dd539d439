//! The service `Blobs`, and the masters' own `Packages`.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use squall_proto::internal::{self, packages_server::Packages};
use squall_proto::v1::{self, blobs_server::Blobs};
use squall_types::cluster::{BlobId, RaftId};
use tonic::{Request, Response, Status, Streaming};

use super::{Parts, Upload, copies, put};
use crate::blobs::{BlobError, Download};
use crate::core::Core;
use crate::fault::Fault;
use crate::gate::FORWARDED;
use crate::services::read;

/// Answers what operators and workers ask about packages.
#[derive(Clone)]
pub(crate) struct BlobsService(pub Arc<Core>);

/// A package, cut into messages.
type Chunks = Pin<Box<dyn Stream<Item = Result<v1::BlobChunk, Status>> + Send>>;

#[tonic::async_trait]
impl Blobs for BlobsService {
    type GetStream = Chunks;

    async fn put(
        &self,
        request: Request<Streaming<v1::PutBlobRequest>>,
    ) -> Result<Response<v1::PutBlobResponse>, Status> {
        let passage = read::passage(&request)?;
        let mut parts = Parts::new(request.into_inner());
        let header = parts.header().await?;
        let id: BlobId = read::parsed("header.id", &header.id)?;
        if let Some(size) = copies::known(&self.0, id).await? {
            return Ok(Response::new(v1::PutBlobResponse { id: id.to_string(), size, received: size }));
        }
        // Asked first: only then what was received is what there is.
        if self.0.blobs.is_busy(id) {
            return Err(Fault::from(BlobError::Busy(id)).into());
        }
        let received = self.0.blobs.received(id);
        if header.offset != 0 && header.offset != received {
            return Ok(Response::new(v1::PutBlobResponse { id: id.to_string(), size: header.size, received }));
        }
        let by = self.0.on_behalf_of(passage);
        let upload = Upload { id, size: header.size, offset: header.offset };
        let received = put(&self.0, by, upload, &mut parts).await?;
        Ok(Response::new(v1::PutBlobResponse { id: id.to_string(), size: header.size, received }))
    }

    async fn get(&self, request: Request<v1::GetBlobRequest>) -> Result<Response<Chunks>, Status> {
        let forwarded = request.metadata().contains_key(FORWARDED);
        let request = request.into_inner();
        let id: BlobId = read::parsed("id", &request.id)?;
        if self.0.blobs.size(id).is_none() {
            // This master may be behind.
            self.0.barrier().await?;
            if !self.0.read().blobs().contains_key(&id) {
                return Err(Fault::from(squall_control::Refusal::UnknownBlob(id)).into());
            }
        }
        match self.0.blobs.get(id, request.offset).await {
            Err(BlobError::Missing(_)) if !forwarded => {
                Ok(Response::new(Box::pin(copies::elsewhere(&self.0, id, request.offset).await?)))
            }
            download => Ok(Response::new(chunks(download.map_err(Fault::from)?))),
        }
    }

    async fn list(&self, _: Request<v1::ListBlobsRequest>) -> Result<Response<v1::ListBlobsResponse>, Status> {
        self.0.barrier().await?;
        let state = self.0.read();
        let master = |id: &RaftId| state.members().get(id).map(|member| member.seat.name.to_string());
        let blob = |(id, blob): (&BlobId, &squall_control::Blob)| {
            let mut masters: Vec<_> = blob.held_by.iter().filter_map(master).collect();
            masters.sort();
            v1::Blob {
                id: id.to_string(),
                size: blob.size,
                used_by: blob.used_by.iter().map(|(name, version)| format!("{name}@{version}")).collect(),
                masters,
                stored_at_ms: blob.stored_at.get(),
            }
        };
        Ok(Response::new(v1::ListBlobsResponse { blobs: state.blobs().iter().map(blob).collect() }))
    }
}

/// The size goes with the first chunk; an empty package has one chunk too.
fn chunks(download: Download) -> Chunks {
    let size = download.size();
    let first = Some(size);
    Box::pin(futures_util::stream::unfold((download, first), |(mut download, first)| async move {
        let chunk = match download.next().await {
            Ok(Some(data)) => Ok(v1::BlobChunk { data, size: first.unwrap_or(0) }),
            Ok(None) => Ok(v1::BlobChunk { data: bytes::Bytes::new(), size: first? }),
            Err(error) => Err(Fault::from(error).into()),
        };
        Some((chunk, (download, None)))
    }))
}

/// Fetches packages for the leader's sake.
#[derive(Clone)]
pub(crate) struct FetchService(pub Arc<Core>);

#[tonic::async_trait]
impl Packages for FetchService {
    async fn fetch(
        &self,
        request: Request<internal::FetchRequest>,
    ) -> Result<Response<internal::FetchResponse>, Status> {
        let request = request.into_inner();
        let id: BlobId = read::parsed("id", &request.id)?;
        copies::fetch(&self.0, id, request.size, &request.from).await?;
        Ok(Response::new(internal::FetchResponse {}))
    }
}
