//! The host of all clients: those that change topologies, one that uploads packages, one that watches events, and the operator who changes
//! the masters. All speak the public API.

mod desk;
mod operator;
mod packages;
mod watcher;

use std::time::Duration;

use squall_tests::Rng;
use squall_tests::client::Client;
use squall_tests::workload::{Values, Worker};
use tonic::transport::Channel;

pub use self::desk::{Desk, Job};
use crate::master::{PORT, Site};
use crate::net::Breaks;
use crate::network;
use crate::scenario::{SPAN, Scenario};
use crate::surroundings::now;

/// How long a client waits for an answer at most.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// Channels to all masters.
fn channels(masters: usize, breaks: &Breaks) -> Vec<Channel> {
    (0..masters).map(|place| breaks.channel(&network::address(&network::master(place), PORT))).collect()
}

/// Runs all clients and the operator, for ever.
pub async fn run(scenario: Scenario, breaks: Breaks, sites: Vec<Site>, desk: Desk) -> turmoil::Result {
    let topologies: Vec<_> = (0..scenario.topologies).map(|number| format!("t-{number}")).collect();
    let (values, rng) = (Values::default(), Rng::new(scenario.seed).fork(2));
    let channels = || channels(scenario.masters, &breaks);
    for number in 0..scenario.clients {
        let number = u32::try_from(number).expect("a handful");
        let rng = rng.fork(u64::from(number));
        let client = Client::new(channels(), rng.fork(1), PATIENCE, now);
        let worker =
            Worker::new(client, number, rng.fork(2), topologies.clone(), values.clone(), desk.recorder.clone());
        tokio::task::spawn_local(work(worker, rng.fork(3), desk.clone()));
    }
    tokio::task::spawn_local(packages::run(channels(), rng.fork(101), desk.clone()));
    tokio::task::spawn_local(watcher::run(channels(), rng.fork(102), desk.clone()));
    operator::Operator::new(channels(), rng.fork(103), sites, desk).run().await;
    Ok(())
}

async fn work(mut worker: Worker, mut rng: Rng, desk: Desk) {
    while !desk.closing() {
        tokio::time::sleep(rng.between(Duration::from_millis(30), Duration::from_millis(350))).await;
        if turmoil::sim_elapsed().is_some_and(|elapsed| elapsed > SPAN) {
            continue;
        }
        match worker.turn().await {
            Ok(revision) => revision.into_iter().for_each(|revision| desk.acknowledge(revision)),
            Err(refused) => desk.complain(format!("a client was refused: {refused}")),
        }
    }
    if let Err(refused) = worker.read_all().await {
        desk.complain(format!("a client was refused: {refused}"));
    }
    desk.finish();
}
