//! A topology's life, from its program to its end.

use serde_json::Value;

use crate::support::{Up, Worker, word_count};

/// Whoever is asked for on stdout, as a list of texts.
fn texts(value: &Value, key: &str) -> Vec<String> {
    value.as_array().unwrap().iter().map(|it| it[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_native_topology_is_planned_submitted_updated_rolled_back_and_killed() {
    let up = Up::start(&[]);
    let program = word_count();
    let program = program.to_str().unwrap();
    let _workers = [Worker::attach(&up.address, "node-1"), Worker::attach(&up.address, "node-2")];

    let plan = up.json(&format!("plan submit {program}"));
    let moves = plan["moves"].as_array().unwrap();
    assert!(moves.len() >= 3 && moves.iter().all(|it| it["from"].is_null() && it["reason"] == "it is new"), "{plan}");
    assert_eq!(
        (up.json("topologies")["topologies"].clone(), up.json("blobs")["blobs"].clone()),
        (Value::Array(vec![]), Value::Array(vec![]))
    );

    let (code, stdout, stderr) = up.run(&format!("submit {program} --wait"));
    assert_eq!((code, stdout.as_str()), (0, "word-count is submitted as version 1\n"), "{stderr}");
    assert!(stderr.starts_with("package ") && stderr.ends_with(": uploading\n"), "{stderr}");
    let described = up.json("describe word-count");
    let placed: Vec<_> = described["executors"].as_array().unwrap().iter().map(|it| it["slot"].clone()).collect();
    assert_eq!(placed, moves.iter().map(|it| it["to"].clone()).collect::<Vec<_>>(), "as it was planned");

    let (code, _, stderr) = up.run(&format!("submit {program}"));
    assert!(code == 1 && stderr.contains("there is a topology word-count already"), "{stderr}");
    let (code, stdout, stderr) = up.run(&format!("submit {program} --update --wait"));
    assert_eq!((code, stdout.as_str()), (0, "word-count is submitted as version 2\n"), "{stderr}");
    assert!(stderr.ends_with(": the masters have it\n"), "{stderr}");
    assert_eq!(up.run("rollback word-count@1 --wait").1, "word-count is rolled back as version 3\n");
    let versions = up.json("versions word-count");
    let current: Vec<_> = versions["versions"].as_array().unwrap().iter().map(|it| it["current"] == true).collect();
    assert_eq!(current, [false, false, true]);
    let (code, _, stderr) = up.run("rollback word-count@9");
    assert!(code == 1 && stderr.contains("it keeps versions 1 to 3"), "{stderr}");

    assert_eq!(up.run("deactivate word-count --wait").1, "word-count is inactive\n");
    // A new version of a topology that is stopped is stopped.
    assert_eq!(up.run("rebalance word-count --parallelism split=2 --wait").0, 0);
    assert_eq!(up.run("activate word-count --wait").1, "word-count is active\n");
    let (code, _, stderr) = up.run("kill word-count --after 1h --wait --wait-timeout 0s");
    assert!(code == 4 && stderr.starts_with("error[SQ7006]: word-count isn't gone"), "{stderr}");
    let (code, _, stderr) = up.run("activate word-count --wait");
    assert!(code == 1 && stderr.contains("is killed"), "{stderr}");
    assert_eq!(up.run("kill word-count --after 0s --wait").1, "word-count is gone\n");
}

#[test]
fn what_waits_ends_with_its_own_code_and_says_what_is_in_the_way() {
    let up = Up::master(&[]);
    let program = word_count();
    let submit = format!("submit {} --wait --wait-timeout 0s", program.to_str().unwrap());
    let (code, _, stderr) = up.run(&submit);
    assert!(code == 4 && stderr.contains("with 0 of "), "{stderr}");
    let (code, stdout, _) = up.run("why word-count");
    assert!(
        code == 0 && stdout.contains(": no worker may take work\n  next: start a worker, or undrain one\n"),
        "{stdout}"
    );
    let (code, stdout, _) = up.run("status --check");
    assert!(code == 7 && stdout.contains("have no place: no worker may take work"), "{stdout}");

    let first = Worker::attach(&up.address, "node-1");
    assert_eq!(up.run("activate word-count --wait").0, 0);
    let (code, _, stderr) = up.run("drain node-1 --wait --wait-timeout 500ms");
    assert!(code == 4 && stderr.starts_with("error[SQ7006]: node-1 still has "), "{stderr}");
    let (code, stdout, _) = up.run("status --check");
    assert!(code == 6 && stdout.contains("worker node-1: it is being drained, and"), "{stdout}");
    let (_, stdout, _) = up.run("plan drain node-1");
    assert!(stdout.contains("would stay there: no worker may take work"), "{stdout}");
    let (code, _, stderr) = up.run("forget node-1");
    assert!(code == 1 && stderr.contains("executors of topology word-count are placed on it"), "{stderr}");

    let _second = Worker::attach(&up.address, "node-2");
    assert_eq!(up.run("drain node-1 --wait").1, "node-1 is empty\n");
    assert_eq!(up.run("status --check").0, 0);
    drop(first);
}

#[test]
fn why_says_which_places_there_are_and_what_keeps_an_executor_off_the_rest() {
    let up = Up::master(&[]);
    let program = word_count();
    let _workers = [Worker::attach(&up.address, "node-1"), Worker::attach(&up.address, "node-2")];
    assert_eq!(up.run(&format!("submit {} --max-slots 1 --wait", program.to_str().unwrap())).0, 0);
    let executor = up.json("describe word-count")["executors"][0].clone();
    let here = executor["slot"]["worker"].as_str().unwrap().to_owned();
    let name = format!(
        "word-count/{}[{} {}]",
        executor["component"].as_str().unwrap(),
        executor["first_task"],
        executor["last_task"]
    );

    let output = up.output(&["-o", "json", "why", &name]);
    let why: Value = serde_json::from_str(&output.1).unwrap();
    let considered = why["considered"].as_array().unwrap();
    assert_eq!(
        (considered.len(), &considered[0]["here"], considered[0]["worker"].as_str()),
        (2, &true.into(), Some(here.as_str()))
    );
    assert_eq!(considered[1]["reason"], "has no slot of its topology, which may use 1 and does");
    assert!(texts(&why["executors"], "component").len() == 1, "{why}");
    let (_, table, _) = up.output(&["why", &name]);
    assert!(table.contains("1     ") && table.contains("the best place"), "{table}");

    let (code, _, stderr) = up.run("why word-count/cuont");
    assert!(code == 1 && stderr.contains("did you mean count?"), "{stderr}");
}
