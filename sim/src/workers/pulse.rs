//! What answers probes.

use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Answers while it runs; a program that hangs answers nothing, though its machine takes connections.
pub struct Pulse(pub watch::Receiver<bool>);

type Never = futures_util::stream::Pending<Result<HealthCheckResponse, Status>>;

#[tonic::async_trait]
impl Health for Pulse {
    type WatchStream = Never;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !*self.0.borrow() {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Never>, Status> {
        Err(Status::unimplemented("workers of the simulation are only asked"))
    }
}
