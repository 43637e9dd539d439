//! The socket where the daemon is met.

use std::io;
use std::path::Path;
use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use squall_proto::internal::slot_server::{Slot, SlotServer};
use squall_proto::internal::{FromSlot, ToSlot};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status, Streaming};

/// A daemon that has attached.
pub(super) struct Attached {
    pub down: Streaming<ToSlot>,
    pub up: mpsc::Sender<FromSlot>,
}

/// Messages up that wait for a slow daemon.
const UP: usize = 64;

/// Listens at this path, and passes on who attaches.
pub(super) fn listen(path: &Path) -> io::Result<mpsc::Receiver<Attached>> {
    // What an earlier process left: the lock says that it is gone.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let incoming = UnixListenerStream::new(UnixListener::bind(path)?);
    let (attached, receiver) = mpsc::channel(4);
    let server = tonic::transport::Server::builder().add_service(SlotServer::new(Service { attached }));
    // Ends with the process: the socket is the last thing that a slot lets go of.
    tokio::spawn(async move {
        if let Err(error) = server.serve_with_incoming(incoming).await {
            tracing::error!(error = error.to_string(), "the worker's daemon can't be listened to any more");
        }
    });
    Ok(receiver)
}

struct Service {
    attached: mpsc::Sender<Attached>,
}

type Up = Pin<Box<dyn Stream<Item = Result<FromSlot, Status>> + Send>>;

#[tonic::async_trait]
impl Slot for Service {
    type AttachStream = Up;

    async fn attach(&self, request: Request<Streaming<ToSlot>>) -> Result<Response<Up>, Status> {
        let (up, upward) = mpsc::channel(UP);
        let attached = Attached { down: request.into_inner(), up };
        self.attached.send(attached).await.map_err(|_| Status::unavailable("the slot ends"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(upward).map(Ok))))
    }
}
