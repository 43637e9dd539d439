//! Errors on the wire: what an operator needs to know of one, in the details of a gRPC status, where any language finds it.

use bytes::Bytes;
use prost::Message;
use squall_types::{Code, Retry};
use tonic::Status;

use crate::v1;

const TYPE_URL: &str = "type.googleapis.com/squall.v1.ErrorDetail";

/// An error as it goes over the wire: a stable code, what happened and why, what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How gRPC sorts it.
    pub grpc: tonic::Code,
    /// What an operator looks up.
    pub code: Code,
    /// What happened, and why.
    pub cause: String,
    /// What to do next.
    pub next_step: String,
    /// Whether the same call may work when made again.
    pub retry: Retry,
    /// The leader's address, where that is what the caller wants.
    pub leader: Option<String>,
}

/// `google.rpc.Status`, which gRPC's libraries expect in `grpc-status-details-bin`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

impl Failure {
    /// The failure that a status carries, if a master of Squall made it.
    pub fn from_status(status: &Status) -> Option<Self> {
        let details = RpcStatus::decode(status.details()).ok()?;
        let any = details.details.iter().find(|any| any.type_url == TYPE_URL)?;
        let detail = v1::ErrorDetail::decode(any.value.as_slice()).ok()?;
        let retry = match detail.retry() {
            v1::Retry::Later => Retry::Later,
            v1::Retry::No | v1::Retry::Unspecified => Retry::No,
        };
        Some(Self {
            grpc: status.code(),
            code: detail.code.parse().ok()?,
            cause: detail.cause,
            next_step: detail.next_step,
            retry,
            leader: Some(detail.leader).filter(|leader| !leader.is_empty()),
        })
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let Failure { grpc, code, cause, next_step, retry, leader } = failure;
        let message = format!("{code}: {cause}");
        let retry = match retry {
            Retry::No => v1::Retry::No,
            Retry::Later => v1::Retry::Later,
        };
        let detail = v1::ErrorDetail {
            code: code.to_string(),
            cause,
            next_step,
            retry: retry.into(),
            leader: leader.unwrap_or_default(),
        };
        let any = prost_types::Any { type_url: TYPE_URL.to_owned(), value: detail.encode_to_vec() };
        let details = RpcStatus { code: grpc as i32, message: message.clone(), details: vec![any] };
        Self::with_details(grpc, message, Bytes::from(details.encode_to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failure() -> Failure {
        Failure {
            grpc: tonic::Code::NotFound,
            code: Code::new(5001),
            cause: "there is no topology word-cuont".to_owned(),
            next_step: "did you mean word-count?".to_owned(),
            retry: Retry::No,
            leader: None,
        }
    }

    #[test]
    fn a_failure_comes_out_of_its_status_as_it_went_in() {
        let leaderless = failure();
        let redirected = Failure { retry: Retry::Later, leader: Some("a:7400".to_owned()), ..failure() };
        for failure in [leaderless, redirected] {
            assert_eq!(Failure::from_status(&Status::from(failure.clone())), Some(failure));
        }
    }

    #[test]
    fn people_who_see_the_status_alone_see_the_code_and_the_cause() {
        assert_eq!(Status::from(failure()).message(), "SQ5001: there is no topology word-cuont");
    }

    #[test]
    fn a_status_of_somebody_else_carries_no_failure() {
        assert_eq!(Failure::from_status(&Status::unavailable("connection refused")), None);
    }

    proptest! {
        #[test]
        fn no_details_panic_the_reader(bytes: Vec<u8>) {
            let _ = Failure::from_status(&Status::with_details(tonic::Code::Unknown, "", bytes.into()));
        }
    }
}
