//! Heap allocations per tuple, counted by a program of its own: its allocator counts, this one's doesn't.

use std::process::Command;

use crate::error::Error;
use crate::harness::Figures;

/// Allocations per tuple, by what the tuple carries and how it is delivered.
///
/// # Errors
/// The program isn't beside this one, or fails.
pub fn run() -> Result<Figures, Error> {
    let path = std::env::current_exe().map_err(Error::Thread)?.with_file_name("squall-bench-allocations");
    let output = Command::new(&path).output().map_err(|source| Error::Run(path.clone(), source))?;
    serde_json::from_slice(&output.stdout).map_err(|source| Error::Output(path, source))
}
