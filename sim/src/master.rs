//! A master's place in the simulation: the shipped host of Raft and the shipped replicated state, on a simulated network, clock and disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use squall_control::{Outcome, Seed, State, Supported};
use squall_proto::v1::topologies_server::TopologiesServer;
use squall_raft::store::{self, Identity};
use squall_raft::{Dial, Disk, Member, Raft, Role, Running, Settings, Standing, Writer};
use squall_tests::Rng;
use squall_types::cluster::{ClusterId, RaftId, UnixMillis};
use tonic::transport::{Channel, Server};

use crate::clients::address;
use crate::disk::Platter;
use crate::invariants::Seen;
use crate::machine::{Machine, seat};
use crate::net::Breaks;
use crate::network;
use crate::plant::Plant;
use crate::scenario::Scenario;
use crate::service::Service;

/// Where masters listen.
const PORT: u16 = 7400;
/// Small, so that a minute sees many.
const SNAPSHOT_EVERY: u64 = 60;
/// What is kept before a snapshot: less than a master misses that is away for some seconds.
const TAIL: u64 = 10;

/// One master's place, whatever lives there. Its clones are the same place.
#[derive(Clone)]
pub struct Site {
    place: usize,
    breaks: Breaks,
    plant: Plant,
    disk: Platter,
    now: Arc<Mutex<Now>>,
}

/// What lives there now.
struct Now {
    life: u64,
    rng: Rng,
    /// This disk's life.
    id: RaftId,
    running: Option<(Raft<Outcome>, Machine)>,
    digest: Option<(u64, u64)>,
    stopped: Option<String>,
}

impl Site {
    /// The places of a cluster that is formed: each disk holds the same first state.
    pub fn all(scenario: &Scenario, breaks: &Breaks, plant: Plant) -> Vec<Self> {
        let rng = Rng::new(scenario.seed).fork(100);
        let new = |place: usize| {
            let mut rng = rng.fork(place as u64);
            let id = draw(&mut rng);
            let now = Now { life: 0, rng, id, running: None, digest: None, stopped: None };
            Self { place, breaks: breaks.clone(), plant, disk: Platter::default(), now: Arc::new(Mutex::new(now)) }
        };
        let sites: Vec<_> = (0..scenario.masters).map(new).collect();
        let voters: Vec<_> = sites.iter().map(Self::member).collect();
        let members = voters.iter().map(|voter| (voter.id, seat(voter, Standing::Voter))).collect();
        let state = first_state(members).encode();
        for site in &sites {
            let batch = store::seed(site.identity(), voters.clone(), state.clone());
            site.disk.writer(Plant::None).write(&batch).expect("a simulated disk takes everything");
        }
        sites
    }

    /// Its number.
    pub const fn place(&self) -> usize {
        self.place
    }

    /// The member that its disk makes it.
    pub fn member(&self) -> Member {
        let name = network::master(self.place).parse().expect("a letter and a digit");
        Member { id: self.lock().id, name, address: address(self.place) }
    }

    /// The log of the master that runs here.
    pub fn log(&self) -> Option<Raft<Outcome>> {
        self.lock().running.as_ref().map(|(log, _)| log.clone())
    }

    /// The master's program.
    ///
    /// # Errors
    /// If it can't listen; one that stops by itself is seen by [`Site::stopped`].
    pub async fn run(self) -> turmoil::Result {
        let (seed, contents) = {
            let mut now = self.lock();
            now.life += 1;
            (now.rng.draw(), self.disk.contents())
        };
        let machine = Machine::new(first_state(BTreeMap::new()), self.plant);
        let settings = Settings {
            contents,
            writer: Writer::Inline(Box::new(self.disk.writer(self.plant))),
            address: address(self.place),
            dial: Arc::new(Dialling(self.breaks.clone())),
            seed,
            snapshot_every: SNAPSHOT_EVERY,
            tail: TAIL,
        };
        match squall_raft::start(settings, machine.clone()) {
            Ok(Running { handle, service, ended }) => {
                self.lock().running = Some((handle.clone(), machine.clone()));
                let topologies = TopologiesServer::new(Service { log: handle, machine, plant: self.plant });
                let server = Server::builder().add_service(service.into_server()).add_service(topologies);
                let serving = server.serve_with_incoming(self.breaks.listen(PORT).await?);
                tokio::spawn(serving);
                let reason = ended.await?.map_or_else(|| "it was asked to".to_owned(), |reason| chain(&*reason));
                self.lock().stopped = Some(reason);
            }
            Err(reason) => self.lock().stopped = Some(chain(&reason)),
        }
        Ok(())
    }

    /// Why it has ended by itself, if it has.
    pub fn stopped(&self) -> Option<String> {
        self.lock().stopped.clone()
    }

    /// It dies, and with it what it had not synced.
    pub fn crash(&self) {
        let mut now = self.lock();
        (now.running, now.digest, now.stopped) = (None, None, None);
        self.disk.crash();
    }

    /// Its disk is lost; it comes back with an empty one, which has a life of its own.
    pub fn wipe(&self) {
        self.disk.wipe();
        if self.plant != Plant::WipedDiskVotes {
            let mut now = self.lock();
            now.id = draw(&mut now.rng);
        }
        let batch = store::Batch { identity: Some(self.identity()), ..store::Batch::default() };
        self.disk.writer(Plant::None).write(&batch).expect("a simulated disk takes everything");
    }

    /// What it shows of itself, while it runs.
    pub fn seen(&self) -> Option<Seen> {
        let mut now = self.lock();
        let life = now.life;
        let (log, machine) = now.running.clone()?;
        let status = log.status().borrow().clone();
        let state = machine.state();
        let applied = status.applied.get();
        let digest = match now.digest {
            Some((index, digest)) if index == applied => digest,
            _ => state.digest(),
        };
        now.digest = Some((applied, digest));
        Some(Seen {
            master: self.place,
            life,
            raft_id: status.id.get(),
            term: status.term.get(),
            leads: status.role == Role::Leader,
            commit: status.commit.get(),
            applied,
            digest,
        })
    }

    fn identity(&self) -> Identity {
        let Member { id, name, .. } = self.member();
        Identity { name, id, cluster: Some(cluster()) }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cluster() -> ClusterId {
    ClusterId::new(0x0517_6a11).expect("it isn't 0")
}

fn draw(rng: &mut Rng) -> RaftId {
    RaftId::new(rng.draw() | 1).expect("an odd number isn't 0")
}

fn first_state(members: BTreeMap<RaftId, squall_control::Seat>) -> State {
    let (at, level) = (UnixMillis::new(1_800_000_000_000), Supported::NEWEST);
    State::new(Seed { cluster: cluster(), at, level, members })
}

/// An error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

struct Dialling(Breaks);

impl Dial for Dialling {
    fn channel(&self, address: &str) -> Channel {
        self.0.channel(address)
    }
}
