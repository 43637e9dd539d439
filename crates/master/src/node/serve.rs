//! Connections come in, are found out about, and get the services behind the gate.

use std::sync::Arc;
use std::time::Duration;

use squall_daemon::greeted;
use squall_proto::internal::formation_server::FormationServer;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server as Grpc;
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::bootstrap::FormationService;
use crate::certs::Server;
use crate::env::Incoming;
use crate::error::NodeError;
use crate::gate::{Gate, GateLayer};
use crate::metrics::{Kind, Metrics};

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
        let refused = metrics.refused.get_or_create(&Kind { kind: "api" }).clone();
        let refused = move || {
            refused.inc();
        };
        let serving = Grpc::builder()
            .layer(GateLayer(gate))
            .max_concurrent_streams(streams)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .add_service(health)
            .add_service(reflection)
            .add_service(formation)
            .serve_with_incoming_shutdown(greeted(server, incoming, refused), stop.clone().cancelled_owned());
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
