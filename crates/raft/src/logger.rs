//! What Raft says, passed on to `tracing`.

use std::fmt;

use slog::{Drain, KV, Level, Logger, OwnedKVList, Record, o};

pub(crate) fn logger() -> Logger {
    Logger::root(Bridge, o!())
}

struct Bridge;

impl Drain for Bridge {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), slog::Never> {
        // Without a listener nothing is put together.
        match record.level() {
            Level::Critical | Level::Error => tracing::error!(target: "raft", "{}", line(record)),
            Level::Warning => tracing::warn!(target: "raft", "{}", line(record)),
            Level::Info => tracing::debug!(target: "raft", "{}", line(record)),
            Level::Debug | Level::Trace => tracing::trace!(target: "raft", "{}", line(record)),
        }
        Ok(())
    }
}

fn line(record: &Record<'_>) -> String {
    let mut line = Line(record.msg().to_string());
    // A value that can't be written is left out.
    let _ = record.kv().serialize(record, &mut line);
    line.0
}

struct Line(String);

impl slog::Serializer for Line {
    fn emit_arguments(&mut self, key: slog::Key, value: &fmt::Arguments<'_>) -> slog::Result {
        fmt::write(&mut self.0, format_args!(", {key}: {value}"))?;
        Ok(())
    }
}
