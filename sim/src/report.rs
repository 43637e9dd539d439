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

    /// From what a process printed. One that printed nothing of the kind has panicked.
    pub fn parse(seed: u64, text: &str) -> Self {
        let last = text.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|_| Self {
            seed,
            kinds: Vec::new(),
            faults: 0,
            commands: 0,
            violation: Some("the simulation ended without a result; see stderr".to_owned()),
        })
    }
}
