//! An empty master's search for its cluster: asks, tells what it waits for, and comes back with what it found.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_control::{Line, Seat, State, Supported};
use squall_proto::internal;
use squall_proto::internal::formation_client::FormationClient;
use squall_types::cluster::{ClusterId, RaftId, UnixMillis};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::core::{Decision, Formation, Identity, Seed};
use super::{Myself, wire};
use crate::certs::{End, TlsFault};
use crate::http::Readiness;
use squall_daemon::Peers;

/// How often all are asked.
const ROUND: Duration = Duration::from_millis(200);
/// How long one may take to answer.
const ANSWER: Duration = Duration::from_secs(1);
/// How often it is told again what is waited for, if it stays the same.
const REMIND: Duration = Duration::from_secs(30);

/// A seed that another master offers.
pub(crate) struct Offer {
    pub request: internal::SeedRequest,
    /// Answered once it is on disk, or why it isn't.
    pub answer: oneshot::Sender<Result<(), String>>,
}

/// What was found.
pub(crate) enum Found {
    /// All are empty, and this one is the first: a new cluster, with its first state.
    Founded { seed: Seed, state: State },
    /// Another has founded one.
    Seeded { seed: Seed, state: State, answer: oneshot::Sender<Result<(), String>> },
    /// This one was let in.
    Joined(ClusterId),
}

/// Searches until there is a cluster.
pub(crate) struct Search<'a> {
    pub me: &'a Myself,
    pub formation: Formation,
    pub peers: &'a Peers,
    pub offers: mpsc::Receiver<Offer>,
    pub readiness: &'a watch::Sender<Readiness>,
    pub supported: Supported,
    /// Why those that were asked last didn't answer, where that can be told.
    pub faults: BTreeMap<String, TlsFault>,
}

impl Search<'_> {
    /// `cluster` is the id of a new cluster, if this master founds one; `now` is when it would be founded.
    pub(crate) async fn run(mut self, cluster: ClusterId, now: impl Fn() -> UnixMillis) -> Found {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = None;
        loop {
            tokio::select! {
                Some(offer) = self.offers.recv() => {
                    if let Some(found) = self.offered(offer) {
                        return found;
                    }
                }
                _ = rounds.tick() => {
                    self.ask_all().await;
                    match self.formation.decide() {
                        Decision::Found(founders) => {
                            let seed = Seed { cluster, founders };
                            let state = first_state(&seed, self.formation.level(), now());
                            return Found::Founded { seed, state };
                        }
                        Decision::Join(cluster) => return Found::Joined(cluster),
                        Decision::Wait(waiting) => self.tell(&waiting, &mut told),
                    }
                }
            }
        }
    }

    fn offered(&self, offer: Offer) -> Option<Found> {
        let Offer { request, answer } = offer;
        let seed = wire::seed(&request).map_err(|why| why.to_string());
        let seed = seed.and_then(|seed| self.formation.accept(&seed).map(|()| seed).map_err(|why| why.to_string()));
        let state = State::decode(&request.state, self.supported).map_err(|why| why.to_string());
        match seed.and_then(|seed| Ok((seed, state?))) {
            Ok((seed, state)) if state.cluster() == seed.cluster => Some(Found::Seeded { seed, state, answer }),
            Ok(_) => {
                // Whoever offered it may have gone; nothing depends on the answer.
                let _ = answer.send(Err("its state is another cluster's".to_owned()));
                None
            }
            Err(why) => {
                let _ = answer.send(Err(why));
                None
            }
        }
    }

    async fn ask_all(&mut self) {
        self.formation.ask_anew();
        let listed: Vec<_> = self.formation.listed().to_vec();
        let (peers, me) = (self.peers, self.me);
        let asked = listed.into_iter().map(|at| async move { (ask(peers, &at, me).await, at) });
        let answers = futures_util::future::join_all(asked).await;
        self.faults.clear();
        for (answer, at) in answers {
            match answer {
                Ok(identity) => self.formation.heard(&at, identity),
                Err(fault) => self.faults.extend(fault.map(|fault| (at, fault))),
            }
        }
    }

    fn tell(&self, waiting: &super::core::Waiting, told: &mut Option<(String, Instant)>) {
        let faults = self.faults.iter().map(|(at, fault)| format!("; {at}: {}: {fault}", fault.code()));
        let faults: String = faults.collect();
        let next =
            self.faults.values().next().map_or_else(|| waiting.next_step(), |fault| fault.next_step().to_owned());
        let text = format!("{waiting}{faults}; next: {next}");
        let again = told.as_ref().is_none_or(|(before, at)| *before != text || at.elapsed() >= REMIND);
        if again {
            tracing::info!("no cluster yet: {text}");
            self.readiness.send_replace(Readiness::NotReady { reason: format!("it has no cluster yet: {text}") });
            *told = Some((text, Instant::now()));
        }
    }
}

/// What a master says of itself; or why it doesn't, if that lies with how the two speak to each other.
async fn ask(peers: &Peers, at: &str, me: &Myself) -> Result<Identity, Option<TlsFault>> {
    let mut client = FormationClient::new(peers.channel(at));
    let request = internal::IdentifyRequest { address: me.address.clone(), raft_id: me.id.get() };
    let answer = tokio::time::timeout(ANSWER, client.identify(request)).await.map_err(|_| None)?;
    let answer = answer.map_err(|status| TlsFault::find(&status, End::Client))?;
    wire::identity(answer.into_inner()).map_err(|_| None)
}

fn first_state(seed: &Seed, level: squall_types::cluster::FeatureLevel, at: UnixMillis) -> State {
    let seat = |founder: &super::core::Founder| -> (RaftId, Seat) {
        (founder.id, Seat { name: founder.name.clone(), address: Line::lossy(&founder.address), voter: true })
    };
    let members = seed.founders.iter().map(seat).collect();
    State::new(squall_control::Seed { cluster: seed.cluster, at, level, members })
}

/// Brings a seed to all founders but this one, until each has it or belongs to its cluster otherwise.
pub(crate) async fn sow(seed: Seed, state: Vec<u8>, me: Myself, peers: Peers) {
    let request = wire::seed_request(&seed, state);
    let mut left: Vec<_> = seed.founders.iter().filter(|founder| founder.id != me.id).cloned().collect();
    while !left.is_empty() {
        let mut still = Vec::new();
        for founder in left {
            if !has_seed(&peers, &founder, &request, &me, seed.cluster).await {
                still.push(founder);
            }
        }
        left = still;
        if !left.is_empty() {
            tokio::time::sleep(ROUND).await;
        }
    }
}

/// Whether a founder has the seed, or whether its disk isn't the one any more that the seed names.
async fn has_seed(
    peers: &Peers,
    founder: &super::core::Founder,
    request: &internal::SeedRequest,
    me: &Myself,
    cluster: ClusterId,
) -> bool {
    match ask(peers, &founder.address, me).await {
        Ok(identity) if identity.id != founder.id || identity.cluster == Some(cluster) => true,
        Ok(_) => {
            let mut client = FormationClient::new(peers.channel(&founder.address));
            let sent = tokio::time::timeout(ANSWER, client.seed(request.clone())).await;
            matches!(sent, Ok(Ok(answer)) if answer.get_ref().accepted)
        }
        Err(_) => false,
    }
}
