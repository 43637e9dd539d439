//! What masters have replicated.

use std::collections::BTreeMap;

use super::{Placed, Seen, Violation};

/// All masters have the same state at the same index, for ever; each topology's assignments are one chain.
#[derive(Debug, Default)]
pub struct Agreement {
    digests: BTreeMap<u64, (u64, usize)>,
    chains: BTreeMap<String, BTreeMap<u64, Placed>>,
}

impl Agreement {
    /// Looks at one master.
    pub fn see(&mut self, seen: &Seen) -> Result<(), Violation> {
        let (digest, first) = *self.digests.entry(seen.applied).or_insert((seen.digest, seen.master));
        if digest != seen.digest {
            return Err(format!(
                "masters {first} and {} have applied {} and differ: {digest:016x}, {:016x}",
                seen.master, seen.applied, seen.digest
            ));
        }
        seen.assignments.iter().try_for_each(|(name, placed)| self.link(name, *placed))
    }

    fn link(&mut self, name: &str, placed: Placed) -> Result<(), Violation> {
        let chain = self.chains.entry(name.to_owned()).or_default();
        let known = *chain.entry(placed.version).or_insert(placed);
        if known != placed {
            return Err(format!("assignment {} of {name} is two: {known:?} and {placed:?}", placed.version));
        }
        if placed.parent >= placed.version {
            return Err(format!("assignment {} of {name} says that it comes from {}", placed.version, placed.parent));
        }
        // A version that nobody was seen with may lie in between, but none may be skipped over that was.
        let skipped = chain.range(placed.parent + 1..placed.version).next();
        skipped.map_or(Ok(()), |(between, _)| {
            Err(format!("assignment {} of {name} comes from {}, and skips {between}", placed.version, placed.parent))
        })
    }
}
