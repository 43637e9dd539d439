//! How long a master takes to come back.

use std::time::{Duration, Instant};

use squall_tests::Cluster;
use tokio::task::JoinSet;

use super::{AT_ONCE, Caller, MASTERS, block_on, connection, start, submit, topology};
use crate::error::Error;
use crate::harness::{Figures, figures};
use crate::meter::percentile;

const TOPOLOGIES: usize = 1_000;
/// So long that the next entries would bring a snapshot: all have to be read and applied again.
const ENTRIES: u64 = 9_950;
const STARTS: usize = 9;
const LOOK: Duration = Duration::from_millis(1);
const SOON: Duration = Duration::from_secs(30);

/// A master that was killed: from its start to its word that it answers calls, the median.
///
/// # Errors
/// A call fails, or the log isn't as long as it should be.
pub fn run(_: f64) -> Result<Figures, Error> {
    block_on(async {
        let mut cluster = start().await?;
        submit(&cluster, 0..TOPOLOGIES).await?;
        let entries = fill(&cluster).await?;
        cluster.formed().await;
        let mut took = Vec::new();
        for number in 0..STARTS {
            let master = number % MASTERS;
            cluster.kill(master);
            took.push(back(&mut cluster, master).await?);
            cluster.formed().await;
        }
        took.sort_unstable();
        let ms = |share| percentile(&took, share) as f64 / 1e3;
        Ok(figures([("ready_ms", ms(0.5)), ("most_ms", ms(1.0)), ("entries", entries as f64)]))
    })
}

/// Has topologies activated until the log has so many entries.
async fn fill(cluster: &Cluster) -> Result<u64, Error> {
    let mut caller = Caller::new(connection(cluster, 0));
    let mut last = caller.set(&topology(0), true).await?.revision;
    let more = ENTRIES.checked_sub(last).ok_or(Error::Shape("the log is too long already"))?;
    let mut filling = JoinSet::new();
    for first in 0..AT_ONCE {
        let mut caller = Caller::new(connection(cluster, first % MASTERS));
        let own = (first as u64..more).step_by(AT_ONCE).map(|it| topology(it as usize % TOPOLOGIES));
        filling.spawn(async move {
            let mut last = 0;
            for name in own {
                last = caller.set(&name, true).await?.revision;
            }
            Ok::<_, Error>(last)
        });
    }
    while let Some(done) = filling.join_next().await {
        last = last.max(done.map_err(|_| Error::Shape("a client panicked"))??);
    }
    Ok(last)
}

/// Starts a master, and says how many microseconds it took until it was up.
async fn back(cluster: &mut Cluster, master: usize) -> Result<u64, Error> {
    let before = cluster.times_up(master);
    let begun = Instant::now();
    cluster.launch(master);
    while cluster.times_up(master) == before {
        if begun.elapsed() > SOON {
            return Err(Error::Shape("a master doesn't come back"));
        }
        tokio::time::sleep(LOOK).await;
    }
    let took = begun.elapsed();
    cluster.listens(master).await;
    Ok(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
}
