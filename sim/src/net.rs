//! The simulated network, as tonic's servers and channels take it.
//!
//! Simulated TCP never sends a lost segment again: a connection over which one was lost hangs for ever, and no timeout of the system ends it.
//! [`Breaks`] ends it, once the network is whole again.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tonic::transport::server::Connected;
use tonic::transport::{Channel, Endpoint, Uri};
use turmoil::net::{TcpListener, TcpStream};

/// After what silence a connection is asked whether it lives, and how long it may take to say so.
const SILENCE: Duration = Duration::from_secs(1);

/// Ends connections. Its clones end the same.
#[derive(Clone, Debug)]
pub struct Breaks(watch::Sender<Broken>);

/// How often the connections between two hosts were ended.
type Broken = BTreeMap<(IpAddr, IpAddr), u64>;

impl Default for Breaks {
    fn default() -> Self {
        Self(watch::Sender::new(Broken::new()))
    }
}

impl Breaks {
    /// Ends all connections between two hosts, at both ends.
    pub fn between(&self, one: IpAddr, other: IpAddr) {
        self.0.send_modify(|broken| *broken.entry(pair(one, other)).or_default() += 1);
    }

    /// What comes in at a port of the host that calls this.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn listen(
        &self,
        port: u16,
    ) -> io::Result<impl futures_util::Stream<Item = io::Result<Stream>> + Send + 'static + use<>> {
        let listener = TcpListener::bind(("0.0.0.0", port)).await?;
        let breaks = self.clone();
        Ok(futures_util::stream::unfold((listener, breaks), |(listener, breaks)| async {
            let accepted = listener.accept().await.and_then(|(stream, _)| breaks.watch(stream));
            Some((accepted, (listener, breaks)))
        }))
    }

    /// Connects to a host's port.
    ///
    /// # Errors
    /// If nobody listens there.
    pub async fn connect(&self, to: &str) -> io::Result<Stream> {
        self.watch(TcpStream::connect(to).await?)
    }

    /// A channel to a host's port, connected when it is first used.
    pub fn channel(&self, to: &str) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{to}")).expect("a host's name and a port are an address");
        let breaks = self.clone();
        let endpoint =
            endpoint.http2_keep_alive_interval(SILENCE).keep_alive_timeout(SILENCE).keep_alive_while_idle(true);
        endpoint.connect_with_connector_lazy(tower::service_fn(move |uri: Uri| {
            let breaks = breaks.clone();
            async move {
                let to = uri.authority().expect("made from a host and a port").as_str().to_owned();
                breaks.connect(&to).await.map(TokioIo::new)
            }
        }))
    }

    /// A connection that ends when it is to be ended.
    ///
    /// # Errors
    /// If it has ended.
    pub fn watch(&self, stream: TcpStream) -> io::Result<Stream> {
        let ends = pair(stream.local_addr()?.ip(), stream.peer_addr()?.ip());
        let mut broken = self.0.subscribe();
        let count = move |broken: &Broken| broken.get(&ends).copied().unwrap_or_default();
        let now = count(&broken.borrow());
        let end = Box::pin(async move {
            // The sender goes with the simulation.
            let _ = broken.wait_for(|broken| count(broken) > now).await;
        });
        Ok(Stream { stream, end, ended: false })
    }
}

fn pair(one: IpAddr, other: IpAddr) -> (IpAddr, IpAddr) {
    (one.min(other), one.max(other))
}

/// A simulated connection.
pub struct Stream {
    stream: TcpStream,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

impl Stream {
    fn poll_end(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.ended = self.ended || self.end.as_mut().poll(cx).is_ready();
        if self.ended { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Connected for Stream {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_end(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_end(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use squall_proto::internal as wire;
    use squall_proto::internal::formation_client::FormationClient;
    use squall_proto::internal::formation_server::{Formation, FormationServer};
    use tokio::io::AsyncReadExt;
    use tonic::transport::Server;
    use tonic::{Request, Response, Status};

    use super::*;

    /// Answers one call.
    struct Identifies;

    #[tonic::async_trait]
    impl Formation for Identifies {
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
        sim.host("a", serve);
        sim.client("b", async {
            let mut client = FormationClient::new(Breaks::default().channel("a:7400"));
            let identity = client.identify(wire::IdentifyRequest::default()).await?.into_inner();
            assert_eq!(identity.name, "a");
            Ok(())
        });
        sim.run().unwrap();
    }

    async fn serve() -> turmoil::Result {
        let server = Server::builder().add_service(FormationServer::new(Identifies));
        Ok(server.serve_with_incoming(Breaks::default().listen(7400).await?).await?)
    }

    #[test]
    fn a_connection_that_is_ended_says_so_and_a_new_one_works() {
        let breaks = Breaks::default();
        let mut sim = turmoil::Builder::new().rng_seed(7).build();
        sim.host("a", serve);
        let ends = ["a", "b"].map(|host| sim.lookup(host));
        sim.client("b", async move {
            let mut stream = breaks.connect("a:7400").await?;
            let mut byte = [0; 1];
            // The server's preface comes first.
            stream.read_exact(&mut byte).await?;
            breaks.between(ends[1], ends[0]);
            let ended = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
            assert_eq!(ended.kind(), io::ErrorKind::ConnectionReset);
            breaks.connect("a:7400").await?.read_exact(&mut byte).await?;
            Ok(())
        });
        sim.run().unwrap();
    }
}
