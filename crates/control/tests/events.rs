//! What has happened is told once, the same on every master, from any revision that is still kept.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use common::{Log, name, register, submit};
use squall_control::{Command, Compacted, EVENTS_KEPT, State, Subject, Supported};
use squall_types::cluster::Revision;
use squall_types::codes;

fn revisions(state: &State, from: u64) -> Result<Vec<u64>, Compacted> {
    let events = state.events_since(Revision::new(from))?;
    Ok(events.map(|event| event.revision.get()).collect())
}

/// Deactivates and activates in turn, an event each.
fn toggle(log: &mut Log, times: usize) {
    for _ in 0..times / 2 {
        log.done(Command::Deactivate(name("words")));
        log.done(Command::Activate(name("words")));
    }
}

#[test]
fn an_event_says_what_when_who_and_where_from() {
    let mut log = Log::new();
    let envelope = log.envelope(submit("words"));
    let outcome = log.apply(&envelope);
    let event = &outcome.events[0];
    assert_eq!((event.kind(), event.text().as_str()), ("topology-submitted", "words was submitted as version 1"));
    assert_eq!(
        (event.subject(), event.subject().to_string()),
        (Subject::Topology(name("words")), "topology words".into())
    );
    assert_eq!((event.revision, event.at), (Revision::new(1), envelope.at));
    assert_eq!(
        (&event.actor, &event.origin, event.request),
        (&envelope.actor, &envelope.origin, Some(envelope.request))
    );
    assert_eq!(log.state.events_since(Revision::new(1)).unwrap().collect::<Vec<_>>(), [event]);
}

#[test]
fn a_watcher_gets_what_happened_from_a_revision_on() {
    let mut log = Log::new();
    for number in 0..5 {
        log.done(submit(&format!("t{number}")));
    }
    assert_eq!(revisions(&log.state, 0), Ok(vec![1, 2, 3, 4, 5]));
    assert_eq!(revisions(&log.state, 4), Ok(vec![4, 5]));
    assert_eq!(revisions(&log.state, 6), Ok(vec![]));
    assert_eq!(revisions(&log.state, 99), Ok(vec![]));
}

#[test]
fn what_was_refused_or_repeated_or_changed_nothing_is_no_event() {
    let mut log = Log::with_words();
    let before = revisions(&log.state, 0);
    log.refused(submit("words"));
    log.done(register("w1", 1, 4));
    let envelope = log.envelope(Command::Activate(name("words")));
    log.apply(&envelope);
    log.apply(&envelope);
    assert_eq!(revisions(&log.state, 0), before);
}

#[test]
fn who_comes_too_late_is_told_from_where_events_are_kept() {
    let mut log = Log::with_words();
    toggle(&mut log, EVENTS_KEPT);
    let compacted = revisions(&log.state, 3).unwrap_err();
    assert_eq!(compacted, Compacted { from: Revision::new(3), oldest: Revision::new(4) });
    assert_eq!(compacted.code(), codes::EVENTS_COMPACTED);
    assert!(compacted.to_string().contains("COMPACTED"));
    let kept = revisions(&log.state, compacted.oldest.get()).unwrap();
    assert_eq!((kept.len(), kept[0]), (EVENTS_KEPT, 4));
}

#[test]
fn the_events_of_one_revision_go_together() {
    let mut log = Log::with_words();
    let records = |fates: usize| {
        let record = |_| squall_control::WorkerRecord {
            worker: common::worker("w1"),
            incarnation: squall_types::cluster::WorkerIncarnation::new(1),
            fate: squall_control::Fate::Back,
        };
        Command::RecordWorkers((0..fates).map(record).collect())
    };
    log.done(records(3));
    toggle(&mut log, EVENTS_KEPT - 4);
    assert_eq!(revisions(&log.state, 4).unwrap().iter().filter(|revision| **revision == 4).count(), 3);
    toggle(&mut log, 2);
    let compacted = revisions(&log.state, 4).unwrap_err();
    assert_eq!(compacted.oldest, Revision::new(5), "three went though one would have done");
}

#[test]
fn every_master_keeps_the_same_events_snapshots_included() {
    let mut log = Log::with_words();
    toggle(&mut log, 10);
    let restored = State::decode(&log.state.encode(), Supported::newest()).unwrap();
    let events = |state: &State| state.events_since(Revision::ZERO).unwrap().cloned().collect::<Vec<_>>();
    assert_eq!(events(&restored), events(&log.state));
}
