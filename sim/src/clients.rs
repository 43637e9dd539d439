//! The host of all clients: those that change topologies, and the operator who changes the masters.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use squall_proto::v1::cluster_client::ClusterClient;
use squall_proto::v1::{
    AddMasterRequest, MastersRequest, Mutation, RemoveMasterRequest, ReplaceMasterRequest, TransferLeadershipRequest,
};
use squall_tests::Rng;
use squall_tests::client::{Client, Refused};
use squall_tests::linear::Recorder;
use squall_tests::workload::{Values, Worker};
use squall_types::cluster::UnixMillis;
use tonic::transport::Channel;

use crate::net::Breaks;
use crate::network;
use crate::scenario::{SPAN, Scenario};

/// How long a client waits for an answer at most.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// How long the operator waits for one.
const CALL: Duration = Duration::from_secs(3);

/// What the operator has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// A master's disk is lost.
    Replace(usize),
    /// A master is to leave; it is wiped then, and comes in again.
    Remove(usize),
    /// A master with an empty disk is to come in.
    Add(usize),
    /// Another master is to lead.
    Transfer,
}

/// What clients and the simulation tell each other. All on one thread.
#[derive(Clone, Default)]
pub struct Desk {
    jobs: Rc<RefCell<VecDeque<Job>>>,
    done: Rc<RefCell<Vec<Job>>>,
    acknowledged: Rc<RefCell<Vec<u64>>>,
    commands: Rc<Cell<usize>>,
    trouble: Rc<RefCell<Option<String>>>,
    closing: Rc<Cell<bool>>,
    finished: Rc<Cell<usize>>,
    /// What clients did.
    pub recorder: Recorder,
}

impl Desk {
    /// One more thing for the operator.
    pub fn order(&self, job: Job) {
        self.jobs.borrow_mut().push_back(job);
    }

    /// Whether the operator has nothing to do.
    pub fn idle(&self) -> bool {
        self.jobs.borrow().is_empty()
    }

    /// What the operator has done since this was asked last.
    pub fn done(&self) -> Vec<Job> {
        self.done.take()
    }

    /// The revisions that clients were told of since this was asked last.
    pub fn acknowledged(&self) -> Vec<u64> {
        self.acknowledged.take()
    }

    /// How many changes were acknowledged so far.
    pub fn commands(&self) -> usize {
        self.commands.get()
    }

    /// What went wrong at a client, if anything did.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// Clients are to read everything once more and end.
    pub fn close(&self) {
        self.closing.set(true);
    }

    /// Whether so many clients have ended.
    pub fn closed(&self, clients: usize) -> bool {
        self.finished.get() == clients
    }

    fn acknowledge(&self, revision: u64) {
        self.acknowledged.borrow_mut().push(revision);
        self.commands.set(self.commands.get() + 1);
    }
}

/// The wall time, as simulated.
pub fn now() -> UnixMillis {
    let since = turmoil::since_epoch().unwrap_or_default();
    UnixMillis::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Runs all clients and the operator, for ever.
pub async fn run(scenario: Scenario, breaks: Breaks, desk: Desk) -> turmoil::Result {
    let topologies: Vec<_> = (0..scenario.topologies).map(|number| format!("t-{number}")).collect();
    let (values, rng) = (Values::default(), Rng::new(scenario.seed).fork(2));
    let channels = || (0..scenario.masters).map(|place| breaks.channel(&address(place))).collect::<Vec<_>>();
    for number in 0..scenario.clients {
        let number = u32::try_from(number).expect("a handful");
        let rng = rng.fork(u64::from(number));
        let client = Client::new(channels(), rng.fork(1), PATIENCE, now);
        let worker =
            Worker::new(client, number, rng.fork(2), topologies.clone(), values.clone(), desk.recorder.clone());
        tokio::task::spawn_local(work(worker, rng.fork(3), desk.clone()));
    }
    operate(channels(), rng.fork(9), desk).await
}

/// Where a master listens.
pub fn address(place: usize) -> String {
    format!("{}:7400", network::master(place))
}

async fn work(mut worker: Worker, mut rng: Rng, desk: Desk) {
    while !desk.closing.get() {
        tokio::time::sleep(rng.between(Duration::from_millis(50), Duration::from_millis(700))).await;
        if turmoil::sim_elapsed().is_some_and(|elapsed| elapsed > SPAN) {
            continue;
        }
        match worker.turn().await {
            Ok(revision) => revision.into_iter().for_each(|revision| desk.acknowledge(revision)),
            Err(refused) => *desk.trouble.borrow_mut() = Some(format!("a client was refused: {refused}")),
        }
    }
    if let Err(refused) = worker.read_all().await {
        *desk.trouble.borrow_mut() = Some(format!("a client was refused: {refused}"));
    }
    desk.finished.set(desk.finished.get() + 1);
}

async fn operate(channels: Vec<Channel>, mut rng: Rng, desk: Desk) -> turmoil::Result {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let Some(job) = desk.jobs.borrow().front().cloned() else { continue };
        let channel = rng.pick(&channels).clone();
        let id = Client::new(channels.clone(), rng.fork(rng.clone().draw()), CALL, now).request_id().to_string();
        rng.draw();
        if let Ok(Ok(true)) = tokio::time::timeout(CALL, carry_out(channel, &job, id)).await {
            desk.jobs.borrow_mut().pop_front();
            desk.done.borrow_mut().push(job);
        }
    }
}

/// Whether the job is done: first it is looked whether it is to be done at all, for an answer may have been lost.
async fn carry_out(channel: Channel, job: &Job, id: String) -> Result<bool, Refused> {
    let mut cluster = ClusterClient::new(channel);
    let mutation = Some(Mutation { request_id: id, expected_revision: None });
    let members = cluster.masters(MastersRequest {}).await?.into_inner();
    if members.stale {
        return Ok(false);
    }
    let member = |place: usize| members.masters.iter().find(|it| it.name == network::master(place));
    match *job {
        Job::Transfer => {
            cluster.transfer_leadership(TransferLeadershipRequest { to: String::new() }).await?;
            Ok(true)
        }
        Job::Remove(place) if member(place).is_none() => Ok(true),
        Job::Remove(place) => {
            cluster.remove_master(RemoveMasterRequest { mutation, name: network::master(place) }).await?;
            Ok(true)
        }
        Job::Add(place) if member(place).is_some() => Ok(true),
        Job::Add(place) => {
            cluster.add_master(AddMasterRequest { mutation, address: address(place) }).await?;
            Ok(true)
        }
        Job::Replace(place) => {
            cluster.replace_master(ReplaceMasterRequest { mutation, name: network::master(place) }).await?;
            Ok(true)
        }
    }
}
