//! Hosts as a master runs them: real disks, real gRPC, real time.

mod common;

use common::{Cluster, Journal, Node, cluster, member, name, open};
use squall_raft::store::rebirth;
use squall_raft::{ChangeError, Disk, Identity, Member, ProposeError, RedbDisk, Role, StateMachine, replay};
use squall_types::cluster::{RaftId, Revision};
use squall_types::codes;

fn expected(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|number| number.to_string().into_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn three_hosts_apply_the_same_commands_in_the_same_order() {
    let cluster = Cluster::form(3, 1_000, 1_000).await;
    cluster.apply(0..50).await;
    assert_eq!(cluster.agree().await, expected(50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_host_alone_leads_at_once() {
    let cluster = Cluster::form(1, 1_000, 1_000).await;
    cluster.apply(0..5).await;
    assert_eq!(cluster.nodes[0].journal.all(), expected(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_follower_proposes_nothing_and_names_the_leader() {
    let cluster = Cluster::form(3, 1_000, 1_000).await;
    let leader = cluster.leader().await.member.id;
    let follower = cluster.nodes.iter().find(|node| node.member.id != leader).unwrap();
    follower.until("it knows the leader", |status| status.leader == Some(leader)).await;
    let refused = follower.raft.propose("x".into()).await;
    assert_eq!(refused, Err(ProposeError::NotLeader { leader: Some(leader) }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_barrier_on_any_host_shows_what_was_committed_before() {
    let cluster = Cluster::form(3, 1_000, 1_000).await;
    for round in 0..10 {
        cluster.apply(round..round + 1).await;
        for node in &cluster.nodes {
            node.raft.read_barrier().await.unwrap();
            assert_eq!(node.journal.all(), expected(round + 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_killed_leader_is_replaced_and_comes_back_with_what_it_missed() {
    let mut cluster = Cluster::form(3, 1_000, 1_000).await;
    cluster.apply(0..10).await;
    let leader = cluster.leader().await.member.id;
    let at = cluster.nodes.iter().position(|node| node.member.id == leader).unwrap();
    let (member, file) = cluster.nodes.remove(at).crash();
    cluster.apply(10..20).await;
    cluster.nodes.push(Node::start(&member, &file, 1_000, 1_000).await);
    cluster.apply(20..30).await;
    assert_eq!(cluster.agree().await, expected(30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_hosts_killed_come_back_with_everything() {
    let mut cluster = Cluster::form(3, 7, 3).await;
    cluster.apply(0..40).await;
    let mut found = Vec::new();
    for node in cluster.nodes.drain(..) {
        found.push(node.crash());
    }
    for (member, file) in found {
        cluster.nodes.push(Node::start(&member, &file, 7, 3).await);
    }
    cluster.apply(40..45).await;
    assert_eq!(cluster.agree().await, expected(45));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_follower_far_behind_is_sent_a_snapshot() {
    let mut cluster = Cluster::form(3, 10, 2).await;
    cluster.apply(0..3).await;
    let leader = cluster.leader().await.member.id;
    let at = cluster.nodes.iter().position(|node| node.member.id != leader).unwrap();
    let (member, file) = cluster.nodes.remove(at).crash();
    cluster.apply(3..60).await;
    cluster.nodes.push(Node::start(&member, &file, 10, 2).await);
    cluster.apply(60..63).await;
    assert_eq!(cluster.agree().await, expected(63));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wiped_master_is_replaced_by_a_new_id_that_learns_first_and_votes_then() {
    let mut hosts = Cluster::form(3, 10, 2).await;
    hosts.apply(0..30).await;
    let leader = hosts.leader().await.member.id;
    let at = hosts.nodes.iter().position(|node| node.member.id != leader).unwrap();
    let (old, file) = hosts.nodes.remove(at).crash();
    std::fs::remove_file(&file).unwrap();

    let mut new = member(9).await;
    new.name = old.name.clone();
    let (mut disk, _) = RedbDisk::open(&file, &new.name).unwrap();
    let identity = Identity { name: new.name.clone(), id: new.id, cluster: Some(cluster()) };
    disk.write(&squall_raft::store::Batch { identity: Some(identity), ..Default::default() }).unwrap();
    drop(disk);
    let node = Node::start(&new, &file, 10, 2).await;
    assert_eq!(node.status().role, Role::Learner);

    let changed = hosts.leader().await.raft.replace(old.id, new.clone()).await;
    assert!(changed.is_ok(), "{changed:?}");
    node.until("it has the state", |status| status.members.get(new.id).is_some()).await;
    hosts.nodes.push(node);
    let leader = hosts.leader().await;
    leader
        .until("it has caught up", |status| {
            status.progress.iter().any(|it| it.id == new.id && it.matched == status.commit)
        })
        .await;
    leader.raft.promote(new.id).await.unwrap();
    assert_eq!(leader.raft.add_learner(old.clone()).await, Err(ChangeError::IdUsedBefore { id: old.id }));
    hosts.apply(30..35).await;
    assert_eq!(hosts.agree().await, expected(35));
    assert_eq!(hosts.nodes[0].status().members.voters().count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn leadership_is_handed_over_on_request_and_on_shutdown() {
    let mut cluster = Cluster::form(3, 1_000, 1_000).await;
    cluster.apply(0..3).await;
    let first = cluster.leader().await.member.id;
    let to = cluster.nodes.iter().map(|node| node.member.id).find(|id| *id != first).unwrap();
    let leader = cluster.leader().await;
    assert_eq!(leader.raft.transfer(Some(to)).await, Ok(to));
    let at = cluster.nodes.iter().position(|node| node.member.id == to).unwrap();
    cluster.nodes[at].until("it leads", |status| status.established.is_some()).await;
    let node = cluster.nodes.remove(at);
    let stopping = tokio::time::Instant::now();
    node.raft.clone().shutdown().await;
    assert!(stopping.elapsed() < std::time::Duration::from_secs(2));
    assert!(node.stop().await.is_none());
    cluster.apply(3..6).await;
    assert_eq!(cluster.agree().await, expected(6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_member_that_was_taken_out_sees_it_and_votes_no_more() {
    let cluster = Cluster::form(3, 1_000, 1_000).await;
    cluster.apply(0..3).await;
    let leader = cluster.leader().await;
    let out = cluster.nodes.iter().find(|node| node.member.id != leader.member.id).unwrap();
    leader.raft.remove(out.member.id).await.unwrap();
    out.until("it sees that it is out", |status| status.role == Role::Removed).await;
    assert_eq!(leader.raft.remove(leader.member.id).await, Err(ChangeError::Leads { id: leader.member.id }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_survivor_goes_on_alone_with_its_whole_log_and_the_others_are_told_that_they_are_out() {
    let mut hosts = Cluster::form(3, 10, 2).await;
    hosts.apply(0..35).await;
    hosts.agree().await;
    let mut found: Vec<_> = hosts.nodes.drain(..).map(Node::crash).collect();
    let (old, file) = found.pop().unwrap();
    let (mut disk, contents) = open(&file, &old.name).await;
    let mut journal = Journal::default();
    let replayed = replay(&contents, &mut journal).unwrap().unwrap();
    assert_eq!(journal.all(), expected(35));
    assert_eq!((replayed.last, replayed.members.len()), (replayed.committed.max(replayed.last), 3));

    let only = Member { id: RaftId::new(9).unwrap(), ..old.clone() };
    let identity = Identity { id: only.id, ..contents.identity.unwrap() };
    let (members, at) = (replayed.members.succeeded_by(only.clone()), Revision::new(replayed.last.get() + 1_000));
    disk.write(&rebirth(identity, members, journal.snapshot(), at, replayed.term)).unwrap();
    drop(disk);
    hosts.nodes.push(Node::start(&only, &file, 10, 2).await);
    hosts.apply(35..40).await;
    assert_eq!(hosts.agree().await, expected(40));
    assert!(hosts.nodes[0].status().commit > at);

    let (member, file) = found.pop().unwrap();
    let back = Node::start(&member, &file, 10, 2).await;
    back.until("it is told that it is out", |status| status.role == Role::Removed).await;
    assert_eq!(hosts.nodes[0].raft.add_learner(member).await.unwrap_err().code(), codes::ID_USED_BEFORE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_masters_disk_is_refused() {
    let cluster = Cluster::form(1, 1_000, 1_000).await;
    let folder = &cluster.folder;
    let node = cluster.nodes.into_iter().next().unwrap();
    let file = node.file.clone();
    node.raft.clone().shutdown().await;
    assert!(node.stop().await.is_none());
    let refused = RedbDisk::open(&file, &name(2)).err().unwrap();
    assert_eq!(refused.to_string(), "the data directory is that of master m1, and this is m2");
    assert!(folder.path().exists());
}
