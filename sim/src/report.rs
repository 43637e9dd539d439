//! What a process says of the seed that it has simulated: a line of JSON.

use serde::{Deserialize, Serialize};

use crate::run::Outcome;
use crate::scenario::Kind;

/// A seed's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The faults that it had.
    pub kinds: Vec<String>,
    /// How many there were.
    pub faults: usize,
    /// Changes that were acknowledged.
    pub commands: usize,
    /// What did not hold.
    pub violation: Option<String>,
}

impl Report {
    /// Of an outcome.
    pub fn of(seed: u64, outcome: &Outcome) -> Self {
        let kinds = outcome.kinds.iter().copied().map(Kind::name).map(str::to_owned).collect();
        let Outcome { faults, commands, violation, .. } = outcome;
        Self { seed, kinds, faults: *faults, commands: *commands, violation: violation.clone() }
    }

    /// Of a seed that made something panic.
    pub fn of_panic(seed: u64, panic: &str) -> Self {
        let violation = Some(panic.split_whitespace().collect::<Vec<_>>().join(" "));
        Self { seed, kinds: Vec::new(), faults: 0, commands: 0, violation }
    }

    /// As it is printed.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("plain data is written as JSON")
    }

    /// From what a process printed.
    pub fn parse(seed: u64, text: &str) -> Self {
        let last = text.lines().last().unwrap_or_default();
        let nothing = || Self::of_panic(seed, "the simulation ended without a word; see stderr");
        serde_json::from_str(last).unwrap_or_else(|_| nothing())
    }
}
