//! The end that is called: a slot's port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::service::Routes;
use tower::ServiceExt as _;

use super::security::Security;
use super::service::Caller;
use super::settings::Settings;

/// Connections at once.
const CONNECTIONS: usize = 4_096;
/// How long one may last on which no slot says hello: somebody who asks something else has his answer by then.
const UNKNOWN: Duration = Duration::from_secs(30);
/// All headers of a request: a handful of short ones.
const HEADERS: u32 = 8 << 10;
/// Pause when no connection can be taken: out of file descriptors, mostly, and some will come back.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs tasks on the runtime where they are made, and knows when all have ended.
#[derive(Clone)]
pub(super) struct Tracked(pub(super) TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// Listens where a slot is to be reached.
///
/// # Errors
/// If that can't be done.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `stop` is there; what is under way then is cut off. Belongs on a runtime that user code can't hold up.
pub async fn serve(
    listener: TcpListener,
    security: Security,
    settings: Settings,
    routes: Routes,
    stop: impl Future<Output = ()>,
) {
    let port = Arc::new(Port { security, settings, routes: routes.prepare(), tasks: TaskTracker::new() });
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, from)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::warn!("{from} was turned away: {CONNECTIONS} connections are open");
            continue;
        };
        let port = port.clone();
        connections.spawn(async move {
            if let Err(error) = port.connection(stream).await {
                tracing::debug!("the connection from {from} has ended: {error}");
            }
            drop(place);
        });
    }
    connections.shutdown().await;
    port.tasks.close();
    port.tasks.wait().await;
}

struct Port {
    security: Security,
    settings: Settings,
    routes: Routes,
    tasks: TaskTracker,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

impl Port {
    async fn connection(&self, stream: TcpStream) -> Result<(), Failed> {
        stream.set_nodelay(true)?;
        let line = self.security.answer(stream).await?;
        let caller = Arc::new(Caller::new(line.certificate()));
        let (routes, known) = (self.routes.clone(), caller.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(caller.clone());
            let routes = routes.clone();
            async move { routes.oneshot(request).await }
        });
        let settings = &self.settings;
        let mut builder = http2::Builder::new(Tracked(self.tasks.clone()));
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(settings.window)
            .initial_connection_window_size(settings.connection_window())
            .max_frame_size(Settings::PIECE)
            .max_concurrent_streams(settings.channels)
            .max_header_list_size(HEADERS)
            .keep_alive_interval(settings.silence)
            .keep_alive_timeout(settings.patience);
        let connection = builder.serve_connection(TokioIo::new(line), service);
        tokio::pin!(connection);
        let outstayed = async {
            tokio::time::sleep(UNKNOWN).await;
            if known.is_known() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = &mut connection => Ok(ended?),
            () = outstayed => Err("no slot has said hello on it".into()),
        }
    }
}
