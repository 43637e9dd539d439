//! Whatever is killed: work goes on, and nothing that was acked is missing.

use squall_tests::whole::{SlotProcess, Whole, kill};

use crate::books::Oracle;

fn on<'a>(slots: impl IntoIterator<Item = &'a SlotProcess>, worker: &str) -> SlotProcess {
    slots.into_iter().find(|slot| slot.worker == worker).expect("the worker has a slot").clone()
}

#[tokio::test]
async fn a_slot_that_is_killed_comes_back_in_its_place() {
    let cluster = Whole::start(1, 2);
    let oracle = Oracle::submit(&cluster);
    let before = cluster.running("oracle").await;
    oracle.is_fast().await;
    let victim = on(&before, "worker-1");
    kill(victim.pid);
    let after = cluster
        .slots_that("another life of the slot", "oracle", |slots| {
            slots.iter().all(|slot| slot.state == "running") && on(slots, "worker-1").incarnation > victim.incarnation
        })
        .await;
    assert_eq!(on(&after, "worker-2"), on(&before, "worker-2"), "the other slot is not touched");
    oracle.is_fast().await;
    oracle.is_whole();
}

#[tokio::test]
async fn slots_outlive_their_daemon_and_the_next_one_takes_them_over() {
    let cluster = Whole::start(1, 2);
    let oracle = Oracle::submit(&cluster);
    let before = cluster.running("oracle").await;
    oracle.is_fast().await;
    cluster.kill("worker-1");
    oracle.goes_on(1_000).await;
    let mut again = cluster.start_again("worker-1");
    let taken = |slots: &std::collections::BTreeSet<SlotProcess>| *slots == before;
    cluster.slots_that("the same processes", "oracle", taken).await;
    oracle.goes_on(1_000).await;
    oracle.is_whole();
    again.kill().expect("it runs");
    again.wait().expect("it has ended");
}

#[tokio::test]
async fn the_work_of_a_node_that_dies_moves_to_another() {
    let cluster = Whole::start(3, 3);
    let oracle = Oracle::submit(&cluster);
    let before = cluster.running("oracle").await;
    oracle.is_fast().await;
    let slots: Vec<_> = before.iter().cloned().collect();
    cluster.kill_node("worker-2", &slots);
    cluster
        .slots_that("no slot on the dead node", "oracle", |slots| {
            slots.iter().all(|slot| slot.state == "running" && slot.worker != "worker-2")
        })
        .await;
    oracle.is_fast().await;
    oracle.is_whole();
}

#[tokio::test]
async fn without_masters_slots_run_on_and_a_killed_one_comes_back() {
    let cluster = Whole::start(1, 2);
    let oracle = Oracle::submit(&cluster);
    let before = cluster.running("oracle").await;
    oracle.is_fast().await;
    cluster.kill("master-1");
    oracle.goes_on(1_000).await;
    kill(on(&before, "worker-1").pid);
    oracle.is_fast().await;
    oracle.is_whole();
}
