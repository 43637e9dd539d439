//! What ends a master, or keeps it from starting.

use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) use squall_daemon::chain;
use squall_raft::StopReason;
use squall_types::{Code, codes};
use tokio::task::JoinError;

/// Why a master doesn't start, or doesn't go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NodeError {
    /// It can't listen.
    #[error("can't listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Its log stopped.
    #[error("the log has stopped")]
    Log(#[source] Arc<StopReason>),
    /// A part of it ended that never should.
    #[error("{part} ended by itself{}", if *.panicked { ": it panicked" } else { "" })]
    Part {
        /// Which.
        part: &'static str,
        /// Whether by a panic, which is a defect.
        panicked: bool,
    },
    /// Its packages can't be reached.
    #[error("the packages on this master's disk can't be reached")]
    Packages(#[source] Arc<crate::blobs::BlobError>),
    /// Its certificate is no use.
    #[error("this master's certificate is no use")]
    Certificate(#[source] Arc<crate::certs::MaterialError>),
    /// Monitoring can't be served.
    #[error("monitoring can't be served")]
    Monitoring(#[source] Arc<crate::http::NotServed>),
    /// What it serves calls with failed.
    #[error("calls can't be served any more")]
    Serve(#[source] Arc<tonic::transport::Error>),
}

impl NodeError {
    /// What an operator looks up.
    pub fn code(&self) -> Code {
        match self {
            Self::Listen { .. } => codes::CANT_LISTEN,
            Self::Log(reason) => reason.code(),
            Self::Packages(error) => error.code(),
            Self::Certificate(error) => error.code(),
            Self::Monitoring(error) => error.code(),
            Self::Part { .. } | Self::Serve(_) => codes::PART_ENDED,
        }
    }

    /// What to do about it.
    pub fn next_step(&self) -> String {
        match self {
            Self::Listen { .. } => "see what else listens there, or set another address: listen".to_owned(),
            Self::Log(reason) => reason.next_step(),
            Self::Packages(error) => error.next_step().to_owned(),
            Self::Certificate(error) => error.next_step().to_owned(),
            Self::Monitoring(error) => error.next_step().to_owned(),
            Self::Part { .. } | Self::Serve(_) => "start the master again, and report this with its log".to_owned(),
        }
    }

    pub(crate) fn part(part: &'static str, ended: Result<(), JoinError>) -> Self {
        Self::Part { part, panicked: ended.is_err_and(|error| error.is_panic()) }
    }
}
