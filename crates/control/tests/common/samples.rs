//! A command of each kind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall_control::{
    Assign, Assignment, Audit, Command, Fate, Line, NewToken, Options, Rebalance, Rebirth, Submit, TokenId, Unplaced,
    WorkerRecord,
};
use squall_types::ComponentId;
use squall_types::cluster::{
    AssignmentVersion, FeatureLevel, Revision, TopologyVersion, UnixMillis, WorkerIncarnation,
};

use super::{blob, executor, name, raft_id, registration, slot, store, submission, token, worker};

/// What a sample is called: one name for each kind of command. A kind without a name doesn't compile, one without a sample fails a test.
pub fn kind(command: &Command) -> &'static str {
    match command {
        Command::Submit(_) => "submit",
        Command::Activate(_) => "activate",
        Command::Deactivate(_) => "deactivate",
        Command::Rebalance(_) => "rebalance",
        Command::Kill { .. } => "kill",
        Command::FinishKill(_) => "finish-kill",
        Command::Rollback { .. } => "rollback",
        Command::Assign(_) => "assign",
        Command::RegisterWorker { .. } => "register-worker",
        Command::Drain(_) => "drain",
        Command::Undrain(_) => "undrain",
        Command::ForgetWorker(_) => "forget-worker",
        Command::RecordWorkers(_) => "record-workers",
        Command::ReportMember { .. } => "report-member",
        Command::StoreBlob { .. } => "store-blob",
        Command::CollectBlobs(_) => "collect-blobs",
        Command::CreateToken(_) => "create-token",
        Command::RevokeToken(_) => "revoke-token",
        Command::RaiseLevel(_) => "raise-level",
        Command::BeginEpoch(_) => "begin-epoch",
        Command::Audit(_) => "audit",
        Command::Quarantine { .. } => "quarantine",
    }
}

/// A sample of each kind, in the order in which the kinds were added. In this order they make a history in which most are not refused.
pub fn all() -> Vec<Command> {
    vec![
        store(1, &[1, 2]),
        Command::Submit(Box::new(Submit {
            package: Some(blob(1)),
            config: BTreeMap::from([("count.limit".to_owned(), "10".to_owned())]),
            options: Options {
                max_slots: Some(3),
                anti_affinity: BTreeSet::from([name("other")]),
                hard_memory: true,
                hard_cpu: false,
            },
            ..submission("words")
        })),
        Command::Submit(Box::new(Submit { update: true, inactive: true, ..submission("words") })),
        Command::RegisterWorker { name: worker("w1"), registration: registration(3, 4) },
        Command::Activate(name("words")),
        Command::Deactivate(name("words")),
        Command::Rebalance(Rebalance {
            name: name("words"),
            parallelism: BTreeMap::from([(ComponentId::from("count"), 3)]),
            max_slots: Some(0),
            evenly: true,
        }),
        Command::Rollback { name: name("words"), to: Some(TopologyVersion::new(1)) },
        Command::Assign(Assign {
            planned_at: Revision::new(8),
            assignments: BTreeMap::from([(name("words"), assignment())]),
        }),
        Command::Drain(worker("w1")),
        Command::Undrain(worker("w1")),
        Command::RecordWorkers(vec![WorkerRecord {
            worker: worker("w1"),
            incarnation: WorkerIncarnation::new(3),
            fate: Fate::Dead { silent_ms: 3_100 },
        }]),
        Command::Quarantine { worker: worker("w1"), until: Some(UnixMillis::new(1_790_000_060_000)), strikes: 2 },
        Command::ForgetWorker(worker("w1")),
        Command::ReportMember {
            raft_id: raft_id(2),
            name: "b".parse().unwrap(),
            address: Line::lossy("b:7401"),
            level: FeatureLevel::new(2),
        },
        Command::RaiseLevel(FeatureLevel::new(2)),
        Command::CreateToken(NewToken { expires_at: Some(UnixMillis::new(1_800_000_000_000)), ..token(7, 9) }),
        Command::CreateToken(token(8, 10)),
        Command::RevokeToken(TokenId::new(7)),
        Command::BeginEpoch(Rebirth::Restored),
        Command::Audit(Audit::AccessDenied { call: Line::lossy("Cluster/Drain") }),
        Command::Audit(Audit::LeadershipTransferred { to: raft_id(3) }),
        Command::Kill { name: name("words"), wait: Some(Duration::from_millis(1_500)) },
        Command::CollectBlobs(BTreeSet::from([blob(1)])),
        Command::FinishKill(name("words")),
    ]
}

fn assignment() -> Assignment {
    Assignment {
        version: AssignmentVersion::new(1),
        parent: AssignmentVersion::ZERO,
        topology: TopologyVersion::new(3),
        places: [(1, 0), (2, 0), (3, 1)].map(|(task, number)| (executor(task, task), slot("w1", number))).into(),
        unplaced: BTreeMap::from([(executor(4, 4), Unplaced::NoMemory { needed_mib: 128, most_mib: 64 })]),
    }
}
