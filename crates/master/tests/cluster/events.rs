//! Events: each once, from any revision that is kept.

use squall_proto::v1;
use tonic::Streaming;

use crate::support::{Master, alone, mutation, submit, within};

async fn watch(master: &Master, from_revision: u64, subjects: &[&str]) -> Streaming<v1::Event> {
    let subjects = subjects.iter().map(|&subject| subject.to_owned()).collect();
    let request = v1::WatchRequest { from_revision, subjects };
    within(master.cluster().watch(request)).await.unwrap().into_inner()
}

async fn next(events: &mut Streaming<v1::Event>) -> v1::Event {
    within(events.message()).await.unwrap().unwrap()
}

#[tokio::test]
async fn who_watches_from_a_revision_sees_what_was_and_what_comes() {
    let master = alone().await;
    let submitted = submit(&master, "words", 1).await.unwrap().applied.unwrap().revision;
    let mut events = watch(&master, submitted, &["topology words"]).await;
    let first = next(&mut events).await;
    assert_eq!(
        (first.kind.as_str(), first.subject.as_str(), first.revision),
        ("topology-submitted", "topology words", submitted)
    );
    let mut from_now = watch(&master, 0, &[]).await;
    let deactivate = v1::DeactivateRequest { mutation: mutation(), name: "words".to_owned() };
    let id = deactivate.mutation.clone().unwrap().request_id;
    within(master.topologies().deactivate(deactivate)).await.unwrap();
    let kinds = [next(&mut events).await, next(&mut events).await].map(|event| event.kind);
    assert_eq!(kinds, ["topology-assigned", "topology-deactivated"]);
    let event = next(&mut from_now).await;
    assert_eq!((event.kind.as_str(), &event.request_id), ("topology-deactivated", &id));
    assert!(event.origin.starts_with("127.0.0.1:"), "{event:?}");
}

#[tokio::test]
async fn only_what_is_asked_for_is_shown() {
    let master = alone().await;
    let mut events = watch(&master, 0, &["topology two"]).await;
    submit(&master, "one", 1).await.unwrap();
    submit(&master, "two", 1).await.unwrap();
    assert_eq!(next(&mut events).await.subject, "topology two");
}
