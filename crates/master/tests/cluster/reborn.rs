//! When a majority is lost: a cluster's next life, from a backup or from one survivor's disk.

use squall_control::{Line, State, Supported};
use squall_master::config::MasterConfig;
use squall_master::offline::{Answers, Begun, Offline, OfflineError, Survey};
use squall_master::{Env, Secured};
use squall_proto::v1;

use crate::packages::{package, put};
use crate::support::{Master, header, mutation, submission, submit, within};
use crate::three::Three;

async fn offline<T>(
    config: &MasterConfig,
    work: impl AsyncFnOnce(Offline<'_>) -> Result<T, OfflineError>,
) -> Result<T, OfflineError> {
    let (env, secured) = (Env::machine(), Secured::plain());
    let (actor, origin) = (Some("root".parse().unwrap()), Line::lossy("a test"));
    within(work(Offline { config, secured: &secured, env: &env, actor, origin })).await
}

async fn restore(config: &MasterConfig, backup: &[u8]) -> Result<Begun, OfflineError> {
    offline(config, async |offline| offline.restore(backup).await).await
}

async fn survey(config: &MasterConfig) -> Result<Survey, OfflineError> {
    offline(config, async |offline| offline.survey().await).await
}

async fn recover(config: &MasterConfig) -> Result<Begun, OfflineError> {
    offline(config, async |offline| offline.recover().await).await
}

fn code<T>(refused: Result<T, OfflineError>) -> String {
    let error = refused.err().unwrap();
    assert!(!error.next_step().is_empty(), "{error}");
    error.code().to_string()
}

async fn backup(master: &Master) -> Vec<u8> {
    let mut chunks = within(master.cluster().backup(v1::BackupRequest {})).await.unwrap().into_inner();
    let mut state = Vec::new();
    while let Some(chunk) = within(chunks.message()).await.unwrap() {
        state.extend_from_slice(&chunk.data);
    }
    state
}

async fn kinds_of_events(master: &Master) -> Vec<(String, String)> {
    let watch =
        v1::WatchRequest { from_revision: 1, subjects: vec!["cluster".to_owned()], ..v1::WatchRequest::default() };
    let mut events = within(master.cluster().watch(watch)).await.unwrap().into_inner();
    let mut seen = Vec::new();
    loop {
        let event = within(events.message()).await.unwrap().unwrap();
        seen.push((event.kind.clone(), event.actor));
        if event.kind == "epoch-begun" {
            return seen;
        }
    }
}

async fn add(three: &Three, to: usize, added: usize) {
    let address = three.configs[added].listen.to_string();
    let request = v1::AddMasterRequest { mutation: mutation(), address };
    within(three.get(to).cluster().add_master(request)).await.unwrap();
}

#[tokio::test]
async fn a_backup_becomes_a_cluster_of_one_and_the_others_join_it_with_empty_disks() {
    let mut three = Three::formed().await;
    let (id, bytes) = package(10_000);
    put(three.get(0), &id, bytes.len(), 0, &bytes).await.unwrap();
    let words = v1::SubmitHeader { package: id.clone(), package_size: bytes.len() as u64, ..header("words", 1) };
    within(three.get(0).topologies().submit(submission(words))).await.unwrap();
    let backup = backup(three.get(1)).await;
    submit(three.get(0), "too-late", 1).await.unwrap();
    let before = three.get(0).status().await;
    for number in 0..3 {
        three.kill(number).await;
        three.wipe(number);
    }

    let begun = restore(&three.configs[0], &backup).await.unwrap();
    assert_eq!((begun.cluster.to_string(), begun.counts.topologies), (before.cluster_id.clone(), 1), "{begun:?}");
    assert_eq!(
        begun.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
        std::slice::from_ref(&id),
        "{begun:?}"
    );
    three.start(0).await;
    within(three.get(0).node.ready()).await;
    let status = three.get(0).status().await;
    assert_eq!((&status.cluster_id, status.masters, status.topologies), (&before.cluster_id, 1, 1), "{status:?}");
    assert!(status.epoch > before.epoch && status.revision > before.revision, "{status:?}");
    assert!(status.concerns.iter().any(|it| it.next_step.contains("squall blobs put")), "{status:?}");
    let events = kinds_of_events(three.get(0)).await;
    assert_eq!(events.last().unwrap(), &("epoch-begun".to_owned(), "root".to_owned()), "{events:?}");

    // What nobody has keeps nobody from getting a vote.
    for number in [1, 2] {
        three.start(number).await;
        three.waits(number, &format!("squall masters add {}", three.configs[number].listen)).await;
        add(&three, 0, number).await;
        within(three.get(number).node.ready()).await;
        three.voters(number, number + 1).await;
    }
    put(three.get(1), &id, bytes.len(), 0, &bytes).await.unwrap();
    assert!(!three.get(0).status().await.concerns.iter().any(|it| it.next_step.contains("squall blobs put")));
    submit(three.get(2), "next", 1).await.unwrap();
    assert!(three.get(1).get("words").await.is_ok());
}

#[tokio::test]
async fn from_one_survivor_a_cluster_of_one_goes_on_with_all_that_its_disk_knows() {
    let mut three = Three::formed().await;
    submit(three.get(0), "words", 1).await.unwrap();
    let before = three.get(0).status().await;
    let survivor = three.follower();
    three.voters(survivor, 3).await;
    let lost: Vec<_> = (0..3).filter(|number| *number != survivor).collect();
    for number in &lost {
        three.kill(*number).await;
    }
    let config = three.configs[survivor].clone();
    assert_eq!(code(survey(&config).await), "SQ4027", "a master runs on it");
    three.kill(survivor).await;

    let seen = survey(&config).await.unwrap();
    assert_eq!((seen.cluster.to_string(), seen.counts.topologies, seen.others.len()), (before.cluster_id, 1, 2));
    assert!(seen.others.iter().all(|it| it.answers == Answers::No), "{seen:?}");
    assert_eq!(survey(&config).await.unwrap(), seen, "to look changes nothing");
    let begun = recover(&config).await.unwrap();
    assert!(begun.epoch > seen.epoch && begun.revision > seen.last && begun.kept.as_ref().unwrap().exists());

    three.start(survivor).await;
    within(three.get(survivor).node.ready()).await;
    assert!(three.get(survivor).get("words").await.is_ok());
    submit(three.get(survivor), "next", 1).await.unwrap();
    // One of the lost comes back with its old disk: it is told that it is out, and says so.
    three.start(lost[0]).await;
    let told = async {
        loop {
            let status = three.get(lost[0]).status().await;
            if let Some(it) = status.concerns.iter().find(|it| it.code == "SQ6527") {
                assert!(it.next_step.contains("squall masters add"), "{it:?}");
                return;
            }
        }
    };
    within(told).await;
    three.kill(lost[0]).await;
    three.wipe(lost[0]);
    three.start(lost[0]).await;
    three.waits(lost[0], "squall masters add").await;
    add(&three, survivor, lost[0]).await;
    three.voters(survivor, 2).await;
}

#[tokio::test]
async fn while_the_cluster_has_a_leader_no_other_life_of_it_begins() {
    let mut three = Three::formed().await;
    let backup = backup(three.get(0)).await;
    let lost = three.follower();
    three.kill(lost).await;
    three.get((lost + 1) % 3).status().await;
    let refused = recover(&three.configs[lost]).await;
    assert_eq!(code(refused), "SQ6525", "its own disk is whole, and the others go on");
    three.wipe(lost);
    assert_eq!(code(restore(&three.configs[lost], &backup).await), "SQ6525");
    assert!(!three.configs[lost].log_file().exists(), "nothing was written");
}

#[tokio::test]
async fn what_can_t_be_restored_or_recovered_says_why() {
    let mut three = Three::formed().await;
    let state = backup(three.get(0)).await;
    for number in 0..3 {
        three.kill(number).await;
    }
    let config = &three.configs[0];
    assert_eq!(code(restore(config, &state).await), "SQ6522");
    let damaged = [&state[..40], &[0xff], &state[41..]].concat();
    for (bytes, wanted) in [(&b"PK"[..], "SQ6523"), (&[], "SQ6523"), (&state[..30], "SQ6523"), (&damaged, "SQ6523")] {
        assert_eq!(code(restore(config, bytes).await), wanted);
    }
    let newer = [&state[..4], &[9], &state[5..]].concat();
    assert_eq!(code(restore(config, &newer).await), "SQ5026");
    assert!(State::decode(&state, Supported::newest()).is_ok());

    std::fs::write(config.log_file(), b"no database at all, but long enough to be one, if one doesn't look").unwrap();
    assert_eq!(code(recover(config).await), "SQ4021");
    assert_eq!(code(restore(config, &state).await), "SQ4021");
    three.wipe(0);
    assert_eq!(code(recover(&three.configs[0]).await), "SQ6524");
    assert!(!three.configs[0].log_file().exists(), "to look makes nothing");
    // A disk on which a master has waited for its cluster, and found none, is as good as empty.
    three.start(0).await;
    assert_eq!(code(restore(&three.configs[0], &state).await), "SQ4027");
    three.kill(0).await;
    assert_eq!(code(recover(&three.configs[0]).await), "SQ6524");
    restore(&three.configs[0], &state).await.unwrap();
    let mut other = three.configs[0].clone();
    other.name = Some("another".parse().unwrap());
    assert_eq!(code(recover(&other).await), "SQ4023");
}
