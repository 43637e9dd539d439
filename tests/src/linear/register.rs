//! What a topology is to those who call: a register with a revision.

use super::search::Model;

/// What is asked of a topology.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Make it, with so many slots at most.
    Submit {
        /// The most slots; each submit and write of a history has a number of its own, so a reader can tell whose it sees.
        slots: u32,
    },
    /// Change how many slots it may have.
    Write {
        /// The most slots.
        slots: u32,
        /// Refused unless it was last changed here.
        expected: Option<u64>,
    },
    /// Let its spouts emit, or stop them.
    Activate(bool),
    /// Read it.
    Get,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It was done, at this revision.
    Applied {
        /// Where the change stands in the log.
        revision: u64,
    },
    /// What there is.
    Found(Seen),
    /// There is no such topology.
    Missing,
    /// There is one already.
    Taken,
    /// It was last changed at another revision.
    Conflict,
}

/// A topology as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Where it was changed last.
    pub revision: u64,
    /// Whether its spouts emit.
    pub active: bool,
    /// The most slots.
    pub slots: u32,
}

/// One topology.
pub enum Register {}

/// A topology as the model has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    active: bool,
    slots: u32,
    changed: Changed,
}

/// What is known of the revision of the last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Changed {
    At(u64),
    /// Nobody was told; later than this.
    After(u64),
}

impl Changed {
    const fn floor(self) -> u64 {
        match self {
            Self::At(revision) | Self::After(revision) => revision,
        }
    }

    const fn may_be(self, revision: u64) -> bool {
        match self {
            Self::At(known) => known == revision,
            Self::After(floor) => floor < revision,
        }
    }

    const fn may_differ_from(self, revision: u64) -> bool {
        !matches!(self, Self::At(known) if known == revision)
    }

    /// The next change, at the revision that the answer names, if it names one.
    fn next(self, answer: Option<&Answer>) -> Option<Self> {
        match answer {
            Some(Answer::Applied { revision }) if *revision > self.floor() => Some(Self::At(*revision)),
            Some(_) => None,
            None => Some(Self::After(self.floor())),
        }
    }
}

impl Model for Register {
    type State = Option<Held>;

    fn step(state: &Option<Held>, request: &Request, answer: Option<&Answer>) -> Option<Option<Held>> {
        let unchanged = Some(state.clone());
        match (state, request, answer) {
            (_, Request::Get, None) => unchanged,
            (None, Request::Submit { slots }, _) => {
                let changed = Changed::After(0).next(answer)?;
                Some(Some(Held { active: true, slots: *slots, changed }))
            }
            (None, _, Some(Answer::Missing) | None) => unchanged,
            (None, ..) => None,
            (Some(_), Request::Submit { .. }, Some(Answer::Taken) | None) => unchanged,
            (Some(_), Request::Submit { .. }, _) => None,
            (Some(held), Request::Get, Some(Answer::Found(seen))) => held.read(seen).map(Some),
            (Some(_), Request::Get, Some(_)) => None,
            (Some(held), Request::Activate(active), _) => {
                let changed = held.changed.next(answer)?;
                // What is so already isn't changed, though the request has a place in the log.
                let changed = if held.active == *active { held.changed } else { changed };
                Some(Some(Held { active: *active, changed, ..held.clone() }))
            }
            (Some(held), Request::Write { slots, expected }, _) => held.write(*slots, *expected, answer).map(Some),
        }
    }
}

impl Held {
    /// A reader learns the revision, so from then on it is known.
    fn read(&self, seen: &Seen) -> Option<Self> {
        let same = self.active == seen.active && self.slots == seen.slots && self.changed.may_be(seen.revision);
        same.then(|| Self { changed: Changed::At(seen.revision), ..self.clone() })
    }

    fn write(&self, slots: u32, expected: Option<u64>, answer: Option<&Answer>) -> Option<Self> {
        match (expected, answer) {
            (Some(expected), Some(Answer::Conflict)) => self.changed.may_differ_from(expected).then(|| self.clone()),
            (Some(expected), Some(_)) if !self.changed.may_be(expected) => None,
            // What became of it isn't known: as if it had been refused, unless it can have been done.
            (Some(expected), None) if !self.changed.may_be(expected) => Some(self.clone()),
            _ => Some(Self { slots, changed: self.changed.next(answer)?, ..self.clone() }),
        }
    }
}
