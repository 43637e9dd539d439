//! What has happened is told once, the same on every master, from any revision that is still kept.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use common::{Log, blob, name, raft_id, register, submit, worker};
use squall_control::{
    Audit, Command, Compacted, EVENTS_KEPT, Fate, Line, Rebirth, State, Subject, Supported, TokenId, What, WorkerRecord,
};
use squall_types::cluster::{
    AssignmentVersion, Epoch, FeatureLevel, Revision, Role, TopologyVersion, UnixMillis, WorkerIncarnation,
};
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
        let record =
            |_| WorkerRecord { worker: worker("w1"), incarnation: WorkerIncarnation::new(1), fate: Fate::Back };
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

/// All that can happen, as it is told.
#[allow(clippy::too_many_lines, reason = "a table, an entry for each thing that can happen")]
fn told() -> Vec<(What, &'static str, &'static str, &'static str)> {
    let (words, node) = (|| name("words"), || worker("node-1"));
    let (two, three) = (TopologyVersion::new(2), TopologyVersion::new(3));
    let (master, id) = (|| "b".parse().unwrap(), raft_id(2));
    let (user, token) = (|| "ann".parse().unwrap(), TokenId::new(0xab));
    let fate = |fate| What::WorkerFate { name: worker("node-1"), fate };
    let assigned = |unplaced| {
        let (name, version) = (name("words"), AssignmentVersion::new(4));
        What::TopologyAssigned { name, version, placed: 6, unplaced }
    };
    let submitted = |version, rolled_back_to| What::TopologySubmitted { name: name("words"), version, rolled_back_to };
    let (topology, worker, cluster) = ("topology words", "worker node-1", "cluster");
    vec![
        (submitted(two, None), "topology-submitted", topology, "words was submitted as version 2"),
        (
            submitted(three, Some(two)),
            "topology-rolled-back",
            topology,
            "words was rolled back to version 2, as version 3",
        ),
        (What::TopologyActivated(words()), "topology-activated", topology, "words was activated"),
        (What::TopologyDeactivated(words()), "topology-deactivated", topology, "words was deactivated"),
        (
            What::TopologyRebalanced { name: words(), evenly: false },
            "topology-rebalanced",
            topology,
            "words was rebalanced",
        ),
        (
            What::TopologyRebalanced { name: words(), evenly: true },
            "topology-rebalanced",
            topology,
            "words was rebalanced, evenly",
        ),
        (
            What::TopologyKilled { name: words(), stops_at: UnixMillis::new(5) },
            "topology-killed",
            topology,
            "words was killed; it stops at 1970-01-01T00:00:00.005Z",
        ),
        (What::TopologyForgotten(words()), "topology-forgotten", topology, "words was stopped and forgotten"),
        (assigned(0), "topology-assigned", topology, "words has assignment 4: all 6 executors are placed"),
        (assigned(2), "topology-assigned", topology, "words has assignment 4: 6 executors are placed, 2 are not"),
        (
            What::WorkerRegistered { name: node(), incarnation: WorkerIncarnation::new(3) },
            "worker-registered",
            worker,
            "node-1 registered in its life 3",
        ),
        (What::WorkerDraining(node()), "worker-draining", worker, "node-1 is being drained"),
        (What::WorkerOpened(node()), "worker-opened", worker, "node-1 takes work again"),
        (What::WorkerForgotten(node()), "worker-forgotten", worker, "node-1 was forgotten"),
        (
            fate(Fate::Dead { silent_ms: 3_100 }),
            "worker-dead",
            worker,
            "node-1 is dead: nothing of it answered for 3100 ms",
        ),
        (
            fate(Fate::CutOff),
            "worker-cut-off",
            worker,
            "node-1 is cut off: the masters don't hear it, and nobody has found it dead",
        ),
        (fate(Fate::Back), "worker-back", worker, "node-1 is heard again"),
        (fate(Fate::Left), "worker-left", worker, "node-1 left"),
        (
            What::WorkerQuarantined { name: node(), until: UnixMillis::new(9) },
            "worker-quarantined",
            worker,
            "node-1 comes and goes: it gets no new work until 1970-01-01T00:00:00.009Z",
        ),
        (What::WorkerReleased(node()), "worker-released", worker, "node-1 is no longer quarantined"),
        (
            What::MasterJoined { name: master(), raft_id: id, voter: false },
            "master-joined",
            "master b",
            "b is a member, and has no vote yet",
        ),
        (
            What::MasterJoined { name: master(), raft_id: id, voter: true },
            "master-joined",
            "master b",
            "b is a member, with a vote",
        ),
        (What::MasterVote { name: master(), voter: true }, "master-vote", "master b", "b has a vote"),
        (What::MasterVote { name: master(), voter: false }, "master-vote", "master b", "b has no vote any more"),
        (
            What::MasterLeft { name: master(), raft_id: id },
            "master-left",
            "master b",
            "b (0000000000000002) is no member any more",
        ),
        (
            What::MasterReported { name: master(), level: FeatureLevel::new(2) },
            "master-reported",
            "master b",
            "b understands feature level 2",
        ),
        (
            What::BlobStored { id: blob(0xab), size: 12 },
            "blob-stored",
            "blob abababababab",
            "package abababababab of 12 bytes was stored",
        ),
        (
            What::BlobCollected(blob(0xab)),
            "blob-collected",
            "blob abababababab",
            "package abababababab was forgotten: nothing referred to it",
        ),
        (
            What::TokenCreated { id: token, user: user(), role: Role::Operate },
            "token-created",
            "token 00000000000000ab",
            "ann has token 00000000000000ab with role operate",
        ),
        (
            What::TokenRevoked { id: token, user: user() },
            "token-revoked",
            "token 00000000000000ab",
            "token 00000000000000ab of ann was revoked",
        ),
        (What::LevelRaised(FeatureLevel::new(2)), "level-raised", cluster, "the cluster's feature level is 2"),
        (
            What::EpochBegun { epoch: Epoch::new(2), by: Rebirth::Restored },
            "epoch-begun",
            cluster,
            "epoch 2 began from a backup",
        ),
        (
            What::EpochBegun { epoch: Epoch::new(3), by: Rebirth::Recovered },
            "epoch-begun",
            cluster,
            "epoch 3 began from one survivor",
        ),
        (What::Audited(Audit::BackupTaken), "backup-taken", cluster, "a backup was taken"),
        (
            What::Audited(Audit::LeadershipTransferred { to: id }),
            "leadership-transferred",
            cluster,
            "leadership was transferred to 0000000000000002",
        ),
        (
            What::Audited(Audit::AccessDenied { call: Line::lossy("Cluster/Drain") }),
            "access-denied",
            cluster,
            "Cluster/Drain was turned away for lack of rights",
        ),
    ]
}

#[test]
fn everything_that_can_happen_has_a_kind_a_subject_and_words() {
    for (what, kind, subject, text) in told() {
        assert_eq!((what.kind(), what.subject().to_string(), what.to_string()), (kind, subject.into(), text.into()));
    }
}

#[test]
fn an_event_is_read_back_as_it_was_written() {
    for (what, ..) in told() {
        let bytes = postcard::to_stdvec(&what).unwrap();
        assert_eq!(postcard::from_bytes::<What>(&bytes).unwrap(), what);
    }
}
