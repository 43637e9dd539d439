//! The control plane: three real masters in release mode, their data on a disk, nothing between them and their clients.

pub mod activates;
pub mod failover;
pub mod idle;
pub mod start;
pub mod streams;

use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use squall_proto::v1::topologies_client::TopologiesClient;
use squall_proto::v1::{ActivateRequest, Applied, DeactivateRequest, Mutation, SubmitRequest, submit_request};
use squall_tests::Cluster;
use squall_tests::client::submission;
use squall_tests::cluster::{channel, now};
use squall_types::cluster::RequestId;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::error::Error;

/// How many masters there are.
const MASTERS: usize = 3;
/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who submits at the same time.
const AT_ONCE: usize = 16;
/// What `statfs` says of a file system that is none on a disk.
const TMPFS: i64 = 0x0102_1994;

/// Runs a bench on a runtime of its own, with as many files as the system lets it have: connections count too.
fn block_on<T>(bench: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).map_err(|errno| Error::System("more files", errno.into()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(Error::Thread)?.block_on(bench)
}

/// Three masters that have formed a cluster.
async fn start() -> Result<Cluster, Error> {
    let program = std::env::current_exe().map_err(Error::Thread)?.with_file_name("squall");
    let folder = on_disk(program.parent().unwrap_or(Path::new(".")))?;
    let dir = tempfile::tempdir_in(folder).map_err(|source| Error::System("a folder", source))?;
    Ok(Cluster::start_direct(program, dir, MASTERS).await)
}

/// The folder, if what is synced there is on a disk.
fn on_disk(folder: &Path) -> Result<PathBuf, Error> {
    let of = rustix::fs::statfs(folder).map_err(|errno| Error::System("the kind of a file system", errno.into()))?;
    if of.f_type == TMPFS { Err(Error::Shape("the masters' data would be in memory")) } else { Ok(folder.to_owned()) }
}

/// A connection of its own to a master.
fn connection(cluster: &Cluster, master: usize) -> Channel {
    channel(cluster.network().address(master))
}

fn topology(number: usize) -> String {
    format!("t-{number:04}")
}

/// Submits topologies with these numbers, several at the same time.
async fn submit(cluster: &Cluster, numbers: std::ops::Range<usize>) -> Result<(), Error> {
    let mut submitting = JoinSet::new();
    for first in 0..AT_ONCE {
        let mut caller = Caller::new(connection(cluster, first % MASTERS));
        let own = numbers.clone().skip(first).step_by(AT_ONCE);
        submitting.spawn(async move {
            for number in own {
                caller.submit(&topology(number)).await?;
            }
            Ok::<_, Box<Status>>(())
        });
    }
    while let Some(done) = submitting.join_next().await {
        done.map_err(|_| Error::Shape("a client panicked"))??;
    }
    Ok(())
}

/// A client of one master.
struct Caller {
    topologies: TopologiesClient<Channel>,
}

impl Caller {
    fn new(channel: Channel) -> Self {
        Self { topologies: TopologiesClient::new(channel) }
    }

    async fn submit(&mut self, name: &str) -> Result<(), Box<Status>> {
        let header = submission(name, 0, Some(mutation()));
        let parts = [SubmitRequest { part: Some(submit_request::Part::Header(header)) }];
        self.topologies.submit(timed(tokio_stream::iter(parts))).await.map(drop).map_err(Box::new)
    }

    /// Has a topology activated or deactivated.
    async fn set(&mut self, name: &str, active: bool) -> Result<Applied, Box<Status>> {
        let (mutation, name) = (Some(mutation()), name.to_owned());
        let answer = if active {
            self.topologies.activate(timed(ActivateRequest { mutation, name })).await
        } else {
            self.topologies.deactivate(timed(DeactivateRequest { mutation, name })).await
        };
        answer.map(tonic::Response::into_inner).map_err(Box::new)
    }
}

/// A mutation with an id of its own: two that are the same would be one request.
fn mutation() -> Mutation {
    let random = || u128::from(RandomState::new().hash_one(0));
    Mutation { request_id: RequestId::new(now(), random() << 64 | random()).to_string(), expected_revision: None }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request
}
