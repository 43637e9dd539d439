//! A replicated state with someone who writes its log.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

pub mod samples;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall_control::{
    Assign, Assignment, Capacity, Command, Deployed, Envelope, Line, NewToken, Options, Outcome, Rebalance, Refusal,
    Registration, Reply, Seat, SecretHash, Seed, State, Submit, TokenId,
};
use squall_types::ComponentId;
use squall_types::StreamId;
use squall_types::cluster::{
    BlobId, ClusterId, ExecutorId, FeatureLevel, RaftId, RequestId, Revision, Role, SlotId, TopologyName, UnixMillis,
    WorkerIncarnation, WorkerName,
};
use squall_types::topology::{Component, Fields, Grouping, Input, Kind, StreamDecl, Topology};

/// Whether golden files are to be written instead of compared.
#[allow(clippy::disallowed_methods, reason = "only how tests are called says so")]
pub fn writes_golden() -> bool {
    std::env::var_os("SQUALL_WRITE_GOLDEN").is_some()
}

pub const START: u64 = 1_790_000_000_000;

pub fn name(text: &str) -> TopologyName {
    text.parse().unwrap()
}

pub fn worker(text: &str) -> WorkerName {
    text.parse().unwrap()
}

pub fn raft_id(number: u64) -> RaftId {
    RaftId::new(number).unwrap()
}

pub fn blob(byte: u8) -> BlobId {
    BlobId::from_bytes([byte; 32])
}

pub fn slot(on: &str, number: u16) -> SlotId {
    SlotId { worker: worker(on), number }
}

pub fn seat(name: &str, voter: bool) -> Seat {
    Seat { name: name.parse().unwrap(), address: Line::lossy(&format!("{name}:7400")), voter }
}

/// Three masters, all of this level.
pub fn seed(level: u64) -> Seed {
    Seed {
        cluster: ClusterId::new(7).unwrap(),
        at: UnixMillis::new(START),
        level: FeatureLevel::new(level),
        members: [(1, "a"), (2, "b"), (3, "c")].map(|(id, name)| (raft_id(id), seat(name, true))).into(),
    }
}

/// `words ×2 → count ×parallelism`.
pub fn words(parallelism: u32) -> Topology {
    let stream = StreamId::default_stream();
    let mut spout = Component::new("words".into(), Kind::Spout);
    (spout.parallelism, spout.tasks) = (2, 2);
    spout.streams = vec![StreamDecl::new(stream.clone(), Fields::new(["word"]))];
    let mut bolt = Component::new("count".into(), Kind::Bolt);
    (bolt.parallelism, bolt.tasks) = (parallelism, parallelism);
    bolt.inputs = vec![Input::new("words".into(), stream, Grouping::Fields(Fields::new(["word"])))];
    let mut topology = Topology::new("words");
    topology.components = vec![spout, bolt];
    topology
}

pub fn json(topology: &Topology) -> String {
    serde_json::to_string(topology).unwrap()
}

pub fn submission(of: &str) -> Submit {
    Submit {
        name: name(of),
        description: json(&words(2)).into(),
        package: None,
        config: BTreeMap::new(),
        options: Options::default(),
        inactive: false,
        update: false,
    }
}

pub fn submit(of: &str) -> Command {
    Command::Submit(Box::new(submission(of)))
}

pub fn update(of: &str, description: &Topology) -> Command {
    Command::Submit(Box::new(Submit { description: json(description).into(), update: true, ..submission(of) }))
}

pub fn with_package(of: &str, package: u8, update: bool) -> Command {
    Command::Submit(Box::new(Submit { package: Some(blob(package)), update, ..submission(of) }))
}

pub fn rebalance(of: &str) -> Rebalance {
    Rebalance { name: name(of), parallelism: BTreeMap::new(), max_slots: None, evenly: false }
}

pub fn parallel(of: &str, component: &str, executors: u32) -> Command {
    let parallelism = BTreeMap::from([(ComponentId::from(component), executors)]);
    Command::Rebalance(Rebalance { parallelism, ..rebalance(of) })
}

pub fn kill(of: &str, wait_ms: u64) -> Command {
    Command::Kill { name: name(of), wait: Some(Duration::from_millis(wait_ms)) }
}

pub fn registration(incarnation: u64, slots: u16) -> Registration {
    Registration {
        incarnation: WorkerIncarnation::new(incarnation),
        address: Line::lossy("10.0.0.1:7500"),
        zone: Line::lossy("rack-1"),
        tags: BTreeSet::from([Line::lossy("ssd")]),
        slots,
        capacity: Capacity { cpu_percent: 800, memory_mib: 16_384 },
    }
}

pub fn register(of: &str, incarnation: u64, slots: u16) -> Command {
    Command::RegisterWorker { name: worker(of), registration: registration(incarnation, slots) }
}

pub fn store(byte: u8, masters: &[u64]) -> Command {
    Command::StoreBlob { id: blob(byte), size: 1_000, held_by: masters.iter().map(|id| raft_id(*id)).collect() }
}

pub fn token(id: u64, secret: u8) -> NewToken {
    NewToken {
        id: TokenId::new(id),
        user: "ann".parse().unwrap(),
        role: Role::Operate,
        hash: SecretHash::from_bytes([secret; 32]),
        expires_at: None,
    }
}

/// The next assignment of a topology: its executors in order on these slots, in turn.
pub fn next_assignment(deployed: &Deployed, slots: &[SlotId]) -> Assignment {
    let executors = deployed.shape().executors().keys();
    Assignment {
        version: deployed.parent().next(),
        parent: deployed.parent(),
        topology: deployed.current().version,
        places: executors.zip(slots.iter().cycle()).map(|(executor, slot)| (*executor, slot.clone())).collect(),
        unplaced: BTreeMap::new(),
    }
}

/// The slots that a topology's assignment uses, in the order of its executors.
pub fn deployed_slots(deployed: &Deployed) -> Vec<SlotId> {
    deployed.slots().cloned().collect()
}

pub fn executor(first: u16, last: u16) -> ExecutorId {
    ExecutorId { first: squall_types::TaskId::new(first), last: squall_types::TaskId::new(last) }
}

/// The one who writes the log: each command a revision and a request of its own, one millisecond apart.
pub struct Log {
    pub state: State,
    pub revision: u64,
    pub now: u64,
    pub requests: u128,
}

impl Log {
    pub fn new() -> Self {
        Self::at_level(2)
    }

    pub fn at_level(level: u64) -> Self {
        Self { state: State::new(seed(level)), revision: 0, now: START, requests: 0 }
    }

    /// Two workers of four slots, and a running topology `words`.
    pub fn with_words() -> Self {
        let mut log = Self::new();
        log.done(register("w1", 1, 4));
        log.done(register("w2", 1, 4));
        log.done(submit("words"));
        log
    }

    pub fn passes(&mut self, seconds: u64) {
        self.now += seconds * 1_000;
    }

    pub fn envelope(&mut self, command: Command) -> Envelope {
        self.now += 1;
        self.requests += 1;
        let at = UnixMillis::new(self.now);
        Envelope {
            request: RequestId::new(at, self.requests),
            at,
            actor: Some("ann".parse().unwrap()),
            origin: Some(Line::lossy("10.0.0.9")),
            expected: None,
            command,
        }
    }

    pub fn apply(&mut self, envelope: &Envelope) -> Outcome {
        self.revision += 1;
        self.state.apply(Revision::new(self.revision), envelope)
    }

    pub fn run(&mut self, command: Command) -> Outcome {
        let envelope = self.envelope(command);
        self.apply(&envelope)
    }

    /// Runs a command that is expected to do, and gives the kinds of what happened.
    pub fn done(&mut self, command: Command) -> Vec<&'static str> {
        let outcome = self.run(command);
        assert!(outcome.reply.is_ok(), "{:?}", outcome.reply);
        outcome.events.iter().map(squall_control::Event::kind).collect()
    }

    pub fn reply(&mut self, command: Command) -> Reply {
        self.run(command).reply.unwrap()
    }

    /// Runs a command that is expected to be refused, and shows that it has changed nothing but what each command changes.
    pub fn refused(&mut self, command: Command) -> Refusal {
        let before = self.state.clone();
        let outcome = self.run(command);
        assert_eq!(outcome.events, []);
        for (what, same) in [
            ("topologies", before.topologies() == self.state.topologies()),
            ("workers", before.workers() == self.state.workers()),
            ("members", before.members() == self.state.members()),
            ("blobs", before.blobs() == self.state.blobs()),
            ("slots", before.slots() == self.state.slots()),
            ("tokens", before.tokens().eq(self.state.tokens())),
            ("level", before.level() == self.state.level()),
        ] {
            assert!(same, "a refused command changed {what}");
        }
        outcome.reply.unwrap_err()
    }

    pub fn deployed(&self, of: &str) -> &Deployed {
        self.state.topology(&name(of)).unwrap()
    }

    /// Assigns a topology's executors to these slots, in turn.
    pub fn assign(&mut self, of: &str, slots: &[SlotId]) -> Outcome {
        let assignment = next_assignment(self.deployed(of), slots);
        self.run(assignment_of(of, assignment, self.revision))
    }
}

pub fn assignment_of(of: &str, assignment: Assignment, planned_at: u64) -> Command {
    Command::Assign(Assign {
        planned_at: Revision::new(planned_at),
        assignments: BTreeMap::from([(name(of), assignment)]),
    })
}
