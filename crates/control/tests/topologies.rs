//! Topologies are submitted, changed, rolled back and ended.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Log, kill, name, parallel, rebalance, store, submission, submit, update, with_package, words};
use squall_control::{
    Command, Lifecycle, Limit, Options, Phase, Rebalance, Refusal, Reply, Step, Submit, VERSIONS_KEPT,
};
use squall_types::ComponentId;
use squall_types::cluster::{Revision, TopologyVersion, UnixMillis};
use squall_types::codes;

fn version(number: u64) -> TopologyVersion {
    TopologyVersion::new(number)
}

fn rollback(to: Option<u64>) -> Command {
    Command::Rollback { name: name("words"), to: to.map(version) }
}

#[test]
fn a_submitted_topology_is_active_at_version_one_with_its_executors_unassigned() {
    let mut log = Log::new();
    assert_eq!(log.reply(submit("words")), Reply::Version(version(1)));
    let deployed = log.deployed("words");
    assert_eq!(deployed.lifecycle(), Lifecycle::Active);
    assert_eq!(deployed.revision(), Revision::new(1));
    assert_eq!(deployed.shape().executors().len(), 4);
    assert!(!deployed.is_assigned_as_it_is());
    let current = deployed.current();
    assert_eq!((current.submitted_at, current.submitted_by.as_ref().unwrap().as_str()), (log.state.now(), "ann"));
}

#[test]
fn it_is_called_what_it_was_submitted_as() {
    let mut log = Log::new();
    log.done(submit("other"));
    assert_eq!(&*log.deployed("other").shape().checked().topology().name, "other");
    assert!(log.state.topology(&name("words")).is_none());
}

#[test]
fn one_that_is_submitted_inactive_waits_for_its_activation() {
    let mut log = Log::new();
    log.done(Command::Submit(Box::new(Submit { inactive: true, ..submission("words") })));
    assert_eq!(log.deployed("words").lifecycle(), Lifecycle::Inactive);
    assert_eq!(log.done(Command::Activate(name("words"))), ["topology-activated"]);
    assert_eq!(log.deployed("words").lifecycle(), Lifecycle::Active);
}

#[test]
fn a_name_that_is_taken_is_refused_unless_an_update_is_meant() {
    let mut log = Log::with_words();
    assert_eq!(log.refused(submit("words")), Refusal::NameTaken(name("words")));
    assert_eq!(log.reply(update("words", &words(3))), Reply::Version(version(2)));
    assert_eq!(log.deployed("words").shape().executors().len(), 5);
}

#[test]
fn an_update_of_a_topology_that_is_not_there_submits_it() {
    assert_eq!(Log::new().reply(update("words", &words(2))), Reply::Version(version(1)));
}

#[test]
fn an_update_leaves_a_deactivated_topology_inactive_and_can_stop_an_active_one() {
    let mut log = Log::with_words();
    let stopping = Submit { update: true, inactive: true, ..submission("words") };
    log.done(Command::Submit(Box::new(stopping)));
    assert_eq!(log.deployed("words").lifecycle(), Lifecycle::Inactive);
    log.done(update("words", &words(3)));
    assert_eq!(log.deployed("words").lifecycle(), Lifecycle::Inactive);
}

#[test]
fn a_description_that_is_no_topology_is_refused_with_its_place() {
    let mut log = Log::new();
    let refusal = log.refused(Command::Submit(Box::new(Submit { description: "{\n ?".into(), ..submission("words") })));
    assert_eq!(refusal, Refusal::Unreadable { name: name("words"), line: 2, column: 2 });
}

#[test]
fn a_topology_that_is_not_valid_is_refused_with_its_problems_code() {
    let mut log = Log::new();
    let mut broken = words(2);
    broken.components.remove(0);
    let refusal = log.refused(update("words", &broken));
    let Refusal::Invalid { problem, others, .. } = refusal else { panic!("{refusal}") };
    assert_eq!((problem, others), (codes::UNKNOWN_COMPONENT, 1));
}

#[test]
fn settings_win_over_the_description_and_go_to_the_component_they_name() {
    let mut log = Log::new();
    let config =
        BTreeMap::from([("count.limit".to_owned(), "10".to_owned()), ("path".to_owned(), "over there".to_owned())]);
    log.done(Command::Submit(Box::new(Submit { config, ..submission("words") })));
    let checked = log.deployed("words").shape().checked().topology().clone();
    assert_eq!(checked.components[1].config["limit"], serde_json::json!(10));
    assert_eq!(checked.config["path"], serde_json::json!("over there"));
}

#[test]
fn a_setting_for_a_component_that_is_not_there_names_the_nearest() {
    let mut log = Log::new();
    let config = BTreeMap::from([("cuont.limit".to_owned(), "10".to_owned())]);
    let refusal = log.refused(Command::Submit(Box::new(Submit { config, ..submission("words") })));
    assert_eq!(refusal.code(), codes::NO_SUCH_COMPONENT);
    assert!(refusal.to_string().ends_with("did you mean count?"), "{refusal}");
}

#[test]
fn a_package_that_the_cluster_has_not_is_refused_for_now() {
    let mut log = Log::new();
    let envelope = log.envelope(with_package("words", 1, false));
    assert_eq!(log.apply(&envelope).reply, Err(Refusal::UnknownBlob(common::blob(1))));
    log.done(store(1, &[1, 2]));
    assert_eq!(log.apply(&envelope).reply, Ok(Reply::Version(version(1))));
}

#[test]
fn unknown_topologies_are_refused_with_the_name_that_was_meant() {
    let mut log = Log::with_words();
    let meant = name("wrods");
    let commands = [
        Command::Activate(meant.clone()),
        Command::Deactivate(meant.clone()),
        kill("wrods", 0),
        Command::FinishKill(meant.clone()),
        Command::Rebalance(rebalance("wrods")),
        Command::Rollback { name: meant.clone(), to: None },
    ];
    for command in commands {
        let refusal = log.refused(command);
        assert_eq!(refusal, Refusal::UnknownTopology { name: meant.clone(), nearest: Some(name("words")) });
    }
    assert_eq!(log.state.unknown_topology(&name("zzz")).to_string(), "there is no topology zzz");
}

#[test]
fn to_activate_what_is_active_is_no_change() {
    let mut log = Log::with_words();
    let before = log.deployed("words").revision();
    assert_eq!(log.done(Command::Activate(name("words"))), [""; 0]);
    assert_eq!(log.deployed("words").revision(), before);
    assert_eq!(log.done(Command::Deactivate(name("words"))), ["topology-deactivated"]);
    assert_eq!(log.done(Command::Deactivate(name("words"))), [""; 0]);
}

#[test]
fn a_killed_topology_takes_no_step_but_its_end() {
    let mut log = Log::with_words();
    log.done(kill("words", 5_000));
    let steps = [
        (Command::Activate(name("words")), Step::Activate),
        (Command::Deactivate(name("words")), Step::Deactivate),
        (Command::Rebalance(rebalance("words")), Step::Rebalance),
        (update("words", &words(3)), Step::Update),
        (rollback(None), Step::Update),
    ];
    for (command, step) in steps {
        assert_eq!(log.refused(command), Refusal::NotNow { name: name("words"), phase: Phase::Killed, step });
    }
    assert_eq!(log.refused(submit("words")), Refusal::NameTaken(name("words")));
}

#[test]
fn a_killed_topology_is_forgotten_once_its_wait_is_over_and_not_before() {
    let mut log = Log::with_words();
    let stops_at = UnixMillis::new(log.now + 1 + 5_000);
    assert_eq!(log.reply(kill("words", 5_000)), Reply::StopsAt(stops_at));
    log.now = stops_at.get() - 2;
    let early = log.refused(Command::FinishKill(name("words")));
    assert!(matches!(early, Refusal::WaitNotOver { .. }), "{early}");
    assert_eq!(log.state.finished(UnixMillis::new(stops_at.get() - 1)).count(), 0);
    assert_eq!(log.state.finished(stops_at).collect::<Vec<_>>(), [&name("words")]);
    assert_eq!(log.done(Command::FinishKill(name("words"))), ["topology-forgotten"]);
    assert!(log.state.topologies().is_empty());
}

#[test]
fn one_that_was_not_killed_is_not_forgotten() {
    let mut log = Log::with_words();
    let refusal = log.refused(Command::FinishKill(name("words")));
    assert_eq!(refusal, Refusal::NotNow { name: name("words"), phase: Phase::Active, step: Step::Finish });
}

#[test]
fn without_a_wait_of_its_own_a_kill_waits_for_the_message_timeout() {
    let mut log = Log::with_words();
    let command = Command::Kill { name: name("words"), wait: None };
    assert_eq!(log.reply(command), Reply::StopsAt(UnixMillis::new(log.now + 30_000)));
}

#[test]
fn a_second_kill_brings_the_end_nearer_and_never_further_off() {
    let mut log = Log::with_words();
    log.done(kill("words", 60_000));
    let Reply::StopsAt(sooner) = log.reply(kill("words", 1_000)) else { panic!() };
    assert_eq!(sooner, UnixMillis::new(log.now + 1_000));
    assert_eq!(log.reply(kill("words", 90_000)), Reply::StopsAt(sooner));
    assert_eq!(log.deployed("words").lifecycle(), Lifecycle::Killed { stops_at: sooner });
}

#[test]
fn a_rebalance_changes_executors_and_leaves_the_version() {
    let mut log = Log::with_words();
    log.done(parallel("words", "count", 4));
    let deployed = log.deployed("words");
    assert_eq!((deployed.shape().executors().len(), deployed.current().version), (6, version(1)));
    assert_eq!(deployed.parallelism()[&ComponentId::from("count")], 4);
    log.done(parallel("words", "words", 1));
    assert_eq!(log.deployed("words").shape().executors().len(), 5, "what is not named keeps its number");
}

#[test]
fn a_rebalance_to_what_is_not_valid_or_not_there_is_refused() {
    let mut log = Log::with_words();
    assert_eq!(log.refused(parallel("words", "count", 0)).code(), codes::INVALID_TOPOLOGY);
    assert_eq!(log.refused(parallel("words", "cuont", 2)).code(), codes::NO_SUCH_COMPONENT);
}

#[test]
fn a_rebalance_sets_the_most_slots_and_zero_takes_the_limit_away() {
    let mut log = Log::with_words();
    let slots = |max_slots| Command::Rebalance(Rebalance { max_slots, ..rebalance("words") });
    for (asked, then) in [(Some(3), Some(3)), (None, Some(3)), (Some(0), None)] {
        log.done(slots(asked));
        assert_eq!(log.deployed("words").options().max_slots, then);
    }
}

#[test]
fn a_new_version_forgets_what_rebalances_have_set() {
    let mut log = Log::with_words();
    log.done(parallel("words", "count", 8));
    log.done(update("words", &words(2)));
    let deployed = log.deployed("words");
    assert_eq!((deployed.parallelism().len(), deployed.shape().executors().len()), (0, 4));
}

#[test]
fn a_rollback_is_a_new_version_with_an_old_ones_content() {
    let mut log = Log::with_words();
    log.done(update("words", &words(3)));
    let outcome = log.run(rollback(None));
    assert_eq!(outcome.reply, Ok(Reply::Version(version(3))));
    assert_eq!(outcome.events[0].kind(), "topology-rolled-back");
    assert_eq!(outcome.events[0].text(), "words was rolled back to version 1, as version 3");
    let versions: Vec<_> = log.deployed("words").versions().collect();
    assert_eq!(versions[2].description, versions[0].description);
    assert_eq!(log.deployed("words").shape().executors().len(), 4);
    assert_eq!(log.reply(rollback(Some(2))), Reply::Version(version(4)));
    assert_eq!(log.deployed("words").shape().executors().len(), 5);
}

#[test]
fn there_is_no_going_back_to_what_is_current_dropped_or_was_never_there() {
    let mut log = Log::with_words();
    let none = log.refused(rollback(None));
    let (oldest, current) = (version(1), version(1));
    assert_eq!(none, Refusal::UnknownVersion { name: name("words"), version: version(0), oldest, current });
    for number in 2..=VERSIONS_KEPT as u64 + 1 {
        assert_eq!(log.reply(update("words", &words(2))), Reply::Version(version(number)));
    }
    let kept: Vec<_> = log.deployed("words").versions().map(|it| it.version.get()).collect();
    assert_eq!(kept, (2..=11).collect::<Vec<_>>());
    for number in [1, 11, 12] {
        let refusal = log.refused(rollback(Some(number)));
        assert!(matches!(refusal, Refusal::UnknownVersion { .. }), "{refusal}");
        assert!(refusal.to_string().contains("keeps versions 2 to 11"), "{refusal}");
    }
}

#[test]
fn key_groups_are_fixed_for_a_topologys_life() {
    let mut log = Log::with_words();
    let mut other = words(2);
    other.key_groups = 64;
    let refusal = log.refused(update("words", &other));
    assert_eq!(refusal, Refusal::KeyGroupsChanged { name: name("words"), current: 1_024, asked: 64 });
}

#[test]
fn what_is_too_much_is_refused_with_the_limit() {
    let mut log = Log::new();
    let large = Submit { description: " ".repeat((1 << 20) + 1).into(), ..submission("words") };
    let config = BTreeMap::from([("k".to_owned(), "v".repeat(256 << 10))]);
    let settings = Submit { config, ..submission("words") };
    let anti_affinity: BTreeSet<_> = (0..257).map(|number| name(&format!("t{number}"))).collect();
    let away = Submit { options: Options { anti_affinity, ..Options::default() }, ..submission("words") };
    for (submit, what) in [(large, Limit::Description), (settings, Limit::Config), (away, Limit::AntiAffinity)] {
        let refusal = log.refused(Command::Submit(Box::new(submit)));
        assert!(matches!(refusal, Refusal::TooMuch { what: it, .. } if it == what), "{refusal}");
    }
}
