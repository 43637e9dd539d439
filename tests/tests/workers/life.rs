//! From submit to the end.

use std::time::Duration;

use squall_tests::until;
use squall_tests::whole::{SOON, Whole};

use crate::books::Oracle;

#[tokio::test]
async fn what_is_submitted_runs_on_all_workers_pauses_and_ends() {
    let cluster = Whole::start(1, 2);
    let oracle = Oracle::submit(&cluster);
    let slots = cluster.running("oracle").await;
    let workers: Vec<_> = slots.iter().map(|slot| slot.worker.as_str()).collect();
    assert_eq!(workers, ["worker-1", "worker-2"]);
    oracle.is_fast().await;

    assert!(cluster.squall(&["deactivate", "oracle"]).status.success());
    let mut before = usize::MAX;
    let paused = || {
        let now = oracle.acked();
        let still = now == before;
        before = now;
        async move { if still { Ok(()) } else { Err(format!("{now} acked")) } }
    };
    until("no more messages", SOON, paused).await;
    assert!(cluster.squall(&["activate", "oracle"]).status.success());
    oracle.goes_on(1_000).await;

    assert!(cluster.squall(&["kill", "oracle", "--after", "1s"]).status.success());
    let gone = || async {
        let alive = slots.iter().any(|slot| std::path::Path::new(&format!("/proc/{}", slot.pid)).exists());
        if alive { Err("a slot lives") } else { Ok(()) }
    };
    until("no process left", SOON + Duration::from_secs(5), gone).await;
    oracle.is_whole();
}
