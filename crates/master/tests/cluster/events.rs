//! Events: each once, from any revision that is kept.

use squall_proto::v1;
use tonic::Streaming;

use crate::support::{Master, alone, mutation, submit, within};

async fn watch(master: &Master, from_revision: u64, subjects: &[&str]) -> Streaming<v1::Event> {
    let subjects = subjects.iter().map(|&subject| subject.to_owned()).collect();
    let request = v1::WatchRequest { from_revision, subjects, ..v1::WatchRequest::default() };
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

#[tokio::test]
async fn what_there_is_up_to_a_revision_comes_and_then_the_end() {
    let master = alone().await;
    let first = submit(&master, "one", 1).await.unwrap().applied.unwrap().revision;
    let last = submit(&master, "two", 1).await.unwrap().applied.unwrap().revision;
    submit(&master, "three", 1).await.unwrap();
    let to = |from_oldest, to_revision| v1::WatchRequest { from_oldest, to_revision, ..v1::WatchRequest::default() };
    let all = |request| async {
        let mut events = within(master.cluster().watch(request)).await.unwrap().into_inner();
        let mut all = Vec::new();
        while let Some(event) = within(events.message()).await.unwrap() {
            all.push((event.revision, event.kind));
        }
        all
    };
    let events = all(to(true, last)).await;
    assert!(events.contains(&(first, "topology-submitted".to_owned())), "{events:?}");
    assert!(events[0].0 <= first && events.last().unwrap().0 == last, "{events:?}");
    let some = all(v1::WatchRequest { from_revision: first, ..to(false, last) }).await;
    assert_eq!(some, events.into_iter().filter(|(revision, _)| *revision >= first).collect::<Vec<_>>());
    assert!(all(v1::WatchRequest { from_revision: last + 1, ..to(false, last) }).await.is_empty());
    // Nobody of that name: the end comes all the same.
    assert!(all(v1::WatchRequest { subjects: vec!["topology nobody".to_owned()], ..to(true, last) }).await.is_empty());
}

#[tokio::test]
async fn a_master_that_stops_says_so_and_does_not_end_the_events() {
    let master = alone().await;
    let mut events = watch(&master, 0, &[]).await;
    let stopping = master.shutdown();
    let told = async {
        loop {
            match within(events.message()).await {
                Ok(Some(_)) => {}
                other => return other,
            }
        }
    };
    let (told, ()) = tokio::join!(told, stopping);
    assert!(told.is_err(), "{told:?}");
}
