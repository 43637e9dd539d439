//! Why a cluster's next life isn't begun.

use std::io;
use std::path::PathBuf;

use squall_control::DecodeError;
use squall_raft::{StopReason, StorageError};
use squall_types::cluster::ClusterId;
use squall_types::{Code, codes};

use crate::error::NodeError;

/// Why a cluster's next life isn't begun. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The file is no backup that this build can read.
    #[error("the file is no backup that this release can read")]
    NotABackup(#[source] DecodeError),
    /// There is a cluster on the disk.
    #[error("{} belongs to the cluster {cluster}, and a backup is restored to an empty data directory only", data_dir.display())]
    NotEmpty {
        /// Where.
        data_dir: PathBuf,
        /// The cluster.
        cluster: ClusterId,
    },
    /// There is no cluster on the disk.
    #[error("{} has no state of a cluster that one could go on from", data_dir.display())]
    NothingToRecover {
        /// Where.
        data_dir: PathBuf,
    },
    /// The cluster has a leader.
    #[error("the cluster {cluster} lives: the master at {at} answers, and {leader} leads")]
    Lives {
        /// The cluster.
        cluster: ClusterId,
        /// Who said so.
        at: String,
        /// Where the leader is.
        leader: String,
    },
    /// A master that is named belongs to another cluster.
    #[error("the master at {at} belongs to the cluster {theirs}, and this is {ours}")]
    OtherCluster {
        /// Which.
        at: String,
        /// Its cluster.
        theirs: ClusterId,
        /// The one that it was to be.
        ours: ClusterId,
    },
    /// The data directory can't be made.
    #[error("{} can't be made", data_dir.display())]
    NotMade {
        /// Where.
        data_dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log as it was can't be kept.
    #[error("the log as it is can't be copied to {}", to.display())]
    NotKept {
        /// Where to.
        to: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log that is there can't be trusted, or not be had.
    #[error(transparent)]
    Disk(#[from] StorageError),
    /// The log that is there can't be applied.
    #[error(transparent)]
    Log(StopReason),
    /// The packages that are there can't be seen.
    #[error(transparent)]
    Packages(#[from] NodeError),
}

impl From<StopReason> for OfflineError {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::Storage(error) => Self::Disk(error),
            reason => Self::Log(reason),
        }
    }
}

impl OfflineError {
    /// What an operator looks up.
    pub fn code(&self) -> Code {
        match self {
            Self::NotABackup(DecodeError::NewerFormat { .. } | DecodeError::NewerLevel { .. }) => {
                codes::WRITTEN_BY_NEWER
            }
            Self::NotABackup(_) => codes::NOT_A_BACKUP,
            Self::NotEmpty { .. } => codes::DATA_DIR_NOT_EMPTY,
            Self::NothingToRecover { .. } => codes::NOTHING_TO_RECOVER,
            Self::Lives { .. } => codes::CLUSTER_LIVES,
            Self::OtherCluster { .. } => codes::OTHER_CLUSTER,
            Self::NotMade { .. } | Self::NotKept { .. } => codes::STORE_FAILED,
            Self::Disk(error) => error.code(),
            Self::Log(reason) => reason.code(),
            Self::Packages(error) => error.code(),
        }
    }

    /// What to do about it.
    pub fn next_step(&self) -> String {
        match self {
            Self::NotABackup(DecodeError::NewerFormat { .. } | DecodeError::NewerLevel { .. }) => {
                "restore it with the release that wrote it, or a newer one".to_owned()
            }
            Self::NotABackup(_) => {
                "take another backup: a file that `squall masters backup` wrote, as a whole".to_owned()
            }
            Self::NotEmpty { .. } => {
                "name an empty data directory with --data-dir; or, if what is there can go, move it away yourself"
                    .to_owned()
            }
            Self::NothingToRecover { .. } => {
                "name the data directory of a master that was a member; if there is none: squall masters restore FILE"
                    .to_owned()
            }
            Self::Lives { leader, .. } => format!(
                "ask it with --connect {leader}: a single lost disk is made good with `squall masters replace NAME`; to go back to a \
                 backup, stop all masters first"
            ),
            Self::OtherCluster { .. } => {
                "correct the list of masters, or take the disk or the backup of that cluster".to_owned()
            }
            Self::NotMade { .. } | Self::NotKept { .. } => {
                "see who may write there, and whether the disk has room".to_owned()
            }
            Self::Disk(error) => error.next_step().to_owned(),
            Self::Log(reason) => reason.next_step(),
            Self::Packages(error) => error.next_step(),
        }
    }
}
