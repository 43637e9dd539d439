//! Any master takes any call.

use sha2::{Digest, Sha256};
use squall_proto::v1::blobs_client::BlobsClient;
use squall_proto::v1::cluster_client::ClusterClient;
use squall_proto::v1::topologies_client::TopologiesClient;
use squall_proto::v1::{self, Mutation};
use squall_tests::client::submission;
use squall_tests::cluster::SOON;
use squall_tests::{Cluster, until};
use tonic::transport::Channel;

use crate::support::mutation;

/// Calls one master and no other.
struct At {
    topologies: TopologiesClient<Channel>,
    cluster: ClusterClient<Channel>,
    blobs: BlobsClient<Channel>,
    link: v1::worker_link_client::WorkerLinkClient<Channel>,
    number: usize,
}

impl At {
    fn new(cluster: &Cluster, number: usize) -> Self {
        let channel = || cluster.channel(number);
        Self {
            topologies: TopologiesClient::new(channel()),
            cluster: ClusterClient::new(channel()),
            blobs: BlobsClient::new(channel()),
            link: v1::worker_link_client::WorkerLinkClient::new(channel()),
            number,
        }
    }

    fn topology(&self) -> String {
        format!("words-{}", self.number)
    }

    async fn submits(&mut self, package: &[u8]) {
        let id = hex(&Sha256::digest(package));
        let header = v1::SubmitHeader {
            package: id.clone(),
            package_size: package.len() as u64,
            ..submission(&self.topology(), 1, mutation())
        };
        let plan = v1::PlanRequest {
            what: Some(v1::plan_request::What::Submit(v1::SubmitHeader { mutation: None, ..header.clone() })),
        };
        let plan = self.topologies.plan(plan).await.unwrap().into_inner();
        assert_eq!(plan.moves.len() + plan.unplaced.len(), 3, "each executor has a place or a reason: {plan:?}");
        let chunks = package.chunks(1 << 20).map(|chunk| v1::submit_request::Part::Chunk(chunk.to_vec().into()));
        let parts = std::iter::once(v1::submit_request::Part::Header(header)).chain(chunks);
        let submitted = self.submit(parts.collect()).await;
        assert_eq!((submitted.name, submitted.version), (self.topology(), 1));
        assert_eq!(self.fetches(&id).await.unwrap(), package);
        let blobs = self.blobs.list(v1::ListBlobsRequest {}).await.unwrap().into_inner().blobs;
        assert!(blobs.iter().any(|blob| blob.id == id && !blob.used_by.is_empty()), "{blobs:?}");
    }

    /// A stream is brought to the leader once: if that one is lost on the way, it is for the caller to send it again.
    async fn submit(&mut self, parts: Vec<v1::submit_request::Part>) -> v1::SubmitResponse {
        let parts: Vec<_> = parts.into_iter().map(|part| v1::SubmitRequest { part: Some(part) }).collect();
        let topologies = &self.topologies;
        let sent = || async { topologies.clone().submit(tokio_stream::iter(parts.clone())).await };
        until("a submit that is taken", SOON, sent).await.into_inner()
    }

    async fn changes(&mut self, others: &mut [Self]) {
        let name = self.topology();
        let deactivate = v1::DeactivateRequest { mutation: mutation(), name: name.clone() };
        let first = self.topologies.deactivate(deactivate.clone()).await.unwrap().into_inner();
        for other in others {
            let again = other.topologies.deactivate(deactivate.clone()).await.unwrap().into_inner();
            assert_eq!((again.revision, again.repeated), (first.revision, true));
        }
        let activate = v1::ActivateRequest { mutation: mutation(), name: name.clone() };
        self.topologies.activate(activate).await.unwrap();
        let rebalance =
            v1::RebalanceRequest { mutation: mutation(), name: name.clone(), max_slots: Some(2), ..Default::default() };
        self.topologies.rebalance(rebalance).await.unwrap();
        let update = v1::SubmitHeader {
            options: Some(v1::SubmitOptions { update: true, ..Default::default() }),
            ..submission(&name, 1, mutation())
        };
        assert_eq!(self.submit(vec![v1::submit_request::Part::Header(update)]).await.version, 2);
        let back = v1::RollbackRequest { mutation: mutation(), name: name.clone(), version: 1 };
        assert_eq!(self.topologies.rollback(back).await.unwrap().into_inner().version, 3);
        let stale = Mutation { expected_revision: Some(first.revision), ..mutation().unwrap() };
        let stale = v1::ActivateRequest { mutation: Some(stale), name };
        assert_eq!(self.topologies.activate(stale).await.unwrap_err().code(), tonic::Code::FailedPrecondition);
    }

    async fn reads(&mut self) {
        let name = self.topology();
        let got = self.topologies.get(v1::GetTopologyRequest { name: name.clone() }).await.unwrap().into_inner();
        let summary = got.summary.unwrap();
        assert_eq!((summary.name.as_str(), summary.state()), (name.as_str(), v1::TopologyState::Active));
        let listed = self.topologies.list(v1::ListTopologiesRequest {}).await.unwrap().into_inner();
        assert!(!listed.stale && listed.topologies.iter().any(|it| it.name == name));
        let versions = self.topologies.versions(v1::VersionsRequest { name: name.clone() }).await.unwrap().into_inner();
        assert_eq!(versions.versions.len(), 3);
        let why = v1::WhyRequest { topology: name.clone(), executor: String::new() };
        assert!(!self.cluster.why(why).await.unwrap().into_inner().executors.is_empty());
        let status = self.cluster.status(v1::StatusRequest {}).await.unwrap().into_inner();
        assert_eq!((status.masters, status.masters_alive, status.stale), (3, 3, false));
        let request = v1::WatchRequest {
            from_revision: 1,
            subjects: vec![format!("topology {name}")],
            ..v1::WatchRequest::default()
        };
        let mut events = self.cluster.watch(request).await.unwrap().into_inner();
        assert_eq!(events.message().await.unwrap().unwrap().kind, "topology-submitted");
    }

    /// A worker's stream is carried to the leader by whichever master it comes to.
    async fn carries_a_worker(&mut self) {
        let name = format!("worker-{}", self.number);
        let hello = v1::Hello {
            name: name.clone(),
            incarnation: 1,
            zone: "z".to_owned(),
            address: "127.0.0.1:1".to_owned(),
            slots: 1,
            capacity: Some(v1::Resources { cpu_percent: 100, memory_mib: 100 }),
            ..Default::default()
        };
        let hello = v1::WorkerMessage { kind: Some(v1::worker_message::Kind::Hello(hello)) };
        let link = &self.link;
        let attached = || async {
            // It says nothing more, and doesn't hang up.
            let up = tokio_stream::StreamExt::chain(tokio_stream::iter([hello.clone()]), tokio_stream::pending());
            let mut down = link.clone().link(up).await?.into_inner();
            let first = down.message().await?.and_then(|message| message.kind);
            Ok::<_, tonic::Status>((down, first))
        };
        let (_down, first) = until("a worker's stream that is taken", SOON, attached).await;
        assert!(matches!(first, Some(v1::master_message::Kind::Welcome(_))), "{first:?}");
        let drain = v1::DrainRequest { mutation: mutation(), worker: name.clone() };
        self.cluster.drain(drain).await.unwrap();
        self.cluster.undrain(v1::UndrainRequest { mutation: mutation(), worker: name.clone() }).await.unwrap();
        let goodbye = self.cluster.workers(v1::WorkersRequest {}).await.unwrap().into_inner();
        assert!(
            goodbye.workers.iter().any(|it| it.name == name && it.state() == v1::WorkerState::Alive),
            "{goodbye:?}"
        );
    }

    async fn administers(&mut self) {
        let request = v1::CreateTokenRequest {
            mutation: mutation(),
            user: format!("user-{}", self.number),
            role: v1::TokenRole::Read.into(),
            expires_at_ms: 0,
        };
        let created = self.cluster.create_token(request).await.unwrap().into_inner();
        let tokens = self.cluster.tokens(v1::TokensRequest {}).await.unwrap().into_inner().tokens;
        assert!(tokens.iter().any(|token| token.id == created.id));
        self.cluster.revoke_token(v1::RevokeTokenRequest { mutation: mutation(), id: created.id }).await.unwrap();
        let mut backup = self.cluster.backup(v1::BackupRequest {}).await.unwrap().into_inner();
        assert!(!backup.message().await.unwrap().unwrap().data.is_empty());
        let kill = v1::KillRequest { mutation: mutation(), name: self.topology(), wait_ms: Some(0) };
        self.topologies.kill(kill).await.unwrap();
    }

    /// Which masters have a package, as the index says.
    async fn holders(&mut self, id: &str) -> Vec<String> {
        let blobs = self.blobs.list(v1::ListBlobsRequest {}).await.unwrap().into_inner().blobs;
        blobs.into_iter().find(|blob| blob.id == id).map(|blob| blob.masters).unwrap_or_default()
    }

    async fn fetches(&mut self, id: &str) -> Result<Vec<u8>, tonic::Status> {
        let request = v1::GetBlobRequest { id: id.to_owned(), offset: 0 };
        let (mut chunks, mut bytes) = (self.blobs.get(request).await?.into_inner(), Vec::new());
        while let Some(chunk) = chunks.message().await? {
            bytes.extend_from_slice(&chunk.data);
        }
        Ok(bytes)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_master_takes_any_call() {
    let cluster = Cluster::start(3).await;
    let package: Vec<u8> = (0..3_u32 << 18).flat_map(u32::to_le_bytes).collect();
    for number in 0..3 {
        let mut others: Vec<_> = (0..3).filter(|it| *it != number).map(|it| At::new(&cluster, it)).collect();
        let mut at = At::new(&cluster, number);
        at.submits(&package[number..]).await;
        at.changes(&mut others).await;
        at.reads().await;
        at.carries_a_worker().await;
        at.administers().await;
    }
}

/// All files below a folder.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_lacks_a_package_gives_it_from_another_one_s_disk() {
    let mut cluster = Cluster::start(3).await;
    let package = vec![7; 3 << 20];
    let id = hex(&Sha256::digest(&package));
    At::new(&cluster, 0).submits(&package).await;
    let all = || async {
        let holders = At::new(&cluster, 0).holders(&id).await;
        if holders.len() == 3 { Ok(()) } else { Err(format!("{holders:?} have it")) }
    };
    until("the package on all disks", SOON, all).await;
    let kept: Vec<_> =
        files(&cluster.data_dir(1)).into_iter().filter(|it| it.to_string_lossy().contains(&id)).collect();
    assert!(!kept.is_empty(), "where is it?");
    cluster.kill(1);
    kept.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    cluster.run(1).await;
    cluster.formed().await;
    let mut at = At::new(&cluster, 1);
    assert_eq!(at.fetches(&id).await.unwrap(), package);
    // What no master has is refused at once, and not looked for in a circle.
    let unknown = at.fetches(&hex(&[7; 32])).await.unwrap_err();
    assert!(unknown.message().starts_with("SQ5014: the cluster has no package 0707"), "{unknown:?}");
}
