//! What can go wrong in a chore.

use std::io;
use std::path::PathBuf;

/// Why a chore stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read, written or listed.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program could not be started or waited for.
    #[error("cannot run `{command}`")]
    Start {
        /// The command as it would be typed.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ended with a failure.
    #[error("`{command}` failed ({status})")]
    Failed {
        /// The command as it would be typed.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// A program that must end by itself did not.
    #[error("`{command}` had not ended after {seconds} s and was stopped")]
    Endless {
        /// The command as it would be typed.
        command: String,
        /// How long it was given.
        seconds: u64,
    },
    /// A program printed something other than the JSON that was agreed on.
    #[error("`{command}` printed what is not the agreed JSON")]
    Json {
        /// The command as it would be typed.
        command: String,
        /// Where the JSON is wrong.
        source: serde_json::Error,
    },
    /// The structure checks found something; they have printed it.
    #[error("{0} findings")]
    Findings(usize),
    /// Steps of `verify` failed; the summary names them.
    #[error("failed: {0}")]
    Steps(String),
    /// There is no bench of this name.
    #[error("there is no bench `{name}`; there are: {known}")]
    NoBench {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// Figures that must be met were not; the table names them.
    #[error("{0} figures are not met")]
    NotMet(usize),
}

/// Prints an error and everything below it, each once.
pub fn print_chain(error: &Error) {
    let mut line = format!("error: {error}");
    let mut below = std::error::Error::source(error);
    while let Some(source) = below {
        line.push_str(&format!(": {source}"));
        below = source.source();
    }
    eprintln!("{line}");
}
