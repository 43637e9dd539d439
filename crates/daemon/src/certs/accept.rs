//! The end that is called.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;

use super::fault::{End, TlsFault};
use super::identity::{Identity, Shown};
use super::material::Material;
use super::prefixed::Prefixed;

/// How long a client may take to say who it is.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client that speaks the wrong way may take to hear so.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// A TLS record of a handshake starts with this byte; no request of HTTP does.
const HANDSHAKE: u8 = 0x16;

/// What a client of HTTP/2 that speaks plain text is told: settings (none), then `GOAWAY` for a protocol error, with the reason in words.
const SPEAK_TLS: &str = "SQ6107: this port speaks TLS, and the client plain text";

/// What a client that speaks TLS is told: no TLS record, so that it sees plain text.
const SPEAK_PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 55\r\n\r\n\
SQ6108: this port speaks plain text, and the client TLS";

/// Who is at the other end of a connection. Each request carries it in its extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it calls from; unknown in a simulation without addresses.
    pub address: Option<SocketAddr>,
    /// Who it is by its certificate.
    pub identity: Shown,
}

/// How calls are taken: in plain text, or with TLS.
#[derive(Clone)]
pub struct Server(Option<TlsAcceptor>);

impl Server {
    /// In plain text.
    pub const fn plain() -> Self {
        Self(None)
    }

    /// With TLS. Clients may show a certificate of the cluster's authority, or none; another is refused.
    pub fn with_certificate(material: &Material, time: Arc<dyn TimeProvider>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(material.roots.clone());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
            .allow_unauthenticated()
            .build()
            .expect("an authority's file has at least one certificate");
        let mut config = ServerConfig::builder_with_details(provider, time)
            .with_safe_default_protocol_versions()
            .expect("ring's ciphers are of TLS 1.2 and 1.3")
            .with_client_cert_verifier(verifier)
            .with_single_cert(material.chain.clone(), material.key.clone_key())
            .expect("material has a key that was found to match its certificate");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self(Some(TlsAcceptor::from(Arc::new(config))))
    }

    /// Takes a connection: finds out who is there. A client that speaks the wrong way is told so in its own.
    ///
    /// # Errors
    /// If it speaks the wrong way, has a certificate that isn't good, or takes longer than [`HANDSHAKE_TIMEOUT`].
    pub async fn accept<S>(&self, stream: S, address: Option<SocketAddr>) -> Result<Accepted<S>, TlsFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let accepted = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.greet(stream, address)).await;
        accepted.unwrap_or_else(|_| Err(TlsFault::Broken(io::ErrorKind::TimedOut.into())))
    }

    async fn greet<S>(&self, stream: S, address: Option<SocketAddr>) -> Result<Accepted<S>, TlsFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (first, mut stream) = Prefixed::peek(stream).await.map_err(TlsFault::Broken)?;
        match (&self.0, first) {
            (_, None) => Err(TlsFault::Broken(io::ErrorKind::UnexpectedEof.into())),
            (None, Some(HANDSHAKE)) => {
                farewell(&mut stream, SPEAK_PLAIN).await;
                Err(TlsFault::TlsClient)
            }
            (None, Some(_)) => {
                Ok(Accepted { stream: Stream::Plain(stream), peer: Peer { address, identity: Ok(None) } })
            }
            (Some(acceptor), Some(HANDSHAKE)) => encrypted(acceptor, stream, address).await,
            (Some(_), Some(_)) => {
                farewell(&mut stream, &go_away(SPEAK_TLS)).await;
                Err(TlsFault::PlainClient)
            }
        }
    }
}

async fn encrypted<S>(
    acceptor: &TlsAcceptor,
    stream: Prefixed<S>,
    address: Option<SocketAddr>,
) -> Result<Accepted<S>, TlsFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = acceptor.accept(stream).await.map_err(|error| TlsFault::of_handshake(error, End::Server))?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let identity = certificate.map(|certificate| Identity::of(certificate)).transpose();
    Ok(Accepted { stream: Stream::Tls(Box::new(stream)), peer: Peer { address, identity } })
}

/// Says why, and takes a little of what still comes: to close on unread bytes would reset the connection, and the words with it.
async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, words: &[u8]) {
    let said = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(64 << 10), &mut tokio::io::sink()).await
    };
    // Whether it arrives is the client's luck: it is refused anyhow.
    let _ = tokio::time::timeout(FAREWELL_TIMEOUT, said).await;
}

/// Frames of HTTP/2 (RFC 9113): empty `SETTINGS`, then `GOAWAY` on stream 0 with last stream 0, `PROTOCOL_ERROR` and these words.
fn go_away(words: &str) -> Vec<u8> {
    let length = u8::try_from(8 + words.len()).expect("the words are short");
    let mut frames = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
    frames.extend([0, 0, length, 7, 0, 0, 0, 0, 0]);
    frames.extend([0, 0, 0, 0, 0, 0, 0, 1]);
    frames.extend_from_slice(words.as_bytes());
    frames
}

/// A connection whose other end is known.
#[derive(Debug)]
pub struct Accepted<S> {
    stream: Stream<S>,
    peer: Peer,
}

#[derive(Debug)]
enum Stream<S> {
    Plain(Prefixed<S>),
    Tls(Box<tokio_rustls::server::TlsStream<Prefixed<S>>>),
}

impl<S> Accepted<S> {
    /// Who is at the other end.
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl<S> Connected for Accepted<S> {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Accepted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Accepted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
