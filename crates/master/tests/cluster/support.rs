//! Masters to test, and what talks to them.

use std::time::Duration;

use squall_master::config::MasterConfig;
use squall_master::{Env, Node, Secured};
use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;
use squall_proto::v1::topologies_client::TopologiesClient;
use squall_proto::v1::worker_link_client::WorkerLinkClient;
use squall_types::cluster::{RequestId, UnixMillis};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::transport::Channel;

/// Nothing that is waited for takes longer, even on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A master to call.
pub struct Master {
    pub node: Node,
}

/// A master that is alone, and its disk.
pub struct Alone {
    master: Master,
    _disk: TempDir,
}

impl std::ops::Deref for Alone {
    type Target = Master;

    fn deref(&self) -> &Master {
        &self.master
    }
}

impl Alone {
    pub async fn shutdown(self) {
        within(self.master.node.shutdown()).await.unwrap();
    }
}

/// Starts a master that is alone.
pub async fn alone() -> Alone {
    let disk = tempfile::tempdir().unwrap();
    let node = start(config(&disk)).await;
    within(node.ready()).await;
    Alone { master: Master { node }, _disk: disk }
}

/// A configuration for a port that the kernel chooses.
pub fn config(disk: &TempDir) -> MasterConfig {
    let mut config = MasterConfig::new(disk.path());
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.http.listen = None;
    config
}

pub async fn start(config: MasterConfig) -> Node {
    Node::start(config, Secured::plain(), Env::machine()).await.unwrap()
}

/// Waits, but not for ever.
pub async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("it takes too long")
}

impl Master {
    pub fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.node.address())).unwrap().connect_lazy()
    }

    pub fn topologies(&self) -> TopologiesClient<Channel> {
        TopologiesClient::new(self.channel())
    }

    pub fn cluster(&self) -> ClusterClient<Channel> {
        ClusterClient::new(self.channel())
    }

    pub async fn status(&self) -> v1::StatusResponse {
        within(self.cluster().status(v1::StatusRequest {})).await.unwrap().into_inner()
    }

    pub async fn get(&self, name: &str) -> Result<v1::Topology, tonic::Status> {
        let request = v1::GetTopologyRequest { name: name.to_owned() };
        within(self.topologies().get(request)).await.map(tonic::Response::into_inner)
    }
}

/// A mutation of its own.
pub fn mutation() -> Option<v1::Mutation> {
    Some(v1::Mutation { request_id: request_id().to_string(), expected_revision: None })
}

pub fn request_id() -> RequestId {
    let env = Env::machine();
    RequestId::new(now(), u128::from_le_bytes(env.random.bytes()))
}

pub fn now() -> UnixMillis {
    Env::machine().clock.now()
}

/// A topology of a spout and a bolt, with as many executors each.
pub fn description(name: &str, parallelism: u32) -> String {
    let component = |id: &str, kind: &str, streams: serde_json::Value, inputs: serde_json::Value| {
        serde_json::json!({
            "id": id, "kind": kind, "execution": "sync", "parallelism": parallelism, "tasks": parallelism,
            "streams": streams, "inputs": inputs, "config": {}, "resources": {"cpu_percent": 10, "memory_mib": 64}, "tags": [],
        })
    };
    let stream = serde_json::json!([{"id": "default", "fields": ["word"], "direct": false}]);
    let input =
        serde_json::json!([{"from": "words", "stream": "default", "grouping": {"fields": ["word"]}, "chain": true}]);
    serde_json::json!({
        "name": name, "delivery": "at-least-once", "key_groups": 128, "message_timeout": "30s", "max_spout_pending": 1000, "config": {},
        "components": [
            component("words", "spout", stream, serde_json::json!([])),
            component("count", "bolt", serde_json::json!([]), input),
        ],
    })
    .to_string()
}

/// What submits a topology without a package.
pub fn header(name: &str, parallelism: u32) -> v1::SubmitHeader {
    v1::SubmitHeader {
        mutation: mutation(),
        description: description(name, parallelism),
        ..v1::SubmitHeader::default()
    }
}

pub fn submission(header: v1::SubmitHeader) -> tokio_stream::Iter<std::vec::IntoIter<v1::SubmitRequest>> {
    tokio_stream::iter(vec![v1::SubmitRequest { part: Some(v1::submit_request::Part::Header(header)) }])
}

pub async fn submit(master: &Master, name: &str, parallelism: u32) -> Result<v1::SubmitResponse, tonic::Status> {
    within(master.topologies().submit(submission(header(name, parallelism)))).await.map(tonic::Response::into_inner)
}

/// A worker that says what it is told to say.
pub struct Worker {
    pub up: mpsc::Sender<v1::WorkerMessage>,
    pub down: Streaming<v1::MasterMessage>,
    /// What it was told when it was let in.
    pub welcome: v1::Welcome,
    /// What it was told to run when it was let in.
    pub first: v1::DesiredState,
}

impl Worker {
    /// Says hello, and waits until it is let in.
    pub async fn attach(master: &Master, hello: v1::Hello) -> Result<Self, tonic::Status> {
        use v1::master_message::Kind;
        let (up, upward) = mpsc::channel(16);
        up.send(said(v1::worker_message::Kind::Hello(hello))).await.unwrap();
        let upward = tokio_stream::wrappers::ReceiverStream::new(upward);
        let mut down = within(WorkerLinkClient::new(master.channel()).link(upward)).await?.into_inner();
        let mut said = Vec::new();
        for _ in 0..2 {
            said.push(within(down.message()).await?.unwrap().kind.unwrap());
        }
        let [Kind::Welcome(welcome), Kind::Desired(first)] = <[Kind; 2]>::try_from(said).unwrap() else {
            panic!("a worker is welcomed, and told what to run")
        };
        Ok(Self { up, down, welcome, first })
    }

    /// What is said next, heartbeats aside.
    pub async fn next(&mut self) -> Option<v1::master_message::Kind> {
        loop {
            let kind = within(self.down.message()).await.unwrap()?.kind.unwrap();
            if !matches!(kind, v1::master_message::Kind::Heartbeat(_)) {
                return Some(kind);
            }
        }
    }

    /// Reads on until it is told to run what is wanted.
    pub async fn told(&mut self, wanted: impl Fn(&v1::DesiredState) -> bool) -> v1::DesiredState {
        loop {
            match self.next().await.expect("the stream goes on") {
                v1::master_message::Kind::Desired(desired) if wanted(&desired) => return desired,
                _ => {}
            }
        }
    }
}

pub fn said(kind: v1::worker_message::Kind) -> v1::WorkerMessage {
    v1::WorkerMessage { kind: Some(kind) }
}

pub fn hello(name: &str) -> v1::Hello {
    v1::Hello {
        name: name.to_owned(),
        incarnation: 1,
        address: format!("{name}:7500"),
        slots: 4,
        capacity: Some(v1::Resources { cpu_percent: 800, memory_mib: 8_192 }),
        ..v1::Hello::default()
    }
}
