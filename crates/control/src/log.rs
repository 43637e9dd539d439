//! The latest events, kept so that a watcher that comes back to any master goes on where it was.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use squall_types::cluster::Revision;
use squall_types::{Code, Retry, codes};

use crate::Event;
use crate::state::BETWEEN_LIVES;

/// How many events are kept at most.
pub const EVENTS_KEPT: usize = 8_192;

/// Events from that revision on are no longer all kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events from revision {from} on are not all kept any more; from {oldest} on they are (COMPACTED)")]
pub struct Compacted {
    /// The first revision that was wanted.
    pub from: Revision,
    /// The first revision from which on all events are kept.
    pub oldest: Revision,
}

impl Compacted {
    /// The error's code.
    pub const fn code(&self) -> Code {
        codes::EVENTS_COMPACTED
    }

    /// What to do about it.
    pub const fn next_step(&self) -> &'static str {
        "read the state as it is now, and watch from its revision on"
    }

    /// Whether the same may work later: no.
    pub const fn retry(&self) -> Retry {
        Retry::No
    }
}

/// The latest events. Those of one revision are kept or dropped together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventLog {
    /// The newest revision whose events were dropped.
    dropped: Revision,
    events: VecDeque<Event>,
}

impl EventLog {
    /// Adds the events of one revision.
    pub(crate) fn add(&mut self, events: &[Event]) {
        self.events.extend(events.iter().cloned());
        while self.events.len() > EVENTS_KEPT
            && let Some(oldest) = self.events.pop_front()
        {
            self.dropped = oldest.revision;
            while self.events.front().is_some_and(|event| event.revision == self.dropped) {
                self.events.pop_front();
            }
        }
    }

    /// The first revision from which on all events are kept.
    pub(crate) fn oldest(&self) -> Revision {
        self.dropped.next()
    }

    /// Where this life of the cluster begins, if a revision can only have been another's: it lies where the numbers jump, behind the last that
    /// is known of the life before. What has happened there is not known here.
    fn another_life(&self, start: usize, from: Revision) -> Option<Revision> {
        let began = self.events.get(start)?.revision;
        let before = start.checked_sub(1).and_then(|last| self.events.get(last)).map_or(self.dropped, |it| it.revision);
        let last_known = began.get().checked_sub(BETWEEN_LIVES)?;
        let jumps = before.get() <= last_known;
        (jumps && from.get() > last_known + 1 && from < began).then_some(began)
    }

    /// The events from a revision on, oldest first.
    pub(crate) fn since(&self, from: Revision) -> Result<impl Iterator<Item = &Event>, Compacted> {
        if from <= self.dropped && self.dropped > Revision::ZERO {
            return Err(Compacted { from, oldest: self.oldest() });
        }
        let start = self.events.partition_point(|event| event.revision < from);
        if let Some(oldest) = self.another_life(start, from) {
            return Err(Compacted { from, oldest });
        }
        Ok(self.events.range(start..))
    }
}
