//! Histories of clients on real masters that are killed, stopped and cut off: each must be linearizable.
//!
//! `SQUALL_HISTORIES=20` records that many, half of them with five masters; unset, one of three masters and one of five.

use std::time::Duration;

use squall_tests::linear::{History, Recorder, check};
use squall_tests::workload::{Values, Worker};
use squall_tests::{Cluster, Line, Rng};
use tokio::task::JoinSet;

use crate::stale::with_a_stale_read;

/// The fewest operations of a history.
const OPERATIONS: usize = 2_000;
/// The fewest faults.
const FAULTS: usize = 6;
const CLIENTS: u32 = 8;
const TOPOLOGIES: usize = 12;
/// The most states that the search may look at for one topology.
const LIMIT: usize = 2_000_000;
/// A client that waits no longer leaves an operation without a known outcome.
const PATIENCE: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread")]
async fn histories_of_three_masters_under_kills_stops_and_partitions_are_linearizable() {
    histories(3, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_of_five_masters_under_kills_stops_and_partitions_are_linearizable() {
    histories(5, 2).await;
}

/// Every other seed, so that both tests together have recorded as many as were asked for.
async fn histories(masters: usize, first: u64) {
    let all = std::env::var("SQUALL_HISTORIES").map_or(2, |text| text.parse::<u64>().expect("a number"));
    for seed in (first..=all).step_by(2) {
        let history = history(seed, masters).await;
        check(&history, LIMIT).unwrap_or_else(|why| panic!("history {seed}: {why}"));
        let planted = with_a_stale_read(&history).expect("what was read was changed later");
        let caught = check(&planted, LIMIT).expect_err("a stale read was planted");
        assert!(caught.contains("isn't linearizable"), "history {seed}, with a stale read planted: {caught}");
    }
}

async fn history(seed: u64, masters: usize) -> History {
    let mut cluster = Cluster::start(masters).await;
    let mut clients = JoinSet::new();
    let (recorder, values, rng) = (Recorder::default(), Values::default(), Rng::new(seed));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let topologies: Vec<_> = (0..TOPOLOGIES).map(|number| format!("t-{number}")).collect();
    for number in 0..CLIENTS {
        let client = cluster.client(seed << 8 | u64::from(number), PATIENCE);
        let rng = rng.fork(u64::from(number));
        let worker = Worker::new(client, number, rng, topologies.clone(), values.clone(), recorder.clone());
        clients.spawn(work(worker, stopped.clone()));
    }
    let mut chaos = rng.fork(1_000);
    let mut faults = 0;
    while recorder.calls() < OPERATIONS || faults < FAULTS {
        fault(&mut cluster, &mut chaos, &recorder).await;
        faults += 1;
    }
    stop.send(true).expect("clients listen");
    while let Some(done) = clients.join_next().await {
        done.expect("a client ends by itself");
    }
    cluster.formed().await;
    let history = recorder.history();
    let (operations, answered) = (history.operations().len(), history.answered());
    println!("history {seed}: {masters} masters, {operations} operations, {answered} answered, {faults} faults");
    assert!(answered * 2 > operations, "too little was answered to mean anything");
    history
}

async fn work(mut worker: Worker, stopped: tokio::sync::watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(refused) = worker.turn().await {
            panic!("refused: {refused}");
        }
    }
}

/// Until so many more operations were called.
async fn more(recorder: &Recorder, operations: usize) {
    let from = recorder.calls();
    let look = || async {
        if recorder.calls() >= from + operations { Ok(()) } else { Err(format!("{} more", recorder.calls() - from)) }
    };
    squall_tests::until("clients that go on", squall_tests::cluster::SOON, look).await;
}

/// One fault, and its end. Clients go on while it lasts.
async fn fault(cluster: &mut Cluster, rng: &mut Rng, recorder: &Recorder) {
    let victim = rng.below(cluster.size());
    let minority: Vec<_> = (0..cluster.size() / 2).map(|next| (victim + next) % cluster.size()).collect();
    let span = 20 + rng.below(80);
    match rng.below(6) {
        0 => {
            cluster.kill(victim);
            more(recorder, span).await;
            cluster.run(victim).await;
        }
        1 => {
            cluster.pause(victim);
            more(recorder, span).await;
            cluster.resume(victim);
        }
        2 => {
            cluster.network().between(&minority, Line::Cut);
            more(recorder, span).await;
            cluster.network().heal();
        }
        3 => {
            let other = (victim + 1) % cluster.size();
            let line =
                *rng.pick(&[Line::CutForth, Line::CutBack, Line::HalfOpen, Line::Slow(Duration::from_millis(30))]);
            cluster.network().set(victim, other, line);
            more(recorder, span).await;
            cluster.network().heal();
        }
        4 => {
            minority.iter().for_each(|master| cluster.kill(*master));
            more(recorder, span).await;
            for master in minority {
                cluster.run(master).await;
            }
        }
        _ => {
            let leader = cluster.masters(victim).await.ok().and_then(|answer| led_by(cluster, &answer));
            let leader = leader.unwrap_or(victim);
            cluster.network().between(&[leader], Line::Cut);
            more(recorder, span).await;
            cluster.kill(leader);
            cluster.network().heal();
            more(recorder, 20).await;
            cluster.run(leader).await;
        }
    }
    more(recorder, 60).await;
}

fn led_by(cluster: &Cluster, answer: &squall_proto::v1::MastersResponse) -> Option<usize> {
    let leader = answer.masters.iter().find(|it| it.role() == squall_proto::v1::MasterRole::Leader)?;
    (0..cluster.size()).find(|master| Cluster::name(*master) == leader.name)
}
