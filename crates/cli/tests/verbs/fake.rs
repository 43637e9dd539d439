//! A master that gives fixed answers, so that what is shown is always the same.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use squall_proto::v1::blobs_server::{Blobs, BlobsServer};
use squall_proto::v1::cluster_server::{Cluster, ClusterServer};
use squall_proto::v1::topologies_server::{Topologies, TopologiesServer};
use squall_proto::{Failure, v1};
use squall_types::{Code, Retry, codes};
use tokio_stream::Stream;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

use crate::answers;

/// How the cluster is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Nothing is in it.
    Empty,
    /// All is well.
    Healthy,
    /// Something isn't as it should be.
    Amber,
    /// Something doesn't work.
    Red,
    /// There is no majority: what this master knows.
    Stale,
    /// Every call is refused by what the state is.
    Refusing,
    /// Every call is one that its caller may not make.
    Denying,
    /// No leader takes a call.
    Leaderless,
}

impl Mood {
    pub fn named(name: &str) -> Self {
        match name {
            "empty" => Self::Empty,
            "healthy" => Self::Healthy,
            "amber" => Self::Amber,
            "red" => Self::Red,
            "stale" => Self::Stale,
            "refusing" => Self::Refusing,
            "denying" => Self::Denying,
            "leaderless" => Self::Leaderless,
            _ => panic!("no mood is called {name}"),
        }
    }
}

/// A master that gives fixed answers. It ends with the test.
pub struct Fake {
    address: String,
    mood: Arc<Mutex<Mood>>,
    _runtime: tokio::runtime::Runtime,
}

impl Fake {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mood = Arc::new(Mutex::new(Mood::Healthy));
        let service = Service(mood.clone());
        let server = tonic::transport::Server::builder()
            .add_service(ClusterServer::new(service.clone()))
            .add_service(TopologiesServer::new(service.clone()))
            .add_service(BlobsServer::new(service));
        runtime.spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, mood, _runtime: runtime }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

#[derive(Clone)]
struct Service(Arc<Mutex<Mood>>);

type Answer<T> = Result<Response<T>, Status>;
type Many<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn refusal(grpc: tonic::Code, code: Code, cause: &str, next_step: &str, retry: Retry) -> Status {
    let (cause, next_step) = (cause.to_owned(), next_step.to_owned());
    Failure { grpc, code, cause, next_step, retry, leader: None }.into()
}

impl Service {
    /// What is answered in this mood.
    fn answer<T>(&self, of: impl FnOnce(Mood) -> T) -> Answer<T> {
        let mood = *self.0.lock().unwrap();
        match mood {
            Mood::Refusing => Err(refusal(
                tonic::Code::NotFound,
                codes::UNKNOWN_TOPOLOGY,
                "there is no topology wrod-count; did you mean word-count?",
                "name a topology of the cluster; `squall topologies` lists them",
                Retry::No,
            )),
            Mood::Denying => Err(refusal(
                tonic::Code::PermissionDenied,
                codes::ROLE_TOO_WEAK,
                "ann has the role read, and this needs operate",
                "ask an admin for a token with the role operate",
                Retry::No,
            )),
            Mood::Leaderless => Err(refusal(
                tonic::Code::Unavailable,
                codes::NO_LEADER_IN_TIME,
                "no leader took the call within its deadline",
                "see squall masters: a majority of the masters has to run and reach each other",
                Retry::Later,
            )),
            mood => Ok(Response::new(of(mood))),
        }
    }

    fn many<T: Send + 'static>(&self, of: impl FnOnce(Mood) -> Vec<T>) -> Answer<Many<T>> {
        self.answer(|mood| -> Many<T> { Box::pin(tokio_stream::iter(of(mood).into_iter().map(Ok))) })
    }

    fn applied(&self) -> Answer<v1::Applied> {
        self.answer(|_| answers::applied())
    }
}

#[tonic::async_trait]
impl Cluster for Service {
    type WatchStream = Many<v1::Event>;
    type BackupStream = Many<v1::BackupChunk>;

    async fn status(&self, _: Request<v1::StatusRequest>) -> Answer<v1::StatusResponse> {
        self.answer(answers::status)
    }
    async fn workers(&self, _: Request<v1::WorkersRequest>) -> Answer<v1::WorkersResponse> {
        self.answer(answers::workers)
    }
    async fn drain(&self, _: Request<v1::DrainRequest>) -> Answer<v1::Applied> {
        self.applied()
    }
    async fn undrain(&self, _: Request<v1::UndrainRequest>) -> Answer<v1::Applied> {
        self.applied()
    }
    async fn forget_worker(&self, _: Request<v1::ForgetWorkerRequest>) -> Answer<v1::Applied> {
        self.applied()
    }
    async fn masters(&self, _: Request<v1::MastersRequest>) -> Answer<v1::MastersResponse> {
        self.answer(answers::masters)
    }
    async fn add_master(&self, _: Request<v1::AddMasterRequest>) -> Answer<v1::Applied> {
        self.applied()
    }
    async fn remove_master(&self, _: Request<v1::RemoveMasterRequest>) -> Answer<v1::Applied> {
        self.applied()
    }
    async fn replace_master(&self, _: Request<v1::ReplaceMasterRequest>) -> Answer<v1::Applied> {
        self.applied()
    }
    async fn transfer_leadership(
        &self,
        _: Request<v1::TransferLeadershipRequest>,
    ) -> Answer<v1::TransferLeadershipResponse> {
        self.answer(|_| v1::TransferLeadershipResponse { leader: "m-2".to_owned() })
    }
    async fn watch(&self, request: Request<v1::WatchRequest>) -> Answer<Self::WatchStream> {
        self.many(|mood| answers::events(mood, request.get_ref()))
    }
    async fn why(&self, request: Request<v1::WhyRequest>) -> Answer<v1::WhyResponse> {
        self.answer(|mood| answers::why(mood, &request.get_ref().executor))
    }
    async fn backup(&self, _: Request<v1::BackupRequest>) -> Answer<Self::BackupStream> {
        self.many(|_| vec![v1::BackupChunk { data: "the whole state".into() }])
    }
    async fn create_token(&self, _: Request<v1::CreateTokenRequest>) -> Answer<v1::CreateTokenResponse> {
        self.answer(|_| answers::created_token())
    }
    async fn tokens(&self, _: Request<v1::TokensRequest>) -> Answer<v1::TokensResponse> {
        self.answer(answers::tokens)
    }
    async fn revoke_token(&self, _: Request<v1::RevokeTokenRequest>) -> Answer<v1::Applied> {
        self.applied()
    }
}

#[tonic::async_trait]
impl Topologies for Service {
    async fn submit(&self, _: Request<Streaming<v1::SubmitRequest>>) -> Answer<v1::SubmitResponse> {
        self.answer(answers::submitted)
    }
    async fn plan(&self, _: Request<v1::PlanRequest>) -> Answer<v1::PlanResponse> {
        self.answer(answers::plan)
    }
    async fn list(&self, _: Request<v1::ListTopologiesRequest>) -> Answer<v1::ListTopologiesResponse> {
        self.answer(answers::topologies)
    }
    async fn get(&self, _: Request<v1::GetTopologyRequest>) -> Answer<v1::Topology> {
        self.answer(answers::topology)
    }
    async fn activate(&self, _: Request<v1::ActivateRequest>) -> Answer<v1::Applied> {
        self.applied()
    }
    async fn deactivate(&self, _: Request<v1::DeactivateRequest>) -> Answer<v1::Applied> {
        self.applied()
    }
    async fn rebalance(&self, _: Request<v1::RebalanceRequest>) -> Answer<v1::RebalanceResponse> {
        self.answer(|mood| v1::RebalanceResponse {
            applied: Some(answers::applied()),
            unplaced: answers::submitted(mood).unplaced,
        })
    }
    async fn kill(&self, _: Request<v1::KillRequest>) -> Answer<v1::Applied> {
        self.applied()
    }
    async fn versions(&self, _: Request<v1::VersionsRequest>) -> Answer<v1::VersionsResponse> {
        self.answer(|_| answers::versions())
    }
    async fn rollback(&self, _: Request<v1::RollbackRequest>) -> Answer<v1::SubmitResponse> {
        self.answer(|mood| v1::SubmitResponse { version: 4, ..answers::submitted(mood) })
    }
}

#[tonic::async_trait]
impl Blobs for Service {
    type GetStream = Many<v1::BlobChunk>;

    async fn put(&self, request: Request<Streaming<v1::PutBlobRequest>>) -> Answer<v1::PutBlobResponse> {
        let mut parts = request.into_inner();
        let first = parts.message().await?.and_then(|message| message.part);
        let Some(v1::put_blob_request::Part::Header(header)) = first else {
            return Err(Status::invalid_argument("no header"));
        };
        let mut received = header.offset;
        while let Some(message) = parts.message().await? {
            if let Some(v1::put_blob_request::Part::Chunk(chunk)) = message.part {
                received += chunk.len() as u64;
            }
        }
        // The first three bytes have come by an upload that broke; in an empty cluster nothing has.
        self.answer(|mood| {
            let there = if mood == Mood::Empty { 0 } else { 3 };
            let received = if header.offset == header.size { there } else { received };
            v1::PutBlobResponse { id: header.id, size: header.size, received }
        })
    }
    async fn get(&self, _: Request<v1::GetBlobRequest>) -> Answer<Self::GetStream> {
        self.many(|_| vec![v1::BlobChunk { data: "some bytes".into(), size: 10 }])
    }
    async fn list(&self, _: Request<v1::ListBlobsRequest>) -> Answer<v1::ListBlobsResponse> {
        self.answer(answers::blobs)
    }
}
