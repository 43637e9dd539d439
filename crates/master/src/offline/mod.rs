//! What is done to a master's disk while no master runs on it: a cluster's next life is begun, out of a backup or of one survivor's disk.
//!
//! Invariants: nothing is written before all that can speak against it was looked at; what is written takes the place of what was there in
//! one step, or not at all; the new life has a raft id, an epoch, revisions and assignments that no earlier one can have had; and while
//! other members of the cluster have a leader, none is begun.

mod disk;
mod error;
mod others;

use std::path::PathBuf;

use squall_control::{Birth, Counts, Line, Rebirth, Seat, State, Supported};
use squall_raft::store::rebirth;
use squall_raft::{Member, Members};
use squall_types::cluster::{BlobId, ClusterId, Epoch, MasterName, RaftId, Revision, Term, UnixMillis, UserName};

use crate::config::MasterConfig;
use crate::env::Env;
use crate::node::Secured;
use disk::{OfflineDisk, packages};
pub use error::OfflineError;
pub use others::{Answers, Other};

/// A master's disk, and what is needed to look around from there.
pub struct Offline<'a> {
    /// What the master is configured with.
    pub config: &'a MasterConfig,
    /// How it calls others.
    pub secured: &'a Secured,
    /// The machine.
    pub env: &'a Env,
    /// Who does it, if that is known.
    pub actor: Option<UserName>,
    /// Where.
    pub origin: Line,
}

/// A cluster's next life, as it has begun on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its new epoch.
    pub epoch: Epoch,
    /// The state's revision.
    pub revision: Revision,
    /// The one master.
    pub name: MasterName,
    /// Where it is reached.
    pub address: String,
    /// The time of the last decision that was taken over.
    pub known_until: UnixMillis,
    /// How much there is of everything.
    pub counts: Counts,
    /// Packages that the cluster lists and this disk hasn't.
    pub missing: Vec<BlobId>,
    /// Where the log that was there before is kept.
    pub kept: Option<PathBuf>,
}

/// What a disk holds that a cluster could go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The master whose disk it is.
    pub name: MasterName,
    /// The last entry of its log, all of which would be taken over.
    pub last: Revision,
    /// Up to where the disk knows entries to be committed.
    pub committed: Revision,
    /// The newest term that it has seen.
    pub term: Term,
    /// The time of the last decision in the log.
    pub known_until: UnixMillis,
    /// How much there is of everything.
    pub counts: Counts,
    /// Packages that the cluster lists and this disk hasn't.
    pub missing: Vec<BlobId>,
    /// The other members: their disks would be no part of the cluster any more.
    pub others: Vec<Other>,
}

impl Offline<'_> {
    /// Makes a cluster of one out of a backup, on a disk that has no cluster yet.
    ///
    /// # Errors
    /// If the backup can't be read, the disk has a cluster, is in use or can't be trusted, or if masters of the cluster have a leader.
    pub async fn restore(&self, backup: &[u8]) -> Result<Begun, OfflineError> {
        let state = State::decode(backup, Supported::newest()).map_err(OfflineError::NotABackup)?;
        let there = disk::existing(self)?;
        if let Some(there) = &there {
            there.is_empty(self)?;
        }
        let others = others::of(&state, &self.address(), &self.config.masters);
        others::none_leads(state.cluster(), &self.ask(others).await)?;
        let disk = there.map_or_else(|| disk::made(self), Ok)?;
        let voters = state.members().iter().map(|(id, it)| Member {
            id: *id,
            name: it.seat.name.clone(),
            address: it.seat.address.to_string(),
        });
        let before = Members::of_voters(voters);
        self.begin(disk, Rebirth::Restored, before, state, Term::new(1)).await
    }

    /// Looks at what a cluster could go on from, and at what it would lose; changes nothing.
    ///
    /// # Errors
    /// If the disk has no cluster, is in use or can't be trusted, or if other members have a leader.
    pub async fn survey(&self) -> Result<Survey, OfflineError> {
        Ok(self.look().await?.1)
    }

    /// Makes a cluster of one out of what this disk holds. The log as it was is kept beside it.
    ///
    /// # Errors
    /// As [`survey`](Self::survey), and if the disk can't be written.
    pub async fn recover(&self) -> Result<Begun, OfflineError> {
        let (found, _) = self.look().await?;
        let kept = found.disk.keep_aside(self)?;
        let mut begun = self.begin(found.disk, Rebirth::Recovered, found.members, found.state, found.term).await?;
        begun.kept = Some(kept);
        Ok(begun)
    }

    async fn look(&self) -> Result<(Found, Survey), OfflineError> {
        let nothing = || OfflineError::NothingToRecover { data_dir: self.config.data_dir.clone() };
        let disk = disk::existing(self)?.ok_or_else(nothing)?;
        let (replayed, state) = disk.replayed()?.ok_or_else(nothing)?;
        let others = others::of(&state, &self.address(), &[]);
        let answers = self.ask(others).await;
        others::none_leads(state.cluster(), &answers)?;
        let survey = Survey {
            cluster: state.cluster(),
            epoch: state.epoch(),
            name: self.name(),
            last: replayed.last,
            committed: replayed.committed,
            term: replayed.term,
            known_until: state.now(),
            counts: state.counts(),
            missing: packages(self, &state).await?.missing,
            others: others::members(&state, &self.name(), &answers),
        };
        Ok((Found { disk, members: replayed.members, term: replayed.term, state }, survey))
    }

    /// Writes the new life's first state in place of whatever is there.
    async fn begin(
        &self,
        disk: OfflineDisk,
        by: Rebirth,
        before: Members,
        state: State,
        term: Term,
    ) -> Result<Begun, OfflineError> {
        let (name, address) = (self.name(), self.address());
        let id = RaftId::new(self.env.random.number() | 1).expect("an odd number isn't 0");
        let packages = packages(self, &state).await?;
        let known_until = state.now();
        let birth = Birth {
            by,
            at: self.env.clock.now(),
            random: u128::from_le_bytes(self.env.random.bytes()),
            actor: self.actor.clone(),
            origin: self.origin.clone(),
            master: (id, Seat { name: name.clone(), address: Line::lossy(&address), voter: true }),
            packages: packages.here,
        };
        let state = state.reborn(birth);
        let identity = squall_raft::Identity { name: name.clone(), id, cluster: Some(state.cluster()) };
        let members = before.succeeded_by(Member { id, name: name.clone(), address: address.clone() });
        disk.write(&rebirth(identity, members, state.encode(), state.revision(), term))?;
        Ok(Begun {
            cluster: state.cluster(),
            epoch: state.epoch(),
            revision: state.revision(),
            name,
            address,
            known_until,
            counts: state.counts(),
            missing: packages.missing,
            kept: None,
        })
    }

    async fn ask(&self, addresses: Vec<String>) -> Vec<others::Answer> {
        others::ask(self, addresses).await
    }

    fn name(&self) -> MasterName {
        self.config.called(self.config.listen)
    }

    fn address(&self) -> String {
        self.config.advertised(self.config.listen).to_string()
    }
}

/// A disk, with what its log came to.
struct Found {
    disk: OfflineDisk,
    members: Members,
    term: Term,
    state: State,
}
