//! Connections to masters.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use squall_daemon::certs;
use squall_daemon::config::HostPort;
use tokio::net::TcpStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// How long one master may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that shows the token, and says how long an answer may take.
pub type Link = InterceptedService<Channel, Bearer>;

/// Shows a token with each call, and says how long an answer may take: a master that finds no leader says so before that.
#[derive(Clone)]
pub struct Bearer {
    token: Option<MetadataValue<Ascii>>,
    within: Option<Duration>,
}

impl Bearer {
    /// This token, if there is one.
    pub fn new(token: Option<&str>) -> Self {
        let value = token.and_then(|token| format!("Bearer {token}").parse().ok());
        let token = value.map(|mut value: MetadataValue<Ascii>| {
            value.set_sensitive(true);
            value
        });
        Self { token, within: None }
    }

    /// The same for an answer that may take so long.
    pub fn within(&self, within: Option<Duration>) -> Self {
        Self { within, ..self.clone() }
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(within) = self.within {
            request.set_timeout(within);
        }
        if let Some(value) = &self.token {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// Connects to one master, and finds out that it is one if TLS is spoken.
pub async fn connect(tls: &certs::Client, address: &HostPort) -> Result<Channel, tonic::transport::Error> {
    // The connector below speaks TLS: to tonic it is plain.
    let endpoint =
        Endpoint::from_shared(format!("http://{address}"))?.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true);
    let (tls, address) = (tls.clone(), address.clone());
    let connector = tower::service_fn(move |_| {
        let (tls, address) = (tls.clone(), address.clone());
        async move {
            let stream = TcpStream::connect((address.host(), address.port())).await?;
            stream.set_nodelay(true)?;
            let secured = tls.secure(stream, &address).await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(TokioIo::new(secured))
        }
    });
    endpoint.connect_with_connector(connector).await
}
