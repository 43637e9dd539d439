//! From the peers: what doesn't belong here is refused before Raft sees it.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use squall_proto::internal::raft_server::{Raft, RaftServer};
use squall_proto::internal::{Envelope, Notice, SnapshotChunk, SnapshotHeader, SnapshotResult, snapshot_chunk};
use squall_types::cluster::{ClusterId, RaftId};
use tokio::sync::{mpsc, oneshot, watch};
use tonic::{Request, Response, Status, Streaming};
use xxhash_rust::xxh3::xxh3_64;

use super::LONGEST;
use crate::host::Input;
use crate::status::Status as HostStatus;
use crate::wire::from_wire;

/// The largest snapshot that is taken, in bytes.
const LARGEST: u64 = 1 << 30;

/// The masters' own service, for one host.
pub struct RaftService<R> {
    pub(crate) me: RaftId,
    pub(crate) cluster: ClusterId,
    pub(crate) inputs: mpsc::Sender<Input<R>>,
    pub(crate) status: watch::Receiver<HostStatus>,
}

impl<R> Clone for RaftService<R> {
    fn clone(&self) -> Self {
        Self { me: self.me, cluster: self.cluster, inputs: self.inputs.clone(), status: self.status.clone() }
    }
}

impl<R: Send + 'static> RaftService<R> {
    /// The service, ready to be served beside others.
    pub fn into_server(self) -> RaftServer<Self> {
        RaftServer::new(self).max_decoding_message_size(LONGEST)
    }

    /// Who sent it, if it is meant for this master of this cluster.
    fn admit(&self, envelope: &Envelope) -> Result<Sender, Status> {
        let from = RaftId::new(envelope.from).ok_or_else(|| Status::invalid_argument("no raft id"))?;
        if envelope.cluster_id != self.cluster.get() {
            return Err(Status::failed_precondition("another cluster"));
        }
        // Also one that means who was here before: after a rebirth of the cluster the members of its old life are told so.
        if self.status.borrow().members.was_removed(from) {
            return Ok(Sender::Removed);
        }
        if envelope.to != self.me.get() {
            return Err(Status::not_found("another raft id listens here"));
        }
        Ok(Sender::Peer(from))
    }

    async fn hand_on(
        &self,
        from: RaftId,
        envelope: Envelope,
        snapshot: Option<(Bytes, oneshot::Sender<bool>)>,
    ) -> Result<(), Status> {
        let message = envelope.message.ok_or_else(|| Status::invalid_argument("no message"))?;
        let mut message = from_wire(envelope.from, envelope.to, message)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let stored = snapshot.map(|(data, stored)| {
            message.mut_snapshot().data = data;
            stored
        });
        if self.status.borrow().members.get(from).is_none() {
            self.input(Input::Address { id: from, address: envelope.address }).await?;
        }
        self.input(Input::Peer { message, stored }).await
    }

    async fn input(&self, input: Input<R>) -> Result<(), Status> {
        self.inputs.send(input).await.map_err(|_| Status::unavailable("this master's log has stopped"))
    }
}

enum Sender {
    Peer(RaftId),
    Removed,
}

type Notices = Pin<Box<dyn Stream<Item = Result<Notice, Status>> + Send>>;

#[tonic::async_trait]
impl<R: Send + 'static> Raft for RaftService<R> {
    type MessagesStream = Notices;

    async fn messages(&self, request: Request<Streaming<Envelope>>) -> Result<Response<Notices>, Status> {
        let (service, incoming) = (self.clone(), request.into_inner());
        // The answer's stream is what drives the call, so it ends with the connection.
        let notices = futures_util::stream::unfold(Some((service, incoming)), |state| async move {
            let (service, mut incoming) = state?;
            loop {
                let envelope = match incoming.next().await? {
                    Ok(envelope) => envelope,
                    Err(error) => return Some((Err(error), None)),
                };
                let from = match service.admit(&envelope) {
                    Ok(Sender::Peer(from)) => from,
                    Ok(Sender::Removed) => return Some((Ok(Notice { removed: envelope.from }), None)),
                    Err(refused) => return Some((Err(refused), None)),
                };
                if let Err(refused) = service.hand_on(from, envelope, None).await {
                    return Some((Err(refused), None));
                }
            }
        });
        Ok(Response::new(Box::pin(notices)))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<SnapshotChunk>>,
    ) -> Result<Response<SnapshotResult>, Status> {
        let mut chunks = request.into_inner();
        let first = chunks.message().await?.and_then(|chunk| chunk.part);
        let Some(snapshot_chunk::Part::Header(header)) = first else {
            return Err(Status::invalid_argument("a snapshot begins with its header"));
        };
        let envelope = header.envelope.clone().unwrap_or_default();
        let Sender::Peer(from) = self.admit(&envelope)? else {
            return Err(Status::permission_denied("no member any more"));
        };
        let data = collect(&header, &mut chunks).await?;
        let (stored, durable) = oneshot::channel();
        self.hand_on(from, envelope, Some((data, stored))).await?;
        // Dropped unanswered where Raft wants nothing of it.
        let stored = durable.await.unwrap_or(false);
        let reason = if stored { "" } else { "not wanted" }.to_owned();
        Ok(Response::new(SnapshotResult { stored, reason }))
    }
}

async fn collect(header: &SnapshotHeader, chunks: &mut Streaming<SnapshotChunk>) -> Result<Bytes, Status> {
    if header.size > LARGEST {
        return Err(Status::out_of_range("the snapshot is too large"));
    }
    let size = usize::try_from(header.size).map_err(|_| Status::out_of_range("the snapshot is too large"))?;
    // Grows with what comes: a header is no reason to set memory aside.
    let mut data = BytesMut::new();
    while let Some(chunk) = chunks.message().await? {
        let Some(snapshot_chunk::Part::Data(bytes)) = chunk.part else {
            return Err(Status::invalid_argument("a second header"));
        };
        if data.len() + bytes.len() > size {
            return Err(Status::invalid_argument("the snapshot is longer than its header says"));
        }
        data.extend_from_slice(&bytes);
    }
    if data.len() != size || xxh3_64(&data) != header.checksum {
        return Err(Status::data_loss("the snapshot is not what was sent"));
    }
    Ok(data.freeze())
}
