//! Three masters as processes: killed, stopped, cut off, wiped, damaged.

use std::fs::File;
use std::time::Duration;

use squall_proto::v1::cluster_client::ClusterClient;
use squall_proto::v1::{Mutation, ReplaceMasterRequest};
use squall_tests::client::{Asked, Client};
use squall_tests::cluster::{SOON, flip};
use squall_tests::linear::{Answer, Request};
use squall_tests::{Cluster, Line, until};

/// Asks until it is answered.
async fn ask(client: &mut Client, topology: &str, request: Request) -> Answer {
    match client.ask(topology, &request).await {
        Asked::Answered(answer) => answer,
        other => panic!("{request:?}: {other:?}"),
    }
}

/// Makes a topology, and returns the revision.
async fn submit(client: &mut Client, topology: &str) -> u64 {
    match ask(client, topology, Request::Submit { slots: 1 }).await {
        Answer::Applied { revision } => revision,
        other => panic!("not submitted: {other:?}"),
    }
}

async fn is_there(client: &mut Client, topology: &str) -> bool {
    matches!(ask(client, topology, Request::Get).await, Answer::Found(_))
}

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
async fn all_masters_may_die_at_once_and_what_was_acknowledged_is_still_there() {
    let mut cluster = Cluster::start(3).await;
    let mut client = cluster.client(2, SOON);
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
    let mut client = cluster.client(3, SOON);
    submit(&mut client, "before").await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    let (wiped, other) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.kill(wiped);
    cluster.wipe(wiped);
    cluster.launch(wiped);
    let named = || async {
        let said = cluster.said(wiped);
        if said.contains("masters replace") { Ok(()) } else { Err(said) }
    };
    until("the way out, in the wiped master's log", SOON, named).await;
    assert_eq!(cluster.masters(leader).await.unwrap().masters.len(), 3);

    let id = client.request_id().to_string();
    let mutation = Some(Mutation { request_id: id, expected_revision: None });
    let request = ReplaceMasterRequest { mutation, name: Cluster::name(wiped) };
    cluster.listens(wiped).await;
    ClusterClient::new(cluster.channel(other)).replace_master(request).await.unwrap();
    cluster.formed().await;
    cluster.kill(leader);
    assert!(is_there(&mut client, "before").await);
    submit(&mut client, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_stopped_is_replaced_and_follows_when_it_goes_on() {
    let cluster = Cluster::start(3).await;
    let mut client = cluster.client(4, SOON);
    submit(&mut client, "before").await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    let others: Vec<_> = (0..3).filter(|it| *it != leader).collect();
    cluster.pause(leader);
    cluster.leader_of(&others).await;
    submit(&mut client, "meanwhile").await;
    cluster.resume(leader);
    cluster.formed().await;
    let mut at_old =
        Client::new(vec![cluster.channel(leader)], squall_tests::Rng::new(5), SOON, squall_tests::cluster::now);
    assert!(is_there(&mut at_old, "meanwhile").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_without_a_majority_changes_nothing_and_says_that_it_is_stale() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    let others: Vec<_> = (0..3).filter(|it| *it != leader).collect();
    cluster.network().between(&[leader], Line::Cut);
    cluster.leader_of(&others).await;
    let mut cut = Client::new(
        vec![cluster.channel(leader)],
        squall_tests::Rng::new(6),
        Duration::from_secs(3),
        squall_tests::cluster::now,
    );
    let submitted = cut.ask("lost", &Request::Submit { slots: 1 }).await;
    assert!(matches!(submitted, Asked::Unknown), "{submitted:?}");
    let stale = || async {
        let answer = cluster.masters(leader).await?;
        if answer.stale { Ok(()) } else { Err(tonic::Status::unknown("it isn't stale").into()) }
    };
    until::<_, squall_tests::client::Refused, _>("an answer marked stale", SOON, stale).await;
    cluster.network().heal();
    cluster.formed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn masters_live_with_slow_half_open_and_one_way_lines() {
    let cluster = Cluster::start(3).await;
    let mut client = cluster.client(7, SOON);
    let lines = [Line::Slow(Duration::from_millis(20)), Line::HalfOpen, Line::CutForth, Line::CutBack, Line::Refused];
    for (number, line) in lines.into_iter().enumerate() {
        let leader = cluster.leader_of(&[0, 1, 2]).await;
        cluster.network().set(leader, (leader + 1) % 3, line);
        submit(&mut client, &format!("t-{number}")).await;
        cluster.network().heal();
        cluster.formed().await;
    }
    for number in 0..lines.len() {
        assert!(is_there(&mut client, &format!("t-{number}")).await);
    }
}

/// Damages one master's log, and expects it to stop with this code rather than to run on.
async fn damaged(how: impl FnOnce(&std::path::Path)) {
    let mut cluster = Cluster::start(3).await;
    let mut client = cluster.client(8, SOON);
    submit(&mut client, "before").await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    let victim = (leader + 1) % 3;
    cluster.kill(victim);
    how(&cluster.data_dir(victim).join("raft.redb"));
    cluster.launch(victim);
    let status = cluster.ended(victim, SOON).await;
    let said = cluster.said(victim);
    assert!(!status.success() && status.code().is_some(), "{status}: {said}");
    assert!(said.contains("SQ4") && !said.contains("panicked"), "{said}");
    submit(&mut client, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_with_a_truncated_log_stops_with_a_code() {
    damaged(|file| {
        let length = file.metadata().unwrap().len();
        File::options().write(true).open(file).unwrap().set_len(length / 2).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_with_flipped_bits_in_its_log_stops_with_a_code() {
    damaged(|file| {
        let length = file.metadata().unwrap().len();
        (0..length).step_by(512).for_each(|at| flip(file, at + 100).unwrap());
    })
    .await;
}
