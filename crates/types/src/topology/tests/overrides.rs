//! Changes from a command line.

use serde_json::json;

use super::*;

fn sizes(topology: &Topology, index: usize) -> (u32, u32) {
    (topology.components[index].parallelism, topology.components[index].tasks)
}

#[test]
fn tasks_go_with_the_parallelism_if_they_were_equal() {
    let mut topology = word_count();
    topology.set_parallelism(&"split".into(), 4).unwrap();
    assert_eq!(sizes(&topology, 1), (4, 4));
    topology.set_parallelism(&"split".into(), 2).unwrap();
    assert_eq!(sizes(&topology, 1), (2, 2));
    assert_eq!(sizes(&topology, 2), (1, 1), "the others stay as they are");
}

#[test]
fn tasks_stay_if_they_were_chosen() {
    let mut topology = with(1, |split| split.tasks = 8);
    topology.set_parallelism(&"split".into(), 4).unwrap();
    assert_eq!(sizes(&topology, 1), (4, 8));
}

#[test]
fn tasks_are_set_alone() {
    let mut topology = word_count();
    topology.set_tasks(&"count".into(), 8).unwrap();
    assert_eq!(sizes(&topology, 2), (1, 8));
}

#[test]
fn a_setting_goes_to_the_component_or_to_all() {
    let mut topology = word_count();
    topology.set_config(Some(&"count".into()), "top", json!(10)).unwrap();
    topology.set_config(None, "top", json!(3)).unwrap();
    topology.set_config(None, "top", json!(5)).unwrap();
    assert_eq!(topology.components[2].config, Config::from([("top".to_owned(), json!(10))]));
    assert_eq!(topology.config, Config::from([("top".to_owned(), json!(5))]));
    assert!(topology.components[1].config.is_empty());
}

#[test]
fn a_component_that_is_not_there_is_refused_with_the_one_that_was_meant() {
    let mut topology = word_count();
    let errors = [
        topology.set_parallelism(&"slit".into(), 2).unwrap_err(),
        topology.set_tasks(&"slit".into(), 2).unwrap_err(),
        topology.set_config(Some(&"slit".into()), "k", json!(1)).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.to_string(), "the topology has no component \"slit\"; did you mean \"split\"?");
        assert_eq!(error.code().to_string(), "SQ1041");
    }
    assert_eq!(topology, word_count(), "nothing was changed");
    let far = topology.set_tasks(&"nothing".into(), 2).unwrap_err();
    assert_eq!(far.to_string(), "the topology has no component \"nothing\"");
}

#[test]
fn an_override_may_make_a_topology_illegal_and_another_legal_again() {
    let mut topology = word_count();
    topology.set_parallelism(&"split".into(), 0).unwrap();
    assert_eq!(topology.clone().validate().unwrap_err().problems().count(), 2, "no executors and no tasks");
    topology.set_parallelism(&"split".into(), 3).unwrap();
    topology.set_tasks(&"split".into(), 2).unwrap();
    assert_eq!(topology.clone().validate().unwrap_err().code(), crate::codes::IDLE_EXECUTORS);
    topology.set_tasks(&"split".into(), 3).unwrap();
    assert_eq!(topology.validate().unwrap().task_count(), 5);
}

#[test]
fn of_two_components_with_one_id_the_first_is_changed() {
    let mut twice = word_count();
    twice.components.push(bolt("split", &["sentences"]));
    twice.set_tasks(&"split".into(), 7).unwrap();
    assert_eq!((sizes(&twice, 1), sizes(&twice, 3)), ((1, 7), (1, 1)));
    assert_eq!(twice.index_of(&"split".into()), Ok(1));
}
