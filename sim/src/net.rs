//! The simulated network, as tonic's servers and channels take it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;
use tonic::transport::{Channel, Endpoint, Uri};
use turmoil::net::{TcpListener, TcpStream};

/// A simulated connection.
pub struct Stream(TcpStream);

impl Connected for Stream {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// What comes in at a port of the host that calls this.
pub async fn listen(port: u16) -> io::Result<impl tokio_stream::Stream<Item = io::Result<Stream>>> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    Ok(futures_util::stream::unfold(listener, |listener| async {
        let accepted = listener.accept().await.map(|(stream, _)| Stream(stream));
        Some((accepted, listener))
    }))
}

/// A channel to a host's port, connected when it is first used.
pub fn channel(to: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{to}")).expect("a host's name and a port are an address");
    endpoint.connect_with_connector_lazy(tower::service_fn(|uri: Uri| async move {
        let to = uri.authority().expect("made from a host and a port").as_str().to_owned();
        TcpStream::connect(to).await.map(|stream| TokioIo::new(Stream(stream)))
    }))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use squall_proto::internal as wire;
    use squall_proto::internal::raft_client::RaftClient;
    use squall_proto::internal::raft_server::{Raft, RaftServer};
    use tonic::transport::Server;
    use tonic::{Request, Response, Status, Streaming};

    use super::*;

    /// Answers one call.
    struct Identifies;

    #[tonic::async_trait]
    impl Raft for Identifies {
        type MessagesStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<wire::Ack, Status>> + Send>>;

        async fn messages(
            &self,
            _: Request<Streaming<wire::Envelope>>,
        ) -> Result<Response<Self::MessagesStream>, Status> {
            Err(Status::unimplemented(""))
        }

        async fn install_snapshot(
            &self,
            _: Request<Streaming<wire::SnapshotChunk>>,
        ) -> Result<Response<wire::SnapshotResult>, Status> {
            Err(Status::unimplemented(""))
        }

        async fn identify(&self, _: Request<wire::IdentifyRequest>) -> Result<Response<wire::Identity>, Status> {
            Ok(Response::new(wire::Identity { name: "a".to_owned(), ..Default::default() }))
        }

        async fn seed(&self, _: Request<wire::SeedRequest>) -> Result<Response<wire::SeedResponse>, Status> {
            Err(Status::unimplemented(""))
        }
    }

    #[test]
    fn a_generated_client_and_a_server_meet_on_the_simulated_network() {
        let mut sim = turmoil::Builder::new().rng_seed(7).build();
        sim.host("a", || async {
            let server = Server::builder().add_service(RaftServer::new(Identifies));
            Ok(server.serve_with_incoming(listen(7400).await?).await?)
        });
        sim.client("b", async {
            let mut client = RaftClient::new(channel("a:7400"));
            let identity = client.identify(wire::IdentifyRequest::default()).await?.into_inner();
            assert_eq!(identity.name, "a");
            Ok(())
        });
        sim.run().unwrap();
    }
}
