//! Probes that are under way, and who is to make them.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_types::cluster::WorkerName;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Effect, ProbeId, Prober, Target};

/// The most probes that one prober has under way: a mass death is found out more slowly, rather than drowning those who live.
const MOST_EACH: usize = 256;

/// A probe that is under way.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub by: Prober,
    pub worker: WorkerName,
    pub target: Target,
    at: Duration,
}

/// All probes that are under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    last: u64,
    asked: BTreeMap<ProbeId, Asked>,
    loads: BTreeMap<Prober, usize>,
}

impl Probes {
    /// Has something asked, unless the prober has enough to do.
    pub fn ask(
        &mut self,
        at: Duration,
        by: &Prober,
        worker: &WorkerName,
        target: Target,
        within: Duration,
    ) -> Option<Effect> {
        let load = self.loads.entry(by.clone()).or_default();
        if *load >= MOST_EACH {
            return None;
        }
        *load += 1;
        self.last += 1;
        let id = ProbeId(self.last);
        self.asked.insert(id, Asked { by: by.clone(), worker: worker.clone(), target, at });
        Some(Effect::Probe { id, by: by.clone(), worker: worker.clone(), target, within })
    }

    /// The probe that was answered, if the answer is still waited for.
    pub fn take(&mut self, id: ProbeId) -> Option<Asked> {
        let asked = self.asked.remove(&id)?;
        if let Some(load) = self.loads.get_mut(&asked.by) {
            *load = load.saturating_sub(1);
            if *load == 0 {
                self.loads.remove(&asked.by);
            }
        }
        Some(asked)
    }

    /// Waits no more for answers about a worker.
    pub fn drop_of(&mut self, worker: &WorkerName) {
        self.drop_if(|asked| asked.worker == *worker);
    }

    /// Waits no more for what was asked that long ago.
    pub fn expire(&mut self, now: Duration, after: Duration) {
        self.drop_if(|asked| now.saturating_sub(asked.at) > after);
    }

    fn drop_if(&mut self, over: impl Fn(&Asked) -> bool) {
        let over: Vec<_> = self.asked.iter().filter(|(_, asked)| over(asked)).map(|(id, _)| *id).collect();
        for id in over {
            self.take(id);
        }
    }
}

/// Some of those who live, others in each round, so that no single one's view decides for long.
pub(super) fn witnesses(
    live: &[WorkerName],
    worker: &WorkerName,
    round: u64,
    most: usize,
) -> impl Iterator<Item = WorkerName> {
    let count = live.len().max(1);
    let hash = xxh3_64_with_seed(worker.as_str().as_bytes(), round);
    let first = usize::try_from(hash % count as u64).unwrap_or(0);
    live.iter().cycle().skip(first).take(most.min(live.len())).cloned()
}
