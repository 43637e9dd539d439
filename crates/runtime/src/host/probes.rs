//! The port where a slot answers other machines: whether it lives.

use std::io;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

/// Listens at this `address:port`, or at a port of the system's choice if that one is taken: by whom it is told to others, it doesn't
/// matter which it is.
async fn bind(listen: &str) -> io::Result<TcpListener> {
    match TcpListener::bind(listen).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
            TcpListener::bind(format!("{host}:0")).await
        }
        bound => bound,
    }
}

/// Answers there as long as the process lives. Returns the port.
pub(super) async fn answer(listen: &str) -> io::Result<u16> {
    let listener = bind(listen).await?;
    let port = listener.local_addr()?.port();
    let (health, service) = tonic_health::server::health_reporter();
    health.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let incoming = TcpListenerStream::new(listener);
    tokio::spawn(async move {
        if let Err(error) = tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await
        {
            tracing::error!(error = error.to_string(), "other slots can't be listened to any more");
        }
    });
    Ok(port)
}

#[cfg(test)]
mod tests {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_no_reason_not_to_listen() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let port = answer(&address.to_string()).await.unwrap();
        assert_ne!(port, address.port());
        let mut client = HealthClient::connect(format!("http://127.0.0.1:{port}")).await.unwrap();
        assert!(client.check(HealthCheckRequest::default()).await.is_ok());
    }
}
