//! What masters have replicated.

use std::collections::BTreeMap;

use squall_control::Event;

use super::{Fresh, Violation};

/// All masters have the same state at the same revision, and the same events, for ever.
#[derive(Debug, Default)]
pub struct Agreement {
    digests: BTreeMap<u64, (u64, usize)>,
    /// Of each revision, and who had them first. Each revision up to `known` is here that has any.
    events: BTreeMap<u64, (Vec<Event>, usize)>,
    known: u64,
}

impl Agreement {
    /// Looks at what is new at one master.
    pub fn see(&mut self, master: usize, fresh: &Fresh) -> Result<(), Violation> {
        if let Some(digest) = fresh.digest {
            let revision = fresh.revision;
            let (other, first) = *self.digests.entry(revision).or_insert((digest, master));
            if digest != other {
                return Err(format!(
                    "masters {first} and {master} have applied {revision} and differ: {other:016x}, {digest:016x}"
                ));
            }
        }
        let known = self.known;
        for together in fresh.events.chunk_by(|one, next| one.revision == next.revision) {
            let revision = together[0].revision.get();
            match self.events.get(&revision) {
                Some((events, _)) if events == together => {}
                Some((events, first)) => {
                    return Err(format!(
                        "masters {first} and {master} differ in what happened at {revision}: {events:?}, {together:?}"
                    ));
                }
                None if revision <= known => {
                    return Err(format!(
                        "master {master} has events at {revision}, where others have none: {together:?}"
                    ));
                }
                None => drop(self.events.insert(revision, (together.to_vec(), master))),
            }
        }
        self.known = known.max(fresh.revision);
        Ok(())
    }

    /// All that has happened, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.values().flat_map(|(events, _)| events)
    }
}
