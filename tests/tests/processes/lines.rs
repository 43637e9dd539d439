//! Networks that break between masters.

use std::time::Duration;

use squall_tests::client::{Asked, Refused};
use squall_tests::cluster::SOON;
use squall_tests::linear::Request;
use squall_tests::{Cluster, Line, until};

use crate::support::{client_of, is_there, others, submit};

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_without_a_majority_changes_nothing_and_says_that_it_is_stale() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    cluster.network().between(&[leader], Line::Cut);
    cluster.leader_of(&others(&cluster, leader)).await;
    let submitted =
        client_of(&cluster, leader, Duration::from_secs(3)).ask("lost", &Request::Submit { slots: 1 }).await;
    assert!(matches!(submitted, Asked::Unknown), "{submitted:?}");
    let stale = || async {
        let answer = cluster.masters(leader).await?;
        if answer.stale { Ok(()) } else { Err(Refused::from(tonic::Status::unknown("it isn't stale"))) }
    };
    until("an answer marked stale", SOON, stale).await;
    cluster.network().heal();
    cluster.formed().await;
    assert!(!is_there(&mut cluster.client(1, SOON), "lost").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_five_that_are_cut_off_hold_nobody_up_and_catch_up_later() {
    let cluster = Cluster::start(5).await;
    let leader = cluster.leader_of(&[0, 1, 2, 3, 4]).await;
    let cut = [leader, (leader + 1) % 5];
    let rest: Vec<_> = (0..5).filter(|it| !cut.contains(it)).collect();
    cluster.network().between(&cut, Line::Cut);
    cluster.leader_of(&rest).await;
    let mut client = client_of(&cluster, rest[0], SOON);
    submit(&mut client, "meanwhile").await;
    cluster.network().heal();
    cluster.formed().await;
    for master in cut {
        assert!(is_there(&mut client_of(&cluster, master, SOON), "meanwhile").await);
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_nobody_hears_is_replaced_though_it_hears_all() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    for other in others(&cluster, leader) {
        cluster.network().set(leader, other, Line::CutForth);
    }
    let next = cluster.leader_of(&others(&cluster, leader)).await;
    submit(&mut client_of(&cluster, next, SOON), "after").await;
    cluster.network().heal();
    cluster.formed().await;
}
