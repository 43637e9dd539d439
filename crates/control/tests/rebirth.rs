//! A cluster's next life, from a backup or from one survivor: newer than whatever came before, and the same otherwise.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Log, START, blob, deployed_slots, name, raft_id, register, seat, slot, store, submit, with_package};
use squall_control::{Birth, Command, Line, Rebirth, Refusal, State, Supported, What};
use squall_types::cluster::{AssignmentVersion, Epoch, Revision, UnixMillis};

fn birth(at: u64) -> Birth {
    Birth {
        by: Rebirth::Restored,
        at: UnixMillis::new(at),
        random: u128::from(at) + 77,
        actor: Some("root".parse().unwrap()),
        origin: Line::lossy("offline on a"),
        master: (raft_id(9), seat("a", true)),
        packages: BTreeSet::from([blob(1)]),
    }
}

/// Three masters, a worker, a topology that runs, one that has no place yet, a token, two packages.
fn lived() -> Log {
    let mut log = Log::with_words();
    log.assign("words", &[slot("w1", 0), slot("w2", 1)]).reply.unwrap();
    log.done(store(1, &[1, 2]));
    log.done(store(2, &[1, 3]));
    log.done(with_package("second", 1, false));
    log.done(Command::CreateToken(common::token(7, 9)));
    log
}

/// What is asked of the state from then on.
fn go_on(state: State, log: &Log) -> Log {
    let revision = state.revision().get();
    Log { state, revision, now: log.now, requests: log.requests }
}

#[test]
fn all_that_was_decided_is_kept_but_who_the_masters_are() {
    let log = lived();
    let before = log.state;
    let after = before.clone().reborn(birth(START + 60_000));
    assert_eq!(after.cluster(), before.cluster());
    assert_eq!(after.members().keys().collect::<Vec<_>>(), [&raft_id(9)]);
    assert_eq!(after.workers(), before.workers());
    assert!(after.tokens().eq(before.tokens()));
    assert_eq!(after.slots(), before.slots());
    let (old, new) = (&before.topologies()[&name("words")], &after.topologies()[&name("words")]);
    assert_eq!((old.current(), old.lifecycle(), old.revision()), (new.current(), new.lifecycle(), new.revision()));
    assert_eq!(deployed_slots(old), deployed_slots(new));
    assert_eq!(State::decode(&after.encode(), Supported::newest()).unwrap(), after);
}

#[test]
fn every_number_that_orders_decisions_is_beyond_any_that_the_old_life_can_have_had() {
    const FAR: u64 = 1_000_000_000;
    let log = lived();
    let after = log.state.clone().reborn(birth(START + 60_000));
    assert!(after.epoch() > log.state.epoch());
    assert!(after.revision().get() > log.state.revision().get() + FAR);
    assert!(after.retired().get() > log.state.retired().get() + FAR);
    for (name, new) in after.topologies() {
        let old = &log.state.topologies()[name];
        assert!(new.parent().get() > old.parent().get() + FAR, "{name}");
        assert_eq!(new.assignment().map(|it| it.parent), old.assignment().map(|it| it.version), "{name}");
    }
    // A topology that comes only now is not taken for one that came after the backup.
    let mut log = go_on(after, &log);
    log.done(submit("third"));
    assert!(log.deployed("third").parent() > AssignmentVersion::new(FAR));
}

#[test]
fn a_backup_that_is_older_than_the_last_rebirth_begins_a_newer_epoch_all_the_same() {
    let log = lived();
    let recovered = log.state.clone().reborn(Birth { by: Rebirth::Recovered, ..birth(START + 60_000) });
    let restored = log.state.clone().reborn(birth(START + 120_000));
    assert!(recovered.epoch() < restored.epoch(), "{} {}", recovered.epoch(), restored.epoch());
    // Even if the clock stands still, or is years behind.
    assert_eq!(recovered.clone().reborn(birth(0)).epoch(), recovered.epoch().next());
    assert_eq!(log.state.clone().reborn(birth(0)).now(), log.state.now());
}

#[test]
fn packages_are_held_by_the_new_master_alone_as_far_as_it_has_them() {
    let after = lived().state.reborn(birth(START));
    assert_eq!(after.blobs()[&blob(1)].held_by, BTreeSet::from([raft_id(9)]));
    assert_eq!(after.blobs()[&blob(2)].held_by, BTreeSet::new());
    assert!(after.blobs()[&blob(1)].unused_since.is_none(), "a topology refers to it");
    assert_eq!(after.lost_blobs().map(|(id, _)| id).collect::<Vec<_>>(), [blob(2)]);
    assert_eq!(after.missing_blobs(raft_id(9)).count(), 0, "what nobody has, nobody can be sent");
}

#[test]
fn the_rebirth_is_on_record_with_who_did_it_and_where() {
    let log = lived();
    let after = log.state.clone().reborn(birth(START + 60_000));
    let event = after.events_since(after.revision()).unwrap().next().unwrap();
    assert!(matches!(event.what, What::EpochBegun { by: Rebirth::Restored, epoch } if epoch == after.epoch()));
    assert_eq!(event.actor.as_ref().map(squall_types::cluster::UserName::as_str), Some("root"));
    assert_eq!(event.origin.as_ref().map(Line::as_str), Some("offline on a"));
    let kinds: Vec<_> =
        after.events_since(log.state.revision().next()).unwrap().map(squall_control::Event::kind).collect();
    assert_eq!(kinds, ["master-joined", "master-left", "master-left", "master-left", "epoch-begun"]);
}

#[test]
fn a_watcher_of_the_life_before_goes_on_only_where_nothing_can_be_missing() {
    let log = lived();
    let last = log.state.revision();
    let after = log.state.reborn(birth(START));
    let began = Revision::new(after.revision().get() - 1);
    for good in [Revision::new(1), last, last.next(), began, after.revision(), after.revision().next()] {
        assert!(after.events_since(good).is_ok(), "{good}");
    }
    for lost in [last.next().next(), Revision::new(last.get() + 1_000), Revision::new(began.get() - 1)] {
        assert_eq!(after.events_since(lost).err().map(|it| it.oldest), Some(began), "{lost}");
    }
}

#[test]
fn what_is_decided_next_follows_from_the_new_life() {
    let log = lived();
    let stale = common::next_assignment(log.deployed("words"), &[slot("w1", 1)]);
    let mut log = go_on(log.state.clone().reborn(birth(START)), &log);
    let refused = log.refused(common::assignment_of("words", stale, 1));
    assert!(matches!(refused, Refusal::StaleAssignment { .. }), "a planner of the old life decides nothing: {refused}");
    log.assign("words", &[slot("w1", 1)]).reply.unwrap();
    log.done(register("w3", 1, 2));
    assert_eq!(log.state.epoch().get(), START / 1_000);
    assert_eq!(Epoch::new(START / 1_000).next(), log.state.clone().reborn(birth(START)).epoch());
}

#[test]
fn a_request_of_the_old_life_is_still_answered_and_not_run_again() {
    let mut log = lived();
    let envelope = log.envelope(submit("fourth"));
    let first = log.apply(&envelope);
    let mut log = go_on(log.state.clone().reborn(birth(log.now + 1_000)), &log);
    let again = log.apply(&envelope);
    assert!(again.repeated && again.reply == first.reply);
    assert!(log.state.now().since(UnixMillis::new(START)) < Duration::from_secs(120));
}
