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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn name(text: &str) -> WorkerName {
        text.parse().unwrap()
    }

    fn ask(probes: &mut Probes, at: Duration, worker: &str) -> Option<ProbeId> {
        match probes.ask(at, &Prober::Leader, &name(worker), Target::Daemon, SECOND)? {
            Effect::Probe { id, .. } => Some(id),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_is_taken_once() {
        let mut probes = Probes::default();
        let id = ask(&mut probes, SECOND, "w1").unwrap();
        assert_eq!(probes.take(id).map(|asked| asked.worker), Some(name("w1")));
        assert!(probes.take(id).is_none());
    }

    #[test]
    fn a_prober_has_room_again_when_answers_come_or_are_given_up() {
        let mut probes = Probes::default();
        let ids: Vec<_> = (0..MOST_EACH).filter_map(|_| ask(&mut probes, SECOND, "w1")).collect();
        assert_eq!(ask(&mut probes, SECOND, "w1"), None);
        probes.take(ids[0]);
        assert!(ask(&mut probes, SECOND * 9, "w2").is_some());
        assert_eq!(ask(&mut probes, SECOND, "w1"), None);
        probes.expire(SECOND * 9, SECOND);
        assert_eq!(probes.asked.len(), 1);
        probes.drop_of(&name("w2"));
        assert!(probes.asked.is_empty() && probes.loads.is_empty());
    }

    #[test]
    fn witnesses_are_different_workers_and_all_get_their_turn() {
        let live: Vec<_> = (0..10).map(|number| name(&format!("w{number}"))).collect();
        let mut ever = std::collections::BTreeSet::new();
        for round in 0..100 {
            let some: std::collections::BTreeSet<_> = witnesses(&live, &name("dead"), round, 3).collect();
            assert_eq!(some.len(), 3);
            ever.extend(some);
        }
        assert_eq!(ever.len(), 10);
        assert_eq!(witnesses(&live[..2], &name("dead"), 1, 3).count(), 2);
        assert_eq!(witnesses(&[], &name("dead"), 1, 3).count(), 0);
    }
}
