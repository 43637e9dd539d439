//! What must hold at each step, whatever goes wrong. They know what masters show of themselves, and nothing of how they are built
//! or of what might be broken in them.

mod agreement;
mod log;

pub use agreement::Agreement;
pub use log::Log;

/// What one running master shows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its host's place.
    pub master: usize,
    /// Which of its processes: one more at each start.
    pub life: u64,
    /// Its disk's life, as Raft knows it.
    pub raft_id: u64,
    /// Its term.
    pub term: u64,
    /// Whether it leads.
    pub leads: bool,
    /// What it knows to be committed.
    pub commit: u64,
    /// What it has applied.
    pub applied: u64,
    /// The hash of the whole replicated state, at `applied`.
    pub digest: u64,
}

/// An invariant that doesn't hold, in words.
pub type Violation = String;

/// All invariants over masters.
#[derive(Debug, Default)]
pub struct Invariants {
    log: Log,
    agreement: Agreement,
}

impl Invariants {
    /// Looks at all running masters after a step.
    ///
    /// # Errors
    /// Names what doesn't hold.
    pub fn step(&mut self, masters: &[Seen]) -> Result<(), Violation> {
        masters.iter().try_for_each(|seen| {
            self.log.see(seen)?;
            self.agreement.see(seen)
        })
    }

    /// A client was told that its change stands at this revision.
    pub fn acknowledged(&mut self, revision: u64) -> Result<(), Violation> {
        self.log.acknowledged(revision)
    }
}

#[cfg(test)]
mod tests;
