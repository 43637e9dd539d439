//! Connections come in, are found out about, and get the services behind the gate.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use squall_proto::internal::formation_server::FormationServer;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server as Grpc;
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::bootstrap::FormationService;
use crate::certs::{Accepted, Server, TlsFault};
use crate::env::{Connection, Incoming};
use crate::error::{NodeError, chain};
use crate::gate::{Gate, GateLayer};
use crate::metrics::{Kind, Metrics};

/// Connections that say who they are at the same time.
const GREETED_AT_ONCE: usize = 256;
/// After what silence a client is asked whether it lives, and how long it may take to say so.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How long calls under way may take once the master stops.
const GRACE: Duration = Duration::from_millis(200);

/// What is served.
pub(super) struct Served {
    pub server: Server,
    pub gate: Arc<Gate>,
    pub formation: FormationService,
    pub metrics: Metrics,
    pub streams: u32,
    pub message: usize,
    pub stop: CancellationToken,
}

impl Served {
    pub(super) async fn run<H: Health>(self, incoming: Incoming, health: HealthServer<H>) -> Result<(), NodeError> {
        let Self { server, gate, formation, metrics, streams, message, stop } = self;
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(squall_proto::DESCRIPTORS)
            .build_v1()
            .expect("the descriptors are those that the services were generated from");
        let formation = FormationServer::new(formation).max_decoding_message_size(message);
        let serving = Grpc::builder()
            .layer(GateLayer(gate))
            .max_concurrent_streams(streams)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .add_service(health)
            .add_service(reflection)
            .add_service(formation)
            .serve_with_incoming_shutdown(greeted(server, incoming, metrics), stop.clone().cancelled_owned());
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            served = serving => served.map_err(|error| NodeError::Serve(Arc::new(error))),
            () = late => Ok(()),
        }
    }
}

/// The connections of which it is known who is at their other end.
fn greeted(
    server: Server,
    incoming: Incoming,
    metrics: Metrics,
) -> impl Stream<Item = std::io::Result<Accepted<Connection>>> {
    let greeted = incoming.map(move |connection| {
        let (server, metrics) = (server.clone(), metrics.clone());
        async move {
            let (connection, from) =
                connection.inspect_err(|error| tracing::warn!("no connection could be taken: {error}")).ok()?;
            let accepted = server.accept(connection, Some(from)).await;
            let refused = |fault: &TlsFault| {
                tracing::warn!(code = %fault.code(), "{from} was turned away: {}", chain(fault));
                metrics.refused.get_or_create(&Kind { kind: "api" }).inc();
            };
            accepted.inspect_err(refused).ok()
        }
    });
    greeted.buffer_unordered(GREETED_AT_ONCE).filter_map(|accepted| async move { accepted.map(Ok) })
}
