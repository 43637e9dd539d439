//! Events as they happen, from any revision that is still kept. Every master has the same, so a watcher may go on at another.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use squall_control::{Compacted, Event};
use squall_proto::v1;
use squall_types::cluster::Revision;
use squall_types::codes;
use tonic::Status;

use super::show;
use crate::core::Core;
use crate::fault::{Answer, Fault};

/// A stream of events.
pub(crate) type Events = Pin<Box<dyn Stream<Item = Result<v1::Event, Status>> + Send>>;

/// The most subjects to watch.
const MOST_SUBJECTS: usize = 100;
/// The most events that are read at once: a watcher that is slow holds this many at most.
const AT_ONCE: usize = 256;

struct Watcher {
    core: Arc<Core>,
    next: Revision,
    /// The last revision wanted; none: whatever comes.
    to: Option<Revision>,
    ended: bool,
    subjects: Vec<String>,
    read: std::vec::IntoIter<v1::Event>,
}

/// What was there to be read.
enum Read {
    Some,
    /// Nothing up to what this master has applied.
    Nothing {
        until: Revision,
    },
}

/// The events that a request asks for.
pub(crate) async fn events(core: &Arc<Core>, request: v1::WatchRequest) -> Answer<Events> {
    if request.subjects.len() > MOST_SUBJECTS {
        return Err(Fault::field("subjects", format!("at most {MOST_SUBJECTS} can be watched at once")));
    }
    let next = match (request.from_oldest, request.from_revision) {
        (true, _) => core.read().oldest_event(),
        (false, 0) => core.barrier().await?.next(),
        (false, from) => Revision::new(from),
    };
    // What isn't kept any more is told at once, not in the stream.
    core.read().events_since(next).map(|_| ())?;
    let to = Some(request.to_revision).filter(|to| *to > 0).map(Revision::new);
    let read = Vec::new().into_iter();
    let watcher = Watcher { core: core.clone(), next, to, ended: false, subjects: request.subjects, read };
    Ok(Box::pin(futures_util::stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((event, watcher))
    })))
}

impl Watcher {
    /// The next event; none, once all are there that were wanted. A master that stops says so, so that nobody takes it for the end.
    async fn next(&mut self) -> Option<Result<v1::Event, Status>> {
        let mut applied = self.core.shared.applied();
        loop {
            if let Some(event) = self.read.next() {
                return Some(Ok(event));
            }
            if self.ended || self.to.is_some_and(|to| to < self.next) {
                return None;
            }
            applied.mark_unchanged();
            match self.read_on() {
                Err(compacted) => return self.end(compacted),
                Ok(Read::Some) => {}
                Ok(Read::Nothing { until }) if self.to.is_some_and(|to| to <= until) => return None,
                Ok(Read::Nothing { .. }) if applied.changed().await.is_err() => return self.end(stopping()),
                Ok(Read::Nothing { .. }) => {}
            }
        }
    }

    fn end(&mut self, fault: impl Into<Fault>) -> Option<Result<v1::Event, Status>> {
        self.ended = true;
        Some(Err(fault.into().into()))
    }

    /// Reads what there is from the next revision on, as far as it is wanted.
    fn read_on(&mut self) -> Result<Read, Compacted> {
        let state = self.core.read();
        let mut events = state.events_since(self.next)?.peekable();
        let mut read: Vec<&Event> = Vec::new();
        // Events of one revision are read together, so that the next to read is a revision.
        while let Some(event) =
            events.next_if(|event| read.len() < AT_ONCE || read.last().is_some_and(|it| it.revision == event.revision))
        {
            read.push(event);
        }
        let Some(last) = read.last() else { return Ok(Read::Nothing { until: state.revision() }) };
        self.next = last.revision.next();
        let wanted = |event: &&Event| {
            self.to.is_none_or(|to| event.revision <= to)
                && (self.subjects.is_empty() || self.subjects.contains(&event.subject().to_string()))
        };
        self.read = read.into_iter().filter(wanted).map(show::event).collect::<Vec<_>>().into_iter();
        Ok(Read::Some)
    }
}

fn stopping() -> Fault {
    let next_step = "watch on at another master, from the revision of the last event";
    Fault::new(tonic::Code::Unavailable, codes::LOG_STOPPED, "this master stops", next_step)
}
