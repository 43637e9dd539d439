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

/// A connection that shows the token.
pub type Link = InterceptedService<Channel, Bearer>;

/// Shows a token with each call.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    /// This token, if there is one.
    pub fn new(token: Option<&str>) -> Self {
        let value = token.and_then(|token| format!("Bearer {token}").parse().ok());
        Self(value.map(|mut value: MetadataValue<Ascii>| {
            value.set_sensitive(true);
            value
        }))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
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
