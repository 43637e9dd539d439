//! The host of all clients: those that change topologies, and the operator who changes the masters.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use squall_raft::{ChangeError, Standing};
use squall_tests::Rng;
use squall_tests::client::Client;
use squall_tests::linear::Recorder;
use squall_tests::workload::{Values, Worker};
use squall_types::cluster::UnixMillis;

use crate::master::Site;
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
pub async fn run(scenario: Scenario, breaks: Breaks, sites: Vec<Site>, desk: Desk) -> turmoil::Result {
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
    operate(&sites, &desk).await
}

/// Where a master listens.
pub fn address(place: usize) -> String {
    format!("{}:7400", network::master(place))
}

async fn work(mut worker: Worker, mut rng: Rng, desk: Desk) {
    while !desk.closing.get() {
        tokio::time::sleep(rng.between(Duration::from_millis(30), Duration::from_millis(350))).await;
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

async fn operate(sites: &[Site], desk: &Desk) -> turmoil::Result {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let Some(job) = desk.jobs.borrow().front().cloned() else { continue };
        if let Ok(true) = tokio::time::timeout(CALL, carry_out(sites, &job)).await.unwrap_or(Ok(false)) {
            desk.jobs.borrow_mut().pop_front();
            desk.done.borrow_mut().push(job);
        }
    }
}

/// Takes the next step towards what is to be; whether it is so.
async fn carry_out(sites: &[Site], job: &Job) -> Result<bool, ChangeError> {
    let leading = sites.iter().filter_map(|site| Some((site.seen().filter(|seen| seen.leads)?.term, site)));
    let Some(leader) = leading.max_by_key(|(term, _)| *term).map(|(_, site)| site) else { return Ok(false) };
    let Some(log) = leader.log() else { return Ok(false) };
    let members = log.status().borrow().members.clone();
    let place = match *job {
        Job::Transfer => return Ok(log.transfer(None).await.is_ok()),
        Job::Replace(place) | Job::Remove(place) | Job::Add(place) => place,
    };
    let wanted = sites[place].member();
    let there = members.named(&wanted.name).map(|(member, standing)| (member.id, standing));
    match (job, there) {
        (Job::Remove(_), None) => Ok(true),
        (Job::Remove(_), Some(_)) if leader.place() == place => {
            // It is asked again, of the next leader.
            let _ = log.transfer(None).await;
            Ok(false)
        }
        (Job::Remove(_), Some((id, _))) => log.remove(id).await.map(|_| true),
        (_, Some((id, Standing::Voter))) if id == wanted.id => Ok(true),
        (_, Some((id, Standing::Learner))) if id == wanted.id => log.promote(id).await.map(|_| true),
        (_, Some((id, _))) => log.replace(id, wanted).await.map(|_| false),
        (_, None) => log.add_learner(wanted).await.map(|_| false),
    }
}
