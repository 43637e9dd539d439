//! What a daemon takes from the outside besides its configuration, so that the same code runs on a machine and in a simulation of many.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use futures_util::Stream;
use squall_types::cluster::UnixMillis;
use tokio::io::{AsyncRead, AsyncWrite};

/// The wall clock.
pub trait Clock: Send + Sync + 'static {
    /// What time it is.
    fn now(&self) -> UnixMillis;
}

/// Randomness.
pub trait Random: Send + Sync + 'static {
    /// Puts bits in that nobody can foretell; in a simulation, those of its seed.
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn Random {
    /// Random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random number.
    pub fn number(&self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }
}

/// A connection's bytes.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Bytes for T {}

/// One end of a connection.
pub type Connection = Box<dyn Bytes>;

/// A future of a trait that is used as an object.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Connections as they come in, each with where from.
pub type Incoming = Pin<Box<dyn Stream<Item = std::io::Result<(Connection, SocketAddr)>> + Send>>;

/// A network of bytes; what is spoken on it is up to the daemon.
pub trait Network: Send + Sync + 'static {
    /// Listens. Says where, for a port that the system chooses.
    ///
    /// # Errors
    /// If the system doesn't let it.
    fn bind(&self, address: SocketAddr) -> BoxFuture<std::io::Result<(SocketAddr, Incoming)>>;

    /// Connects to a `host:port`.
    ///
    /// # Errors
    /// If nobody answers there.
    fn connect(&self, address: String) -> BoxFuture<std::io::Result<Connection>>;
}

/// The machine that this process runs on.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

impl Clock for Machine {
    #[allow(clippy::disallowed_methods, reason = "the one place where a daemon reads the wall clock")]
    fn now(&self) -> UnixMillis {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        UnixMillis::ZERO.plus(since)
    }
}

impl Random for Machine {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("a system without randomness can't run TLS either");
    }
}

impl Network for Machine {
    fn bind(&self, address: SocketAddr) -> BoxFuture<std::io::Result<(SocketAddr, Incoming)>> {
        Box::pin(async move {
            let listener = tokio::net::TcpListener::bind(address).await?;
            let local = listener.local_addr()?;
            let accepted = futures_util::stream::unfold(listener, |listener| async move {
                let accepted = listener.accept().await.map(|(stream, from)| (nodelay(stream), from));
                Some((accepted, listener))
            });
            Ok((local, Box::pin(accepted) as Incoming))
        })
    }

    fn connect(&self, address: String) -> BoxFuture<std::io::Result<Connection>> {
        Box::pin(async move { Ok(nodelay(tokio::net::TcpStream::connect(address).await?)) })
    }
}

fn nodelay(stream: tokio::net::TcpStream) -> Connection {
    // A socket that can't be told so works all the same, only slower.
    let _ = stream.set_nodelay(true);
    Box::new(stream)
}
