//! A slot's process: a topology's program that runs as its worker's daemon says.
//!
//! The daemon starts the program with nothing but a private folder in its environment. There the program listens on a socket; who connects
//! is the daemon, for the folder is its own. The daemon may go and come back: what runs goes on, and the newest stream counts.
//!
//! Invariants: one process a folder (it holds a lock there); the same orders again change nothing; the thread that speaks with the daemon
//! runs no user code, so it is heard whatever the topology does.

mod control;
mod error;
mod logs;
mod orders;
mod port;
mod service;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use squall_proto::slot;
use squall_types::topology::Topology;

pub use error::HostError;

use crate::Program;
use control::Control;

/// Makes the program of a topology as it is to run. Its description came from the same program, perhaps with other settings.
pub type Build<'a> = dyn Fn(Topology) -> Result<Program, Misfit> + 'a;

/// A topology that is to run doesn't fit the program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(
    /// What doesn't fit.
    pub String,
);

/// How a slot's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to, and nothing of it is left.
    Whole,
    /// It was asked to, and components are still at work: their threads can't be ended.
    Hung,
}

/// Runs this process as a slot until it is asked to end.
///
/// # Errors
/// The folder can't be used, or the topology can't be started.
pub fn run(folder: &Path, build: &Build<'_>) -> Result<Ended, HostError> {
    let unusable = |what| move |source| HostError::Folder { folder: folder.to_owned(), what, source };
    let _lock = Lock::take(folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(unusable("event loop"))?;
    let ended = runtime.block_on(async {
        let attached = service::listen(&folder.join(slot::SOCKET)).map_err(unusable("socket"))?;
        Control::new(folder, build, attached).map_err(unusable("signal handlers"))?.run().await
    });
    runtime.shutdown_background();
    ended
}

/// Held as long as this process is the folder's slot.
struct Lock {
    _file: std::fs::File,
}

impl Lock {
    fn take(folder: &Path) -> Result<Self, HostError> {
        let path: PathBuf = folder.join(slot::LOCK);
        let unusable = |source| HostError::Folder { folder: folder.to_owned(), what: "lock", source };
        let file = std::fs::File::options().create(true).truncate(false).write(true).open(path).map_err(unusable)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                // For a daemon that finds the folder taken, and nobody at its socket.
                file.set_len(0)
                    .and_then(|()| (&file).write_all(std::process::id().to_string().as_bytes()))
                    .map_err(unusable)?;
                Ok(Self { _file: file })
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Err(HostError::Taken { folder: folder.to_owned() }),
            Err(error) => Err(unusable(error.into())),
        }
    }
}
