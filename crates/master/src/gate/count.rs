//! Counts calls by how they went, and times them.

use http::Response;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};

use super::table::Call;
use crate::metrics::{Answer, Method, Metrics};

/// A call under way. Dropped before it is answered, its caller has gone.
pub(super) struct Counted<'a> {
    metrics: &'a Metrics,
    method: Option<&'static str>,
    begun: Instant,
    code: Code,
}

impl<'a> Counted<'a> {
    pub(super) fn new(metrics: &'a Metrics, call: Option<&Call>) -> Self {
        metrics.in_flight.inc();
        let method = call.and_then(|call| call.path.strip_prefix("/squall.v1."));
        Self { metrics, method, begun: Instant::now(), code: Code::Cancelled }
    }

    pub(super) fn answered(mut self, response: &Response<Body>) {
        self.code = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        let Some(method) = self.method else { return };
        self.metrics.requests.get_or_create(&Answer { method, code: name(self.code) }).inc();
        self.metrics.request_seconds.get_or_create(&Method { method }).observe(self.begun.elapsed().as_secs_f64());
    }
}

const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
