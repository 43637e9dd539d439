//! Events, watched while leaders change.

use squall_proto::v1::cluster_client::ClusterClient;
use squall_proto::v1::{Event, WatchRequest};
use squall_tests::Cluster;
use squall_tests::cluster::SOON;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::support::submit;

async fn events(master: Channel, from_revision: u64) -> Result<Streaming<Event>, Status> {
    let request = WatchRequest { from_revision, subjects: Vec::new(), ..WatchRequest::default() };
    Ok(ClusterClient::new(master).watch(request).await?.into_inner())
}

/// Watches at one master, and at the next one when that is gone, until something happens to this subject.
async fn watch(masters: Vec<Channel>, mut at: usize, last: &str) -> Vec<Event> {
    let mut seen: Vec<Event> = Vec::new();
    while seen.last().is_none_or(|event| event.subject != last) {
        let from = seen.last().map_or(1, |event| event.revision);
        // What belongs to the revision at which it was broken off comes again.
        let mut again = seen.iter().rev().take_while(|it| it.revision == from).count();
        let stream = events(masters[at].clone(), from).await;
        at = (at + 1) % masters.len();
        let Ok(mut stream) = stream else { continue };
        while seen.last().is_none_or(|event| event.subject != last) {
            let Ok(Some(event)) = stream.message().await else { break };
            if again > 0 {
                again -= 1;
            } else {
                seen.push(event);
            }
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_that_change_masters_as_leaders_die_miss_nothing_and_see_nothing_twice() {
    let mut cluster = Cluster::start(3).await;
    let (mut client, mut watchers) = (cluster.client(1, SOON), JoinSet::new());
    for at in 0..3 {
        let masters = cluster.channels();
        watchers.spawn(async move { watch(masters, at, "topology the-last").await });
    }
    let mut submitted = Vec::new();
    for round in 0..3 {
        for number in 0..5 {
            submitted.push(submit(&mut client, &format!("a-{round}-{number}")).await);
        }
        let leader = cluster.leader_of(&[0, 1, 2]).await;
        cluster.kill(leader);
        for number in 0..5 {
            submitted.push(submit(&mut client, &format!("b-{round}-{number}")).await);
        }
        cluster.run(leader).await;
        cluster.formed().await;
    }
    submitted.push(submit(&mut client, "the-last").await);
    let seen = tokio::time::timeout(SOON, watchers.join_all()).await.unwrap();
    let kinds = seen[0].iter().filter(|event| event.kind == "topology-submitted");
    assert_eq!(kinds.map(|event| event.revision).collect::<Vec<_>>(), submitted);
    assert!(seen.iter().all(|one| *one == seen[0]), "they tell different stories: {seen:#?}");
}
