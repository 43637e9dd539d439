//! Disks that can't be trusted: the master stops with a code, and the others go on.

use std::fs::File;
use std::path::Path;

use squall_tests::Cluster;
use squall_tests::cluster::{SOON, flip};

use crate::support::submit;

/// Damages one follower's log, and expects it to stop with a code rather than to run on.
async fn damaged(how: impl FnOnce(&Path)) {
    let mut cluster = Cluster::start(3).await;
    let mut client = cluster.client(8, SOON);
    submit(&mut client, "before").await;
    let leader = cluster.leader_of(&[0, 1, 2]).await;
    let victim = (leader + 1) % 3;
    cluster.kill(victim);
    how(&cluster.data_dir(victim).join("raft.redb"));
    refuses_to_start(&mut cluster, victim).await;
    submit(&mut client, "after").await;
}

async fn refuses_to_start(cluster: &mut Cluster, victim: usize) {
    cluster.launch(victim);
    let status = cluster.ended(victim, SOON).await;
    let said = cluster.said(victim);
    assert!(!status.success() && status.code().is_some(), "{status}: {said}");
    assert!(said.contains("SQ4") && said.contains("next: ") && !said.contains("panicked"), "{said}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_master_with_another_ones_log_stops_with_a_code() {
    let mut cluster = Cluster::start(3).await;
    let (victim, other) = (0, 1);
    cluster.kill(victim);
    cluster.kill(other);
    let log = |master| cluster.data_dir(master).join("raft.redb");
    std::fs::copy(log(other), log(victim)).unwrap();
    refuses_to_start(&mut cluster, victim).await;
}
