//! How long nothing is decided when the leader dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use squall_tests::{Cluster, until};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Caller, MASTERS, block_on, connection, start, submit, topology};
use crate::error::Error;
use crate::harness::{Figures, figures};
use crate::meter::percentile;

const KILLS: usize = 30;
const TOPOLOGIES: usize = 100;
const CLIENTS: usize = 16;
/// So many commands are decided before each kill.
const BETWEEN: u64 = 500;
const SOON: Duration = Duration::from_secs(30);
/// How long a client waits before it tries again.
const PAUSE: Duration = Duration::from_millis(5);

/// Clients at all masters, that go on while they are let.
struct Load {
    goes: watch::Sender<bool>,
    decided: Arc<AtomicU64>,
    _clients: JoinSet<()>,
}

impl Load {
    fn new(cluster: &Cluster) -> Self {
        let (goes, decided, mut clients) = (watch::Sender::new(false), Arc::new(AtomicU64::new(0)), JoinSet::new());
        for number in 0..CLIENTS {
            let callers = (0..MASTERS).map(|it| Caller::new(connection(cluster, it)));
            clients.spawn(client(callers.collect(), number, goes.subscribe(), decided.clone()));
        }
        Self { goes, decided, _clients: clients }
    }

    /// Lets clients go on, and waits until they have had so much decided.
    async fn until(&self, more: u64) {
        self.goes.send_replace(true);
        let least = self.decided.load(Ordering::Relaxed) + more;
        let look = || async {
            let now = self.decided.load(Ordering::Relaxed);
            if now >= least { Ok(()) } else { Err(format!("{now} of {least} are decided")) }
        };
        until("commands that are decided", SOON, look).await;
    }

    fn rest(&self) {
        self.goes.send_replace(false);
    }
}

async fn client(mut callers: Vec<Caller>, number: usize, mut goes: watch::Receiver<bool>, decided: Arc<AtomicU64>) {
    let (name, mut at) = (topology(CLIENTS + number), number);
    for active in [false, true].into_iter().cycle() {
        while callers[at % MASTERS].set(&name, active).await.is_err() {
            at += 1;
            tokio::time::sleep(PAUSE).await;
        }
        decided.fetch_add(1, Ordering::Relaxed);
        if goes.wait_for(|goes| *goes).await.is_err() {
            return;
        }
    }
}

/// From the kill to the answer to the first command that was asked after it, at either of the masters that are left.
///
/// # Errors
/// A call fails.
pub fn run(_: f64) -> Result<Figures, Error> {
    block_on(async {
        let mut cluster = start().await?;
        submit(&cluster, 0..TOPOLOGIES).await?;
        let load = Load::new(&cluster);
        let mut took = Vec::new();
        for kill in 0..KILLS {
            load.until(BETWEEN).await;
            let leader = cluster.leader_of(&[0, 1, 2]).await;
            let left = (0..MASTERS).filter(|it| *it != leader);
            let callers: Vec<_> = left.map(|it| Caller::new(connection(&cluster, it))).collect();
            let killed = Instant::now();
            cluster.kill(leader);
            first(callers, kill % 2 == 1).await?;
            took.push(u64::try_from(killed.elapsed().as_micros()).unwrap_or(u64::MAX));
            load.rest();
            cluster.run(leader).await;
            cluster.formed().await;
        }
        took.sort_unstable();
        let ms = |share: f64| percentile(&took, share) as f64 / 1e3;
        let worst_but_one = ms((KILLS - 1) as f64 / KILLS as f64);
        Ok(figures([("p50_ms", ms(0.5)), ("of_30_the_29th_ms", worst_but_one), ("most_ms", ms(1.0))]))
    })
}

/// The first of these that gets something decided.
async fn first(callers: Vec<Caller>, active: bool) -> Result<(), Error> {
    let mut asked = JoinSet::new();
    for (number, mut caller) in callers.into_iter().enumerate() {
        let name = topology(number);
        asked.spawn(async move {
            while caller.set(&name, active).await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    match tokio::time::timeout(SOON, asked.join_next()).await {
        Ok(Some(Ok(()))) => Ok(()),
        _ => Err(Error::Shape("nothing is decided any more")),
    }
}
