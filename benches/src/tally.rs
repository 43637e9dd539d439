//! What the components of a bench share: whether to stop, and what they counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::error::Error;

/// Shared by spouts, which look whether to stop and say at their end what they sent, and last bolts, which say what came.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    sent: AtomicU64,
    taken: AtomicU64,
}

impl Tally {
    /// Has the spouts end.
    pub fn stop(&self) {
        self.0.stop.store(true, Relaxed);
    }

    /// Whether the spouts are to end.
    pub fn stopped(&self) -> bool {
        self.0.stop.load(Relaxed)
    }

    /// A spout has sent so many, in all.
    pub fn sent(&self, count: u64) {
        self.0.sent.fetch_add(count, Relaxed);
    }

    /// Whether a spout has said what it sent.
    pub fn has_sent(&self) -> bool {
        self.0.sent.load(Relaxed) > 0
    }

    /// A last bolt has taken so many, in all.
    pub fn taken(&self, count: u64) {
        self.0.taken.fetch_add(count, Relaxed);
    }

    /// Holds what came against what was sent.
    ///
    /// # Errors
    /// They differ.
    pub fn check(&self, what: &'static str) -> Result<(), Error> {
        let (sent, taken) = (self.0.sent.load(Relaxed), self.0.taken.load(Relaxed));
        if sent == taken { Ok(()) } else { Err(Error::Counts { what, sent, taken }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_missing_or_came_twice_is_told() {
        let tally = Tally::default();
        tally.sent(3);
        tally.taken(2);
        assert_eq!(tally.check("rows").unwrap_err().to_string(), "3 rows sent, 2 counted");
        tally.taken(1);
        assert!(tally.check("rows").is_ok());
        tally.taken(1);
        assert!(tally.check("rows").is_err());
    }
}
