//! What clients asked, when, and what they were told.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::register::{Answer, Request};

/// The asking half of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who asked.
    pub client: u32,
    /// What about.
    pub topology: String,
    /// What for.
    pub request: Request,
    /// Its place among all calls and returns.
    pub at: u64,
}

/// One request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What was asked.
    pub call: Call,
    /// What came of it.
    pub outcome: Outcome,
}

/// What the caller knows of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Returned {
        /// Its place among all calls and returns.
        at: u64,
        /// The answer.
        answer: Answer,
    },
    /// It was not: it may have happened, may yet happen, or never.
    Unknown,
}

impl Operation {
    /// What was answered, if anything was.
    pub const fn answer(&self) -> Option<&Answer> {
        match &self.outcome {
            Outcome::Returned { answer, .. } => Some(answer),
            Outcome::Unknown => None,
        }
    }

    /// When it was answered.
    pub const fn returned_at(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Returned { at, .. } => Some(at),
            Outcome::Unknown => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call { client, request, at, .. } = &self.call;
        match &self.outcome {
            Outcome::Returned { at: end, answer } => {
                write!(f, "{at:>6}–{end:<6} client {client}: {request:?} → {answer:?}")
            }
            Outcome::Unknown => write!(f, "{at:>6}–       client {client}: {request:?} → ?"),
        }
    }
}

/// A finished record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    operations: Vec<Operation>,
}

impl History {
    /// The record with these operations.
    pub const fn new(operations: Vec<Operation>) -> Self {
        Self { operations }
    }

    /// All operations, by when they were called.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Each topology's own. Reads that nobody saw an answer of say nothing and are left out.
    pub fn by_topology(&self) -> BTreeMap<String, Vec<Operation>> {
        let mut parts = BTreeMap::<_, Vec<_>>::new();
        let tells = |it: &&Operation| it.call.request != Request::Get || it.answer().is_some();
        for operation in self.operations.iter().filter(tells) {
            parts.entry(operation.call.topology.clone()).or_default().push(operation.clone());
        }
        parts
    }

    /// How many were answered.
    pub fn answered(&self) -> usize {
        self.operations.iter().filter(|it| it.outcome != Outcome::Unknown).count()
    }
}

/// Records what many clients do at once. Its clones write to the same record.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Tape>>);

#[derive(Debug, Default)]
struct Tape {
    clock: u64,
    operations: Vec<Operation>,
}

/// A call that has not returned. Dropped without an answer it stays one that nobody knows the outcome of.
#[derive(Debug)]
pub struct InFlight {
    recorder: Recorder,
    place: usize,
}

impl Recorder {
    /// A client is about to ask.
    pub fn call(&self, client: u32, topology: &str, request: Request) -> InFlight {
        let place = self.with(|tape| {
            let call = Call { client, topology: topology.to_owned(), request, at: tape.tick() };
            tape.operations.push(Operation { call, outcome: Outcome::Unknown });
            tape.operations.len() - 1
        });
        InFlight { recorder: self.clone(), place }
    }

    /// How many calls there have been.
    pub fn calls(&self) -> usize {
        self.with(|tape| tape.operations.len())
    }

    /// What was recorded so far. What is still in flight has no known outcome.
    pub fn history(&self) -> History {
        History::new(self.with(|tape| tape.operations.clone()))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Tape) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tape {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

impl InFlight {
    /// The answer has come.
    pub fn returned(self, answer: Answer) {
        self.recorder.with(|tape| {
            let at = tape.tick();
            tape.operations[self.place].outcome = Outcome::Returned { at, answer };
        });
    }
}
