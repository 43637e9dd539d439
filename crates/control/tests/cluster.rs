//! Workers, masters, packages, tokens, levels, epochs.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{
    Log, blob, kill, name, raft_id, register, registration, seat, slot, store, submit, token, update, with_package,
    words, worker,
};
use squall_control::{
    Admin, Audit, Author, BlobUse, Command, EVENTS_KEPT, Fate, LevelBlocker, Limit, Line, NewToken, Quarantine,
    Rebirth, Refusal, Reply, SecretHash, Subject, TokenId, UNUSED_BLOBS_KEPT, VERSIONS_KEPT, WorkerRecord,
};
use squall_types::cluster::{Epoch, FeatureLevel, RequestId, Revision, TopologyVersion, UnixMillis, WorkerIncarnation};
use squall_types::{Retry, codes};

#[test]
fn a_worker_that_registers_is_open_and_what_it_says_is_kept() {
    let mut log = Log::new();
    assert_eq!(log.done(register("w1", 1, 4)), ["worker-registered"]);
    let it = log.state.worker(&worker("w1")).unwrap();
    assert_eq!((&it.registration, it.admin, it.registered_at), (&registration(1, 4), Admin::Open, log.state.now()));
}

#[test]
fn saying_the_same_again_is_no_change_and_a_new_life_is() {
    let mut log = Log::new();
    log.done(register("w1", 1, 4));
    log.done(Command::Drain(worker("w1")));
    let revision = log.state.worker(&worker("w1")).unwrap().revision;
    assert_eq!(log.done(register("w1", 1, 4)), [""; 0]);
    assert_eq!(log.state.worker(&worker("w1")).unwrap().revision, revision);
    assert_eq!(log.done(register("w1", 2, 8)), ["worker-registered"]);
    let it = log.state.worker(&worker("w1")).unwrap();
    assert_eq!((it.registration.slots, it.admin), (8, Admin::Draining), "what operators decided stays");
}

#[test]
fn a_daemon_of_the_past_is_turned_away() {
    let mut log = Log::new();
    log.done(register("w1", 5, 4));
    let (known, given) = (WorkerIncarnation::new(5), WorkerIncarnation::new(4));
    assert_eq!(log.refused(register("w1", 4, 4)), Refusal::StaleWorker { name: worker("w1"), known, given });
}

#[test]
fn a_worker_with_too_many_tags_or_slots_is_refused() {
    let mut log = Log::new();
    let mut tagged = registration(1, 4);
    tagged.tags = (0..65).map(|number| Line::lossy(&format!("tag-{number}"))).collect();
    let tagged = Command::RegisterWorker { name: worker("w1"), registration: tagged };
    assert_eq!(log.refused(tagged), Refusal::TooMuch { what: Limit::Tags, most: 64 });
    assert_eq!(log.refused(register("w1", 1, 1_025)), Refusal::TooMuch { what: Limit::Slots, most: 1_024 });
}

#[test]
fn draining_and_opening_happen_once() {
    let mut log = Log::with_words();
    assert_eq!(log.done(Command::Drain(worker("w1"))), ["worker-draining"]);
    assert_eq!(log.done(Command::Drain(worker("w1"))), [""; 0]);
    assert_eq!(log.state.worker(&worker("w1")).unwrap().admin, Admin::Draining);
    assert_eq!(log.done(Command::Undrain(worker("w1"))), ["worker-opened"]);
    assert_eq!(log.done(Command::Undrain(worker("w1"))), [""; 0]);
}

#[test]
fn unknown_workers_are_refused_with_the_name_that_was_meant() {
    let mut log = Log::new();
    log.done(register("node-1", 1, 4));
    let records =
        vec![WorkerRecord { worker: worker("nod-1"), incarnation: WorkerIncarnation::new(1), fate: Fate::Back }];
    for command in [
        Command::Drain(worker("nod-1")),
        Command::Undrain(worker("nod-1")),
        Command::ForgetWorker(worker("nod-1")),
        Command::RecordWorkers(records),
        Command::Quarantine { worker: worker("nod-1"), until: None, strikes: 0 },
    ] {
        let refusal = log.refused(command);
        assert_eq!(refusal, Refusal::UnknownWorker { name: worker("nod-1"), nearest: Some(worker("node-1")) });
    }
}

#[test]
fn a_worker_is_forgotten_once_nothing_is_placed_on_it() {
    let mut log = Log::with_words();
    log.assign("words", &[slot("w1", 0)]).reply.unwrap();
    let refusal = log.refused(Command::ForgetWorker(worker("w1")));
    assert_eq!(refusal, Refusal::WorkerInUse { name: worker("w1"), topology: name("words") });
    assert_eq!(refusal.retry(), Retry::Later);
    log.assign("words", &[slot("w2", 0)]).reply.unwrap();
    assert_eq!(log.done(Command::ForgetWorker(worker("w1"))), ["worker-forgotten"]);
    assert!(log.state.worker(&worker("w1")).is_none());
}

#[test]
fn what_became_of_workers_is_told_and_changes_no_worker() {
    let mut log = Log::with_words();
    let before = log.state.workers().clone();
    let record =
        |of: &str, life, fate| WorkerRecord { worker: worker(of), incarnation: WorkerIncarnation::new(life), fate };
    let records = vec![
        record("w1", 1, Fate::Dead { silent_ms: 3_000 }),
        record("w1", 0, Fate::Left),
        record("w2", 1, Fate::CutOff),
        record("w2", 1, Fate::Back),
        record("w2", 1, Fate::Left),
    ];
    let kinds = log.done(Command::RecordWorkers(records));
    assert_eq!(kinds, ["worker-dead", "worker-cut-off", "worker-back", "worker-left"], "an earlier life is no news");
    assert_eq!(log.state.workers(), &before);
}

#[test]
fn a_quarantine_is_set_renewed_and_lifted() {
    let mut log = Log::with_words();
    let until = |ms| Some(UnixMillis::new(ms));
    let quarantine = |until, strikes| Command::Quarantine { worker: worker("w1"), until, strikes };
    assert_eq!(log.done(quarantine(until(5), 1)), ["worker-quarantined"]);
    assert_eq!(log.done(quarantine(until(5), 1)), [""; 0]);
    assert_eq!(log.done(quarantine(until(9), 2)), ["worker-quarantined"]);
    let kept = log.state.worker(&worker("w1")).unwrap().quarantine;
    assert_eq!(kept, Some(Quarantine { until: UnixMillis::new(9), strikes: 2 }));
    assert_eq!(log.done(quarantine(None, 0)), ["worker-released"]);
    assert_eq!(log.state.worker(&worker("w1")).unwrap().quarantine, None);
}

#[test]
fn a_package_is_kept_while_a_version_refers_to_it_and_an_hour_longer() {
    let mut log = Log::new();
    log.done(store(1, &[1, 2]));
    log.done(with_package("words", 1, false));
    let collect = || Command::CollectBlobs(BTreeSet::from([blob(1)]));
    let referred = BlobUse::Referred { topology: name("words"), version: TopologyVersion::new(1) };
    log.passes(2 * UNUSED_BLOBS_KEPT.as_secs());
    assert_eq!(log.refused(collect()), Refusal::BlobInUse { id: blob(1), blocker: referred });
    log.done(kill("words", 0));
    log.done(Command::FinishKill(name("words")));
    let since = log.state.now();
    assert_eq!(log.refused(collect()), Refusal::BlobInUse { id: blob(1), blocker: BlobUse::Recent(since) });
    log.passes(UNUSED_BLOBS_KEPT.as_secs());
    assert_eq!(log.state.collectable_blobs(UnixMillis::new(log.now)).collect::<Vec<_>>(), [blob(1)]);
    assert_eq!(log.done(collect()), ["blob-collected"]);
    assert!(log.state.blobs().is_empty());
    assert_eq!(log.refused(collect()), Refusal::UnknownBlob(blob(1)));
}

#[test]
fn a_package_that_was_never_submitted_is_collectable_an_hour_after_it_came_last() {
    let mut log = Log::new();
    log.done(store(1, &[1]));
    log.passes(3_000);
    log.done(store(1, &[2]));
    log.passes(3_000);
    assert_eq!(log.state.collectable_blobs(UnixMillis::new(log.now)).count(), 0);
    log.passes(601);
    assert_eq!(log.state.collectable_blobs(UnixMillis::new(log.now)).count(), 1);
}

#[test]
fn packages_are_collected_all_or_none() {
    let mut log = Log::new();
    log.done(store(1, &[1]));
    log.passes(3_601);
    log.done(store(2, &[1]));
    assert_eq!(log.refused(Command::CollectBlobs(BTreeSet::from([blob(1), blob(2)]))).code(), codes::BLOB_IN_USE);
    assert_eq!(log.state.blobs().len(), 2);
}

#[test]
fn a_version_that_is_dropped_lets_its_package_go() {
    let mut log = Log::new();
    log.done(store(1, &[1]));
    log.done(with_package("words", 1, false));
    for _ in 0..VERSIONS_KEPT - 1 {
        log.done(update("words", &words(2)));
        assert_eq!(log.state.blobs()[&blob(1)].used_by.len(), 1);
    }
    log.done(update("words", &words(2)));
    assert_eq!(log.state.blobs()[&blob(1)].unused_since, Some(log.state.now()));
}

#[test]
fn a_package_of_two_topologies_is_in_use_until_both_are_gone() {
    let mut log = Log::new();
    log.done(store(1, &[1]));
    for of in ["words", "other"] {
        log.done(with_package(of, 1, false));
    }
    for (of, unused) in [("words", false), ("other", true)] {
        log.done(kill(of, 0));
        log.done(Command::FinishKill(name(of)));
        assert_eq!(log.state.blobs()[&blob(1)].unused_since.is_some(), unused);
    }
}

#[test]
fn a_rollback_refers_to_the_old_package_again() {
    let mut log = Log::new();
    log.done(store(1, &[1]));
    log.done(store(2, &[1]));
    log.done(with_package("words", 1, false));
    log.done(with_package("words", 2, true));
    log.done(Command::Rollback { name: name("words"), to: None });
    let users: Vec<_> = log.state.blobs()[&blob(1)].used_by.iter().map(|(_, version)| version.get()).collect();
    assert_eq!(users, [1, 3]);
}

#[test]
fn masters_that_lack_packages_are_known_and_who_leaves_holds_none() {
    let mut log = Log::new();
    log.done(store(1, &[1, 2]));
    assert_eq!(log.state.missing_blobs(raft_id(3)).map(|(id, _)| id).collect::<Vec<_>>(), [blob(1)]);
    log.done(store(1, &[3]));
    assert_eq!(log.state.missing_blobs(raft_id(3)).count(), 0);
    assert_eq!(log.refused(store(2, &[9])), Refusal::UnknownMaster(raft_id(9)));
    let members = BTreeMap::from([(raft_id(1), seat("a", true)), (raft_id(4), seat("b", false))]);
    log.revision += 1;
    log.state.members_changed(Revision::new(log.revision), &members);
    assert_eq!(log.state.blobs()[&blob(1)].held_by, BTreeSet::from([raft_id(1)]));
}

#[test]
fn members_come_get_votes_and_leave_as_raft_says() {
    let mut log = Log::new();
    let mut members: BTreeMap<_, _> = log.state.members().iter().map(|(id, it)| (*id, it.seat.clone())).collect();
    let change = |log: &mut Log, members: &BTreeMap<_, _>| -> Vec<String> {
        log.revision += 1;
        let events = log.state.members_changed(Revision::new(log.revision), members);
        assert!(events.iter().all(|event| event.revision.get() == log.revision && event.request.is_none()));
        events.iter().map(squall_control::Event::text).collect()
    };
    assert_eq!(change(&mut log, &members), [""; 0]);
    members.insert(raft_id(4), seat("d", false));
    assert_eq!(change(&mut log, &members), ["d is a member, and has no vote yet"]);
    members.insert(raft_id(4), seat("d", true));
    members.remove(&raft_id(2));
    assert_eq!(change(&mut log, &members), ["d has a vote", "b (0000000000000002) is no member any more"]);
    assert_eq!(log.state.members()[&raft_id(4)].level, FeatureLevel::ZERO);
    assert_eq!(log.state.revision().get(), log.revision);
}

fn author(log: &Log, number: u128) -> Author {
    let at = UnixMillis::new(log.now + 5);
    let (actor, origin) = (Some("ann".parse().unwrap()), Some(Line::lossy("10.0.0.9")));
    Author { request: RequestId::new(at, number), at, actor, origin }
}

#[test]
fn a_change_of_the_members_says_whose_it_is_and_answers_its_request_from_then_on() {
    let mut log = Log::with_words();
    let author = author(&log, 77);
    let seen = log.state.revision();
    assert_eq!(log.state.answered(author.request, author.at), Ok(None));
    assert_eq!(log.state.members_as_at(seen), Ok(()));
    let members = BTreeMap::from([(raft_id(1), seat("a", true))]);
    log.revision += 1;
    let changed = Revision::new(log.revision);
    let events = log.state.members_changed_by(changed, &members, Some(&author));
    assert_eq!(events.len(), 2);
    for event in &events {
        assert_eq!((&event.actor, &event.origin), (&author.actor, &author.origin));
        assert_eq!((event.request, event.at), (Some(author.request), author.at));
    }
    let later = author.at.plus(Duration::from_secs(60));
    assert_eq!(log.state.answered(author.request, later), Ok(Some(changed)));
    let much_later = author.at.plus(Duration::from_secs(300));
    assert!(matches!(log.state.answered(author.request, much_later), Err(Refusal::RequestTooOld { .. })));
    let expected = Refusal::NotAsExpected { subject: Subject::Cluster, expected: seen, actual: changed };
    assert_eq!(log.state.members_as_at(seen), Err(expected));
    log.done(submit("other"));
    assert_eq!(log.state.members_as_at(changed), Ok(()), "what else is decided is no change of the members");
}

#[test]
fn whether_members_have_changed_is_not_known_once_events_are_gone() {
    let mut log = Log::with_words();
    let seen = log.state.revision();
    for round in 0..EVENTS_KEPT {
        log.done(if round % 2 == 0 { Command::Drain(worker("w1")) } else { Command::Undrain(worker("w1")) });
    }
    assert_eq!(log.state.members_as_at(seen).map_err(|it| it.code()), Ok(()));
    log.done(Command::Drain(worker("w2")));
    assert_eq!(log.state.members_as_at(seen).map_err(|it| it.code()), Err(codes::NOT_AS_EXPECTED));
}

#[test]
fn a_membership_that_was_seen_before_changes_nothing() {
    let mut log = Log::with_words();
    let before = log.state.digest();
    assert_eq!(log.state.members_changed(Revision::new(log.revision), &BTreeMap::new()), []);
    assert_eq!(log.state.digest(), before);
}

#[test]
fn a_membership_as_it_is_listed_leaves_even_the_revision_alone() {
    let log = Log::with_words();
    let members: BTreeMap<_, _> = log.state.members().iter().map(|(id, it)| (*id, it.seat.clone())).collect();
    let mut restored = log.state.clone();
    assert_eq!(restored.members_changed(Revision::new(log.revision + 1), &members), []);
    assert_eq!(restored.digest(), log.state.digest());
}

fn report(of: u64, level: u64) -> Command {
    Command::ReportMember {
        raft_id: raft_id(of),
        name: ["a", "b", "c"][usize::try_from(of - 1).unwrap() % 3].parse().unwrap(),
        address: Line::lossy("here:7400"),
        level: FeatureLevel::new(level),
    }
}

#[test]
fn new_commands_wait_until_all_masters_understand_them() {
    let mut log = Log::at_level(1);
    let old = submit("words");
    let new = Command::Quarantine { worker: worker("w1"), until: None, strikes: 0 };
    let raise = || Command::RaiseLevel(FeatureLevel::new(2));
    for upgraded in 1..=3 {
        assert!(log.state.may_propose(&old) && !log.state.may_propose(&new));
        let refusal = log.refused(raise());
        assert!(matches!(refusal, Refusal::Level { blocker: LevelBlocker::Member { .. }, .. }), "{refusal}");
        assert_eq!(log.done(report(upgraded, 2)), ["master-reported"]);
    }
    assert_eq!(log.state.reported_level(), FeatureLevel::new(2));
    assert!(!log.state.may_propose(&new), "not before the cluster has decided so");
    assert_eq!(log.done(raise()), ["level-raised"]);
    assert!(log.state.may_propose(&new));
    let again = log.refused(raise());
    assert!(matches!(again, Refusal::Level { blocker: LevelBlocker::NotHigher, .. }), "{again}");
}

#[test]
fn a_master_without_a_seat_reports_nothing() {
    let mut log = Log::new();
    assert_eq!(log.refused(report(9, 2)), Refusal::UnknownMaster(raft_id(9)));
    log.done(report(1, 2));
    assert_eq!(log.done(report(1, 2)), [""; 0]);
}

#[test]
fn a_token_is_found_by_its_hash_until_it_ends() {
    let mut log = Log::new();
    let end = UnixMillis::new(log.now + 10_000);
    log.done(Command::CreateToken(NewToken { expires_at: Some(end), ..token(1, 1) }));
    let hash = SecretHash::from_bytes([1; 32]);
    let (id, found) = log.state.token(&hash, UnixMillis::new(end.get() - 1)).unwrap();
    assert_eq!((id, found.user.as_str()), (TokenId::new(1), "ann"));
    assert!(log.state.token(&hash, end).is_none());
    assert!(log.state.token(&SecretHash::from_bytes([2; 32]), end).is_none());
    assert_eq!(log.state.tokens().count(), 1);
}

#[test]
fn a_revoked_token_is_good_for_nothing() {
    let mut log = Log::new();
    log.done(Command::CreateToken(token(1, 1)));
    assert_eq!(log.done(Command::RevokeToken(TokenId::new(1))), ["token-revoked"]);
    assert!(log.state.token(&SecretHash::from_bytes([1; 32]), log.state.now()).is_none());
    assert_eq!(log.refused(Command::RevokeToken(TokenId::new(1))), Refusal::UnknownToken(TokenId::new(1)));
    log.done(Command::CreateToken(token(1, 1)));
}

#[test]
fn two_tokens_share_neither_id_nor_secret() {
    let mut log = Log::new();
    log.done(Command::CreateToken(token(1, 1)));
    assert_eq!(log.refused(Command::CreateToken(token(1, 2))), Refusal::TokenTaken(TokenId::new(1)));
    assert_eq!(log.refused(Command::CreateToken(token(2, 1))), Refusal::TokenTaken(TokenId::new(2)));
}

#[test]
fn each_rebirth_begins_an_epoch() {
    let mut log = Log::new();
    assert_eq!(log.state.epoch(), Epoch::new(1));
    assert_eq!(log.reply(Command::BeginEpoch(Rebirth::Recovered)), Reply::Epoch(Epoch::new(2)));
    assert_eq!(log.reply(Command::BeginEpoch(Rebirth::Restored)), Reply::Epoch(Epoch::new(3)));
    assert_eq!(log.state.epoch(), Epoch::new(3));
}

#[test]
fn what_is_only_recorded_changes_no_more_than_the_record() {
    let mut log = Log::with_words();
    let before = log.state.topologies().clone();
    for (audit, kind) in [
        (Audit::BackupTaken, "backup-taken"),
        (Audit::LeadershipTransferred { to: raft_id(2) }, "leadership-transferred"),
        (Audit::AccessDenied { call: Line::lossy("Cluster/Drain") }, "access-denied"),
    ] {
        assert_eq!(log.done(Command::Audit(audit)), [kind]);
    }
    assert_eq!(log.state.topologies(), &before);
}

#[test]
fn there_is_a_count_of_everything() {
    let mut log = Log::with_words();
    log.assign("words", &[slot("w1", 0)]).reply.unwrap();
    log.done(store(1, &[1]));
    log.done(Command::CreateToken(token(1, 1)));
    let counts = log.state.counts();
    assert_eq!((counts.members, counts.workers, counts.topologies), (3, 2, 1));
    assert_eq!((counts.executors, counts.placed, counts.blobs, counts.tokens), (4, 4, 1, 1));
    assert_eq!(counts.requests, 6);
}

#[test]
fn there_are_as_many_tokens_as_the_limit_allows() {
    let mut log = Log::new();
    let with = |number: u64| {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        Command::CreateToken(NewToken { hash: SecretHash::from_bytes(hash), ..token(number, 0) })
    };
    for number in 0..10_000 {
        log.done(with(number));
    }
    assert_eq!(log.refused(with(10_000)), Refusal::TooMuch { what: Limit::Tokens, most: 10_000 });
    log.done(Command::RevokeToken(TokenId::new(3)));
    log.done(with(10_000));
}
