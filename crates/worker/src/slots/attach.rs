//! The stream to a slot's process, over the socket in its folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use squall_proto::internal::slot_client::SlotClient;
use squall_proto::internal::{DaemonHello, FromSlot, SlotHello, ToSlot, from_slot, to_slot};
use squall_proto::slot;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::transport::Endpoint;

/// How long a process may take to answer.
const ANSWER: Duration = Duration::from_secs(3);
/// Messages down that wait.
const DOWN: usize = 16;

/// A stream to a process that has said who it is.
pub(super) struct Attached {
    pub down: mpsc::Sender<ToSlot>,
    pub up: Streaming<FromSlot>,
    pub hello: SlotHello,
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAttached {
    /// Nobody listens there.
    #[error("nobody listens there")]
    Nobody(#[source] io::Error),
    /// Somebody listens there, and doesn't answer as a slot does.
    #[error("process {pid} doesn't answer")]
    Silent {
        /// Who.
        pid: u32,
    },
}

/// Connects to the process of a folder. Its socket says which process that is.
pub(super) async fn attach(folder: &Path) -> Result<(Attached, u32), NotAttached> {
    let socket = UnixStream::connect(folder.join(slot::SOCKET)).await.map_err(NotAttached::Nobody)?;
    let credentials = socket.peer_cred().map_err(NotAttached::Nobody)?;
    let pid = credentials.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
    match tokio::time::timeout(ANSWER, greet(socket)).await {
        Ok(Some(attached)) => Ok((attached, pid)),
        Ok(None) | Err(_) => Err(NotAttached::Silent { pid }),
    }
}

async fn greet(socket: UnixStream) -> Option<Attached> {
    // One connection: whoever listens there later is another process.
    let socket = Arc::new(OnceLock::from(std::sync::Mutex::new(Some(socket))));
    let connector = tower::service_fn(move |_| {
        let socket = socket.get().and_then(|it| it.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        async move { socket.map(TokioIo::new).ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe)) }
    });
    let channel = Endpoint::from_static("http://slot").connect_with_connector(connector).await.ok()?;
    let (down, downward) = mpsc::channel(DOWN);
    let hello = DaemonHello { level: slot::LEVEL };
    down.try_send(ToSlot { kind: Some(to_slot::Kind::Hello(hello)) }).ok()?;
    let downward = tokio_stream::wrappers::ReceiverStream::new(downward);
    let mut up = SlotClient::new(channel).attach(downward).await.ok()?.into_inner();
    match up.message().await.ok()??.kind? {
        from_slot::Kind::Hello(hello) => Some(Attached { down, up, hello }),
        from_slot::Kind::Beat(_) => None,
    }
}

/// Connects to the process that was just started, as soon as it listens. Never returns before.
pub(super) async fn attach_soon(folder: PathBuf, pid: u32) -> Attached {
    const AGAIN: Duration = Duration::from_millis(10);
    loop {
        match attach(&folder).await {
            Ok((attached, found)) if found == pid => return attached,
            // An earlier process's socket, perhaps: this one will put its own in that place.
            Ok(_) | Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}
