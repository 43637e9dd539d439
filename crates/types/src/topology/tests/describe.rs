//! The description as JSON.

use std::time::Duration;

use serde_json::json;

use super::*;

fn described() -> Topology {
    let mut topology = topology([spout("s"), bolt("b", &["s"])]);
    topology.config.insert("path".to_owned(), json!("/in"));
    topology.message_timeout = Duration::from_millis(1_500);
    topology.components[0].tasks = 2;
    let bolt = &mut topology.components[1];
    bolt.inputs[0].grouping = by(["word"]);
    bolt.inputs.push(Input { chain: false, ..input("b", Grouping::Global) });
    bolt.execution = Execution::Async { in_flight: 8, ordered: true };
    bolt.tick = Some(Duration::from_secs(60));
    bolt.tags = vec!["gpu".to_owned()];
    bolt.config.insert("a".to_owned(), json!({"z": 1, "b": 2}));
    topology
}

const GOLDEN: &str = r#"{
  "components": [
    {
      "config": {},
      "execution": "sync",
      "first_task": 1,
      "id": "s",
      "inputs": [],
      "kind": "spout",
      "parallelism": 1,
      "resources": {
        "cpu_percent": 10,
        "memory_mib": 128
      },
      "streams": [
        {
          "direct": false,
          "fields": [
            "word"
          ],
          "id": "default"
        }
      ],
      "tags": [],
      "tasks": 2,
      "tick": null
    },
    {
      "config": {
        "a": {
          "b": 2,
          "z": 1
        }
      },
      "execution": {
        "async": {
          "in_flight": 8,
          "ordered": true
        }
      },
      "first_task": 3,
      "id": "b",
      "inputs": [
        {
          "chain": true,
          "from": "s",
          "grouping": {
            "fields": [
              "word"
            ]
          },
          "stream": "default"
        },
        {
          "chain": false,
          "closes_cycle": true,
          "from": "b",
          "grouping": "global",
          "stream": "default"
        }
      ],
      "kind": "bolt",
      "parallelism": 1,
      "resources": {
        "cpu_percent": 10,
        "memory_mib": 128
      },
      "streams": [
        {
          "direct": false,
          "fields": [
            "word"
          ],
          "id": "default"
        }
      ],
      "tags": [
        "gpu"
      ],
      "tasks": 1,
      "tick": "60s"
    }
  ],
  "config": {
    "path": "/in"
  },
  "delivery": "at-least-once",
  "key_groups": 1024,
  "max_spout_pending": 65536,
  "message_timeout": "1500ms",
  "name": "test"
}"#;

#[test]
fn the_description_is_this_text() {
    let description = described().validate().unwrap().describe();
    assert_eq!(serde_json::to_string_pretty(&description).unwrap(), GOLDEN);
}

#[test]
fn a_topology_is_read_back_from_its_description() {
    assert_eq!(serde_json::from_str::<Topology>(GOLDEN).unwrap(), described());
}

#[test]
fn a_groupings_name_is_the_one_in_the_description() {
    let none = Fields::default();
    for grouping in [
        Grouping::Shuffle,
        Grouping::Fields(none.clone()),
        Grouping::PartialKey(none),
        Grouping::All,
        Grouping::Global,
        Grouping::None,
        Grouping::Direct,
        Grouping::LocalOrShuffle,
        Grouping::Custom("mine".into()),
    ] {
        let json = serde_json::to_value(&grouping).unwrap();
        let name = json.as_str().or_else(|| json.as_object()?.keys().next().map(String::as_str));
        assert_eq!(name, Some(grouping.name()));
    }
}

#[test]
fn a_duration_that_is_no_text_is_refused() {
    for (from, to) in [("\"1500ms\"", "1500"), ("\"1500ms\"", "\"1500\""), ("\"60s\"", "60")] {
        assert!(serde_json::from_str::<Topology>(&GOLDEN.replace(from, to)).is_err(), "{to}");
    }
}

#[test]
fn a_tick_may_be_left_out_but_no_other_setting() {
    let left_out = |name: &str| {
        let mut json: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
        json["components"][1].as_object_mut().unwrap().remove(name).unwrap();
        serde_json::from_value::<Topology>(json)
    };
    assert_eq!(left_out("tick").unwrap().components[1].tick, None);
    for name in ["id", "kind", "execution", "parallelism", "tasks", "streams", "inputs", "config", "resources", "tags"]
    {
        let error = left_out(name).unwrap_err().to_string();
        assert!(error.contains(&format!("missing field `{name}`")), "{error}");
    }
}

#[test]
fn an_unknown_word_is_refused_with_those_that_are_known() {
    for (from, to, known) in [
        ("\"at-least-once\"", "\"exactly-once\"", "`at-most-once`"),
        ("\"global\"", "\"gobal\"", "`local-or-shuffle`"),
        ("\"spout\"", "\"sprout\"", "`bolt`"),
        ("\"sync\"", "\"synch\"", "`blocking`"),
    ] {
        let error = serde_json::from_str::<Topology>(&GOLDEN.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains("unknown variant") && error.contains(known), "{error}");
    }
}
