//! The topology in this process, held to a naive computation.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Cursor;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::{Delivery, Outcome, Runner, Timestamp, WindowSpec};

use super::hashtags::hashtags;
use super::merge::Trend;
use super::source::{Input, Ready, Source};
use super::topology::{Settings, trending};

const TOP: usize = 3;
const WINDOW_SECONDS: i64 = 60;
const SLIDE_SECONDS: i64 = 1;

/// Seconds after the epoch, and a text.
type Posts<'a> = &'a [(i64, &'a str)];

fn run(posts: Posts<'_>, parallelism: u32, delivery: Delivery) -> (Vec<Trend>, Outcome) {
    run_breaking(posts, parallelism, delivery, None)
}

fn run_breaking(
    posts: Posts<'_>,
    parallelism: u32,
    delivery: Delivery,
    panic_every: Option<NonZeroU64>,
) -> (Vec<Trend>, Outcome) {
    let mut lines = String::new();
    for (second, text) in posts {
        let at = Timestamp::from_millis(second * 1_000);
        writeln!(lines, "{}", serde_json::json!({"created_at": at.to_string(), "text": text})).unwrap();
    }
    let window = Duration::from_secs(WINDOW_SECONDS as u64);
    let settings = Settings {
        source: Source::Replayed {
            input: Input::new(Cursor::new(lines), Ready::default()),
            speed: None,
            notes: Arc::new(|_| {}),
        },
        window: WindowSpec::new(window, Duration::from_secs(SLIDE_SECONDS as u64)).unwrap(),
        top: TOP,
        parallelism,
        delivery,
        end_after: None,
        panic_every,
    };
    let found = Arc::new(Mutex::new(Vec::new()));
    let publish = found.clone();
    let program = trending(settings, Arc::new(move |trend| publish.lock().unwrap().push(trend))).unwrap();
    let outcome = Runner::new(program).without_signals().run_for(Duration::from_secs(60)).run().unwrap();
    let trends = found.lock().unwrap().clone();
    (trends, outcome)
}

fn top(counts: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    ranked.truncate(TOP);
    ranked
}

fn counted<'a>(posts: impl IntoIterator<Item = &'a (i64, &'a str)>) -> Vec<(String, u64)> {
    let mut counts = BTreeMap::new();
    for tag in posts.into_iter().flat_map(|(_, text)| hashtags(text)) {
        *counts.entry(tag.into_owned()).or_default() += 1;
    }
    top(counts)
}

/// Every window that counts something and ends no later than the last post's first, and the whole input.
fn naive(posts: Posts<'_>) -> Vec<Trend> {
    let (first, last) = (posts[0].0, posts[posts.len() - 1].0);
    let windows = (first..=last).filter_map(|end| {
        let ranked = counted(posts.iter().filter(|(at, _)| (end - WINDOW_SECONDS + 1..=end).contains(at)));
        (!ranked.is_empty()).then(|| Trend { end: Timestamp::from_millis(end * 1_000), ranked })
    });
    windows.chain([Trend { end: Timestamp::MAX, ranked: counted(posts) }]).collect()
}

#[test]
fn every_window_is_as_a_naive_computation_has_it() {
    let texts = ["#a", "#A #b", "no tag", "#b #c #d", "#a#b", "#e", "#ü", "#Ü #a #a"];
    let gaps = [0, 0, 1, 1, 3, 20, 59, 60, 61, 400];
    let mut posts = Vec::new();
    let mut second = 1_400_000_000;
    for number in 0..200usize {
        second += gaps[(number * 7 + number / 11) % gaps.len()];
        posts.push((second, texts[(number * 5 + number / 7) % texts.len()]));
    }
    for parallelism in [1, 3] {
        let (trends, outcome) = run(&posts, parallelism, Delivery::AtLeastOnce);
        assert_eq!(trends, naive(&posts));
        assert_eq!((outcome.books.emitted, outcome.books.acked, outcome.books.left), (200, 200, 0));
    }
}

#[test]
fn windows_are_right_however_far_posts_run_ahead_of_the_watermark() {
    let posts: Vec<_> = (0..1_500).map(|second| (second, ["#a", "#b", "#c"][second as usize % 3])).collect();
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let (trends, outcome) = run(&posts, 2, delivery);
        assert_eq!(trends, naive(&posts));
        assert_eq!(outcome.last.component("count").unwrap().user.counters["late"], 0);
    }
}

#[test]
fn at_most_once_finds_the_same_and_tracks_nothing() {
    let posts = [(10, "#a"), (11, "#b"), (11, "#b"), (90, "#c")];
    let (trends, outcome) = run(&posts, 2, Delivery::AtMostOnce);
    assert_eq!(trends, naive(&posts));
    assert_eq!((outcome.books.emitted, outcome.books.acked), (4, 0));
}

#[test]
fn a_bolt_that_panics_over_and_over_loses_no_post_and_counts_none_twice() {
    let posts: Vec<_> = (0..300).map(|second| (second, ["#a", "#b #a", "#c"][second as usize % 3])).collect();
    let (trends, outcome) = run_breaking(&posts, 2, Delivery::AtLeastOnce, NonZeroU64::new(40));
    assert_eq!(trends.last(), naive(&posts).last(), "over all");
    let books = outcome.books;
    assert_eq!((books.acked, books.given_up, books.left), (300, 0, 0));
    assert!(books.failed >= 3, "{books:?}");
    assert_eq!(books.emitted, 300 + books.failed, "each that failed was emitted again");
}

#[test]
fn posts_centuries_apart_have_no_empty_windows_between_them() {
    let posts = [(-62_000_000_000, "#a"), (0, "#b"), (250_000_000_000, "#c")];
    let (trends, _) = run(&posts, 2, Delivery::AtLeastOnce);
    let ends: Vec<_> = trends.iter().map(|trend| trend.end.millis() / 1_000).collect();
    let windows = |from: i64| from..from + WINDOW_SECONDS;
    let mut expected: Vec<_> = windows(posts[0].0).chain(windows(0)).chain([posts[2].0]).collect();
    expected.push(Timestamp::MAX.millis() / 1_000);
    assert_eq!(ends, expected);
}

#[test]
fn a_post_that_comes_late_counts_where_a_window_is_open_and_always_over_all() {
    let posts = [(1_000, "#a"), (1_100, "#a"), (1_050, "#within"), (1_000, "#too_late"), (1_101, "#a")];
    // Where posts are tracked, or go through several tasks, the watermark may wait for others, and late ones make it or don't.
    let (trends, outcome) = run(&posts, 1, Delivery::AtMostOnce);
    let has = |tag: &str| trends.iter().filter(|trend| trend.ranked.iter().any(|(known, _)| known == tag)).count();
    // Windows that end at 1,100 and 1,101 for the one, none for the other; and the whole input for both.
    assert_eq!((has("within"), has("too_late")), (3, 1));
    assert_eq!(outcome.last.component("count").unwrap().user.counters["late"], 1);
}

#[test]
fn an_input_without_posts_has_no_windows() {
    let (trends, outcome) = run(&[], 2, Delivery::AtLeastOnce);
    assert_eq!(trends, [Trend { end: Timestamp::MAX, ranked: Vec::new() }]);
    assert_eq!(outcome.books.emitted, 0);
}
