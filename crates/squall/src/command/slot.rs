//! A topology's program as a slot of a worker.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use squall_runtime::host::{self, Ended, HostError, Misfit};
use tracing_subscriber::filter::LevelFilter;

use super::talk::{report, say};
use crate::TopologyBuilder;

/// The slot's folder, if a worker's daemon started this process.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("SQUALL_SLOT").map(PathBuf::from)
}

/// Runs the topology in it until the daemon asks it to end.
pub fn run(topology: TopologyBuilder, folder: &Path) -> ExitCode {
    super::log(LevelFilter::INFO);
    match serve(topology, folder) {
        Ok(Ended::Whole) => ExitCode::SUCCESS,
        Ok(Ended::Hung) => super::leave(),
        Err(error) => {
            say(&report(error.code(), &error, error.next_step()));
            ExitCode::FAILURE
        }
    }
}

fn serve(topology: TopologyBuilder, folder: &Path) -> Result<Ended, HostError> {
    // A topology is begun once in the life of a process.
    let topology = RefCell::new(Some(topology));
    host::run(folder, &move |described| {
        let code = topology.borrow_mut().take().ok_or_else(|| Misfit("it was begun before".to_owned()))?;
        code.described(described)
    })
}
