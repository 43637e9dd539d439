//! How many changes a second are decided, and how long each takes.

use std::time::{Duration, Instant};

use squall_tests::Cluster;
use tokio::task::JoinSet;

use super::{Caller, MASTERS, block_on, connection, start, submit, topology};
use crate::error::Error;
use crate::harness::{Figures, figures};
use crate::meter::{cpu_seconds, cpu_seconds_of, percentile};

const TOPOLOGIES: usize = 1_000;
const CLIENTS: usize = 64;
/// Before the measurement, so that connections are there and buffers have grown.
const WARM_UP: Duration = Duration::from_secs(1);

/// Each client has topologies of its own activated and deactivated in turn, each through its own connection to one of the masters.
///
/// # Errors
/// A call fails.
pub fn run(seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let cluster = start().await?;
        submit(&cluster, 0..TOPOLOGIES).await?;
        let from = Instant::now() + WARM_UP;
        let until = from + Duration::from_secs_f64(seconds);
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let caller = Caller::new(connection(&cluster, number % MASTERS));
            clients.spawn(client(caller, number, from, until));
        }
        tokio::time::sleep_until(from.into()).await;
        let (masters, own) = (masters_cpu(&cluster)?, cpu_seconds()?);
        tokio::time::sleep_until(until.into()).await;
        let (masters, own) = (masters_cpu(&cluster)? - masters, cpu_seconds()? - own);
        let mut took = Vec::new();
        while let Some(done) = clients.join_next().await {
            took.extend(done.map_err(|_| Error::Shape("a client panicked"))??);
        }
        took.sort_unstable();
        let ms = |share| percentile(&took, share) as f64 / 1e6;
        Ok(figures([
            ("committed_s", took.len() as f64 / seconds),
            ("p50_ms", ms(0.5)),
            ("p99_ms", ms(0.99)),
            ("masters_cores", masters / seconds),
            ("clients_cores", own / seconds),
        ]))
    })
}

/// How long each change took that was answered in time, in nanoseconds.
async fn client(mut caller: Caller, number: usize, from: Instant, until: Instant) -> Result<Vec<u64>, Error> {
    let own: Vec<_> = (number..TOPOLOGIES).step_by(CLIENTS).map(topology).collect();
    let mut took = Vec::new();
    for active in [false, true].into_iter().cycle() {
        for name in &own {
            let begun = Instant::now();
            caller.set(name, active).await?;
            let now = Instant::now();
            if now >= until {
                return Ok(took);
            }
            if now >= from {
                took.push(u64::try_from((now - begun).as_nanos()).unwrap_or(u64::MAX));
            }
        }
    }
    Ok(took)
}

/// CPU seconds that all masters have taken.
fn masters_cpu(cluster: &Cluster) -> Result<f64, Error> {
    (0..MASTERS).map(|master| cpu_seconds_of(&cluster.pid(master).to_string())).sum()
}
