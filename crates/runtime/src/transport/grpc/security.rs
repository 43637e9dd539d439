//! Connections in plain text or with TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use squall_types::cluster::SlotId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// How long a caller may take to come to terms on TLS.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);

/// Whether a certificate, which its authority was found to have signed, is a slot's.
pub type Belongs = dyn Fn(&CertificateDer<'_>, &SlotId) -> bool + Send + Sync;

/// How connections are protected.
#[derive(Clone)]
pub enum Security {
    /// Not at all.
    Plain,
    /// With TLS at both ends.
    Tls(Tls),
}

/// What TLS needs. Verifying who signed is up to the two configurations, which must ask for certificates of both ends.
#[derive(Clone)]
pub struct Tls {
    /// For calls. Its verifier is given the host of the peer's address as a name.
    pub client: Arc<ClientConfig>,
    /// For being called.
    pub server: Arc<ServerConfig>,
    /// Whose a certificate is.
    pub belongs: Arc<Belongs>,
}

impl Security {
    pub(super) async fn call(&self, stream: TcpStream, host: &str) -> io::Result<Line> {
        let Self::Tls(tls) = self else { return Ok(Line::Plain(stream)) };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(tls.client.clone()).connect(name, stream).await?;
        Ok(Line::Tls(Box::new(stream.into())))
    }

    pub(super) async fn answer(&self, stream: TcpStream) -> io::Result<Line> {
        let Self::Tls(tls) = self else { return Ok(Line::Plain(stream)) };
        let accepted = tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(tls.server.clone()).accept(stream)).await;
        let stream = accepted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(Line::Tls(Box::new(stream.into())))
    }

    /// Whether who showed this certificate is that slot. In plain text everybody is who it says.
    pub(super) fn is(&self, certificate: Option<&CertificateDer<'_>>, slot: &SlotId) -> bool {
        match self {
            Self::Plain => true,
            Self::Tls(tls) => certificate.is_some_and(|certificate| (tls.belongs)(certificate, slot)),
        }
    }
}

/// A connection.
pub(super) enum Line {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Line {
    /// What the other end has shown.
    pub(super) fn certificate(&self) -> Option<CertificateDer<'static>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => Some(stream.get_ref().1.peer_certificates()?.first()?.clone().into_owned()),
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
