//! What monitoring asks for: `/metrics`, `/healthz`, `/readyz`.
//!
//! Invariants: it answers whatever state the node is in; where callers must say who they are, `/metrics` asks them too, and the other two
//! tell nobody more than yes or no; a slow or hostile client holds one of a bounded number of connections, for a bounded time.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use squall_types::{Code, codes};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::certs::{Peer, Server};

/// Connections at once. Monitoring needs few.
const CONNECTIONS: usize = 64;

/// How long one connection may last: a scrape takes milliseconds.
const LONGEST: Duration = Duration::from_secs(30);

/// How a node does, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It answers calls.
    Ready,
    /// It doesn't yet, or not any more.
    NotReady {
        /// Why, in a line.
        reason: String,
    },
    /// It never will again: whoever watches over it should start it anew.
    Failed {
        /// Why, in a line.
        reason: String,
    },
}

/// Who calls may not read the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Whether it isn't known who calls, rather than known and not allowed.
    pub unknown: bool,
    /// What is said: the code, the reason, the next step.
    pub text: String,
}

/// Who may read the metrics: by the `authorization` header and who is at the other end.
pub type Guard = dyn Fn(Option<&str>, &Peer) -> Result<(), Denied> + Send + Sync;

/// The metrics, as Prometheus reads them (OpenMetrics 1.0).
pub type Exposition = dyn Fn() -> String + Send + Sync;

/// Told of each connection that is refused before a request.
pub type Refused = dyn Fn() + Send + Sync;

/// What monitoring is told.
#[derive(Clone)]
pub struct Monitoring {
    /// The metrics.
    pub metrics: Arc<Exposition>,
    /// Counts refused connections.
    pub refused: Arc<Refused>,
    /// How the node does.
    pub readiness: watch::Receiver<Readiness>,
    /// Who may read the metrics.
    pub guard: Arc<Guard>,
}

/// Where monitoring is to be served can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on http.listen = \"{address}\"")]
pub struct NotServed {
    address: SocketAddr,
    source: io::Error,
}

impl NotServed {
    /// The error's stable code.
    pub const fn code(&self) -> Code {
        codes::HTTP_NOT_SERVED
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        "set http.listen to a free port of this machine, or to \"\" for none"
    }
}

/// Listens where monitoring is to be served.
///
/// # Errors
/// If that can't be done.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, NotServed> {
    TcpListener::bind(address).await.map_err(|source| NotServed { address, source })
}

/// Serves until `stop` is there. What is under way then is cut off.
pub async fn serve(listener: TcpListener, server: Server, monitoring: Monitoring, stop: impl Future<Output = ()>) {
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
            // Out of file descriptors, mostly: some will come back.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let (server, monitoring) = (server.clone(), monitoring.clone());
        connections.spawn(async move {
            let _ = tokio::time::timeout(LONGEST, connection(stream, from, &server, monitoring)).await;
            drop(place);
        });
    }
}

async fn connection<S>(stream: S, from: SocketAddr, server: &Server, monitoring: Monitoring)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let accepted = match server.accept(stream, Some(from)).await {
        Ok(accepted) => accepted,
        Err(fault) => {
            tracing::debug!(%from, code = %fault.code(), "monitoring refused a connection");
            (monitoring.refused)();
            return;
        }
    };
    let peer = accepted.peer().clone();
    let service = hyper_util::service::TowerToHyperService::new(tower::service_fn(move |request: Request<_>| {
        let answer = monitoring.answer(&request, &peer);
        async move { Ok::<_, Infallible>(answer) }
    }));
    // Whether the client hears it out is its own affair.
    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(accepted), service).await;
}

impl Monitoring {
    fn answer<B>(&self, request: &Request<B>, peer: &Peer) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        match request.uri().path() {
            "/healthz" => self.health(|readiness| !matches!(readiness, Readiness::Failed { .. })),
            "/readyz" => self.health(|readiness| *readiness == Readiness::Ready),
            "/metrics" => self.metrics(request.headers().get(AUTHORIZATION), peer),
            _ => text(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n"),
        }
    }

    fn health(&self, good: impl Fn(&Readiness) -> bool) -> Response<Body> {
        let readiness = self.readiness.borrow();
        let status = if good(&readiness) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        match &*readiness {
            Readiness::Ready => text(status, "ready\n"),
            Readiness::NotReady { reason } => text(status, &format!("not ready: {reason}\n")),
            Readiness::Failed { reason } => text(status, &format!("failed: {reason}\n")),
        }
    }

    fn metrics(&self, authorization: Option<&HeaderValue>, peer: &Peer) -> Response<Body> {
        // A header that is no text is no token either.
        let authorization = authorization.map(|value| value.to_str().unwrap_or_default());
        match (self.guard)(authorization, peer) {
            Ok(()) => {
                let mut response = text(StatusCode::OK, &(self.metrics)());
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                response
            }
            Err(denied) => refusal(&denied),
        }
    }
}

fn refusal(denied: &Denied) -> Response<Body> {
    let status = if denied.unknown { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
    let mut response = text(status, &denied.text);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn text(status: StatusCode, words: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(words.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
