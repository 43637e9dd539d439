//! What the topology has found, for the display.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use squall::Timestamp;

use super::merge::Trend;
use super::source::Note;

/// Written by the topology, read by the display: neither waits for the other.
#[derive(Default)]
pub struct Board(Mutex<Found>);

/// What has been found so far.
#[derive(Default)]
pub struct Found {
    /// The newest window's.
    pub window: Option<Trend>,
    /// The whole input's, once it has ended.
    pub overall: Option<Trend>,
    /// What the user hasn't been told yet. Only few notes are made.
    notes: Vec<Note>,
    read_failed: Option<io::Error>,
}

impl Found {
    /// What the user hasn't been told yet.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }
}

impl Board {
    /// Takes a trend.
    pub fn publish(&self, trend: Trend) {
        let mut found = self.lock();
        match trend.end {
            Timestamp::MAX => found.overall = Some(trend),
            _ => found.window = Some(trend),
        }
    }

    /// Takes a note.
    pub fn note(&self, note: Note) {
        let mut found = self.lock();
        match note {
            Note::BadLine { .. } => found.notes.push(note),
            Note::ReadFailed(error) => found.read_failed = Some(error),
        }
    }

    /// Why the input couldn't be read to its end, if so.
    pub fn take_failure(&self) -> Option<io::Error> {
        self.lock().read_failed.take()
    }

    /// What has been found.
    pub fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
