//! What gRPC itself carries over one connection on loopback: messages of 64 KiB, copied once where they are made, with nothing in them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt as _};
use squall_proto::internal::tuples_client::TuplesClient;
use squall_proto::internal::tuples_server::{Tuples, TuplesServer};
use squall_proto::internal::{Frame, LaneNotice};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use crate::carriage::{Window, runtime, watch};
use crate::error::Error;

const MESSAGE: usize = 64 << 10;
const WINDOW: u32 = 4 << 20;
const CONNECTION: u32 = 64 << 20;
const PIECE: u32 = 256 << 10;

struct Count(Arc<AtomicU64>);

#[tonic::async_trait]
impl Tuples for Count {
    type SendStream = Pin<Box<dyn Stream<Item = Result<LaneNotice, Status>> + Send>>;

    async fn send(&self, request: Request<Streaming<Frame>>) -> Result<Response<Self::SendStream>, Status> {
        let (bytes, frames) = (self.0.clone(), request.into_inner());
        let counting = stream::unfold((bytes, frames), async |(bytes, mut frames)| {
            while let Ok(Some(frame)) = frames.message().await {
                bytes.fetch_add(frame.data.len() as u64, Relaxed);
            }
            None
        });
        Ok(Response::new(counting.boxed()))
    }
}

async fn serve(listener: TcpListener, bytes: Arc<AtomicU64>, stop: tokio_util::sync::CancellationToken) {
    let mut server = Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION)
        .max_frame_size(PIECE);
    let incoming = TcpListenerStream::new(listener).map(|stream| {
        stream.and_then(|stream| {
            stream.set_nodelay(true)?;
            Ok(stream)
        })
    });
    let serving = server.add_service(TuplesServer::new(Count(bytes))).serve_with_incoming(incoming);
    tokio::select! {
        _ = serving => {}
        () = stop.cancelled() => {}
    }
}

async fn send(address: std::net::SocketAddr, stop: Arc<AtomicBool>) -> Result<(), Error> {
    let fail = |_| Error::Shape("bare gRPC can't be reached");
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(fail)?;
    let channel = endpoint.tcp_nodelay(true).connect().await.map_err(fail)?;
    let source = vec![7; MESSAGE];
    let messages = stream::repeat_with(move || {
        let mut message = BytesMut::with_capacity(MESSAGE);
        message.extend_from_slice(&source);
        Frame { data: Bytes::from(message) }
    });
    let messages = messages.take_while(move |_| std::future::ready(!stop.load(Relaxed)));
    let answer = TuplesClient::new(channel).send(messages).await;
    let mut answers = answer.map_err(|_| Error::Shape("bare gRPC was refused"))?.into_inner();
    while let Ok(Some(LaneNotice { .. })) = answers.message().await {}
    Ok(())
}

/// Bytes a second.
///
/// # Errors
/// The system refuses a thread or a socket.
pub fn run(seconds: f64) -> Result<Window, Error> {
    let (bytes, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (taker, sender) = (runtime()?, runtime()?);
    let listener = taker.block_on(TcpListener::bind("127.0.0.1:0")).map_err(Error::Thread)?;
    let address = listener.local_addr().map_err(Error::Thread)?;
    let (count, done, stopped) = (bytes.clone(), tokio_util::sync::CancellationToken::new(), stop.clone());
    let finished = done.clone();
    let spawn = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let taking =
        spawn("taking").spawn(move || taker.block_on(serve(listener, count, finished))).map_err(Error::Thread)?;
    let sending = spawn("sending").spawn(move || sender.block_on(send(address, stopped))).map_err(Error::Thread)?;
    let window = watch(&bytes, seconds);
    stop.store(true, Relaxed);
    let sent = sending.join().expect("the sender doesn't panic");
    done.cancel();
    taking.join().expect("the taker doesn't panic");
    sent?;
    window
}
