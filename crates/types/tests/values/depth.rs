//! How deep values may nest: the same in both forms, written and read, whatever they nest by.

use std::collections::BTreeMap;

use proptest::prelude::*;
use squall_types::{MAX_DEPTH, Str, Timestamp, Value};

#[derive(Clone, Copy, Debug)]
enum Level {
    List,
    Map,
    /// A map that is escaped in JSON, because it looks like a tag.
    Escaped,
}

fn around(inner: Value, level: Level) -> Value {
    let map = |key: &str, inner| Value::from(BTreeMap::from([(Str::new(key), inner)]));
    match level {
        Level::List => Value::from(vec![inner]),
        Level::Map => map("k", inner),
        Level::Escaped => map("$timestamp", inner),
    }
}

fn leaves() -> [Value; 9] {
    [
        Value::Null,
        Value::Bool(true),
        Value::Int(7),
        Value::Float(0.5),
        Value::Float(f64::INFINITY),
        Value::from("text"),
        Value::from(vec![1_u8, 2]),
        Value::Timestamp(Timestamp::from_micros(9)),
        Value::from(Vec::<i64>::new()),
    ]
}

fn through_json(value: &Value) -> Option<Value> {
    let json = serde_json::to_string(value).ok()?;
    Some(serde_json::from_str(&json).expect("what was written is read"))
}

fn through_postcard(value: &Value) -> Option<Value> {
    let bytes = postcard::to_stdvec(value).ok()?;
    Some(postcard::from_bytes(&bytes).expect("what was written is read"))
}

/// Both forms hold the value if it has at most 64 levels, and neither does if it has more.
fn assert_held_to_the_limit(leaf: &Value, levels: &[Level]) {
    let value = levels.iter().fold(leaf.clone(), |inner, &level| around(inner, level));
    let expected = (levels.len() < MAX_DEPTH).then_some(&value);
    assert_eq!(through_json(&value).as_ref(), expected, "{leaf:?} below {} levels in JSON", levels.len());
    assert_eq!(through_postcard(&value).as_ref(), expected, "{leaf:?} below {} levels in postcard", levels.len());
}

#[test]
fn every_leaf_may_be_the_innermost_level_of_the_deepest_value() {
    for leaf in leaves() {
        for level in [Level::List, Level::Map, Level::Escaped] {
            assert_held_to_the_limit(&leaf, &[level; MAX_DEPTH - 1]);
            assert_held_to_the_limit(&leaf, &[level; MAX_DEPTH]);
        }
    }
}

/// At the last level a tag holds its content, but a map's item would be one level more.
#[test]
fn a_map_with_keys_of_tags_has_no_deeper_items_than_another() {
    for map in [
        r#"{"k":1}"#,
        r#"{"$timestamp":1,"$bytes":""}"#,
        r#"{"$timestamp":1,"k":1}"#,
        r#"{"k":1,"$timestamp":1}"#,
        r#"{"$$timestamp":1}"#,
    ] {
        let within = |levels: usize| format!("{}{map}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(serde_json::from_str::<Value>(&within(MAX_DEPTH - 2)).is_ok(), "{map}");
        let error = serde_json::from_str::<Value>(&within(MAX_DEPTH - 1)).expect_err("an item on level 65");
        assert!(error.to_string().contains("deeper than 64 levels"), "{map}: {error}");
    }
}

#[test]
fn a_tag_on_the_last_level_holds_no_list_and_no_map() {
    for content in ["[]", "{}", "[1]", r#"{"$timestamp":1}"#] {
        let json = format!("{}{{\"$timestamp\":{content}}}{}", "[".repeat(MAX_DEPTH - 1), "]".repeat(MAX_DEPTH - 1));
        assert!(serde_json::from_str::<Value>(&json).is_err(), "{content}");
    }
}

proptest! {
    #[test]
    fn the_limit_is_the_same_however_levels_are_mixed(
        leaf in proptest::sample::select(leaves().to_vec()),
        levels in proptest::collection::vec(
            prop_oneof![Just(Level::List), Just(Level::Map), Just(Level::Escaped)],
            MAX_DEPTH - 4..MAX_DEPTH + 4,
        ),
    ) {
        assert_held_to_the_limit(&leaf, &levels);
    }
}
