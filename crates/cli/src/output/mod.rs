//! What commands write to stdout: tables for people, JSON for programs.

mod table;
mod words;

use std::io::{self, Write as _};

pub use table::Table;
pub use words::{ago, bytes, health, master_role, role, silence, size, slot, topology_state, utc, worker_state};

use crate::client::Output;
use crate::error::CliError;

/// An answer in both forms.
pub trait View {
    /// For people; `wide` with all columns.
    fn text(&self, wide: bool) -> String;

    /// For programs. Keys are stable.
    fn json(&self) -> serde_json::Value;
}

/// Writes an answer to stdout.
///
/// # Errors
/// If stdout doesn't take it.
pub fn show(view: &impl View, output: Output) -> Result<(), CliError> {
    let text = match output {
        Output::Table => view.text(false),
        Output::Wide => view.text(true),
        Output::Json => format!("{:#}\n", view.json()),
    };
    write(&text)
}

/// Talks on stderr. Where nobody can hear it, the work goes on all the same.
pub fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes to stdout. Who reads it may have seen enough: that is no error.
///
/// # Errors
/// If stdout doesn't take it.
pub fn write(text: &str) -> Result<(), CliError> {
    write_bytes(text.as_bytes())
}

/// The same for bytes.
///
/// # Errors
/// If stdout doesn't take them.
pub fn write_bytes(bytes: &[u8]) -> Result<(), CliError> {
    put(bytes).map(drop)
}

/// Writes one piece of what has no end. Whether anybody still reads.
///
/// # Errors
/// If stdout doesn't take it.
pub fn write_on(text: &str) -> Result<bool, CliError> {
    put(text.as_bytes())
}

fn put(bytes: &[u8]) -> Result<bool, CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::NoStdout(error)),
        written => Ok(written.is_ok()),
    }
}
