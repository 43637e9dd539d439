//! One master: the way of a topology from its submission to its end.

use squall_proto::{Failure, v1};

use crate::support::{Worker, alone, hello, mutation, submit, within};

#[tokio::test]
async fn a_topology_is_submitted_placed_run_and_killed() {
    let master = alone().await;
    let submitted = submit(&master, "words", 2).await.unwrap();
    assert_eq!((submitted.name.as_str(), submitted.version), ("words", 1));
    assert_eq!(submitted.unplaced.len(), 4, "there is no worker yet");
    let reason = submitted.unplaced[0].reason.clone().unwrap();
    assert!(reason.cause.contains("no worker") && reason.next_step.contains("start a worker"), "{reason:?}");

    let mut worker = Worker::attach(&master, hello("w1")).await.unwrap();
    let desired = worker.told(|desired| !desired.slots.is_empty()).await;
    assert!(desired.slots.iter().all(|slot| slot.topology == "words" && slot.active));
    let topology = master.get("words").await.unwrap();
    assert!(topology.executors.iter().all(|executor| executor.slot.as_ref().unwrap().worker == "w1"));
    assert_eq!(topology.summary.unwrap().placed, 4);

    let kill = v1::KillRequest { mutation: mutation(), name: "words".to_owned(), wait_ms: Some(0) };
    within(master.topologies().kill(kill)).await.unwrap();
    worker.told(|desired| desired.slots.is_empty()).await;
    let gone = Failure::from_status(&master.get("words").await.unwrap_err()).unwrap();
    assert_eq!((gone.grpc, gone.code.to_string().as_str()), (tonic::Code::NotFound, "SQ5001"));
    master.shutdown().await;
}
