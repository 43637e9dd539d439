//! What can be seen of the state.

use std::collections::BTreeMap;

use squall_types::cluster::{
    AssignmentVersion, BlobId, ClusterId, Epoch, ExecutorId, FeatureLevel, RaftId, RequestId, Revision, SlotId,
    TopologyName, UnixMillis, WorkerName,
};

use super::{Blob, Deployed, Member, State, Worker};
use crate::requests::Verdict;
use crate::{Compacted, Event, Lifecycle, Refusal, SecretHash, Subject, Token, TokenId, Unplaced};

/// How much there is of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Masters, learners included.
    pub members: usize,
    /// Workers that have registered.
    pub workers: usize,
    /// Topologies.
    pub topologies: usize,
    /// Executors of all topologies.
    pub executors: usize,
    /// Those with a place.
    pub placed: usize,
    /// Packages.
    pub blobs: usize,
    /// Tokens.
    pub tokens: usize,
    /// Requests whose answers are remembered.
    pub requests: usize,
}

impl State {
    /// The cluster.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The cluster's life.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The level of the commands that may be proposed.
    pub fn level(&self) -> FeatureLevel {
        self.level
    }

    /// The highest level that all members have reported: what [`RaiseLevel`](crate::Command::RaiseLevel) can go to.
    pub fn reported_level(&self) -> FeatureLevel {
        self.members.values().map(|member| member.level).min().unwrap_or(self.level)
    }

    /// The place in the log of the last entry that was applied.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The latest time that a leader stamped.
    pub fn now(&self) -> UnixMillis {
        self.now
    }

    /// All topologies.
    pub fn topologies(&self) -> &BTreeMap<TopologyName, Deployed> {
        &self.topologies
    }

    /// The topology of this name.
    pub fn topology(&self, name: &TopologyName) -> Option<&Deployed> {
        self.topologies.get(name)
    }

    /// Killed topologies whose wait is over at this time.
    pub fn finished(&self, now: UnixMillis) -> impl Iterator<Item = &TopologyName> {
        let over = move |lifecycle| matches!(lifecycle, Lifecycle::Killed { stops_at } if stops_at <= now);
        self.topologies.iter().filter(move |(_, it)| over(it.lifecycle)).map(|(name, _)| name)
    }

    /// All workers that have registered.
    pub fn workers(&self) -> &BTreeMap<WorkerName, Worker> {
        &self.workers
    }

    /// The worker of this name.
    pub fn worker(&self, name: &WorkerName) -> Option<&Worker> {
        self.workers.get(name)
    }

    /// The slots in use, each with the topology that it belongs to.
    pub fn slots(&self) -> &BTreeMap<SlotId, TopologyName> {
        &self.slots
    }

    /// The slots in use on one worker.
    pub fn slots_on(&self, worker: &WorkerName) -> impl Iterator<Item = (&SlotId, &TopologyName)> {
        let first = SlotId { worker: worker.clone(), number: 0 };
        let last = SlotId { worker: worker.clone(), number: u16::MAX };
        self.slots.range(first..=last)
    }

    /// All masters, by the lives of their disks.
    pub fn members(&self) -> &BTreeMap<RaftId, Member> {
        &self.members
    }

    /// All packages.
    pub fn blobs(&self) -> &BTreeMap<BlobId, Blob> {
        &self.blobs
    }

    /// Packages that a master should have and hasn't, of those that another has.
    pub fn missing_blobs(&self, master: RaftId) -> impl Iterator<Item = (BlobId, &Blob)> {
        let missing = move |blob: &Blob| !blob.held_by.is_empty() && !blob.held_by.contains(&master);
        self.blobs.iter().filter(move |(_, blob)| missing(blob)).map(|(id, blob)| (*id, blob))
    }

    /// Packages that no master has, as after a restore: backups have none.
    pub fn lost_blobs(&self) -> impl Iterator<Item = (BlobId, &Blob)> {
        self.blobs.iter().filter(|(_, blob)| blob.held_by.is_empty()).map(|(id, blob)| (*id, blob))
    }

    /// Packages that may be forgotten at this time.
    pub fn collectable_blobs(&self, now: UnixMillis) -> impl Iterator<Item = BlobId> {
        self.blobs.iter().filter(move |(_, blob)| blob.is_collectable(now)).map(|(id, _)| *id)
    }

    /// All tokens.
    pub fn tokens(&self) -> impl Iterator<Item = (TokenId, &Token)> {
        self.tokens.iter()
    }

    /// The token with this secret's hash, if it is still good at this time.
    pub fn token(&self, hash: &SecretHash, now: UnixMillis) -> Option<(TokenId, &Token)> {
        self.tokens.by_hash(hash).filter(|(_, token)| token.is_good(now))
    }

    /// The first revision from which on all events are kept.
    pub fn oldest_event(&self) -> Revision {
        self.events.oldest()
    }

    /// The events from a revision on, oldest first.
    ///
    /// # Errors
    /// If some of them are no longer kept.
    pub fn events_since(&self, from: Revision) -> Result<impl Iterator<Item = &Event>, Compacted> {
        self.events.since(from)
    }

    /// Executors that have no place, each with its reason.
    pub fn unplaced(&self) -> impl Iterator<Item = (&TopologyName, ExecutorId, &Unplaced)> {
        let assigned = self.topologies.iter().filter_map(|(name, it)| Some((name, it.assignment.as_ref()?)));
        assigned.flat_map(|(name, it)| it.unplaced.iter().map(move |(executor, reason)| (name, *executor, reason)))
    }

    /// The highest assignment of any topology that was forgotten.
    pub fn retired(&self) -> AssignmentVersion {
        self.retired
    }

    /// Where something was changed last; none: it isn't there, or has no revision of its own.
    pub fn changed_at(&self, subject: &Subject) -> Option<Revision> {
        match subject {
            Subject::Topology(name) => self.topologies.get(name).map(|it| it.revision),
            Subject::Worker(name) => self.workers.get(name).map(|it| it.revision),
            Subject::Blob(id) => self.blobs.get(id).map(|it| it.revision),
            Subject::Token(id) => self.tokens.get(*id).map(|it| it.revision),
            Subject::Cluster | Subject::Master(_) => None,
        }
    }

    /// Where a request was run; none: it may be run now.
    ///
    /// # Errors
    /// If it was refused, or is too old to be run.
    pub fn answered(&self, request: RequestId, now: UnixMillis) -> Result<Option<Revision>, Refusal> {
        match self.requests.judge(request, self.now.max(now)) {
            Verdict::Run => Ok(None),
            Verdict::Repeat(answer) => answer.reply.map(|_| Some(answer.revision)).map_err(|refusal| *refusal),
            Verdict::Refuse(refusal) => Err(refusal),
        }
    }

    /// How much there is of everything.
    pub fn counts(&self) -> Counts {
        let placed = |it: &Deployed| it.assignment.as_ref().map_or(0, |assignment| assignment.places.len());
        Counts {
            members: self.members.len(),
            workers: self.workers.len(),
            topologies: self.topologies.len(),
            executors: self.topologies.values().map(|it| it.shape.executors().len()).sum(),
            placed: self.topologies.values().map(placed).sum(),
            blobs: self.blobs.len(),
            tokens: self.tokens.len(),
            requests: self.requests.len(),
        }
    }
}
