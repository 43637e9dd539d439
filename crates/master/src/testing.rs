//! What the tests of decisions are made from: a state with a history, and a log at a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use squall_control::{
    Assign, Assignment, Capacity, Command, Envelope, Line, Options, Registration, Seat, Seed, State, Submit,
};
use squall_control::{Outcome, Supported};
use squall_raft::{Health, Members, Progress, Role, Standing, Status};
use squall_types::cluster::{
    BlobId, ClusterId, FeatureLevel, RaftId, RequestId, Revision, SlotId, Term, TopologyName, UnixMillis,
    WorkerIncarnation, WorkerName,
};

pub(crate) const START: UnixMillis = UnixMillis::new(1_790_000_000_000);

pub(crate) fn id(number: u64) -> RaftId {
    RaftId::new(number).unwrap()
}

pub(crate) fn blob(byte: u8) -> BlobId {
    BlobId::from_bytes([byte; 32])
}

pub(crate) fn topology(name: &str) -> TopologyName {
    name.parse().unwrap()
}

pub(crate) fn worker(name: &str) -> WorkerName {
    name.parse().unwrap()
}

pub(crate) fn slot(worker: &str, number: u16) -> SlotId {
    SlotId { worker: self::worker(worker), number }
}

/// A state that is written to command by command.
pub(crate) struct History {
    pub state: State,
    pub now: UnixMillis,
    requests: u128,
}

impl History {
    /// Masters `m1`, `m2`, …, all with a vote.
    pub(crate) fn new(masters: u64) -> Self {
        Self::at_level(masters, Supported::NEWEST)
    }

    pub(crate) fn at_level(masters: u64, level: FeatureLevel) -> Self {
        let seat = |number: u64| Seat {
            name: format!("m{number}").parse().unwrap(),
            address: Line::lossy(&format!("m{number}:7400")),
            voter: true,
        };
        let members = (1..=masters).map(|number| (id(number), seat(number))).collect();
        let state = State::new(Seed { cluster: ClusterId::new(7).unwrap(), at: START, level, members });
        Self { state, now: START, requests: 0 }
    }

    pub(crate) fn run(&mut self, command: Command) -> Outcome {
        self.requests += 1;
        self.now = UnixMillis::new(self.now.get() + 1);
        let (at, revision) = (self.now, self.state.revision().next());
        let request = RequestId::new(at, self.requests);
        self.state.apply(revision, &Envelope { request, at, actor: None, origin: None, expected: None, command })
    }

    pub(crate) fn done(&mut self, command: Command) {
        let outcome = self.run(command);
        assert!(outcome.reply.is_ok(), "{:?}", outcome.reply);
    }

    pub(crate) fn registers(&mut self, name: &str, incarnation: u64, address: &str) {
        let registration = Registration {
            incarnation: WorkerIncarnation::new(incarnation),
            address: Line::lossy(address),
            zone: Line::lossy(""),
            tags: BTreeSet::new(),
            slots: 4,
            capacity: Capacity { cpu_percent: 800, memory_mib: 8_192 },
        };
        self.done(Command::RegisterWorker { name: worker(name), registration });
    }

    /// `words ×1 → count ×1`.
    pub(crate) fn submits(&mut self, name: &str, package: Option<BlobId>) {
        let component = |id: &str, kind: &str, streams: serde_json::Value, inputs: serde_json::Value| {
            serde_json::json!({
                "id": id, "kind": kind, "execution": "sync", "parallelism": 1, "tasks": 1, "streams": streams, "inputs": inputs,
                "config": {}, "resources": {"cpu_percent": 10, "memory_mib": 64}, "tags": [],
            })
        };
        let stream = serde_json::json!([{"id": "default", "fields": ["word"], "direct": false}]);
        let input = serde_json::json!([{"from": "words", "stream": "default", "grouping": {"fields": ["word"]}, "chain": true}]);
        let description = serde_json::json!({
            "name": name, "delivery": "at-least-once", "key_groups": 128, "message_timeout": "30s", "max_spout_pending": 1000,
            "config": {},
            "components": [
                component("words", "spout", stream, serde_json::json!([])),
                component("count", "bolt", serde_json::json!([]), input),
            ],
        });
        self.done(Command::Submit(Box::new(Submit {
            name: topology(name),
            description: description.to_string().into(),
            package,
            config: BTreeMap::new(),
            options: Options::default(),
            inactive: false,
            update: false,
        })));
    }

    /// Puts a topology's executors into these slots, in turn.
    pub(crate) fn assigns(&mut self, name: &str, slots: &[SlotId]) {
        let deployed = self.state.topology(&topology(name)).unwrap();
        let executors = deployed.shape().executors().keys().copied();
        let assignment = Assignment {
            version: deployed.parent().next(),
            parent: deployed.parent(),
            topology: deployed.current().version,
            places: executors.zip(slots.iter().cycle().cloned()).collect(),
            unplaced: BTreeMap::new(),
        };
        let assignments = BTreeMap::from([(topology(name), assignment)]);
        self.done(Command::Assign(Assign { planned_at: self.state.revision(), assignments }));
    }

    pub(crate) fn stores(&mut self, package: BlobId, held_by: &[u64]) {
        let held_by = held_by.iter().map(|number| id(*number)).collect();
        self.done(Command::StoreBlob { id: package, size: 10, held_by });
    }
}

/// The log of a leader `m1` with so many others, all of them close behind it.
pub(crate) fn leading(members: &[(u64, Standing)]) -> Status {
    let member = |number: u64| serde_json::json!({"id": number, "name": format!("m{number}"), "address": format!("m{number}:7400")});
    let list: serde_json::Map<_, _> = members
        .iter()
        .map(|(number, standing)| (number.to_string(), serde_json::json!([member(*number), standing])))
        .collect();
    let list: Members = serde_json::from_value(serde_json::json!({"members": list, "removed": []})).unwrap();
    let progress =
        |number: u64| Progress { id: id(number), matched: Revision::new(1_000), recent_active: true, snapshot: false };
    Status {
        id: id(1),
        cluster: ClusterId::new(7).unwrap(),
        role: Role::Leader,
        term: Term::new(3),
        leader: Some(id(1)),
        established: Some(Revision::new(5)),
        commit: Revision::new(1_000),
        applied: Revision::new(1_000),
        last: Revision::new(1_000),
        members: Arc::new(list),
        progress: members.iter().filter(|(number, _)| *number != 1).map(|(number, _)| progress(*number)).collect(),
        health: Health::Running,
    }
}

/// Masters with these numbers, all with a vote.
pub(crate) fn voters(count: u64) -> Vec<(u64, Standing)> {
    (1..=count).map(|number| (number, Standing::Voter)).collect()
}
