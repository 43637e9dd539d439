//! Masters that have nothing to do.

use std::time::Duration;

use super::{MASTERS, block_on, start};
use crate::error::Error;
use crate::harness::{Figures, figures};
use crate::meter::{cpu_seconds_of, rss_mb_of};

/// After the cluster is formed, until it has come to rest.
const SETTLE: Duration = Duration::from_secs(3);

/// Memory and CPU of the master that takes most of each.
///
/// # Errors
/// The kernel counts neither.
pub fn run(seconds: f64) -> Result<Figures, Error> {
    block_on(async {
        let cluster = start().await?;
        let pids: Vec<_> = (0..MASTERS).map(|master| cluster.pid(master).to_string()).collect();
        tokio::time::sleep(SETTLE).await;
        let cpu = || pids.iter().map(|pid| cpu_seconds_of(pid)).collect::<Result<Vec<_>, _>>();
        let before = cpu()?;
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        let spent = cpu()?.into_iter().zip(before).map(|(after, before)| after - before);
        let rss = pids.iter().map(|pid| rss_mb_of(pid)).collect::<Result<Vec<_>, _>>()?;
        let most = |of: &mut dyn Iterator<Item = f64>| of.fold(0.0, f64::max);
        Ok(figures([
            ("rss_mb", most(&mut rss.into_iter())),
            ("cpu_percent", 100.0 * most(&mut spent.into_iter()) / seconds),
        ]))
    })
}
