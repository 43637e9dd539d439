//! Workers: what they say of themselves, and what operators say about them. Whether they live is no replicated state.

use serde::{Deserialize, Serialize};
use squall_types::cluster::{Revision, UnixMillis, WorkerName};
use squall_types::nearest;

use super::topologies::{NAMES_COMPARED, limit};
use super::{Done, Reply, State};
use crate::command::{Registration, WorkerRecord};
use crate::{Limit, Refusal, What};

/// The most workers in a cluster.
const MOST_WORKERS: usize = 20_000;
/// The most tags of a worker.
const MOST_TAGS: usize = 64;
/// The most slots of a worker.
const MOST_SLOTS: usize = 1_024;

/// A worker that has registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// What it said of itself last.
    pub registration: Registration,
    /// When it came first.
    pub registered_at: UnixMillis,
    /// Whether it may have work, as operators decided.
    pub admin: Admin,
    /// Set while new work is held off it.
    pub quarantine: Option<Quarantine>,
    /// Where in the log it was changed last.
    pub revision: Revision,
}

/// What operators decided about a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Admin {
    /// It may have work.
    Open,
    /// Its work is moved off it, and it gets no new.
    Draining,
}

/// New work is held off a worker that comes and goes. Whether the time is over is for who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Quarantine {
    /// Until when.
    pub until: UnixMillis,
    /// How often in a row.
    pub strikes: u32,
}

impl State {
    pub(super) fn register_worker(&mut self, name: &WorkerName, registration: &Registration) -> Done {
        limit(Limit::Tags, registration.tags.len(), MOST_TAGS)?;
        limit(Limit::Slots, registration.slots.into(), MOST_SLOTS)?;
        let worker = match self.workers.get(name) {
            Some(known) if known.registration == *registration => return Ok((Reply::Done, Vec::new())),
            Some(known) if registration.incarnation < known.registration.incarnation => {
                let (known, given) = (known.registration.incarnation, registration.incarnation);
                return Err(Refusal::StaleWorker { name: name.clone(), known, given });
            }
            Some(known) => Worker { registration: registration.clone(), revision: self.revision, ..known.clone() },
            None => Worker {
                registration: registration.clone(),
                registered_at: self.now,
                admin: Admin::Open,
                quarantine: None,
                revision: self.revision,
            },
        };
        if !self.workers.contains_key(name) {
            limit(Limit::Workers, self.workers.len() + 1, MOST_WORKERS)?;
        }
        self.workers.insert(name.clone(), worker);
        let what = What::WorkerRegistered { name: name.clone(), incarnation: registration.incarnation };
        Ok((Reply::Done, vec![what]))
    }

    pub(super) fn drain(&mut self, name: &WorkerName) -> Done {
        self.set_admin(name, Admin::Draining, What::WorkerDraining(name.clone()))
    }

    pub(super) fn undrain(&mut self, name: &WorkerName) -> Done {
        self.set_admin(name, Admin::Open, What::WorkerOpened(name.clone()))
    }

    fn set_admin(&mut self, name: &WorkerName, admin: Admin, what: What) -> Done {
        let revision = self.revision;
        let worker = self.worker_mut(name)?;
        if worker.admin == admin {
            return Ok((Reply::Done, Vec::new()));
        }
        (worker.admin, worker.revision) = (admin, revision);
        Ok((Reply::Done, vec![what]))
    }

    pub(super) fn forget_worker(&mut self, name: &WorkerName) -> Done {
        self.worker_mut(name)?;
        if let Some((_, topology)) = self.slots.iter().find(|(slot, _)| slot.worker == *name) {
            return Err(Refusal::WorkerInUse { name: name.clone(), topology: topology.clone() });
        }
        self.workers.remove(name);
        Ok((Reply::Done, vec![What::WorkerForgotten(name.clone())]))
    }

    /// All records or none. What is recorded of a life that isn't the worker's latest is no news, and left out.
    pub(super) fn record_workers(&mut self, records: &[WorkerRecord]) -> Done {
        let mut news = Vec::new();
        for record in records {
            if self.worker_mut(&record.worker)?.registration.incarnation == record.incarnation {
                news.push(What::WorkerFate { name: record.worker.clone(), fate: record.fate });
            }
        }
        Ok((Reply::Done, news))
    }

    pub(super) fn quarantine(&mut self, name: &WorkerName, until: Option<UnixMillis>, strikes: u32) -> Done {
        let revision = self.revision;
        let worker = self.worker_mut(name)?;
        let quarantine = until.map(|until| Quarantine { until, strikes });
        if worker.quarantine == quarantine {
            return Ok((Reply::Done, Vec::new()));
        }
        (worker.quarantine, worker.revision) = (quarantine, revision);
        let what = until.map_or_else(
            || What::WorkerReleased(name.clone()),
            |until| What::WorkerQuarantined { name: name.clone(), until },
        );
        Ok((Reply::Done, vec![what]))
    }

    fn worker_mut(&mut self, name: &WorkerName) -> Result<&mut Worker, Refusal> {
        if !self.workers.contains_key(name) {
            return Err(self.unknown_worker(name));
        }
        self.workers.get_mut(name).ok_or_else(|| Refusal::UnknownWorker { name: name.clone(), nearest: None })
    }

    /// Says that there is no such worker, and which was probably meant.
    pub fn unknown_worker(&self, name: &WorkerName) -> Refusal {
        let known = self.workers.keys().take(NAMES_COMPARED).map(WorkerName::as_str);
        let nearest = nearest(name.as_str(), known).and_then(|near| near.parse().ok());
        Refusal::UnknownWorker { name: name.clone(), nearest }
    }
}
