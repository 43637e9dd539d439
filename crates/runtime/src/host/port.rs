//! The port where a slot answers other machines: slots of its topology, and who asks whether it lives.

use std::io;
use std::sync::{Arc, OnceLock};

use squall_types::cluster::Refusal;
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};

use crate::transport::grpc::{self, GrpcTransport, Security, Settings};
use crate::transport::{Acceptor, Channel, Hello, Inbound, Welcome};

/// Where a slot meets others. What is under way on it ends with it.
pub(super) struct Port {
    /// User code runs elsewhere: a slow `execute` must not make this slot look dead to its peers.
    runtime: Option<Runtime>,
    door: Arc<Door>,
    number: u16,
}

impl Port {
    /// Listens at this `address:port`, or at a port of the system's choice if that one is taken: others are told which it is.
    pub(super) async fn open(listen: &str) -> io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).div_ceil(4);
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(threads).thread_name("squall-peers").enable_all().build()?;
        let door = Arc::new(Door::default());
        let (listen, shared) = (listen.to_owned(), door.clone());
        let opened = runtime.spawn(async move {
            let listener = bind(&listen).await?;
            let number = listener.local_addr()?.port();
            let (health, service) = tonic_health::server::health_reporter();
            health.set_service_status("", tonic_health::ServingStatus::Serving).await;
            let routes = grpc::services(shared, Security::Plain).add_service(service);
            // Ends with the runtime.
            tokio::spawn(grpc::serve(listener, Security::Plain, Settings::DEFAULT, routes, std::future::pending()));
            Ok::<_, io::Error>(number)
        });
        let number = opened.await.map_err(io::Error::other)??;
        Ok(Self { runtime: Some(runtime), door, number })
    }

    /// Its number.
    pub(super) const fn number(&self) -> u16 {
        self.number
    }

    /// Reaches other slots' ports.
    pub(super) fn transport(&self) -> GrpcTransport {
        let handle = self.runtime.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone());
        GrpcTransport::new(Settings::DEFAULT, Security::Plain, handle)
    }

    /// Lets others in from now on.
    pub(super) fn let_in(&self, acceptor: Arc<dyn Acceptor>) {
        // A slot is made once in a process's life.
        let _ = self.door.0.set(acceptor);
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // Nobody waits for what is under way.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

async fn bind(listen: &str) -> io::Result<TcpListener> {
    match TcpListener::bind(listen).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
            TcpListener::bind(format!("{host}:0")).await
        }
        bound => bound,
    }
}

/// Lets nobody in before the topology runs.
#[derive(Default)]
struct Door(OnceLock<Arc<dyn Acceptor>>);

impl Door {
    fn acceptor(&self) -> Result<&Arc<dyn Acceptor>, Refusal> {
        // They ask again.
        self.0.get().ok_or(Refusal::NoSuchLane)
    }
}

impl Acceptor for Door {
    fn greet(&self, hello: &Hello) -> Result<Welcome, Refusal> {
        self.acceptor()?.greet(hello)
    }

    fn accept(&self, from: &Hello, channel: Channel) -> Result<Box<dyn Inbound>, Refusal> {
        self.acceptor()?.accept(from, channel)
    }
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
        let port = Port::open(&address.to_string()).await.unwrap();
        assert_ne!(port.number(), address.port());
        let address = format!("http://127.0.0.1:{}", port.number());
        let channel = tonic::transport::Channel::from_shared(address).unwrap().connect().await.unwrap();
        let mut client = HealthClient::new(channel);
        assert!(client.check(HealthCheckRequest::default()).await.is_ok());
    }
}
