//! A retry is answered and never run again, whatever the clocks do; and nothing is changed that the caller hasn't seen.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use common::{Log, START, kill, name, parallel, raft_id, store, submit, token, update, with_package, words};
use squall_control::{Command, Line, Outcome, Refusal, Reply, State, Subject, Supported, WINDOW};
use squall_types::cluster::{FeatureLevel, RequestId, Revision, TopologyVersion, UnixMillis};
use squall_types::codes;

const WINDOW_MS: u64 = WINDOW.as_millis() as u64;

fn code(outcome: Outcome) -> String {
    outcome.reply.unwrap_err().code().to_string()
}

#[test]
fn a_retry_gets_the_first_answer_and_changes_nothing() {
    let mut log = Log::with_words();
    let envelope = log.envelope(update("words", &words(2)));
    let first = log.apply(&envelope);
    log.done(update("words", &words(3)));
    let retry = log.apply(&envelope);
    assert_eq!(retry.reply, Ok(Reply::Version(TopologyVersion::new(2))));
    assert_eq!((retry.revision, retry.events.len(), retry.repeated), (first.revision, 0, true));
    assert_eq!(log.deployed("words").current().version, TopologyVersion::new(3));
}

#[test]
fn a_retry_of_what_was_refused_is_refused_though_it_would_do_now() {
    let mut log = Log::new();
    let envelope = log.envelope(Command::Activate(name("words")));
    let first = log.apply(&envelope).reply;
    log.done(submit("words"));
    let retry = log.apply(&envelope);
    assert_eq!((retry.reply, retry.repeated), (first, true));
}

#[test]
fn what_may_work_later_may_be_asked_again_with_the_same_request() {
    let mut log = Log::with_words();
    log.done(kill("words", 10_000));
    let mut finish = log.envelope(Command::FinishKill(name("words")));
    assert_eq!(code(log.apply(&finish)), codes::WAIT_NOT_OVER.to_string());
    finish.at = finish.at.plus(std::time::Duration::from_secs(11));
    assert_eq!(log.apply(&finish).reply, Ok(Reply::Done));
}

#[test]
fn a_request_is_answered_for_two_minutes_and_refused_from_then_on() {
    let mut log = Log::new();
    let envelope = log.envelope(submit("words"));
    log.apply(&envelope).reply.unwrap();
    log.now += WINDOW_MS - 1;
    log.done(submit("other"));
    assert!(log.apply(&envelope).repeated, "at two minutes to the millisecond");
    log.done(submit("third"));
    let late = log.apply(&envelope);
    assert_eq!((code(late.clone()), late.repeated), (codes::REQUEST_TOO_OLD.to_string(), false));
    assert_eq!(log.state.topologies().len(), 3);
}

#[test]
fn an_old_request_that_was_never_seen_is_not_run() {
    let mut log = Log::new();
    let envelope = log.envelope(submit("words"));
    log.now += WINDOW_MS;
    log.done(submit("other"));
    let late = log.apply(&envelope);
    assert!(late.reply.clone().unwrap_err().to_string().contains("made 120 s before the cluster's time"), "{late:?}");
    assert!(log.state.topology(&name("words")).is_none());
}

#[test]
fn a_request_from_too_far_in_the_future_is_not_run_yet() {
    let mut log = Log::new();
    let mut envelope = log.envelope(submit("words"));
    envelope.request = RequestId::new(UnixMillis::new(log.now + WINDOW_MS + 1), 1);
    assert_eq!(code(log.apply(&envelope)), codes::REQUEST_FROM_THE_FUTURE.to_string());
    envelope.at = envelope.at.plus(std::time::Duration::from_millis(1));
    assert!(log.apply(&envelope).reply.is_ok());
}

#[test]
fn a_request_of_a_fast_clock_is_remembered_until_its_own_time_has_passed() {
    let mut log = Log::new();
    let mut fast = log.envelope(submit("words"));
    fast.request = RequestId::new(UnixMillis::new(log.now + WINDOW_MS), 1);
    log.apply(&fast).reply.unwrap();
    // Two minutes on it is no longer answered, but its id would still be young enough to be run.
    log.now += WINDOW_MS + 10;
    log.done(submit("other"));
    assert_eq!(code(log.apply(&fast)), codes::REQUEST_TOO_OLD.to_string());
    log.now += WINDOW_MS + 10;
    log.done(submit("third"));
    assert_eq!(code(log.apply(&fast)), codes::REQUEST_TOO_OLD.to_string());
}

#[test]
fn the_states_time_never_goes_back() {
    let mut log = Log::new();
    log.passes(60);
    log.done(submit("words"));
    let (high, behind) = (log.state.now(), UnixMillis::new(START));
    let mut envelope = log.envelope(submit("other"));
    envelope.at = behind;
    let outcome = log.apply(&envelope);
    assert_eq!((log.state.now(), outcome.events[0].at), (high, high));
}

#[test]
fn a_leader_s_clock_that_runs_away_takes_the_state_s_time_no_further_than_the_callers_clock_vouches_for() {
    const YEAR: u64 = 365 * 24 * 3_600_000;
    let mut log = Log::at_level(3);
    log.done(submit("words"));
    for round in 0..5 {
        let mut envelope = log.envelope(submit(&format!("t{round}")));
        envelope.at = UnixMillis::new(envelope.at.get() + YEAR);
        assert!(log.apply(&envelope).reply.is_ok(), "it was made just now, by its own clock");
    }
    assert!(log.state.now() <= UnixMillis::new(log.now + WINDOW_MS));
    // The next leader's clock is right: what callers ask is as young as it was.
    log.passes(1);
    log.done(submit("other"));

    // A year in which nothing was decided is no jump.
    log.now += YEAR;
    log.done(submit("next-year"));
    assert!(log.state.now() >= UnixMillis::new(START + YEAR));
}

#[test]
fn answers_that_nobody_can_ask_for_are_forgotten() {
    let mut log = Log::new();
    for number in 0..50 {
        log.done(submit(&format!("t{number}")));
    }
    assert_eq!(log.state.counts().requests, 50);
    log.passes(121);
    log.done(submit("last"));
    assert_eq!(log.state.counts().requests, 1);
}

#[test]
fn a_master_restored_from_a_snapshot_answers_the_same_retries() {
    let mut log = Log::new();
    let envelope = log.envelope(submit("words"));
    let first = log.apply(&envelope);
    log.state = State::decode(&log.state.encode(), Supported::newest()).unwrap();
    let retry = log.apply(&envelope);
    assert_eq!((retry.revision, retry.reply, retry.repeated), (first.revision, first.reply, true));
}

#[test]
fn a_place_in_the_log_is_taken_once() {
    let mut log = Log::new();
    log.done(submit("words"));
    let before = log.state.digest();
    let envelope = log.envelope(submit("other"));
    for revision in [0, 1] {
        let outcome = log.state.apply(Revision::new(revision), &envelope);
        assert_eq!(code(outcome), codes::NOT_NEWER.to_string());
    }
    assert_eq!(log.state.digest(), before);
}

#[test]
fn a_change_to_what_was_changed_meanwhile_is_refused() {
    let mut log = Log::with_words();
    let seen = log.deployed("words").revision();
    log.done(parallel("words", "count", 3));
    let actual = log.deployed("words").revision();
    let mut envelope = log.envelope(Command::Deactivate(name("words")));
    envelope.expected = Some(seen);
    let refusal = log.apply(&envelope).reply.unwrap_err();
    assert_eq!(refusal.code(), codes::NOT_AS_EXPECTED);
    assert_eq!(refusal, Refusal::NotAsExpected { subject: Subject::Topology(name("words")), expected: seen, actual });
    let mut again = log.envelope(Command::Deactivate(name("words")));
    again.expected = Some(actual);
    assert!(log.apply(&again).reply.is_ok());
}

#[test]
fn revision_zero_expects_that_it_is_not_there() {
    let mut log = Log::new();
    let mut first = log.envelope(submit("words"));
    first.expected = Some(Revision::ZERO);
    assert!(log.apply(&first).reply.is_ok());
    let mut second = log.envelope(update("words", &words(2)));
    second.expected = Some(Revision::ZERO);
    assert_eq!(code(log.apply(&second)), codes::NOT_AS_EXPECTED.to_string());
}

#[test]
fn what_is_gone_is_not_made_anew_by_who_has_seen_it_there() {
    let mut log = Log::new();
    let mut envelope = log.envelope(update("words", &words(2)));
    envelope.expected = Some(Revision::new(9));
    let refusal = log.apply(&envelope).reply.unwrap_err();
    assert_eq!(refusal.to_string(), "topology words was last changed at revision 0, not 9");
}

#[test]
fn what_is_not_there_is_unknown_whatever_was_expected() {
    let mut log = Log::new();
    for expected in [0, 3] {
        let mut envelope = log.envelope(kill("words", 0));
        envelope.expected = Some(Revision::new(expected));
        assert_eq!(code(log.apply(&envelope)), codes::UNKNOWN_TOPOLOGY.to_string());
    }
}

#[test]
fn workers_tokens_and_packages_are_compared_by_their_own_revisions() {
    let mut log = Log::with_words();
    log.done(store(1, &[1]));
    log.done(Command::CreateToken(token(1, 1)));
    let commands = [
        Command::Drain(common::worker("w1")),
        Command::ForgetWorker(common::worker("w2")),
        store(1, &[2]),
        Command::RevokeToken(token(1, 1).id),
    ];
    for command in commands {
        let subject = command.subject().unwrap();
        let seen = log.state.changed_at(&subject).unwrap();
        for (expected, ok) in [(seen.next(), false), (seen, true)] {
            let mut envelope = log.envelope(command.clone());
            envelope.expected = Some(expected);
            let outcome = log.apply(&envelope);
            assert_eq!(outcome.reply.is_ok(), ok, "{subject}");
        }
    }
}

#[test]
fn what_changes_nothing_of_its_own_compares_nothing() {
    let mut log = Log::new();
    let report = Command::ReportMember {
        raft_id: raft_id(1),
        name: "a".parse().unwrap(),
        address: Line::lossy("a:1"),
        level: FeatureLevel::new(2),
    };
    let mut envelope = log.envelope(report);
    envelope.expected = Some(Revision::new(77));
    assert!(log.apply(&envelope).reply.is_ok());
    log.done(store(1, &[1]));
    log.done(with_package("words", 1, false));
}
