//! What a disk can refuse, and the way out.

use std::io;

use squall_types::cluster::MasterName;
use squall_types::{Code, codes};

use super::codec::Flaw;

/// Why a master can't vote from its disk.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// What it holds can't be trusted.
    #[error("{what} on disk can't be trusted")]
    Damaged {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        flaw: Flaw,
    },
    /// It was another master's.
    #[error("the data directory is that of master {found}, and this is {expected}")]
    OtherMaster {
        /// Whose it is.
        found: MasterName,
        /// Who asks.
        expected: MasterName,
    },
    /// A newer release wrote it.
    #[error("a newer release has written the data directory: format {found}, and this release reads up to {known}")]
    Newer {
        /// Its format.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// It is full.
    #[error("the disk is full")]
    Full(#[source] io::Error),
    /// It can't be written.
    #[error("the data directory can't be written")]
    ReadOnly(#[source] io::Error),
    /// Another process has it open.
    #[error("another process uses the data directory")]
    InUse,
    /// It fails.
    #[error("the disk fails")]
    Io(#[source] io::Error),
    /// The database refuses.
    #[error("the log's database can't be used")]
    Database(#[source] Box<redb::Error>),
}

const REPLACE: &str = "don't copy another master's files here: empty the data directory, start this master, and let it in with `squall masters \
                       replace NAME`; without a majority of whole masters, see docs/operations.md";

impl StorageError {
    /// What an operator looks up.
    pub const fn code(&self) -> Code {
        match self {
            Self::Damaged { flaw: Flaw::Newer(_), .. } | Self::Newer { .. } => codes::STORE_NEWER,
            Self::Damaged { .. } => codes::STORE_DAMAGED,
            Self::OtherMaster { .. } => codes::STORE_OF_ANOTHER_MASTER,
            Self::Full(_) => codes::STORE_FULL,
            Self::ReadOnly(_) => codes::STORE_READ_ONLY,
            Self::InUse => codes::STORE_IN_USE,
            Self::Io(_) | Self::Database(_) => codes::STORE_FAILED,
        }
    }

    /// What to do about it.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Damaged { flaw: Flaw::Newer(_), .. } | Self::Newer { .. } => {
                "start the release that wrote it, or a newer one: masters can't go back to an older release"
            }
            Self::Damaged { .. } => REPLACE,
            Self::OtherMaster { .. } => {
                "point `data_dir` to this master's own directory, or set `name` to the one it belongs to"
            }
            Self::Full(_) => "make room on the disk and start this master again: nothing that it has promised is lost",
            Self::ReadOnly(_) => "let this process's user write to `data_dir`, and start it again",
            Self::InUse => "stop the other process, or give this master another `data_dir`",
            Self::Io(_) | Self::Database(_) => {
                "look into the system's log for the disk's errors; if it is failing, empty or change it, and \
                                                let this master in with `squall masters replace NAME`"
            }
        }
    }

    pub(super) fn of_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full(error)
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly(error),
            _ => Self::Io(error),
        }
    }

    pub(super) fn of_redb(error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::Io(error) => Self::of_io(error),
            redb::Error::Corrupted(_) => Self::Damaged { what: "the log", flaw: Flaw::Database },
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::UpgradeRequired(found) => {
                Self::Newer { found: u64::from(found), known: u64::from(super::codec::FORMAT) }
            }
            error => Self::Database(Box::new(error)),
        }
    }
}
