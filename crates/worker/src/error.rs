//! What ends a worker, or keeps it from starting.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use squall_daemon::certs::MaterialError;
use squall_daemon::http::NotServed;
use squall_types::{Code, codes};

/// Why a worker doesn't start, or doesn't go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WorkerError {
    /// It can't listen.
    #[error("can't listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Another process uses its data.
    #[error("another process uses {}", .0.display())]
    InUse(PathBuf),
    /// What it remembers can't be read.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Its disk refuses.
    #[error("can't use {}", path.display())]
    Disk {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Paths of its slots' sockets are longer than the system takes.
    #[error("the path {} is too long for the sockets of slots", .0.display())]
    PathTooLong(PathBuf),
    /// Its certificate is no use.
    #[error("this worker's certificate is no use")]
    Certificate(#[source] Arc<MaterialError>),
    /// Monitoring can't be served.
    #[error("monitoring can't be served")]
    Monitoring(#[source] Arc<NotServed>),
    /// A part of it ended that never should.
    #[error("{part} ended by itself{}", if *.panicked { ": it panicked" } else { "" })]
    Part {
        /// Which.
        part: &'static str,
        /// Whether by a panic, which is a defect.
        panicked: bool,
    },
}

impl WorkerError {
    /// What an operator looks up.
    pub fn code(&self) -> Code {
        match self {
            Self::Listen { .. } => codes::WORKER_CANT_LISTEN,
            Self::InUse(_) => codes::WORKER_DATA_IN_USE,
            Self::Damaged { .. } => codes::WORKER_MEMORY_DAMAGED,
            Self::Disk { .. } | Self::PathTooLong(_) => codes::WORKER_DISK,
            Self::Certificate(error) => error.code(),
            Self::Monitoring(error) => error.code(),
            Self::Part { .. } => codes::WORKER_PART_ENDED,
        }
    }

    /// What to do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "see what else listens there, or set another address: listen",
            Self::InUse(_) => "end the other worker, or give this one a data_dir of its own",
            Self::Damaged { .. } => {
                "move the file away: the worker comes back as a new one, and keeps the slots that it finds running"
            }
            Self::Disk { .. } => "see who may use the data directory, and whether its disk is full",
            Self::PathTooLong(_) => "set a shorter data_dir",
            Self::Certificate(error) => error.next_step(),
            Self::Monitoring(error) => error.next_step(),
            Self::Part { .. } => "start the worker again, and report this with its log",
        }
    }

    pub(crate) fn disk(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { path, source: Arc::new(source) }
    }
}
