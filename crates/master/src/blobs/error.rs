//! Why a package can't be kept, or not be given.

use std::io::{self, ErrorKind};

use squall_types::cluster::BlobId;
use squall_types::{Code, Retry, codes};

use crate::config::Size;

/// What goes wrong with packages.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk is full.
    #[error("there is no room on this master's disk for package {}", .0.short())]
    NoRoom(BlobId, #[source] io::Error),
    /// The bytes aren't those that the name is the hash of.
    #[error("what was uploaded as package {} has another SHA-256: {found}", wanted.short())]
    Mismatch {
        /// The name.
        wanted: BlobId,
        /// The hash of what came.
        found: BlobId,
    },
    /// What is on the disk isn't what was put there.
    #[error("package {} is damaged on this master's disk; the damaged copy was removed", .0.short())]
    Damaged(BlobId),
    /// An upload starts elsewhere than where the last one stopped.
    #[error("an upload of package {} goes on at byte {received}, not at {offset}", id.short())]
    Offset {
        /// Which package.
        id: BlobId,
        /// How much is there.
        received: u64,
        /// Where the upload would go on.
        offset: u64,
    },
    /// More came than was announced, or less.
    #[error("package {} was announced with {announced} bytes, and {received} came", id.short())]
    Length {
        /// Which package.
        id: BlobId,
        /// How much should have come.
        announced: u64,
        /// How much came.
        received: u64,
    },
    /// Somebody else is at it.
    #[error("package {} is being uploaded already", .0.short())]
    Busy(BlobId),
    /// It isn't here.
    #[error("this master doesn't have package {}", .0.short())]
    Missing(BlobId),
    /// It is larger than is taken.
    #[error("package {} has {size} bytes, and {limit} is the most", id.short())]
    TooLarge {
        /// Which package.
        id: BlobId,
        /// How large it is.
        size: u64,
        /// The most that is taken.
        limit: Size,
    },
    /// The disk does something else than it should.
    #[error("this master's disk refuses")]
    Disk(#[source] io::Error),
}

impl BlobError {
    /// What an error of the disk means for this package.
    pub(super) fn of(id: BlobId, error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::NoRoom(id, error),
            ErrorKind::NotFound => Self::Missing(id),
            _ => Self::Disk(error),
        }
    }

    /// The error's stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::NoRoom(..) => codes::BLOB_NO_ROOM,
            Self::Mismatch { .. } => codes::BLOB_MISMATCH,
            Self::Damaged(_) => codes::BLOB_DAMAGED,
            Self::Offset { .. } | Self::Length { .. } | Self::Busy(_) => codes::BLOB_OFFSET,
            Self::Missing(_) => codes::BLOB_MISSING,
            Self::TooLarge { .. } => codes::BLOB_TOO_LARGE,
            Self::Disk(_) => codes::BLOB_DISK,
        }
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NoRoom(..) => {
                "make room under data_dir of that master: kill topologies that nobody needs, or give it a larger disk"
            }
            Self::Mismatch { .. } => "upload it again; if that says the same, the file is changed while it is read",
            Self::Damaged(_) => {
                "try again: another master has it, and this one fetches it from there; look at this disk"
            }
            Self::Offset { .. } | Self::Length { .. } => {
                "ask for what was received, and go on from there; or start again"
            }
            Self::Busy(_) => "wait for the other upload, then try again",
            Self::Missing(_) => {
                "squall blobs lists what the cluster has; what nothing refers to is collected after an hour"
            }
            Self::TooLarge { .. } => {
                "make it smaller (a release build, stripped), or raise limits.package on all masters"
            }
            Self::Disk(_) => "look at the disk under data_dir, and into the system's log",
        }
    }

    /// Whether the same may work when tried again.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::NoRoom(..)
            | Self::Mismatch { .. }
            | Self::Length { .. }
            | Self::TooLarge { .. }
            | Self::Disk(_)
            | Self::Offset { .. } => Retry::No,
            Self::Damaged(_) | Self::Busy(_) | Self::Missing(_) => Retry::Later,
        }
    }
}
