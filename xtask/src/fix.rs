//! `cargo xtask fix`: mends what a machine can mend. The only chore that changes the tree.

use std::fs;

use crate::error::Error;
use crate::shell::Cmd;
use crate::sim;
use crate::structure::errors;
use crate::workspace::{Metadata, read_files};

/// Refreshes Cargo.lock, mends lints, formats, and writes the index of error pages.
pub fn run() -> Result<(), Error> {
    Cmd::cargo(&["update", "--workspace"]).run()?;
    Cmd::cargo(&["clippy", "--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"]).run()?;
    Cmd::cargo(&["fmt", "--all"]).run()?;
    sim::cargo(&["update", "--workspace"])?.run()?;
    sim::cargo(&["clippy", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"])?.run()?;
    sim::cargo(&["fmt"])?.run()?;
    write_index()
}

fn write_index() -> Result<(), Error> {
    let root = Metadata::read()?.workspace_root;
    let path = root.join(errors::INDEX);
    let index = errors::index(&read_files(&root)?);
    fs::write(&path, index).map_err(|source| Error::File { path, source })
}
