//! Whether the cluster is well, and what is the worst thing: a function of what is known.

use std::collections::BTreeMap;

use squall_control::plan::Standing;
use squall_control::{Admin, State};
use squall_proto::v1;
use squall_raft::{Health as HostHealth, Role, Status};
use squall_types::cluster::{RaftId, TopologyName, TopologyVersion, WorkerName};
use squall_types::{Code, codes};

use crate::core::Me;
use crate::leading::View;
use crate::services::show::{self, count};

/// What is known, of one moment.
pub(crate) struct Known<'a> {
    pub me: &'a Me,
    pub state: &'a State,
    pub raft: &'a Status,
    /// What the leader knows of workers; none on another master.
    pub view: Option<&'a View>,
    /// Whether there was no leader to ask.
    pub stale: bool,
}

/// From so many failures in a row on a slot's process is a concern.
const FAILING: u32 = 3;
/// How far a member may be behind before it is a concern.
const FAR_BEHIND: u64 = 5_000;

impl Known<'_> {
    pub(crate) fn status(&self) -> v1::StatusResponse {
        let concerns = self.concerns();
        let worst = concerns.iter().map(v1::Concern::health).max().unwrap_or(v1::Health::Green);
        let counts = self.state.counts();
        let leader = self.raft.leader.and_then(|id| self.state.members().get(&id));
        v1::StatusResponse {
            cluster_id: self.me.cluster.to_string(),
            health: worst.into(),
            concerns,
            revision: self.state.revision().get(),
            term: self.raft.term.get(),
            leader: leader.map_or_else(String::new, |it| it.seat.name.to_string()),
            answered_by: self.me.name.to_string(),
            stale: self.stale,
            masters: count(counts.members),
            masters_alive: count(self.state.members().keys().filter(|id| self.is_alive(**id)).count()),
            workers: count(counts.workers),
            workers_alive: count(self.view.map_or(0, View::alive)),
            topologies: count(counts.topologies),
            executors: count(counts.executors),
            executors_placed: count(counts.placed),
            epoch: self.state.epoch().get(),
            feature_level: self.state.level().get(),
            slots: count(self.state.slots().len()),
            slots_running: count(self.slots().filter(|report| report.state() == v1::SlotState::Running).count()),
        }
    }

    /// What was heard of the slots that topologies have.
    fn slots(&self) -> impl Iterator<Item = &v1::SlotReport> {
        let slots = self.state.slots().iter();
        slots.filter_map(|(slot, topology)| self.view?.reported.of(slot, topology))
    }

    /// Slots whose process doesn't stay up or can't be started, and what workers say of themselves.
    fn of_slots(&self) -> Vec<v1::Concern> {
        let Some(view) = self.view else { return Vec::new() };
        let failing = self.state.slots().iter().filter_map(|(slot, topology)| {
            let report = view.reported.of(slot, topology).filter(|report| report.failures >= FAILING)?;
            let cause = format!("slot {slot}: {}", report.text);
            let next_step = "read what its process said last, in slots/N/stderr.log on that worker; mend it and submit again, or: squall \
                             rollback";
            Some(amber(format!("topology {topology}"), codes::SLOT_FAILING, cause, next_step))
        });
        failing.chain(view.concerns.values().flatten().cloned()).collect()
    }

    pub(crate) fn masters(&self) -> v1::MastersResponse {
        let master = |(id, member): (&RaftId, &squall_control::Member)| {
            let progress = self.raft.progress.iter().find(|it| it.id == *id);
            let matched = progress.map_or(0, |it| it.matched.get());
            let applied = if *id == self.me.id { self.raft.applied.get() } else { matched };
            let role = match (self.raft.leader == Some(*id), member.seat.voter) {
                (true, _) => v1::MasterRole::Leader,
                (false, true) => v1::MasterRole::Follower,
                (false, false) => v1::MasterRole::Learner,
            };
            v1::Master {
                name: member.seat.name.to_string(),
                raft_id: id.to_string(),
                address: member.seat.address.to_string(),
                role: role.into(),
                alive: self.is_alive(*id),
                applied,
                lag: self.lag(*id).unwrap_or(0),
                feature_level: member.level.get(),
                missing_blobs: count(self.state.missing_blobs(*id).count()),
            }
        };
        let mut masters: Vec<_> = self.state.members().iter().map(master).collect();
        masters.sort_by(|one, other| one.name.cmp(&other.name));
        v1::MastersResponse { masters, revision: self.state.revision().get(), stale: self.stale }
    }

    pub(crate) fn workers(&self) -> v1::WorkersResponse {
        let workers = self.state.workers().keys().map(|name| self.worker(name)).collect();
        v1::WorkersResponse { workers, revision: self.state.revision().get(), stale: self.stale }
    }

    /// What there is that isn't as it should be, the worst first.
    pub(crate) fn concerns(&self) -> Vec<v1::Concern> {
        let mut concerns = self.of_masters();
        concerns.extend(self.of_workers());
        concerns.extend(self.of_slots());
        concerns.extend(self.of_executors());
        concerns.extend(self.of_lost_blobs());
        concerns.extend(self.of_blobs());
        concerns.extend(self.of_plans());
        concerns.extend(self.of_drains());
        concerns.sort_by_key(|concern| std::cmp::Reverse(concern.health));
        concerns
    }

    fn is_alive(&self, id: RaftId) -> bool {
        id == self.me.id
            || self.raft.leader == Some(id)
            || self.raft.progress.iter().any(|it| it.id == id && it.recent_active)
    }

    /// Entries that a member lacks of what is committed; none if this master doesn't know.
    fn lag(&self, id: RaftId) -> Option<u64> {
        let progress = self.raft.progress.iter().find(|it| it.id == id)?;
        Some(self.raft.commit.get().saturating_sub(progress.matched.get()))
    }

    fn of_masters(&self) -> Vec<v1::Concern> {
        let mut concerns = Vec::new();
        if self.raft.role == Role::Removed {
            concerns.push(self.of_one_that_was_removed());
        } else if self.stale || self.raft.leader.is_none() {
            let cause = "the masters have no leader: nothing can be changed, and no work is moved; what runs goes on";
            let next_step = "start the masters that are down, and see that they reach each other; if a majority is lost for good, stop \
                             this one, and: squall masters recover (docs/operations.md)";
            concerns.push(red("cluster".to_owned(), codes::NO_QUORUM, cause, next_step));
        }
        if let HostHealth::Stopped(reason) = &self.raft.health {
            concerns.push(red(
                format!("master {}", self.me.name),
                reason.code(),
                crate::error::chain(&**reason),
                reason.next_step(),
            ));
        }
        if self.raft.role != Role::Leader {
            return concerns;
        }
        for (id, member) in self.state.members() {
            let subject = format!("master {}", member.seat.name);
            if !self.is_alive(*id) {
                let cause = format!("it doesn't answer; it listens at {}", member.seat.address);
                let name = &member.seat.name;
                let next_step = format!(
                    "start it; if its disk is lost, start it on an empty one and: squall masters replace {name}"
                );
                concerns.push(amber(subject, codes::MASTER_AMBER, cause, next_step));
            } else if let Some(lag) = self.lag(*id).filter(|lag| *lag > FAR_BEHIND) {
                let cause = format!("it is {lag} entries behind");
                concerns.push(amber(
                    subject,
                    codes::MASTER_AMBER,
                    cause,
                    "wait; if it doesn't catch up, look at its log and its disk",
                ));
            } else if !member.seat.voter {
                let cause = "it has no vote yet: it is catching up";
                concerns.push(amber(subject, codes::MASTER_AMBER, cause, "wait until it has everything"));
            }
        }
        concerns
    }

    fn of_one_that_was_removed(&self) -> v1::Concern {
        let Me { name, address, .. } = self.me;
        let cause =
            "it is no member of its cluster any more: it was taken out, or the cluster began a new life without it";
        let next_step = format!(
            "stop it; to have it back: empty its data directory, start it, and where the others are: squall masters add {address}"
        );
        red(format!("master {name}"), codes::MASTER_REMOVED, cause, next_step)
    }

    fn of_workers(&self) -> Vec<v1::Concern> {
        let Some(view) = self.view else { return Vec::new() };
        let concern = |(name, seen): (&WorkerName, &crate::leading::Seen)| {
            let in_use = self.state.slots_on(name).next().is_some();
            let next_step = match seen.standing {
                Standing::Open | Standing::Unheard | Standing::Draining => return None,
                Standing::Left if !in_use => return None,
                Standing::Quarantined => "see why it comes and goes: its log, its network, its load".to_owned(),
                Standing::Suspect => "wait: it answers, or another worker finds it silent too and its work is moved".to_owned(),
                Standing::CutOff => "see that it runs and reaches the masters; its work is moved only if a live worker finds it dead, so if it is, and no other lives, start one".to_owned(),
                Standing::Left => "nothing: its work is being moved".to_owned(),
                Standing::Dead => format!("start it again, or if it is gone for good: squall forget {name}"),
            };
            let cause = format!("it {}", seen.standing.words());
            Some(amber(format!("worker {name}"), codes::WORKER_AMBER, cause, next_step))
        };
        view.workers.iter().filter_map(concern).collect()
    }

    /// One concern for each topology and reason.
    fn of_executors(&self) -> Vec<v1::Concern> {
        let mut concerns = Vec::new();
        for topology in self.state.topologies().values() {
            let Some(assignment) = topology.assignment() else { continue };
            let mut reasons: Vec<_> = assignment.unplaced.values().collect();
            reasons.sort();
            for same in reasons.chunk_by(|one, other| one == other) {
                let text = same[0].to_string();
                let (cause, next_step) = text.split_once("; ").unwrap_or((&text, ""));
                let cause = format!(
                    "{} of its {} executors have no place: {cause}",
                    same.len(),
                    topology.shape().executors().len()
                );
                let subject = format!("topology {}", topology.name());
                let none = assignment.places.is_empty();
                let concern = if none { red } else { amber };
                concerns.push(concern(subject, codes::UNPLACED, cause.as_str(), next_step.to_owned()));
            }
        }
        concerns
    }

    /// Packages that no master has: as after a restore, for backups have none.
    fn of_lost_blobs(&self) -> Vec<v1::Concern> {
        let needed = self.state.lost_blobs().filter_map(|(id, blob)| Some((id, blob.used_by.first()?)));
        let concern = |(id, (name, version)): (squall_types::cluster::BlobId, &(TopologyName, TopologyVersion))| {
            let cause = format!("no master has package {}, which {name}@{version} runs from", id.short());
            let next_step = "bring it back: squall blobs put PROGRAM, with the file that was submitted";
            red(format!("blob {}", id.short()), codes::BLOB_COPIES_MISSING, cause, next_step)
        };
        needed.map(concern).collect()
    }

    fn of_blobs(&self) -> Vec<v1::Concern> {
        let held = self.state.blobs().len() - self.state.lost_blobs().count();
        let concern = |(id, member): (&RaftId, &squall_control::Member)| {
            let missing = self.state.missing_blobs(*id).count();
            let cause = format!("it lacks {missing} of the {held} packages");
            let subject = format!("master {}", member.seat.name);
            (missing > 0).then(|| {
                amber(
                    subject,
                    codes::BLOB_COPIES_MISSING,
                    cause,
                    "wait while it fetches them; see that its disk has room",
                )
            })
        };
        self.state.members().iter().filter_map(concern).collect()
    }

    /// One concern for each worker that is being drained and for each reason why it can't be emptied.
    fn of_drains(&self) -> Vec<v1::Concern> {
        let stuck = self.view.map_or(&[][..], |view| &view.stuck);
        let mut counts: BTreeMap<(&WorkerName, String), usize> = BTreeMap::new();
        for it in stuck {
            *counts.entry((&it.slot.worker, it.why.to_string())).or_default() += 1;
        }
        let concern = |((worker, why), count): ((&WorkerName, String), usize)| {
            let (cause, next_step) = why.split_once("; ").unwrap_or((&why, ""));
            let cause = format!("it is being drained, and {count} of its executors have no other place: {cause}");
            amber(format!("worker {worker}"), codes::UNPLACED, cause, next_step)
        };
        counts.into_iter().map(concern).collect()
    }

    fn of_plans(&self) -> Vec<v1::Concern> {
        let broken = self.view.map_or(&[][..], |view| &view.broken);
        let concern = |rule: &String| {
            let cause = format!("a plan was not carried out, for it breaks a rule: {rule}");
            red(
                "cluster".to_owned(),
                codes::PLAN_BREAKS_RULES,
                cause,
                "report this, with squall masters backup; what runs goes on",
            )
        };
        broken.iter().map(concern).collect()
    }

    fn worker(&self, name: &WorkerName) -> v1::Worker {
        let Some(worker) = self.state.worker(name) else { return v1::Worker::default() };
        let seen = self.view.and_then(|view| view.workers.get(name));
        let registration = &worker.registration;
        let used = self.used(name);
        v1::Worker {
            name: name.to_string(),
            state: seen.map_or(v1::WorkerState::Unspecified, |seen| state(seen.standing)).into(),
            admin: match worker.admin {
                Admin::Open => v1::WorkerAdmin::Open,
                Admin::Draining => v1::WorkerAdmin::Draining,
            }
            .into(),
            zone: registration.zone.to_string(),
            tags: registration.tags.iter().map(ToString::to_string).collect(),
            address: registration.address.to_string(),
            slots: registration.slots.into(),
            slots_used: count(self.state.slots_on(name).count()),
            capacity: Some(v1::Resources {
                cpu_percent: registration.capacity.cpu_percent,
                memory_mib: registration.capacity.memory_mib,
            }),
            executors: used.executors,
            used: Some(v1::Resources { cpu_percent: used.cpu_percent, memory_mib: used.memory_mib }),
            incarnation: registration.incarnation.get(),
            silent_ms: seen.map_or(0, |seen| u64::try_from(seen.silent.as_millis()).unwrap_or(u64::MAX)),
            quarantined_until_ms: show::millis(worker.quarantine.map(|it| it.until)),
            revision: worker.revision.get(),
        }
    }

    fn used(&self, name: &WorkerName) -> Used {
        let mut used = Used::default();
        let topologies: std::collections::BTreeSet<_> =
            self.state.slots_on(name).map(|(_, topology)| topology).collect();
        for topology in topologies.into_iter().filter_map(|name| self.state.topology(name)) {
            let Some(assignment) = topology.assignment() else { continue };
            for executor in assignment.places.iter().filter(|(_, slot)| slot.worker == *name).map(|(id, _)| id) {
                let Some(index) = topology.shape().executors().get(executor) else { continue };
                let needs = topology.shape().checked().component(*index).resources;
                used.executors += 1;
                used.cpu_percent = used.cpu_percent.saturating_add(needs.cpu_percent);
                used.memory_mib += u64::from(needs.memory_mib);
            }
        }
        used
    }
}

#[derive(Default)]
struct Used {
    executors: u32,
    cpu_percent: u32,
    memory_mib: u64,
}

fn state(standing: Standing) -> v1::WorkerState {
    match standing {
        Standing::Open | Standing::Quarantined | Standing::Draining => v1::WorkerState::Alive,
        Standing::Unheard => v1::WorkerState::Unspecified,
        Standing::Suspect => v1::WorkerState::Suspect,
        Standing::CutOff => v1::WorkerState::CutOff,
        Standing::Left => v1::WorkerState::Left,
        Standing::Dead => v1::WorkerState::Dead,
    }
}

fn amber(subject: String, code: Code, cause: impl Into<String>, next_step: impl Into<String>) -> v1::Concern {
    concern(v1::Health::Amber, subject, code, cause.into(), next_step.into())
}

fn red(subject: String, code: Code, cause: impl Into<String>, next_step: impl Into<String>) -> v1::Concern {
    concern(v1::Health::Red, subject, code, cause.into(), next_step.into())
}

fn concern(health: v1::Health, subject: String, code: Code, cause: String, next_step: String) -> v1::Concern {
    v1::Concern { health: health.into(), subject, code: code.to_string(), cause, next_step }
}

#[cfg(test)]
mod tests;
