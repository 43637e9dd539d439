//! Masters that come and go for good.

use squall_proto::v1::cluster_client::ClusterClient;
use squall_proto::v1::{AddMasterRequest, RemoveMasterRequest, TransferLeadershipRequest};
use squall_tests::Cluster;
use squall_tests::cluster::SOON;

use crate::support::{client_of, is_there, mutation, said, submit};

async fn remove(cluster: &Cluster, asked: usize, master: usize) -> Result<(), tonic::Status> {
    let request = RemoveMasterRequest { mutation: mutation(), name: Cluster::name(master) };
    ClusterClient::new(cluster.channel(asked)).remove_master(request).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_is_added_gets_a_vote_and_takes_the_place_of_one_that_is_removed() {
    let mut cluster = Cluster::start(3).await;
    let mut client = cluster.client(1, SOON);
    submit(&mut client, "before").await;

    let added = cluster.grow().await;
    let address = cluster.network().address(added).to_string();
    said(&cluster, added, &format!("masters add {address}")).await;
    let request = AddMasterRequest { mutation: mutation(), address };
    ClusterClient::new(cluster.channel(1)).add_master(request).await.unwrap();
    cluster.formed_of(&[0, 1, 2, 3]).await;
    assert!(is_there(&mut client_of(&cluster, added, SOON), "before").await);

    let leader = cluster.leader_of(&[0, 1, 2, 3]).await;
    let gone = (0..3).find(|it| *it != leader).unwrap();
    remove(&cluster, added, gone).await.unwrap();
    let stay: Vec<_> = (0..4).filter(|it| *it != gone).collect();
    cluster.formed_of(&stay).await;
    cluster.kill(gone);

    // Of the three that are left each may die, so the new one's vote counts.
    cluster.kill(leader);
    let left: Vec<_> = stay.into_iter().filter(|it| *it != leader).collect();
    cluster.leader_of(&left).await;
    let mut client = client_of(&cluster, added, SOON);
    submit(&mut client, "after").await;
    assert!(is_there(&mut client, "before").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_is_not_removed_before_it_has_handed_over() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    let next = (leader + 1) % 3;
    let refused = remove(&cluster, next, leader).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused:?}");
    let request = TransferLeadershipRequest { mutation: mutation(), to: Cluster::name(next) };
    let answer = ClusterClient::new(cluster.channel(leader)).transfer_leadership(request).await.unwrap();
    assert_eq!(answer.into_inner().leader, Cluster::name(next));
    assert_eq!(cluster.leader_of(&[0, 1, 2]).await, next);
    remove(&cluster, leader, leader).await.unwrap();
    let stay: Vec<_> = (0..3).filter(|it| *it != leader).collect();
    cluster.formed_of(&stay).await;
    submit(&mut client_of(&cluster, next, SOON), "after").await;
}
