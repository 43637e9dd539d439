//! A leader whose clock has run away: it harms those who ask while it leads, and nobody afterwards.

use std::sync::Arc;
use std::time::Duration;

use squall_master::{Clock, Env, Node, Secured};
use squall_proto::{Failure, v1};
use squall_types::cluster::UnixMillis;
use tempfile::TempDir;

use crate::support::{Master, Worker, config, hello, mutation, submit, within};

/// The machine's clock, so much ahead.
struct Ahead(Duration);

impl Clock for Ahead {
    fn now(&self) -> UnixMillis {
        Env::machine().clock.now().plus(self.0)
    }
}

async fn start(disk: &TempDir, ahead: Duration) -> Master {
    let mut config = config(disk);
    config.name = Some("m1".parse().unwrap());
    let env = Env { clock: Arc::new(Ahead(ahead)), ..Env::machine() };
    let node = Node::start(config, Secured::plain(), env).await.unwrap();
    within(node.ready()).await;
    Master { node }
}

#[tokio::test]
async fn what_a_leader_with_a_clock_a_year_ahead_does_leaves_the_next_one_s_requests_young_enough() {
    let disk = tempfile::tempdir().unwrap();
    let master = start(&disk, Duration::ZERO).await;
    submit(&master, "words", 1).await.unwrap();
    within(master.node.shutdown()).await.unwrap();

    let wrong = start(&disk, Duration::from_secs(365 * 24 * 3_600)).await;
    // Whatever is asked of it, and whatever it decides by itself: a worker comes, and gets work.
    let mut worker = Worker::attach(&wrong, hello("w1")).await.unwrap();
    worker.told(|desired| !desired.slots.is_empty()).await;
    let kill = v1::KillRequest { mutation: mutation(), name: "words".to_owned(), wait_ms: Some(600_000) };
    within(wrong.topologies().kill(kill)).await.unwrap();
    within(wrong.node.shutdown()).await.unwrap();

    let right = start(&disk, Duration::ZERO).await;
    submit(&right, "other", 1).await.unwrap_or_else(|status| panic!("{:?}", Failure::from_status(&status)));
    assert!(right.get("words").await.is_ok(), "its ten minutes are not over");
}
