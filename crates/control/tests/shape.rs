//! A topology as it is to run: what it is called, what its settings are, which executors it has.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::BTreeMap;

use common::{Log, executor, json, name, parallel, submission, words};
use proptest::prelude::*;
use serde_json::{Value, json};
use squall_control::{Command, Refusal, Shape, Submit};
use squall_types::ComponentId;
use squall_types::codes;
use squall_types::topology::Topology;

fn submitted(topology: &Topology, config: &[(&str, &str)]) -> (Log, Result<(), Refusal>) {
    let mut log = Log::new();
    let config = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let submit = Submit { description: json(topology).into(), config, ..submission("words") };
    let reply = log.run(Command::Submit(Box::new(submit))).reply;
    (log, reply.map(drop))
}

fn shape(log: &Log) -> &Shape {
    log.deployed("words").shape()
}

/// The settings of all components and of each, after these were set.
fn settings(topology: &Topology, config: &[(&str, &str)]) -> Vec<BTreeMap<String, Value>> {
    let (log, reply) = submitted(topology, config);
    reply.unwrap();
    let topology = shape(&log).checked().topology().clone();
    std::iter::once(topology.config).chain(topology.components.into_iter().map(|it| it.config)).collect()
}

#[test]
fn executors_are_the_runs_of_tasks_that_they_are_dealt() {
    let mut topology = words(2);
    topology.components[1].tasks = 5;
    let (mut log, reply) = submitted(&topology, &[]);
    reply.unwrap();
    let executors: Vec<_> = shape(&log).executors().iter().map(|(executor, index)| (*executor, *index)).collect();
    assert_eq!(executors, [(executor(1, 1), 0), (executor(2, 2), 0), (executor(3, 5), 1), (executor(6, 7), 1)]);
    log.done(parallel("words", "count", 5));
    assert_eq!(shape(&log).executors().len(), 7, "as many as there are tasks");
    assert_eq!(log.refused(parallel("words", "count", 6)).code(), codes::INVALID_TOPOLOGY);
}

#[test]
fn a_component_with_a_task_for_each_executor_keeps_it_so() {
    let (mut log, reply) = submitted(&words(2), &[]);
    reply.unwrap();
    log.done(parallel("words", "count", 4));
    assert_eq!(shape(&log).checked().component(1).tasks, 4);
}

#[test]
fn values_are_json_and_what_is_not_is_text() {
    let found = settings(&words(1), &[("n", "3"), ("path", "/var/in"), ("list", "[1,2]"), ("empty", "")]);
    let all = &found[0];
    assert_eq!((&all["n"], &all["path"], &all["list"]), (&json!(3), &json!("/var/in"), &json!([1, 2])));
    assert_eq!(all["empty"], json!(""));
}

#[test]
fn a_setting_wins_over_the_description_and_a_components_own_over_the_topologys() {
    let mut topology = words(1);
    topology.config.insert("limit".to_owned(), json!(1));
    topology.components[1].config.insert("limit".to_owned(), json!(2));
    let found = settings(&topology, &[("limit", "10"), ("count.limit", "20")]);
    assert_eq!((&found[0]["limit"], &found[2]["limit"]), (&json!(10), &json!(20)));
    assert!(found[1].is_empty());
}

#[test]
fn a_component_whose_id_has_dots_is_found_the_longest_first() {
    let mut topology = words(1);
    topology.components[0].id = ComponentId::from("v1");
    topology.components[1].id = ComponentId::from("v1.2");
    topology.components[1].inputs[0].from = ComponentId::from("v1");
    let found = settings(&topology, &[("v1.2.limit", "1"), ("v1.limit", "2")]);
    assert_eq!((&found[1]["limit"], &found[2]["limit"]), (&json!(2), &json!(1)));
}

#[test]
fn all_versions_see_their_own_settings_only() {
    let (mut log, reply) = submitted(&words(1), &[("limit", "1")]);
    reply.unwrap();
    log.done(common::update("words", &words(1)));
    assert!(shape(&log).checked().topology().config.is_empty());
    log.done(Command::Rollback { name: name("words"), to: None });
    assert_eq!(shape(&log).checked().topology().config["limit"], json!(1));
}

proptest! {
    #[test]
    fn no_description_panics(text: String) {
        let (_, reply) = {
            let mut log = Log::new();
            let submit = Submit { description: text.as_str().into(), ..submission("words") };
            let reply = log.run(Command::Submit(Box::new(submit))).reply;
            (log, reply)
        };
        prop_assert_eq!(reply.unwrap_err().code(), codes::UNREADABLE_TOPOLOGY);
    }

    #[test]
    fn no_setting_panics(key: String, value: String) {
        let (_, reply) = submitted(&words(1), &[(&key, &value)]);
        if let Err(refusal) = reply {
            prop_assert_eq!(refusal.code(), codes::NO_SUCH_COMPONENT);
        }
    }

    #[test]
    fn every_task_is_in_one_executor(tasks in 1_u32..200, executors in 1_u32..200) {
        let mut topology = words(executors.min(tasks));
        topology.components[1].tasks = tasks;
        let (log, reply) = submitted(&topology, &[]);
        prop_assert!(reply.is_ok());
        let all: Vec<_> = shape(&log).executors().keys().flat_map(|executor| executor.tasks()).collect();
        let count = shape(&log).checked().task_count();
        prop_assert_eq!(all, (1..=count).map(squall_types::TaskId::new).collect::<Vec<_>>());
    }
}
