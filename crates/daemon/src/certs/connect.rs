//! The end that calls.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::ServerName;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

use super::fault::{End, TlsFault};
use super::material::{Material, MaterialError};
use super::verify::{Expected, KindVerifier};
use crate::config::HostPort;

/// How daemons are called: in plain text, or with TLS.
#[derive(Clone)]
pub struct Client(Option<TlsConnector>);

impl Client {
    /// In plain text.
    pub const fn plain() -> Self {
        Self(None)
    }

    /// With TLS and a certificate of one's own, for calls to masters.
    pub fn with_certificate(material: &Material, time: Arc<dyn TimeProvider>) -> Self {
        Self::certified(material, time, Expected::Master)
    }

    /// With TLS and a certificate of one's own, for calls to masters and workers: to see whether they are there.
    pub fn for_probes(material: &Material, time: Arc<dyn TimeProvider>) -> Self {
        Self::certified(material, time, Expected::Daemon)
    }

    fn certified(material: &Material, time: Arc<dyn TimeProvider>, expected: Expected) -> Self {
        let config = builder(material.roots.clone(), time, expected);
        let config = config
            .with_client_auth_cert(material.chain.clone(), material.key.clone_key())
            .expect("material has a key that was found to match its certificate");
        Self::of(config)
    }

    /// With TLS, knowing the cluster's authority alone: who calls shows a token.
    ///
    /// # Errors
    /// If the authority's file can't be read or isn't one.
    pub fn with_authority(ca: &Path, time: Arc<dyn TimeProvider>) -> Result<Self, MaterialError> {
        Ok(Self::of(builder(super::material::roots(ca)?, time, Expected::Master).with_no_client_auth()))
    }

    fn of(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self(Some(TlsConnector::from(Arc::new(config))))
    }

    /// Whether it speaks TLS.
    pub const fn speaks_tls(&self) -> bool {
        self.0.is_some()
    }

    /// Makes a connection fit for calls: checks that a daemon of this cluster, of the kind that is called, is at its other end.
    ///
    /// # Errors
    /// If it isn't, it speaks plain text, or doesn't take this end's certificate.
    pub async fn secure<S>(&self, stream: S, host: &HostPort) -> Result<Secured<S>, TlsFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(connector) = &self.0 else {
            return Ok(Secured::Plain(stream));
        };
        let name = ServerName::try_from(host.host().to_owned())
            .map_err(|_| TlsFault::WrongHost(rustls::Error::UnsupportedNameType))?;
        let tls = connector.connect(name, stream).await.map_err(|error| TlsFault::of_handshake(error, End::Client))?;
        Ok(Secured::Tls(Box::new(tls)))
    }
}

fn builder(
    roots: RootCertStore,
    time: Arc<dyn TimeProvider>,
    expected: Expected,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .expect("an authority's file has at least one certificate");
    ClientConfig::builder_with_details(provider, time)
        .with_safe_default_protocol_versions()
        .expect("ring's ciphers are of TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(KindVerifier(verifier, expected)))
}

/// A connection that calls can go over.
#[derive(Debug)]
pub enum Secured<S> {
    /// In plain text.
    Plain(S),
    /// With TLS.
    Tls(Box<tokio_rustls::client::TlsStream<S>>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
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
