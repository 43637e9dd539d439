//! Three masters, of which some die.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;
use squall_tests::Cluster;

use crate::support::{ran, squall};

struct Three {
    cluster: Cluster,
    addresses: Vec<String>,
    dir: tempfile::TempDir,
}

impl Three {
    async fn start() -> Self {
        let cluster = Cluster::start_with(env!("CARGO_BIN_EXE_squall").into(), 3).await;
        let addresses = (0..3).map(|master| cluster.network().address(master).to_string()).collect();
        Self { cluster, addresses, dir: tempfile::tempdir().unwrap() }
    }

    fn run(&self, line: &str) -> (i32, String, String) {
        let all = self.addresses.join(",");
        ran(squall().args(["--connect", &all]).args(line.split(' ')).current_dir(self.dir.path()))
    }

    fn events(&self) -> Vec<Value> {
        let (code, stdout, stderr) = self.run("-o json events");
        assert_eq!(code, 0, "{stderr}");
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_followed_over_a_change_of_leaders_without_a_gap_and_without_a_doublet() {
    let mut three = Three::start().await;
    assert_eq!(three.run("tokens create first").0, 0);
    let from = three.events().last().unwrap()["revision"].as_u64().unwrap();
    let mut command = squall();
    command.args(["--connect", &three.addresses.join(","), "-o", "json", "events", "-f", "--from", &from.to_string()]);
    let mut following = Following(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(following.0.stdout.take().unwrap()).lines();
    let mut seen = vec![lines.next().unwrap().unwrap()];

    for user in ["a", "b"] {
        assert_eq!(three.run(&format!("tokens create {user}")).0, 0);
    }
    let leader = three.cluster.leader_of(&[0, 1, 2]).await;
    three.cluster.kill(leader);
    for user in ["c", "d", "last"] {
        let (code, _, stderr) = three.run(&format!("tokens create {user}"));
        assert_eq!(code, 0, "{stderr}");
    }
    while !seen.last().unwrap().contains("last has token") {
        seen.push(lines.next().unwrap().unwrap());
    }
    let seen: Vec<Value> = seen.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let all = three.events();
    let begin = all.iter().position(|event| event["revision"] == from).unwrap();
    let end = all.iter().position(|event| event == seen.last().unwrap()).unwrap();
    assert_eq!(seen, all[begin..=end]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_what_is_known_is_said_and_marked_and_the_way_out_is_named() {
    let mut three = Three::start().await;
    let description = serde_json::json!({
        "name": "words", "delivery": "at-least-once", "key_groups": 128, "message_timeout": "30s", "max_spout_pending": 1000, "config": {},
        "components": [{
            "id": "words", "kind": "spout", "execution": "sync", "parallelism": 1, "tasks": 1, "streams": [], "inputs": [], "config": {},
            "resources": {"cpu_percent": 10, "memory_mib": 64}, "tags": [],
        }],
    });
    std::fs::write(three.dir.path().join("words.json"), description.to_string()).unwrap();
    let (code, _, stderr) = three.run("submit --description words.json");
    assert_eq!(code, 0, "{stderr}");
    for master in [0, 1] {
        three.cluster.kill(master);
    }
    let (code, stdout, _) = three.run("status --check");
    assert!(
        code == 7 && stdout.contains("\nstale: ") && stdout.contains("start the masters that are down"),
        "{stdout}"
    );
    for line in ["masters", "topologies", "workers", "why words"] {
        let (code, stdout, stderr) = three.run(line);
        assert!(code == 0 && stdout.starts_with("stale: "), "{line}: {stdout}{stderr}");
    }
    let (code, stdout, stderr) = three.run("events --tail 1");
    assert!(code == 0 && stdout.lines().count() == 1 && stderr.starts_with("stale: "), "{stdout}{stderr}");
    let (code, _, stderr) = three.run("--timeout 1s kill words");
    assert!(code == 3 && stderr.starts_with("error[SQ7002]: no answer within 1s; it may have been done"), "{stderr}");
}
