//! A connection to a peer: greeting it, and opening channels.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_TYPE, TE};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use squall_proto::internal::peers_client::PeersClient;
use squall_proto::internal::{Frame, LaneNotice};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::codec::Codec as _;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;
use tower::Service;

use super::client::{Calls, unreachable};
use super::outbound::GrpcOutbound;
use super::queue::queue;
use super::settings::Settings;
use super::{CHANNEL, convert};
use crate::transport::{Channel, ConnectError, Connection, Hello, Outbound, Welcome};

/// HTTP asks for a host; who is at the other end is known by the hello.
const ORIGIN: &str = "http://slot";
const SEND: &str = "http://slot/squall.internal.v1.Tuples/Send";

/// A connection to a peer.
pub(super) struct GrpcConnection {
    send: Calls,
    gone: CancellationToken,
    settings: Settings,
    tasks: TaskTracker,
    /// Whether this end would compress.
    far: bool,
    /// Whether both would.
    pack: Arc<AtomicBool>,
}

impl GrpcConnection {
    pub(super) fn new(send: Calls, gone: CancellationToken, settings: Settings, tasks: TaskTracker, far: bool) -> Self {
        Self { send, gone, settings, tasks, far, pack: Arc::default() }
    }

    /// Waits for an answer as long as a peer may take.
    async fn answer<T>(&self, answer: impl Future<Output = Result<T, ConnectError>>) -> Result<T, ConnectError> {
        tokio::time::timeout(self.settings.reach, answer).await.map_err(unreachable)?
    }

    async fn say_hello(&self, hello: &Hello) -> Result<Welcome, ConnectError> {
        let mut peers = PeersClient::with_origin(Caller(self.send.clone()), Uri::from_static(ORIGIN));
        let said = peers.greet(convert::hello(hello, self.far)).await.map_err(refused)?.into_inner();
        self.pack.store(self.far && said.pack, Relaxed);
        convert::read_welcome(said).map_err(unreachable)
    }

    async fn open_channel(&self, channel: Channel) -> Result<Box<dyn Outbound>, ConnectError> {
        let (sending, taking) = queue();
        let mut request = Request::new(Body::new(taking.map_err(|never: Infallible| match never {})));
        *request.method_mut() = http::Method::POST;
        *request.version_mut() = http::Version::HTTP_2;
        *request.uri_mut() = Uri::from_static(SEND);
        let word = convert::channel(channel).try_into().expect("a channel's word is of letters and digits");
        let headers = request.headers_mut();
        headers.insert(TE, http::HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/grpc"));
        headers.insert(CHANNEL, word);
        let response = self.send.clone().send_request(request).await.map_err(unreachable)?;
        match Status::from_header_map(response.headers()) {
            Some(status) => return Err(refused(status)),
            None if response.status() != StatusCode::OK => {
                return Err(unreachable(format!("it is no slot: HTTP status {}", response.status())));
            }
            None => {}
        }
        let row_cost_ns = Arc::default();
        self.tasks.spawn(heed(channel, response.into_body(), Arc::clone(&row_cost_ns)));
        Ok(Box::new(GrpcOutbound::new(sending, self.pack.clone(), row_cost_ns)))
    }
}

fn refused(status: Status) -> ConnectError {
    convert::read_refusal(&status).map_or_else(|| unreachable(status), ConnectError::Refused)
}

/// Takes what the peer tells of a channel, until that ends, and says why if it is the peer who has ended it.
async fn heed(channel: Channel, body: Incoming, row_cost_ns: Arc<AtomicU32>) {
    let decoder = ProstCodec::<Frame, LaneNotice>::default().decoder();
    let mut notices = Streaming::new_response(decoder, body, StatusCode::OK, None, None);
    loop {
        match notices.message().await {
            Ok(Some(notice)) => row_cost_ns.store(notice.row_cost_ns, Relaxed),
            Ok(None) => return,
            Err(status) => {
                // A connection that is lost says so to its owner.
                if status.code() == tonic::Code::FailedPrecondition {
                    tracing::warn!("the peer has ended channel {channel:?}: {}", status.message());
                }
                return;
            }
        }
    }
}

impl Connection for GrpcConnection {
    fn greet<'a>(&'a self, hello: &'a Hello) -> BoxFuture<'a, Result<Welcome, ConnectError>> {
        self.answer(self.say_hello(hello)).boxed()
    }

    fn open(&self, channel: Channel) -> BoxFuture<'_, Result<Box<dyn Outbound>, ConnectError>> {
        self.answer(self.open_channel(channel)).boxed()
    }

    fn lost(&self) -> BoxFuture<'_, ()> {
        self.gone.cancelled().boxed()
    }
}

/// What generated clients call through.
struct Caller(Calls);

impl Service<Request<Body>> for Caller {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.send_request(request).boxed()
    }
}
