//! What masters have replicated.

use std::collections::BTreeMap;

use super::{Seen, Violation};

/// All masters have the same state at the same index, for ever.
#[derive(Debug, Default)]
pub struct Agreement {
    digests: BTreeMap<u64, (u64, usize)>,
}

impl Agreement {
    /// Looks at one master.
    pub fn see(&mut self, seen: &Seen) -> Result<(), Violation> {
        let (digest, first) = *self.digests.entry(seen.applied).or_insert((seen.digest, seen.master));
        if digest == seen.digest {
            return Ok(());
        }
        Err(format!(
            "masters {first} and {} have applied {} and differ: {digest:016x}, {:016x}",
            seen.master, seen.applied, seen.digest
        ))
    }
}
