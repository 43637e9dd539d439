//! Workers' streams.

use squall_proto::v1::master_message::Kind as Down;
use squall_proto::v1::worker_message::Kind as Up;
use squall_proto::{Failure, v1};

use crate::support::{Master, Worker, alone, config, hello, mutation, said, start, submit, within};

async fn workers(master: &Master) -> Vec<v1::Worker> {
    within(master.cluster().workers(v1::WorkersRequest {})).await.unwrap().into_inner().workers
}

#[tokio::test]
async fn a_worker_is_welcomed_told_what_to_run_and_answered_each_beat() {
    let master = alone().await;
    let mut worker = Worker::attach(&master, hello("w1")).await.unwrap();
    let welcome = &worker.welcome;
    assert_eq!((welcome.heartbeat_ms, welcome.masters.len()), (500, 1));
    assert_eq!(welcome.cluster_id, master.status().await.cluster_id);
    assert!(worker.first.slots.is_empty() && worker.first.epoch == 1);
    let beat = v1::Heartbeat { number: 7, ..v1::Heartbeat::default() };
    worker.up.send(said(Up::Heartbeat(beat))).await.unwrap();
    let answer = within(worker.down.message()).await.unwrap().unwrap().kind.unwrap();
    assert_eq!(answer, Down::Heartbeat(v1::MasterHeartbeat { number: 7 }));
    let seen = workers(&master).await.remove(0);
    assert_eq!((seen.state(), seen.admin(), seen.slots), (v1::WorkerState::Alive, v1::WorkerAdmin::Open, 4));
}

#[tokio::test]
async fn a_worker_of_another_cluster_is_turned_away() {
    let master = alone().await;
    let stranger = v1::Hello { cluster_id: "c-0000000000000001".to_owned(), ..hello("w1") };
    let Err(status) = Worker::attach(&master, stranger).await else { panic!("it was let in") };
    assert_eq!(Failure::from_status(&status).unwrap().code.to_string(), "SQ6511");
    assert!(workers(&master).await.is_empty());
}

#[tokio::test]
async fn a_worker_that_speaks_out_of_turn_is_turned_away() {
    let master = alone().await;
    let mut worker = Worker::attach(&master, hello("w1")).await.unwrap();
    worker.up.send(said(Up::Hello(hello("w1")))).await.unwrap();
    let status = loop {
        match within(worker.down.message()).await {
            Ok(message) => assert!(message.is_some(), "it is told why"),
            Err(status) => break status,
        }
    };
    assert_eq!(Failure::from_status(&status).unwrap().code.to_string(), "SQ6511");
}

#[tokio::test]
async fn what_is_decided_reaches_all_workers_of_a_topology() {
    let master = alone().await;
    let mut worker = Worker::attach(&master, hello("w1")).await.unwrap();
    submit(&master, "words", 1).await.unwrap();
    let running = worker.told(|desired| desired.slots.iter().any(|slot| slot.active)).await;
    let slot = &running.slots[0];
    assert_eq!((slot.topology.as_str(), slot.executors.len()), ("words", 2));
    let own = slot.peers[0].clone();
    assert_eq!((own.slot.unwrap().worker.as_str(), own.incarnation, own.address.as_str()), ("w1", 0, ""));
    assert!(slot.description.contains("\"count\""));
    let deactivate = v1::DeactivateRequest { mutation: mutation(), name: "words".to_owned() };
    within(master.topologies().deactivate(deactivate)).await.unwrap();
    let stopped = worker.told(|desired| desired.slots.iter().all(|slot| !slot.active)).await;
    assert!(stopped.revision > running.revision && !stopped.slots.is_empty());
}

#[tokio::test]
async fn where_a_slot_is_found_is_told_to_all_that_send_to_it_and_told_again_when_it_changes() {
    let master = alone().await;
    let mut worker = Worker::attach(&master, hello("w1")).await.unwrap();
    submit(&master, "words", 1).await.unwrap();
    let number = worker.told(|desired| !desired.slots.is_empty()).await.slots[0].number;
    for (incarnation, address) in [(1, "w1:9001"), (2, "w1:9001"), (3, "w1:9002")] {
        let (topology, address) = ("words".to_owned(), address.to_owned());
        let report =
            v1::SlotReport { number, topology, incarnation, address: address.clone(), ..v1::SlotReport::default() };
        let beat = v1::Heartbeat { reports: vec![report], ..v1::Heartbeat::default() };
        worker.up.send(said(Up::Heartbeat(beat))).await.unwrap();
        worker
            .told(|desired| {
                let peer = &desired.slots[0].peers[0];
                peer.incarnation == incarnation && peer.address == address
            })
            .await;
    }
}

#[tokio::test]
async fn a_worker_that_says_goodbye_has_left_and_its_work_goes_elsewhere() {
    let master = alone().await;
    let one = Worker::attach(&master, hello("w1")).await.unwrap();
    submit(&master, "words", 1).await.unwrap();
    let mut two = Worker::attach(&master, hello("w2")).await.unwrap();
    one.up.send(said(Up::Goodbye(v1::Goodbye {}))).await.unwrap();
    let moved = two.told(|desired| !desired.slots.is_empty()).await;
    assert!(moved.slots[0].executors.iter().all(|executor| executor.slot.as_ref().unwrap().worker == "w2"));
    let left = workers(&master).await.into_iter().find(|worker| worker.name == "w1").unwrap();
    assert_eq!(left.state(), v1::WorkerState::Left);
}

#[tokio::test]
async fn a_worker_that_falls_silent_is_found_dead_and_its_work_moves() {
    let master =
        crate::support::alone_with(|config| config.workers.dead_after = std::time::Duration::from_millis(600)).await;
    let silent = Worker::attach(&master, hello("w1")).await.unwrap();
    submit(&master, "words", 1).await.unwrap();
    let mut alive = Worker::attach(&master, hello("w2")).await.unwrap();
    let beating = async {
        let mut beats = tokio::time::interval(std::time::Duration::from_millis(50));
        loop {
            beats.tick().await;
            alive.up.send(said(Up::Heartbeat(v1::Heartbeat::default()))).await.unwrap();
        }
    };
    let (up, down) = (alive.up.clone(), &mut alive.down);
    let moved = async {
        loop {
            let kind = within(down.message()).await.unwrap().unwrap().kind.unwrap();
            match kind {
                Down::Desired(desired) if !desired.slots.is_empty() => return,
                // It finds the other silent too, as the leader does.
                Down::Probe(probe) => {
                    let result = v1::ProbeResult { id: probe.id, answered: false };
                    up.send(said(Up::ProbeResult(result))).await.unwrap();
                }
                _ => {}
            }
        }
    };
    let found = async {
        tokio::select! {
            () = moved => {}
            () = beating => {}
        }
    };
    within(found).await;
    let dead = workers(&master).await.into_iter().find(|worker| worker.name == "w1").unwrap();
    assert_eq!((dead.state(), dead.executors), (v1::WorkerState::Dead, 0));
    let status = master.status().await;
    assert!(status.concerns.iter().any(|it| it.subject == "worker w1" && it.code == "SQ6518"), "{status:?}");
    drop(silent);
}

/// Beats for a worker, and finds whoever it is asked after silent.
async fn lives_on(worker: &mut Worker) {
    let mut beats = tokio::time::interval(std::time::Duration::from_millis(50));
    loop {
        tokio::select! {
            _ = beats.tick() => worker.up.send(said(Up::Heartbeat(v1::Heartbeat::default()))).await.unwrap(),
            message = worker.down.message() => {
                if let Some(Down::Probe(probe)) = message.unwrap().unwrap().kind {
                    let result = v1::ProbeResult { id: probe.id, answered: false };
                    worker.up.send(said(Up::ProbeResult(result))).await.unwrap();
                }
            }
        }
    }
}

async fn stands(master: &Master, name: &str, wanted: v1::WorkerState) {
    let stands = async {
        loop {
            let worker = workers(master).await.into_iter().find(|worker| worker.name == name);
            if worker.is_some_and(|worker| worker.state() == wanted) {
                return;
            }
        }
    };
    within(stands).await;
}

#[tokio::test]
async fn a_worker_that_died_before_an_election_is_found_by_the_silence_that_others_have_witnessed() {
    let disk = tempfile::tempdir().unwrap();
    let patience = std::time::Duration::from_secs(12);
    let configured = || {
        let mut config = config(&disk);
        config.workers.dead_after = patience;
        config.name = Some("m1".parse().unwrap());
        config
    };
    let node = start(configured()).await;
    within(node.ready()).await;
    let master = Master { node };
    drop(Worker::attach(&master, hello("w1")).await.unwrap());
    within(master.node.shutdown()).await.unwrap();

    let node = start(configured()).await;
    within(node.ready()).await;
    let led_since = std::time::Instant::now();
    let master = Master { node };
    let witnessed = vec![v1::Witnessed { worker: "w1".to_owned(), silent_ms: 60_000 }];
    let mut two = Worker::attach(&master, v1::Hello { witnessed, ..hello("w2") }).await.unwrap();
    tokio::select! {
        () = lives_on(&mut two) => {}
        () = stands(&master, "w1", v1::WorkerState::Dead) => {}
    }
    assert!(led_since.elapsed() < patience, "the lease was the whole time: {:?}", led_since.elapsed());
}

#[tokio::test]
async fn a_worker_speaks_of_others_by_names_that_are_names_or_is_turned_away() {
    let master = alone().await;
    let witnessed = vec![v1::Witnessed { worker: "no name".to_owned(), silent_ms: 1 }];
    let Err(status) = Worker::attach(&master, v1::Hello { witnessed, ..hello("w1") }).await else { panic!("let in") };
    assert_eq!(Failure::from_status(&status).unwrap().code.to_string(), "SQ6503");
}

#[tokio::test]
async fn the_last_worker_is_cut_off_and_keeps_its_work_until_another_finds_it_dead() {
    let master =
        crate::support::alone_with(|config| config.workers.dead_after = std::time::Duration::from_millis(600)).await;
    let last = Worker::attach(&master, hello("w1")).await.unwrap();
    submit(&master, "words", 1).await.unwrap();
    drop(last);
    stands(&master, "w1", v1::WorkerState::CutOff).await;
    assert_eq!(workers(&master).await[0].executors, 2, "nothing is moved, for there is nowhere to move it");
    let mut two = Worker::attach(&master, hello("w2")).await.unwrap();
    tokio::select! {
        () = lives_on(&mut two) => {}
        () = stands(&master, "w1", v1::WorkerState::Dead) => {}
    }
}
