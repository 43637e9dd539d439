//! What several tests ask for.

use std::time::Duration;

use squall_proto::v1::Mutation;
use squall_tests::Cluster;
use squall_tests::client::{Asked, Client};
use squall_tests::cluster::{SOON, now};
use squall_tests::linear::{Answer, Request};
use squall_tests::{Rng, until};
use squall_types::cluster::RequestId;

/// Asks until it is answered.
pub async fn ask(client: &mut Client, topology: &str, request: Request) -> Answer {
    match client.ask(topology, &request).await {
        Asked::Answered(answer) => answer,
        other => panic!("{request:?}: {other:?}"),
    }
}

/// Makes a topology, and returns the revision.
pub async fn submit(client: &mut Client, topology: &str) -> u64 {
    changed(client, topology, Request::Submit { slots: 1 }).await
}

/// Changes a topology, and returns the revision.
pub async fn changed(client: &mut Client, topology: &str, request: Request) -> u64 {
    match ask(client, topology, request).await {
        Answer::Applied { revision } => revision,
        other => panic!("{topology} was not changed: {other:?}"),
    }
}

/// Whether there is such a topology.
pub async fn is_there(client: &mut Client, topology: &str) -> bool {
    matches!(ask(client, topology, Request::Get).await, Answer::Found(_))
}

/// A client of one master alone.
pub fn client_of(cluster: &Cluster, master: usize, patience: Duration) -> Client {
    Client::new(vec![cluster.channel(master)], Rng::new(master as u64), patience, now)
}

/// All masters but this one.
pub fn others(cluster: &Cluster, than: usize) -> Vec<usize> {
    (0..cluster.size()).filter(|it| *it != than).collect()
}

/// A mutation of its own.
pub fn mutation() -> Option<Mutation> {
    use std::hash::{BuildHasher, RandomState};
    let random = || u128::from(RandomState::new().hash_one(0));
    let id = RequestId::new(now(), random() << 64 | random());
    Some(Mutation { request_id: id.to_string(), expected_revision: None })
}

/// Waits until a master has said this.
pub async fn said(cluster: &Cluster, master: usize, words: &str) {
    let look = || async {
        let said = cluster.said(master);
        if said.contains(words) { Ok(()) } else { Err(said) }
    };
    until(words, SOON, look).await;
}
