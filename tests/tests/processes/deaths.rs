//! Masters that die, are stopped, or lose their disks.

use std::time::{Duration, Instant};

use squall_proto::v1::ReplaceMasterRequest;
use squall_proto::v1::cluster_client::ClusterClient;
use squall_tests::Cluster;
use squall_tests::cluster::SOON;

use crate::support::{client_of, is_there, mutation, others, said, submit};

#[tokio::test(flavor = "multi_thread")]
async fn each_master_may_die_and_come_back_and_nothing_is_lost() {
    let mut cluster = Cluster::start(3).await;
    let mut client = cluster.client(1, SOON);
    submit(&mut client, "first").await;
    for master in 0..3 {
        cluster.kill(master);
        let topology = format!("without-{master}");
        submit(&mut client, &topology).await;
        assert!(is_there(&mut client, "first").await);
        cluster.run(master).await;
        cluster.formed().await;
        assert!(is_there(&mut client, &topology).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_five_masters_the_leader_and_another_may_die_at_once() {
    let mut cluster = Cluster::start(5).await;
    let mut client = cluster.client(2, SOON);
    submit(&mut client, "before").await;
    let leader = cluster.leader_of(&[0, 1, 2, 3, 4]).await;
    let other = (leader + 1) % 5;
    cluster.kill(leader);
    cluster.kill(other);
    submit(&mut client, "meanwhile").await;
    cluster.run(leader).await;
    cluster.run(other).await;
    cluster.formed().await;
    for master in [leader, other] {
        let mut client = client_of(&cluster, master, SOON);
        assert!(is_there(&mut client, "before").await && is_there(&mut client, "meanwhile").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_masters_may_die_at_once_and_what_was_acknowledged_is_still_there() {
    let mut cluster = Cluster::start(3).await;
    let mut client = cluster.client(3, SOON);
    let topologies: Vec<_> = (0..20).map(|number| format!("t-{number}")).collect();
    for topology in &topologies {
        submit(&mut client, topology).await;
    }
    (0..3).for_each(|master| cluster.kill(master));
    for master in 0..3 {
        cluster.run(master).await;
    }
    cluster.formed().await;
    for topology in &topologies {
        assert!(is_there(&mut client, topology).await, "{topology} is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_master_has_no_vote_until_it_is_replaced() {
    let mut cluster = Cluster::start(3).await;
    let mut client = cluster.client(4, SOON);
    submit(&mut client, "before").await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    let (wiped, other) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.kill(wiped);
    cluster.wipe(wiped);
    cluster.run(wiped).await;
    said(&cluster, wiped, &format!("masters replace {}", Cluster::name(wiped))).await;
    // With another one gone the wiped one would be needed for a majority, and it gives none.
    cluster.kill(other);
    let mut hasty = cluster.client(5, Duration::from_secs(2));
    let lost = hasty.ask("lost", &squall_tests::linear::Request::Submit { slots: 1 }).await;
    assert!(matches!(lost, squall_tests::client::Asked::Unknown), "{lost:?}");
    cluster.run(other).await;
    cluster.leader_of(&[leader, other]).await;

    let request = ReplaceMasterRequest { mutation: mutation(), name: Cluster::name(wiped) };
    ClusterClient::new(cluster.channel(other)).replace_master(request).await.unwrap();
    cluster.formed().await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    let dies = if leader == wiped { other } else { leader };
    cluster.kill(dies);
    assert!(is_there(&mut client, "before").await);
    submit(&mut client, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_stopped_is_replaced_and_follows_when_it_goes_on() {
    let cluster = Cluster::start(3).await;
    let mut client = cluster.client(6, SOON);
    submit(&mut client, "before").await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    cluster.pause(leader);
    cluster.leader_of(&others(&cluster, leader)).await;
    submit(&mut client, "meanwhile").await;
    cluster.resume(leader);
    cluster.formed().await;
    assert!(is_there(&mut client_of(&cluster, leader, SOON), "meanwhile").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_told_to_end_hands_over_and_is_gone_within_two_seconds() {
    let mut cluster = Cluster::start(3).await;
    let mut client = cluster.client(7, SOON);
    submit(&mut client, "before").await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    let told = Instant::now();
    cluster.terminate(leader);
    let status = cluster.ended(leader, SOON).await;
    let took = told.elapsed();
    assert!(status.success() && took < Duration::from_secs(2), "{status} after {took:?}");
    said(&cluster, leader, "has handed leadership over to").await;
    submit(&mut client, "after").await;
    // The next start goes on where it was.
    cluster.run(leader).await;
    cluster.formed().await;
    assert!(is_there(&mut client_of(&cluster, leader, SOON), "after").await);
}
