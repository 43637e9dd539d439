//! The end that calls: who reaches peers.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use squall_types::cluster::{Refusal, SlotId};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::connection::GrpcConnection;
use super::dial::dial;
use super::security::Security;
use super::serve::Tracked;
use super::settings::Settings;
use crate::transport::{ConnectError, Connection as _, Dialled, Hello, Transport};

/// Which peers are far enough away for frames to be compressed.
type Far = dyn Fn(&SlotId) -> bool + Send + Sync;

/// Reaches other slots over gRPC.
///
/// Its connections live on the runtime whose handle it is given: one that user code can't hold up, or a slow `execute` would make this slot
/// look dead to its peers.
pub struct GrpcTransport {
    settings: Settings,
    security: Security,
    runtime: Handle,
    tasks: TaskTracker,
    far: Arc<Far>,
}

impl GrpcTransport {
    /// Compresses nothing.
    pub fn new(settings: Settings, security: Security, runtime: Handle) -> Self {
        Self { settings, security, runtime, tasks: TaskTracker::new(), far: Arc::new(|_| false) }
    }

    /// Has frames to these peers compressed, if they can read that.
    #[must_use]
    pub fn packing_for(mut self, far: impl Fn(&SlotId) -> bool + Send + Sync + 'static) -> Self {
        self.far = Arc::new(far);
        self
    }

    async fn reach(&self, address: &str, hello: &Hello) -> Result<Dialled, ConnectError> {
        let (settings, security, tasks) = (self.settings, self.security.clone(), self.tasks.clone());
        let (address, to) = (address.to_owned(), hello.to.clone());
        // Sockets belong to the runtime on which they are made.
        let making = self.runtime.spawn(async move { make(&address, &to, settings, &security, &tasks).await });
        let (send, gone) = AbortOnDropHandle::new(making).await.map_err(unreachable)??;
        let connection = GrpcConnection::new(send, gone, self.settings, self.tasks.clone(), (self.far)(&hello.to));
        let welcome = connection.greet(hello).await?;
        Ok((Arc::new(connection), welcome))
    }
}

impl Transport for GrpcTransport {
    fn connect<'a>(&'a self, address: &'a str, hello: &'a Hello) -> BoxFuture<'a, Result<Dialled, ConnectError>> {
        self.reach(address, hello).boxed()
    }
}

pub(super) fn unreachable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ConnectError {
    ConnectError::Unreachable(error.into())
}

pub(super) type Calls = http2::SendRequest<tonic::body::Body>;

/// Makes a connection, and a task that drives it until it is lost or nobody needs it any more. The token is cancelled then.
async fn make(
    address: &str,
    to: &SlotId,
    settings: Settings,
    security: &Security,
    tasks: &TaskTracker,
) -> Result<(Calls, CancellationToken), ConnectError> {
    let line = dial(address, security, settings.reach).await.map_err(unreachable)?;
    if !security.is(line.certificate().as_ref(), to) {
        return Err(ConnectError::Refused(Refusal::Malformed));
    }
    let mut builder = http2::Builder::new(Tracked(tasks.clone()));
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(settings.silence)
        .keep_alive_timeout(settings.patience)
        .keep_alive_while_idle(true)
        .initial_max_send_streams(settings.channels as usize)
        .max_send_buf_size(Settings::PIECE as usize);
    let made = tokio::time::timeout(settings.reach, builder.handshake(TokioIo::new(line))).await;
    let (send, connection) = made.map_err(unreachable)?.map_err(unreachable)?;
    let gone = CancellationToken::new();
    let (peer, ended) = (to.clone(), gone.clone().drop_guard());
    tasks.spawn(async move {
        let _ended = ended;
        if let Err(error) = connection.await {
            tracing::debug!("the connection to slot {peer} is lost: {error}");
        }
    });
    Ok((send, gone))
}
