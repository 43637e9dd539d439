//! Strings: inline to 24 bytes, shared or taken over beyond.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use proptest::prelude::*;
use squall_types::{Str, Value};

#[test]
fn text_up_to_24_bytes_holds_nothing_outside() {
    for length in 0..=24 {
        let text = "x".repeat(length);
        for held in [Str::new(&text), Str::from(text.clone()), Str::from(Arc::<str>::from(text.as_str()))] {
            assert_eq!(held.heap_bytes(), 0, "{length} bytes");
            assert_eq!(held, text.as_str());
        }
    }
    assert_eq!(Str::new(&"x".repeat(25)).heap_bytes(), 25);
}

#[test]
fn cloning_long_text_shares_it() {
    let long = "x".repeat(1_000);
    for text in [Str::new(&long), Str::from(long.clone()), Str::from(Arc::<str>::from(long.as_str()))] {
        assert_eq!(text.as_str().as_ptr(), text.clone().as_str().as_ptr());
    }
}

#[test]
fn a_long_string_is_taken_over_and_given_back_without_copying() {
    let long = "x".repeat(1_000);
    let address = long.as_ptr();
    let text = Str::from(long);
    assert_eq!(text.as_str().as_ptr(), address);
    let back = String::from(text);
    assert_eq!(back.as_ptr(), address);
}

#[test]
fn a_string_that_is_shared_is_copied_when_it_is_taken_out() {
    let text = Str::from("x".repeat(1_000));
    let kept = text.clone();
    let copy = String::from(text);
    assert_ne!(copy.as_ptr(), kept.as_str().as_ptr());
    assert_eq!(kept.len(), 1_000);
}

#[test]
fn shared_text_stays_shared_with_its_other_owners() {
    let long: Arc<str> = "x".repeat(1_000).into();
    assert_eq!(Str::from(Arc::clone(&long)).as_str().as_ptr(), long.as_ptr());
}

#[test]
fn a_taken_string_counts_what_it_holds_in_reserve() {
    let mut long = String::with_capacity(4_096);
    long.push_str(&"x".repeat(100));
    assert!(Str::from(long).heap_bytes() >= 4_096);
}

#[test]
fn a_map_keyed_by_str_can_be_asked_with_a_plain_str() {
    let long = "k".repeat(50);
    let map = BTreeMap::from([(Str::new("a"), 1), (Str::new(&long), 2)]);
    assert_eq!(map.get("a"), Some(&1));
    assert_eq!(map.get(long.as_str()), Some(&2));
    assert_eq!(map.get("b"), None);
}

#[test]
fn the_default_is_empty() {
    assert_eq!(Str::default(), "");
}

proptest! {
    #[test]
    fn how_text_is_held_shows_nowhere(text in ".{0,60}", other in ".{0,60}") {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let forms = [
            Str::new(&text),
            Str::from(&text),
            Str::from(text.clone()),
            Str::from(Arc::<str>::from(text.as_str())),
            Str::from(Cow::Borrowed(text.as_str())),
            Str::from(Cow::<str>::Owned(text.clone())),
        ];
        for form in &forms {
            prop_assert_eq!(form.as_str(), &text);
            prop_assert_eq!(form, &forms[0]);
            prop_assert_eq!(form.cmp(&Str::new(&other)), text.as_str().cmp(&other));
            prop_assert_eq!(form == &Str::new(&other), text == other);
            prop_assert_eq!(hasher.hash_one(form), hasher.hash_one(text.as_str()));
            prop_assert_eq!(form.to_string(), text.clone());
            prop_assert_eq!(format!("{form:?}"), format!("{text:?}"));
            prop_assert_eq!(&String::from(form.clone()), &text);
        }
    }

    #[test]
    fn text_survives_json_and_postcard(text in ".{0,60}") {
        let held = Str::new(&text);
        let json = serde_json::to_string(&held).expect("text has a JSON form");
        prop_assert_eq!(&json, &serde_json::to_string(&text).expect("text has a JSON form"));
        prop_assert_eq!(&serde_json::from_str::<Str>(&json).expect("what was written"), &held);
        let bytes = postcard::to_stdvec(&held).expect("text has a binary form");
        prop_assert_eq!(&postcard::from_bytes::<Str>(&bytes).expect("what was written"), &held);
    }
}

#[test]
fn a_value_counts_what_it_holds_outside_itself() {
    let long = "x".repeat(100);
    let value = size_of::<Value>();
    assert_eq!(Value::Int(1).heap_bytes(), 0);
    assert_eq!(Value::from("short").heap_bytes(), 0);
    assert_eq!(Value::from(long.as_str()).heap_bytes(), 100);
    assert_eq!(Value::from(vec![0_u8; 7]).heap_bytes(), 7);
    assert_eq!(Value::from(vec![long.as_str(), "short"]).heap_bytes(), 2 * value + 100);
    let map = BTreeMap::from([(Str::new(&long), Value::from(long.as_str()))]);
    assert_eq!(Value::from(map).heap_bytes(), 2 * value + 200);
}

#[test]
fn a_value_of_no_bytes_owns_nothing_also_not_an_empty_payload() {
    let owns = |value: Value| value.heap_bytes() > 0;
    assert!(owns(Value::Bytes(Arc::from([]))));
    assert!(owns(Value::List(Arc::from([]))));
    assert!(owns(Value::Map(Arc::default())));
    assert!(!owns(Value::from("")));
    assert!(!owns(Value::from(String::with_capacity(100))));
    assert!(!owns(Value::Null));
}

/// What text of this many bytes is made of: as many characters of `width` bytes as fit, and `x` for the rest.
fn text_of(bytes: usize, width: usize) -> String {
    let wide = ["x", "é", "€", "🦀"][width - 1];
    let text = wide.repeat(bytes / width) + &"x".repeat(bytes % width);
    assert_eq!(text.len(), bytes);
    text
}

#[test]
fn bytes_count_not_characters_on_either_side_of_the_boundary() {
    for width in 1..=4 {
        for bytes in 22..=27 {
            let text = text_of(bytes, width);
            let outside = if bytes <= 24 { 0 } else { bytes };
            assert_eq!(Str::new(&text).heap_bytes(), outside, "{text}");
            assert_eq!(Str::from(Arc::<str>::from(text.as_str())).heap_bytes(), outside, "{text}");
            let taken = if bytes <= 24 { 0 } else { bytes + size_of::<String>() };
            let exact = text.clone().into_boxed_str().into_string();
            assert_eq!(Str::from(exact).heap_bytes(), taken, "{text}");
            assert_eq!(String::from(Str::from(text.clone())), text);
        }
    }
}

#[test]
fn short_text_is_never_kept_in_the_allocation_it_came_in() {
    let mut roomy = String::with_capacity(1_000);
    roomy.push_str("short");
    assert_eq!(Str::from(roomy).heap_bytes(), 0);
    let shared: Arc<str> = "short".into();
    let held = Str::from(Arc::clone(&shared));
    assert_eq!((held.as_str(), Arc::strong_count(&shared)), ("short", 1));
}

#[test]
fn the_last_owner_of_shared_text_frees_it() {
    let long: Arc<str> = "x".repeat(25).into();
    let text = Str::from(Arc::clone(&long));
    let clones = [text.clone(), text.clone()];
    assert_eq!(Arc::strong_count(&long), 4);
    drop((text, clones));
    assert_eq!(Arc::strong_count(&long), 1);
}
