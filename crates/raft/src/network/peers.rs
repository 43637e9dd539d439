//! To the peers: a bounded queue each, so that one that is slow or gone delays nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use raft::eraftpb::{Message, MessageType};
use squall_proto::internal::raft_client::RaftClient;
use squall_proto::internal::{Envelope, SnapshotChunk, SnapshotHeader, snapshot_chunk};
use squall_types::cluster::{ClusterId, RaftId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use xxhash_rust::xxh3::xxh3_64;

use super::{Dial, LONGEST};
use crate::host::Input;
use crate::wire::to_wire;

/// Messages that may wait for a peer. Raft repeats what is lost.
const QUEUE: usize = 1_024;
/// Between two attempts to reach a peer.
const PAUSE: Duration = Duration::from_millis(100);
/// What a snapshot's chunk holds at most, in bytes.
const CHUNK: usize = 256 << 10;
/// How long a snapshot may be under way.
const SNAPSHOT: Duration = Duration::from_secs(60);

struct Peer {
    address: String,
    queue: mpsc::Sender<Envelope>,
}

/// All peers that were ever written to. Their tasks end with it.
pub(crate) struct Peers<R> {
    me: RaftId,
    cluster: ClusterId,
    address: String,
    dial: Arc<dyn Dial>,
    peers: BTreeMap<RaftId, Peer>,
    inputs: mpsc::Sender<Input<R>>,
    tasks: JoinSet<()>,
}

impl<R: Send + 'static> Peers<R> {
    pub(crate) fn new(
        me: RaftId,
        cluster: ClusterId,
        address: String,
        dial: Arc<dyn Dial>,
        inputs: mpsc::Sender<Input<R>>,
    ) -> Self {
        Self { me, cluster, address, dial, peers: BTreeMap::new(), inputs, tasks: JoinSet::new() }
    }

    /// Sends a message to a peer at this address, or says that it can't.
    pub(crate) fn send(&mut self, to: RaftId, address: &str, message: Message) -> Result<(), Unreachable> {
        while self.tasks.try_join_next().is_some() {}
        if message.get_msg_type() == MessageType::MsgSnapshot {
            self.send_snapshot(to, address, message);
            return Ok(());
        }
        let envelope = self.envelope(to, message);
        if self.peers.get(&to).is_none_or(|peer| peer.address != address || peer.queue.is_closed()) {
            let peer = self.start(to, address);
            self.peers.insert(to, peer);
        }
        let queue = &self.peers.get(&to).ok_or(Unreachable)?.queue;
        queue.try_send(envelope).map_err(|_| Unreachable)
    }

    fn envelope(&self, to: RaftId, message: Message) -> Envelope {
        let (cluster_id, from, to) = (self.cluster.get(), self.me.get(), to.get());
        Envelope { cluster_id, from, to, message: Some(to_wire(message)), address: self.address.clone() }
    }

    fn start(&mut self, to: RaftId, address: &str) -> Peer {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (channel, inputs) = (self.dial.channel(address), self.inputs.clone());
        self.tasks.spawn(deliver(to, address.to_owned(), channel, waiting, inputs));
        Peer { address: address.to_owned(), queue }
    }

    fn send_snapshot(&mut self, to: RaftId, address: &str, mut message: Message) {
        let data = message.mut_snapshot().take_data();
        let header = SnapshotHeader {
            size: data.len() as u64,
            checksum: xxh3_64(&data),
            envelope: Some(self.envelope(to, message)),
        };
        let (channel, inputs) = (self.dial.channel(address), self.inputs.clone());
        self.tasks.spawn(async move {
            let installed = tokio::time::timeout(SNAPSHOT, install(channel, header, data)).await;
            let stored = matches!(installed, Ok(Ok(true)));
            // A host that has ended needs no word of it.
            let _ = inputs.send(Input::SnapshotSent { to, stored }).await;
        });
    }
}

/// The peer's queue is full, or nobody knows where it is.
pub(crate) struct Unreachable;

/// Keeps a stream to one peer, for as long as somebody may write to it.
async fn deliver<R>(
    to: RaftId,
    address: String,
    channel: Channel,
    mut waiting: mpsc::Receiver<Envelope>,
    inputs: mpsc::Sender<Input<R>>,
) {
    let mut client = RaftClient::new(channel).max_encoding_message_size(LONGEST);
    // Whether it has been said that the peer isn't reached: once, until it is again.
    let mut told = false;
    while let Some(first) = waiting.recv().await {
        let (stream, outgoing) = mpsc::channel(1);
        let sending = pump(first, &mut waiting, &stream);
        let call = client.messages(ReceiverStream::new(outgoing));
        let ended = tokio::select! {
            biased;
            notice = listen(&address, call, &mut told) => notice,
            // Nobody writes any more.
            () = sending => return,
        };
        let input = match ended {
            Some(Notice::Removed) => Input::Removed,
            None => Input::Unreachable(to),
        };
        if inputs.send(input).await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
        // What has waited is old news: Raft sends anew what is needed.
        while waiting.try_recv().is_ok() {}
    }
}

/// Moves envelopes to the stream until nobody writes any more.
async fn pump(first: Envelope, waiting: &mut mpsc::Receiver<Envelope>, stream: &mpsc::Sender<Envelope>) {
    let mut next = Some(first);
    while let Some(envelope) = next {
        if stream.send(envelope).await.is_err() {
            // The call has ended; `listen` knows more.
            std::future::pending::<()>().await;
        }
        next = waiting.recv().await;
    }
}

enum Notice {
    Removed,
}

type Notices = tonic::Response<tonic::Streaming<squall_proto::internal::Notice>>;

/// Waits for the stream's end.
async fn listen(
    address: &str,
    call: impl Future<Output = Result<Notices, tonic::Status>>,
    told: &mut bool,
) -> Option<Notice> {
    let mut notices = match call.await {
        Ok(notices) => notices.into_inner(),
        Err(status) => {
            if !std::mem::replace(told, true) {
                tracing::warn!("the master at {address} is not reached: {}", innermost(&status));
            }
            return None;
        }
    };
    if std::mem::take(told) {
        tracing::info!("the master at {address} is reached again");
    }
    match notices.message().await {
        Ok(Some(_)) => Some(Notice::Removed),
        Ok(None) | Err(_) => None,
    }
}

/// What lies behind an error: what is before it says only that something failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

async fn install(channel: Channel, header: SnapshotHeader, data: bytes::Bytes) -> Result<bool, tonic::Status> {
    let header = SnapshotChunk { part: Some(snapshot_chunk::Part::Header(header)) };
    let chunks = (0..data.len()).step_by(CHUNK).map(move |at| {
        let part = snapshot_chunk::Part::Data(data.slice(at..data.len().min(at + CHUNK)));
        SnapshotChunk { part: Some(part) }
    });
    let result = RaftClient::new(channel).install_snapshot(stream::iter(std::iter::once(header).chain(chunks))).await?;
    Ok(result.into_inner().stored)
}
