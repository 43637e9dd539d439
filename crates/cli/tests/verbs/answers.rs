//! The fixed answers. Sentences are those that masters give.

use std::time::{SystemTime, UNIX_EPOCH};

use squall_control::Unplaced;
use squall_control::plan::{Against, Drawback, KeptOff, Standing};
use squall_proto::v1;
use squall_types::{Code, codes};

use crate::fake::Mood;

/// A topology's description, as its program prints it.
pub const DESCRIPTION: &str = r#"{"name": "word-count", "components": []}"#;

/// 2026-01-31, half past twelve in UTC.
const THEN: u64 = 1_769_862_600_000;
/// The SHA-256 of `some bytes`.
const PACKAGE: &str = "0d22cdcc10e6d049dbe1af5123d50873fdfc1a4f58306e58cb6241be9472014d";

/// So many minutes before now: what is shown as an age.
fn before(minutes: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    u64::try_from(now).unwrap() - minutes * 60_000 - 20_000
}

pub fn applied() -> v1::Applied {
    v1::Applied { revision: 42, repeated: false }
}

fn concern(health: v1::Health, subject: &str, code: Code, text: &str) -> v1::Concern {
    let (cause, next_step) = text.split_once("; ").unwrap_or((text, ""));
    let (cause, next_step) = (cause.to_owned(), next_step.to_owned());
    v1::Concern { health: health.into(), subject: subject.to_owned(), code: code.to_string(), cause, next_step }
}

fn unplaced() -> Unplaced {
    Unplaced::NoMemory { needed_mib: 4_096, most_mib: 1_024 }
}

fn concerns(mood: Mood) -> Vec<v1::Concern> {
    let amber = |subject: &str, code, text: &str| concern(v1::Health::Amber, subject, code, text);
    let red = |subject: &str, code, text: &str| concern(v1::Health::Red, subject, code, text);
    let no_leader = "the masters have no leader: nothing can be changed, and no work is moved, what runs goes on; start the masters that are \
                     down, and see that they reach each other; if a majority is lost for good: docs/operations.md";
    match mood {
        Mood::Amber => vec![
            amber(
                "worker node-2",
                codes::WORKER_AMBER,
                "it is dead; start it again, or if it is gone for good: squall forget node-2",
            ),
            amber(
                "topology word-count",
                codes::UNPLACED,
                &format!("1 of its 3 executors have no place: {}", unplaced()),
            ),
        ],
        Mood::Red => vec![
            red(
                "topology word-count",
                codes::UNPLACED,
                &format!("3 of its 3 executors have no place: {}", Unplaced::NoWorkers),
            ),
            amber("master m-3", codes::MASTER_AMBER, "it doesn't answer; start it, or look at its log"),
        ],
        Mood::Stale => vec![red("cluster", codes::NO_QUORUM, no_leader)],
        _ => Vec::new(),
    }
}

pub fn status(mood: Mood) -> v1::StatusResponse {
    let health = match mood {
        Mood::Amber => v1::Health::Amber,
        Mood::Red | Mood::Stale => v1::Health::Red,
        _ => v1::Health::Green,
    };
    let placed = match mood {
        Mood::Amber => 2,
        Mood::Red => 0,
        _ => 3,
    };
    let (topologies, executors, workers) = if mood == Mood::Empty { (0, 0, 0) } else { (1, 3, 2) };
    v1::StatusResponse {
        cluster_id: "c-16de5c7f5ff7f8e1".to_owned(),
        health: health.into(),
        concerns: concerns(mood),
        revision: 42,
        term: 3,
        leader: if mood == Mood::Stale { String::new() } else { "m-1".to_owned() },
        answered_by: "m-2".to_owned(),
        stale: mood == Mood::Stale,
        masters: 3,
        masters_alive: if matches!(mood, Mood::Healthy | Mood::Empty) { 3 } else { 2 },
        workers,
        workers_alive: if mood == Mood::Healthy { 2 } else { 0 },
        topologies,
        executors,
        executors_placed: placed.min(executors),
        epoch: 1,
        feature_level: 2,
        slots: u32::from(executors > 0) * 2,
        slots_running: if mood == Mood::Healthy { 2 } else { u32::from(placed > 0) },
    }
}

pub fn masters(mood: Mood) -> v1::MastersResponse {
    let master = |name: &str, raft_id: &str, role: v1::MasterRole, alive| v1::Master {
        name: name.to_owned(),
        raft_id: raft_id.to_owned(),
        address: format!("{name}.example.org:7400"),
        role: role.into(),
        alive,
        applied: 42,
        lag: u64::from(!alive) * 7,
        feature_level: 2,
        missing_blobs: u32::from(!alive),
    };
    let leader = if mood == Mood::Stale { v1::MasterRole::Follower } else { v1::MasterRole::Leader };
    let masters = vec![
        master("m-1", "ab9d91604be69c21", leader, true),
        master("m-2", "c5fee1471ee6991f", v1::MasterRole::Follower, mood == Mood::Healthy),
        master("m-3", "f1f0508ea1ee8dd9", v1::MasterRole::Learner, mood == Mood::Healthy),
    ];
    v1::MastersResponse { masters, revision: 42, stale: mood == Mood::Stale }
}

pub fn workers(mood: Mood) -> v1::WorkersResponse {
    let worker = |name: &str, state: v1::WorkerState, admin: v1::WorkerAdmin| v1::Worker {
        name: name.to_owned(),
        state: state.into(),
        admin: admin.into(),
        zone: "east".to_owned(),
        tags: vec!["gpu".to_owned(), "ssd".to_owned()],
        address: format!("{name}.example.org:7500"),
        slots: 4,
        slots_used: 1,
        capacity: Some(v1::Resources { cpu_percent: 800, memory_mib: 16_384 }),
        used: Some(v1::Resources { cpu_percent: 30, memory_mib: 384 }),
        executors: 3,
        incarnation: 7,
        silent_ms: 120,
        quarantined_until_ms: 0,
        revision: 5,
    };
    let (alive, open) = (v1::WorkerState::Alive, v1::WorkerAdmin::Open);
    let workers = match mood {
        Mood::Empty => Vec::new(),
        Mood::Amber => vec![
            worker("node-1", alive, v1::WorkerAdmin::Draining),
            v1::Worker { executors: 0, silent_ms: 3_721_400, ..worker("node-2", v1::WorkerState::Dead, open) },
            v1::Worker { quarantined_until_ms: THEN, zone: String::new(), ..worker("node-3", alive, open) },
        ],
        _ => vec![worker("node-1", alive, open), v1::Worker { tags: Vec::new(), ..worker("node-2", alive, open) }],
    };
    v1::WorkersResponse { workers, revision: 42, stale: mood == Mood::Stale }
}

fn slot(worker: &str, number: u32) -> v1::Slot {
    v1::Slot { worker: worker.to_owned(), number }
}

fn executor(component: &str, tasks: (u32, u32), at: Option<v1::Slot>, reason: Option<&Unplaced>) -> v1::Executor {
    let subject = format!("executor word-count/{component}[{} {}]", tasks.0, tasks.1);
    let reason = reason.map(|why| concern(v1::Health::Amber, &subject, codes::UNPLACED, &why.to_string()));
    v1::Executor { component: component.to_owned(), first_task: tasks.0, last_task: tasks.1, slot: at, reason }
}

fn executors(mood: Mood) -> Vec<v1::Executor> {
    let no_workers = Unplaced::NoWorkers;
    let last = match mood {
        Mood::Amber => executor("count", (3, 5), None, Some(&unplaced())),
        _ => executor("count", (3, 5), Some(slot("node-2", 0)), None),
    };
    let (one, two) = (("words", (1, 1)), ("split", (2, 2)));
    if mood == Mood::Red {
        return [one, two, ("count", (3, 5))].map(|(id, tasks)| executor(id, tasks, None, Some(&no_workers))).into();
    }
    let placed = [one, two].map(|(id, tasks)| executor(id, tasks, Some(slot("node-1", 0)), None));
    placed.into_iter().chain([last]).collect()
}

fn summary(mood: Mood) -> v1::TopologySummary {
    let placed = executors(mood).iter().filter(|executor| executor.slot.is_some()).count();
    v1::TopologySummary {
        name: "word-count".to_owned(),
        state: v1::TopologyState::Active.into(),
        version: 3,
        revision: 40,
        components: 3,
        executors: 3,
        tasks: 5,
        placed: u32::try_from(placed).unwrap(),
        workers: 2,
        health: match placed {
            3 => v1::Health::Green,
            0 => v1::Health::Red,
            _ => v1::Health::Amber,
        }
        .into(),
        submitted_at_ms: before(200),
        submitted_by: "ann".to_owned(),
    }
}

pub fn topologies(mood: Mood) -> v1::ListTopologiesResponse {
    let killed = v1::TopologySummary {
        name: "old".to_owned(),
        state: v1::TopologyState::Killed.into(),
        submitted_at_ms: before(3 * 24 * 60),
        submitted_by: String::new(),
        ..summary(Mood::Healthy)
    };
    let topologies = if mood == Mood::Empty { Vec::new() } else { vec![killed, summary(mood)] };
    v1::ListTopologiesResponse { topologies, revision: 42, stale: mood == Mood::Stale }
}

pub fn topology(mood: Mood) -> v1::Topology {
    let executors = executors(mood);
    let killed = mood == Mood::Red;
    let state = if killed { v1::TopologyState::Killed } else { v1::TopologyState::Active };
    v1::Topology {
        summary: Some(v1::TopologySummary { submitted_at_ms: THEN, state: state.into(), ..summary(mood) }),
        description: DESCRIPTION.to_owned(),
        package: PACKAGE.to_owned(),
        config: [("topology.debug".to_owned(), "true".to_owned())].into(),
        assignment_version: 7,
        concerns: executors.iter().filter_map(|executor| executor.reason.clone()).collect(),
        executors,
        stops_at_ms: if killed { THEN + 30_000 } else { 0 },
        options: Some(v1::SubmitOptions { max_slots: 2, hard_memory: true, ..v1::SubmitOptions::default() }),
        parallelism: [("count".to_owned(), 1)].into(),
        slots: processes(mood),
    }
}

/// One process that runs, and one that doesn't stay up.
fn processes(mood: Mood) -> Vec<v1::SlotStatus> {
    let process = |worker: &str, state: v1::SlotState, text: &str| v1::SlotStatus {
        slot: Some(slot(worker, 1)),
        state: state.into(),
        pid: if state == v1::SlotState::Running { 4_711 } else { 0 },
        address: if state == v1::SlotState::Running { format!("{worker}.example.org:39001") } else { String::new() },
        incarnation: 3,
        failures: if state == v1::SlotState::Running { 0 } else { 4 },
        assignment_version: 7,
        text: text.to_owned(),
    };
    let second = match mood {
        Mood::Healthy => process("w-2", v1::SlotState::Running, ""),
        _ => process("w-2", v1::SlotState::Waiting, "ended with exit code 1; it starts again in 1.6 s"),
    };
    if mood == Mood::Red { Vec::new() } else { vec![process("w-1", v1::SlotState::Running, ""), second] }
}

pub fn submitted(mood: Mood) -> v1::SubmitResponse {
    let unplaced = executors(mood).into_iter().filter(|executor| executor.slot.is_none()).collect();
    v1::SubmitResponse { applied: Some(applied()), name: "word-count".to_owned(), version: 3, unplaced }
}

pub fn versions() -> v1::VersionsResponse {
    let version = |version, package: &str, by: &str| v1::TopologyVersion {
        version,
        revision: version * 10,
        package: package.to_owned(),
        submitted_at_ms: THEN + version * 60_000,
        submitted_by: by.to_owned(),
        current: version == 3,
    };
    v1::VersionsResponse { versions: vec![version(2, "", ""), version(3, PACKAGE, "ann")] }
}

pub fn plan(mood: Mood) -> v1::PlanResponse {
    let moved = |component: &str, tasks: (u32, u32), from, to, reason: &str| v1::Move {
        topology: "word-count".to_owned(),
        component: component.to_owned(),
        first_task: tasks.0,
        last_task: tasks.1,
        from,
        to,
        reason: reason.to_owned(),
    };
    let moves = match mood {
        Mood::Empty => Vec::new(),
        _ => vec![
            moved("words", (1, 1), None, Some(slot("node-1", 0)), "it is new"),
            moved("split", (2, 2), Some(slot("node-1", 0)), Some(slot("node-2", 1)), "node-1 is being drained"),
            moved("", (9, 9), Some(slot("node-2", 0)), None, "it is no more"),
        ],
    };
    let stuck = format!("executor [4 4] of other would stay there: {}", Unplaced::NoWorkers);
    let concerns = match mood {
        Mood::Amber => vec![concern(v1::Health::Amber, "worker node-1", codes::UNPLACED, &stuck)],
        _ => Vec::new(),
    };
    v1::PlanResponse { revision: 42, moves, unplaced: submitted(mood).unplaced, concerns }
}

pub fn why(mood: Mood, asked: &str) -> v1::WhyResponse {
    let one = asked.contains('[');
    let executors: Vec<_> = executors(mood).into_iter().filter(|it| !one || it.component == "count").collect();
    let mut lines = vec!["word-count@3 is active: it is to run".to_owned()];
    let considered = match (mood, one) {
        (Mood::Healthy, true) => considered(),
        (Mood::Amber, true) => considered().into_iter().filter(|it| it.slot.is_none()).collect(),
        _ => Vec::new(),
    };
    if !considered.is_empty() {
        lines.push(match mood {
            Mood::Amber => format!("count[3 5]: it has no place: {}", unplaced()),
            _ => {
                let verdict = "it stays on node-2/0: nothing speaks against its place, and what may stay isn't moved";
                format!("count[3 5]: {verdict}")
            }
        });
    }
    v1::WhyResponse { executors, lines, stale: mood == Mood::Stale, considered }
}

fn considered() -> Vec<v1::Considered> {
    let candidate = |worker: &str, number, opens, behind: Option<Drawback>| v1::Considered {
        worker: worker.to_owned(),
        slot: Some(slot(worker, number)),
        opens,
        here: worker == "node-2",
        reason: behind.map_or_else(String::new, |behind| behind.to_string()),
    };
    let refused = |worker: &str, why: KeptOff| v1::Considered {
        worker: worker.to_owned(),
        reason: why.to_string(),
        ..v1::Considered::default()
    };
    vec![
        candidate("node-4", 0, true, None),
        candidate("node-2", 0, false, Some(Drawback::Load(Against { here: 625, best: 310 }))),
        candidate("node-1", 0, false, Some(Drawback::Component(Against { here: 2, best: 0 }))),
        refused("node-3", KeptOff::Tags(vec!["gpu".to_owned()])),
        refused("node-5", KeptOff::Standing(Standing::Draining)),
        refused("node-6", KeptOff::Memory { needed_mib: 4_096, left_mib: 1_024 }),
    ]
}

pub fn events(mood: Mood, request: &v1::WatchRequest) -> Vec<v1::Event> {
    let event = |revision, kind: &str, subject: &str, text: &str, actor: &str| v1::Event {
        revision,
        at_ms: THEN + revision * 1_000,
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        text: text.to_owned(),
        actor: actor.to_owned(),
        origin: if actor.is_empty() { String::new() } else { "192.0.2.7:40112".to_owned() },
        request_id: if actor.is_empty() { String::new() } else { "019c15f2-7f40-7000-8000-000000000001".to_owned() },
    };
    let all = vec![
        event(38, "worker-registered", "worker node-1", "node-1 registered in its life 7", ""),
        event(40, "topology-submitted", "topology word-count", "word-count was submitted as version 3", "ann"),
        event(
            41,
            "topology-assigned",
            "topology word-count",
            "word-count has assignment 7: all 3 executors are placed",
            "",
        ),
        event(42, "worker-dead", "worker node-2", "node-2 is dead: nothing of it answered for 3100 ms", ""),
    ];
    let wanted = |it: &v1::Event| {
        (request.from_oldest || it.revision >= request.from_revision)
            && (request.subjects.is_empty() || request.subjects.contains(&it.subject))
    };
    if mood == Mood::Empty { Vec::new() } else { all.into_iter().filter(wanted).collect() }
}

pub fn blobs(mood: Mood) -> v1::ListBlobsResponse {
    let blob = |id: &str, size, used_by: &[&str], minutes| v1::Blob {
        id: id.to_owned(),
        size,
        used_by: used_by.iter().map(|&it| it.to_owned()).collect(),
        masters: vec!["m-1".to_owned(), "m-2".to_owned()],
        stored_at_ms: before(minutes),
    };
    let all = vec![
        blob(PACKAGE, 10, &["word-count@2", "word-count@3"], 200),
        blob(&PACKAGE.replace("0d22", "0d23"), 12 << 20, &[], 12),
    ];
    v1::ListBlobsResponse { blobs: if mood == Mood::Empty { Vec::new() } else { all } }
}

pub fn created_token() -> v1::CreateTokenResponse {
    let token = format!("sqt_{}", "0123456789abcdef".repeat(4));
    v1::CreateTokenResponse { applied: Some(applied()), token, id: "00000000000000a1".to_owned() }
}

pub fn tokens(mood: Mood) -> v1::TokensResponse {
    let token = |id: &str, user: &str, role: v1::TokenRole, expires_at_ms| v1::Token {
        id: id.to_owned(),
        user: user.to_owned(),
        role: role.into(),
        created_at_ms: THEN,
        expires_at_ms,
    };
    let all = vec![
        token("00000000000000a1", "ann", v1::TokenRole::Admin, 0),
        token("00000000000000a2", "ci", v1::TokenRole::Operate, THEN + 3_600_000),
    ];
    v1::TokensResponse { tokens: if mood == Mood::Empty { Vec::new() } else { all } }
}
