//! What goes wrong in a call, on its way to the caller.

use squall_control::{Compacted, Refusal};
use squall_proto::Failure;
use squall_types::{Code, Retry, codes};
use tonic::Status;

/// Why a call was not answered. Boxed: it is rare, and large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(Box<Failure>);

/// What a call comes to.
pub(crate) type Answer<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(grpc: tonic::Code, code: Code, cause: impl ToString, next_step: impl ToString) -> Self {
        let retry = match grpc {
            tonic::Code::Unavailable | tonic::Code::ResourceExhausted | tonic::Code::DeadlineExceeded => Retry::Later,
            _ => Retry::No,
        };
        let (cause, next_step) = (short(cause.to_string()), short(next_step.to_string()));
        Self(Box::new(Failure { grpc, code, cause, next_step, retry, leader: None }))
    }

    /// A field of the request can't be read.
    pub(crate) fn field(field: &str, why: impl ToString) -> Self {
        let cause = format!("{field}: {}", why.to_string());
        Self::new(
            tonic::Code::InvalidArgument,
            codes::BAD_REQUEST,
            cause,
            "mend the request; the protos say what each field takes",
        )
    }

    pub(crate) fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    pub(crate) fn with_leader(mut self, leader: Option<String>) -> Self {
        self.0.leader = leader;
        self
    }

    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    pub(crate) fn failure(&self) -> &Failure {
        &self.0
    }
}

/// What fits into the headers of an answer, and onto a screen: a caller's own words may be as long as it likes.
fn short(mut text: String) -> String {
    const LONGEST: usize = 1_500;
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        (*fault.0).into()
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let mut fault = Self::new(grpc_code(&refusal), refusal.code(), &refusal, refusal.next_step());
        fault.0.retry = refusal.retry();
        fault
    }
}

impl From<Compacted> for Fault {
    fn from(compacted: Compacted) -> Self {
        Self::new(tonic::Code::OutOfRange, compacted.code(), compacted, compacted.next_step())
    }
}

fn grpc_code(refusal: &Refusal) -> tonic::Code {
    match refusal {
        Refusal::UnknownTopology { .. }
        | Refusal::UnknownWorker { .. }
        | Refusal::UnknownVersion { .. }
        | Refusal::UnknownMaster(_)
        | Refusal::UnknownToken(_) => tonic::Code::NotFound,
        Refusal::NameTaken(_) | Refusal::TokenTaken(_) => tonic::Code::AlreadyExists,
        Refusal::UnknownComponent { .. }
        | Refusal::Unreadable { .. }
        | Refusal::Invalid { .. }
        | Refusal::RequestFromTheFuture { .. } => tonic::Code::InvalidArgument,
        Refusal::TooMuch { .. } => tonic::Code::ResourceExhausted,
        Refusal::StaleAssignment { .. } | Refusal::NotNewer { .. } => tonic::Code::Aborted,
        Refusal::RequestTooOld { .. }
        | Refusal::NotAsExpected { .. }
        | Refusal::NotNow { .. }
        | Refusal::WaitNotOver { .. }
        | Refusal::KeyGroupsChanged { .. }
        | Refusal::UnknownBlob(_)
        | Refusal::BlobInUse { .. }
        | Refusal::Misfit { .. }
        | Refusal::StaleWorker { .. }
        | Refusal::WorkerInUse { .. }
        | Refusal::Level { .. } => tonic::Code::FailedPrecondition,
    }
}
