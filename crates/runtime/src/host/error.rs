//! Why a process can't be a slot.

use std::path::PathBuf;

use squall_types::{Code, codes};

use super::Misfit;
use crate::StartError;

/// Why a process can't be a slot.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Its folder, or the system, refuses what it needs.
    #[error("the slot's folder {} is no use: it has no {what}", folder.display())]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// What was needed.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process is this slot.
    #[error("another process is the slot of {}", folder.display())]
    Taken {
        /// Which folder.
        folder: PathBuf,
    },
    /// Nobody has said what to run.
    #[error("no daemon has said what to run")]
    Forgotten,
    /// It can't listen.
    #[error("other slots can't be listened to")]
    Port(#[source] std::io::Error),
    /// The topology isn't this program's.
    #[error("the program can't run the topology that its worker wants")]
    Misfit(#[source] Misfit),
    /// The topology doesn't start.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl HostError {
    /// The error's stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Folder { .. } | Self::Taken { .. } | Self::Forgotten | Self::Port(_) => codes::SLOT_FOLDER,
            Self::Misfit(_) => codes::SLOT_MISFIT,
            Self::Start(error) => error.code(),
        }
    }

    /// What to do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "look at who may use the worker's data directory, and at the limits of its user",
            Self::Port(_) => "look at the address that the worker listens on, and at the limits of its user",
            Self::Taken { .. } | Self::Forgotten => {
                "leave SQUALL_SLOT to the worker's daemon: it starts its slots, and ends them"
            }
            Self::Misfit(_) => "submit the topology again, with the program that it is to run",
            Self::Start(error) => error.next_step(),
        }
    }

    /// All of it in a line, for the daemon.
    pub(super) fn line(&self) -> String {
        let mut text = format!("{}: {self}", self.code());
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }
}
