//! Hosts on real disks, joined by real gRPC over loopback.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall_raft::store::seed;
use squall_raft::{
    Contents, Dial, Disk, Fatal, Identity, Keeping, Member, Members, Raft, RedbDisk, Running, Settings, StateMachine,
    Status, StopReason, StorageError, Writer, start,
};
use squall_types::cluster::{ClusterId, MasterName, RaftId, Revision};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint, Server};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// The commands applied, in order.
#[derive(Clone, Default)]
pub struct Journal(pub Arc<Mutex<Vec<Vec<u8>>>>);

impl Journal {
    pub fn all(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().clone()
    }
}

impl StateMachine for Journal {
    type Reply = usize;

    fn apply(&mut self, _: Revision, command: &[u8]) -> Result<usize, Fatal> {
        let mut all = self.0.lock().unwrap();
        all.push(command.to_vec());
        Ok(all.len())
    }

    fn snapshot(&self) -> Vec<u8> {
        serde_json::to_vec(&*self.0.lock().unwrap()).unwrap()
    }

    fn restore(&mut self, _: Revision, bytes: &[u8]) -> Result<(), Fatal> {
        *self.0.lock().unwrap() = serde_json::from_slice(bytes).unwrap();
        Ok(())
    }

    fn members_changed(&mut self, _: Revision, _: &Members) {}
}

pub struct Loopback;

impl Dial for Loopback {
    fn channel(&self, address: &str) -> Channel {
        Endpoint::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_timeout(Duration::from_secs(1))
            .connect_lazy()
    }
}

pub fn cluster() -> ClusterId {
    ClusterId::new(7).unwrap()
}

pub fn name(number: u64) -> MasterName {
    format!("m{number}").parse().unwrap()
}

/// A runtime that ends with its node, wherever that is dropped.
struct Process(Option<Runtime>);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

pub struct Node {
    pub member: Member,
    pub journal: Journal,
    pub raft: Raft<usize>,
    pub ended: JoinHandle<Option<Arc<StopReason>>>,
    /// Its process, in small: what runs on it ends with it, connections too.
    runtime: Process,
    pub file: PathBuf,
}

impl Node {
    /// Starts on what the file holds, listening at the member's address.
    pub async fn start(member: &Member, file: &Path, snapshot_every: u64, tail: u64) -> Self {
        let (disk, contents) = open(file, &member.name).await;
        let journal = Journal::default();
        let settings = Settings {
            contents,
            writer: Writer::Thread(Box::new(disk)),
            address: member.address.clone(),
            dial: Arc::new(Loopback),
            seed: member.id.get(),
            keeping: Keeping { snapshot_every, tail },
            #[cfg(feature = "planted")]
            planted: None,
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let Running { handle, service, ended } = {
            let _on_it = runtime.enter();
            start(settings, journal.clone()).unwrap()
        };
        let address = member.address.clone();
        runtime.spawn(async move {
            let listener = listen_again(address.parse().unwrap()).await;
            Server::builder()
                .add_service(service.into_server())
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
        });
        Self {
            member: member.clone(),
            journal,
            raft: handle,
            ended,
            runtime: Process(Some(runtime)),
            file: file.to_owned(),
        }
    }

    /// Ends it as a crash would: nothing is handed over, and nobody is told.
    pub fn crash(self) -> (Member, PathBuf) {
        drop(self.runtime);
        (self.member, self.file)
    }

    /// Waits for its end, and says why it ended.
    pub async fn stop(self) -> Option<Arc<StopReason>> {
        self.ended.await.unwrap()
    }

    pub fn status(&self) -> Status {
        self.raft.status().borrow().clone()
    }

    /// Waits until what this node knows of itself is so.
    pub async fn until(&self, what: &str, is: impl FnMut(&Status) -> bool) {
        let mut status = self.raft.status();
        let waited = tokio::time::timeout(PATIENCE, status.wait_for(is)).await;
        assert!(waited.is_ok(), "{} waited in vain until {what}: {:?}", self.member.name, self.status());
    }
}

/// The disk of a host that was just ended may take a moment to be free again.
pub async fn open(file: &Path, name: &MasterName) -> (RedbDisk, Contents) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match RedbDisk::open(file, name) {
            Ok(opened) => return opened,
            Err(StorageError::InUse) if tokio::time::Instant::now() < deadline => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A port that was just in use may take a moment to be free again.
async fn listen_again(address: SocketAddr) -> TcpListener {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{address}: {error}"),
        }
        tokio::task::yield_now().await;
    }
}

/// A member with a port of its own.
pub async fn member(number: u64) -> Member {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    Member { id: RaftId::new(number).unwrap(), name: name(number), address }
}

pub struct Cluster {
    pub nodes: Vec<Node>,
    pub folder: TempDir,
}

impl Cluster {
    /// Masters that have just been seeded.
    pub async fn form(size: u64, snapshot_every: u64, tail: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let mut members = Vec::new();
        for number in 1..=size {
            members.push(member(number).await);
        }
        let mut nodes = Vec::new();
        for member in &members {
            let file = folder.path().join(format!("{}.redb", member.name));
            let (mut disk, contents) = RedbDisk::open(&file, &member.name).unwrap();
            assert!(contents.identity.is_none());
            let identity = Identity { name: member.name.clone(), id: member.id, cluster: Some(cluster()) };
            disk.write(&seed(identity, members.clone(), b"[]".to_vec())).unwrap();
            drop(disk);
            nodes.push(Node::start(member, &file, snapshot_every, tail).await);
        }
        Self { nodes, folder }
    }

    /// The node that leads, once one does and can answer reads.
    pub async fn leader(&self) -> &Node {
        let led =
            self.nodes.iter().map(|node| Box::pin(node.until("somebody leads", |status| status.leader.is_some())));
        futures_util::future::select_all(led).await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(leader) = self.nodes.iter().find(|node| node.status().established.is_some()) {
                return leader;
            }
            assert!(tokio::time::Instant::now() < deadline, "nobody leads");
            tokio::task::yield_now().await;
        }
    }

    /// Has commands applied by whoever leads.
    pub async fn apply(&self, commands: std::ops::Range<u64>) {
        for command in commands {
            self.propose(command.to_string()).await;
        }
    }

    pub async fn propose(&self, command: String) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let proposed = self.leader().await.raft.propose(command.clone().into()).await;
            match proposed {
                Ok(_) => return,
                Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
            }
        }
    }

    /// Waits until all have applied all that is committed, and are equal then.
    pub async fn agree(&self) -> Vec<Vec<u8>> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        for node in &self.nodes {
            while let Err(error) = node.raft.read_barrier().await {
                assert!(tokio::time::Instant::now() < deadline, "{error}");
            }
        }
        let first = self.nodes[0].journal.all();
        assert!(self.nodes.iter().all(|node| node.journal.all() == first), "the nodes differ");
        first
    }
}
