//! What can be decided: every change of the replicated state is one of these.
//!
//! The encoding of a command is its variant's number and its fields in order. So variants are only ever added, at the end, with a higher
//! [`level`](Command::level); none is moved, removed or given another field.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use squall_types::ComponentId;
use squall_types::cluster::{
    BlobId, FeatureLevel, MasterName, RaftId, RequestId, Revision, Role, TopologyName, TopologyVersion, UnixMillis,
    UserName, WorkerIncarnation, WorkerName,
};

use crate::{Assignment, Line, TokenId};

/// A command on its way into the log, with all that decides about it besides the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Makes a retry the same request.
    pub request: RequestId,
    /// The leader's wall time when it took the command in. The state's time is the latest of these; it never goes back.
    pub at: UnixMillis,
    /// Who wants it; none: the cluster itself.
    pub actor: Option<UserName>,
    /// Where it came from; none: the cluster itself.
    pub origin: Option<Line>,
    /// If set, the command is refused unless what it changes was last changed at this revision; [`Revision::ZERO`] says that it must
    /// not be there.
    pub expected: Option<Revision>,
    /// What is to be done.
    pub command: Command,
}

/// A change of the replicated state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A new topology, or a new version of one.
    Submit(Box<Submit>),
    /// Lets the spouts of a topology emit.
    Activate(TopologyName),
    /// Stops the spouts of a topology.
    Deactivate(TopologyName),
    /// Changes how a topology is spread.
    Rebalance(Rebalance),
    /// Stops a topology's spouts now, and the topology once the wait is over. A second kill may bring the end nearer.
    Kill {
        /// The topology.
        name: TopologyName,
        /// How long what is under way may take; none: the topology's message timeout.
        wait: Option<Duration>,
    },
    /// Forgets a killed topology whose wait is over. Proposed by the leader.
    FinishKill(TopologyName),
    /// Goes back to an earlier version, as a new version with its content.
    Rollback {
        /// The topology.
        name: TopologyName,
        /// The version to go back to; none: the one before the current.
        to: Option<TopologyVersion>,
    },
    /// A planner's decision. Proposed by the leader.
    Assign(Assign),
    /// A worker is there, or says of itself what it didn't before.
    RegisterWorker {
        /// Its name.
        name: WorkerName,
        /// What it says.
        registration: Registration,
    },
    /// Gives a worker no new work; planners move off what it has.
    Drain(WorkerName),
    /// Gives a drained worker work again.
    Undrain(WorkerName),
    /// Forgets a worker that is gone for good.
    ForgetWorker(WorkerName),
    /// What became of workers, for the record: liveness itself is no replicated state. Proposed by the leader.
    RecordWorkers(Vec<WorkerRecord>),
    /// A master says what it is. Each does at its start; it must be a member.
    ReportMember {
        /// The life of its disk.
        raft_id: RaftId,
        /// Its name.
        name: MasterName,
        /// Where it listens.
        address: Line,
        /// The commands that it understands.
        level: FeatureLevel,
    },
    /// Masters have a package on their disks.
    StoreBlob {
        /// The package.
        id: BlobId,
        /// Its length in bytes.
        size: u64,
        /// Those masters.
        held_by: BTreeSet<RaftId>,
    },
    /// Forgets packages that nothing has referred to for [`UNUSED_BLOBS_KEPT`](crate::UNUSED_BLOBS_KEPT). All or none. Proposed by the leader.
    CollectBlobs(BTreeSet<BlobId>),
    /// A new token.
    CreateToken(NewToken),
    /// Ends a token.
    RevokeToken(TokenId),
    /// From here on commands up to this level are proposed. All members must have reported it. Proposed by the leader.
    RaiseLevel(FeatureLevel),
    /// A new life of the cluster begins.
    BeginEpoch(Rebirth),
    /// Something that changes no replicated state, for the record.
    Audit(Audit),
    /// Holds new work off a worker that comes and goes. A penalty, no ban: it yields before an executor stays unplaced. Proposed by the leader.
    Quarantine {
        /// The worker.
        worker: WorkerName,
        /// Until when; none: it ends now.
        until: Option<UnixMillis>,
        /// How often it has been quarantined in a row.
        strikes: u32,
    },
}

/// A topology to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit {
    /// What it is to be called; wins over the description's name.
    pub name: TopologyName,
    /// The topology as JSON, as its program describes it.
    pub description: Arc<str>,
    /// Its program; none: it can't run on workers.
    pub package: Option<BlobId>,
    /// Settings that win over the description's: `KEY` or `COMPONENT.KEY`. Values are JSON; what isn't is text.
    pub config: BTreeMap<String, String>,
    /// How it is to be placed.
    pub options: Options,
    /// Whether its spouts are to stay stopped.
    pub inactive: bool,
    /// Whether a topology of this name is given a new version. Otherwise the name must be free.
    pub update: bool,
}

/// How a topology is to be placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The most slots that it may use; none: as many as it has executors.
    pub max_slots: Option<u32>,
    /// Topologies on whose workers it is not to run.
    pub anti_affinity: BTreeSet<TopologyName>,
    /// Whether memory asked for is a limit on placement.
    pub hard_memory: bool,
    /// Whether CPU asked for is a limit on placement.
    pub hard_cpu: bool,
}

/// A change of how a topology is spread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebalance {
    /// The topology.
    pub name: TopologyName,
    /// New numbers of executors, by component. Those not named keep theirs.
    pub parallelism: BTreeMap<ComponentId, u32>,
    /// The most slots from now on; none: as before, zero: as many as it has executors.
    pub max_slots: Option<u32>,
    /// Whether executors are to be moved until workers are evenly filled.
    pub evenly: bool,
}

/// One plan's decisions: all are taken, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assign {
    /// The state's revision that was planned against.
    pub planned_at: Revision,
    /// The new assignment of each topology that gets one.
    pub assignments: BTreeMap<TopologyName, Assignment>,
}

/// What a worker says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Its daemon's life. A lower one than is known is a daemon of the past.
    pub incarnation: WorkerIncarnation,
    /// Where its daemon listens.
    pub address: Line,
    /// The rack or zone that it stands in; empty: it doesn't say.
    pub zone: Line,
    /// What it is tagged with.
    pub tags: BTreeSet<Line>,
    /// Its places.
    pub slots: u16,
    /// What its places have together.
    pub capacity: Capacity,
}

/// CPU and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Capacity {
    /// Hundredths of a core.
    pub cpu_percent: u32,
    /// Mebibytes.
    pub memory_mib: u64,
}

/// What became of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// The worker.
    pub worker: WorkerName,
    /// The life of its daemon.
    pub incarnation: WorkerIncarnation,
    /// What became of it.
    pub fate: Fate,
}

/// What can become of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Fate {
    /// Neither it nor its slots answer.
    Dead {
        /// How long it had been silent, in milliseconds.
        silent_ms: u64,
    },
    /// It is silent, and a slot of its answers, or nobody has found it dead.
    CutOff,
    /// It is heard again.
    Back,
    /// It left by itself.
    Left,
}

/// A token to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// Its public name.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserName,
    /// What its holder may do.
    pub role: Role,
    /// SHA-256 (FIPS 180-4) of the secret. The secret itself is nowhere in the cluster.
    pub hash: SecretHash,
    /// When it ends; none: never.
    pub expires_at: Option<UnixMillis>,
}

/// The SHA-256 of a token's secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Says nothing of it: logs are no place for what tokens can be looked up by.
impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// Why a cluster begins a new life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rebirth {
    /// From a backup.
    Restored,
    /// From one survivor.
    Recovered,
}

/// What is recorded though it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audit {
    /// Someone took a copy of the whole state.
    BackupTaken,
    /// Someone moved leadership.
    LeadershipTransferred {
        /// To this master.
        to: RaftId,
    },
    /// A call was turned away for lack of rights.
    AccessDenied {
        /// The call's name.
        call: Line,
    },
}
