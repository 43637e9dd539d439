//! Instants: text, arithmetic, windows.

use std::time::Duration;

use proptest::prelude::*;
use squall_types::{Timestamp, TimestampError};

fn micros(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap_or_else(|error| panic!("{text}: {error}")).micros()
}

/// Instants with those whose years have four digits as likely as all others.
fn instant() -> impl Strategy<Value = Timestamp> {
    prop_oneof![any::<i64>(), -70_000_000_000_000_000..260_000_000_000_000_000_i64].prop_map(Timestamp::from_micros)
}

#[test]
fn known_instants_have_their_text() {
    for (micros, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (1_000, "1970-01-01T00:00:00.001Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00Z"),
        (951_868_799_000_000, "2000-02-29T23:59:59Z"),
        (1_000_000_000_000_000, "2001-09-09T01:46:40Z"),
        (1_234_567_890_123_456, "2009-02-13T23:31:30.123456Z"),
        (4_107_542_400_000_000, "2100-03-01T00:00:00Z"),
        (-2_203_891_200_000_000, "1900-03-01T00:00:00Z"),
        (-62_167_219_200_000_000, "0000-01-01T00:00:00Z"),
        (-62_167_219_200_000_001, "-000001-12-31T23:59:59.999999Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        (253_402_300_800_000_000, "+010000-01-01T00:00:00Z"),
        (i64::MAX, "+294247-01-10T04:00:54.775807Z"),
        (i64::MIN, "-290308-12-21T19:59:05.224192Z"),
    ] {
        assert_eq!(Timestamp::from_micros(micros).to_string(), text);
        assert_eq!(self::micros(text), micros, "{text}");
    }
}

#[test]
fn an_offset_is_taken_off() {
    assert_eq!(micros("1996-12-19T16:39:57-08:00"), micros("1996-12-20T00:39:57Z"));
    assert_eq!(micros("1990-01-01T00:00:00+00:20"), micros("1989-12-31T23:40:00Z"));
    assert_eq!(micros("2024-02-29T23:00:00-01:30"), micros("2024-03-01T00:30:00Z"));
}

#[test]
fn what_is_finer_than_a_microsecond_is_dropped() {
    assert_eq!(micros("1970-01-01T00:00:00.1Z"), 100_000);
    assert_eq!(micros("1970-01-01T00:00:00.123456999Z"), 123_456);
    assert_eq!(micros("1969-12-31T23:59:59.9999999999999999999999Z"), -1);
}

#[test]
fn a_leap_second_is_the_second_after_it() {
    assert_eq!(micros("2016-12-31T23:59:60Z"), micros("2017-01-01T00:00:00Z"));
}

#[test]
fn small_letters_and_a_space_are_read() {
    assert_eq!(micros("2024-05-01t10:00:00z"), micros("2024-05-01T10:00:00Z"));
    assert_eq!(micros("2024-05-01 10:00:00Z"), micros("2024-05-01T10:00:00Z"));
}

#[test]
fn malformed_text_says_where() {
    for (text, at) in [
        ("", 0),
        ("today", 0),
        ("2024", 4),
        ("2024-5-01T00:00:00Z", 6),
        ("2024/05/01T00:00:00Z", 4),
        ("2024-05-01", 10),
        ("2024-05-01T00:00Z", 16),
        ("2024-05-01T00:00:00", 19),
        ("2024-05-01T00:00:00.Z", 20),
        ("2024-05-01T00:00:00Zulu", 20),
        ("2024-05-01T00:00:00+0100", 22),
        ("+2024-05-01T00:00:00Z", 5),
        ("２024-05-01T00:00:00Z", 0),
    ] {
        assert_eq!(text.parse::<Timestamp>(), Err(TimestampError::Malformed { at }), "{text}");
    }
}

#[test]
fn a_time_that_is_none_is_refused() {
    for text in [
        "2023-02-29T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-05-00T00:00:00Z",
        "2024-05-01T24:00:00Z",
        "2024-05-01T00:60:00Z",
        "2024-05-01T00:00:61Z",
        "2024-05-01T00:00:00+24:00",
        "2024-05-01T00:00:00+00:60",
    ] {
        assert_eq!(text.parse::<Timestamp>(), Err(TimestampError::NoSuchTime), "{text}");
    }
}

#[test]
fn an_instant_that_64_bits_cannot_hold_is_out_of_range() {
    for text in ["+294247-01-10T04:00:54.775808Z", "-290308-12-21T19:59:05.224191Z", "+999999-12-31T23:59:59Z"] {
        assert_eq!(text.parse::<Timestamp>(), Err(TimestampError::OutOfRange), "{text}");
    }
}

#[test]
fn arithmetic_saturates() {
    assert_eq!(Timestamp::MAX + Duration::from_micros(1), Timestamp::MAX);
    assert_eq!(Timestamp::MIN - Duration::from_micros(1), Timestamp::MIN);
    assert_eq!(Timestamp::MIN + Duration::MAX, Timestamp::MAX);
    assert_eq!(Timestamp::MAX - Duration::MAX, Timestamp::MIN);
    assert_eq!(Timestamp::MAX.since(Timestamp::MIN), Duration::from_micros(u64::MAX));
    assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
    assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
}

#[test]
fn milliseconds_are_rounded_down() {
    assert_eq!(Timestamp::from_micros(1_999).millis(), 1);
    assert_eq!(Timestamp::from_micros(-1).millis(), -1);
    assert_eq!(Timestamp::from_millis(-1).micros(), -1_000);
}

#[test]
fn truncating_gives_the_start_of_the_window() {
    let minute = Duration::from_secs(60);
    let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
    assert_eq!(at("2024-05-01T10:20:59.9Z").truncate(minute), at("2024-05-01T10:20:00Z"));
    assert_eq!(at("2024-05-01T10:20:00Z").truncate(minute), at("2024-05-01T10:20:00Z"));
    assert_eq!(at("1969-12-31T23:59:59Z").truncate(minute), at("1969-12-31T23:59:00Z"));
}

#[test]
fn truncating_at_the_edges_saturates() {
    assert_eq!(Timestamp::MIN.truncate(Duration::from_secs(60)), Timestamp::MIN);
    assert_eq!(Timestamp::from_micros(5).truncate(Duration::MAX), Timestamp::from_micros(0));
    assert_eq!(Timestamp::from_micros(-5).truncate(Duration::MAX), Timestamp::MIN);
    assert_eq!(Timestamp::from_micros(5).truncate(Duration::ZERO), Timestamp::from_micros(5));
    assert_eq!(Timestamp::from_micros(5).truncate(Duration::from_nanos(999)), Timestamp::from_micros(5));
}

proptest! {
    #[test]
    fn every_instant_is_read_as_it_was_written(instant in instant()) {
        prop_assert_eq!(instant.to_string().parse(), Ok(instant));
    }

    #[test]
    fn text_sorts_as_instants_do(a in 0..253_402_300_799_i64, b in 0..253_402_300_799_i64) {
        let text = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).to_string();
        prop_assert_eq!(text(a).cmp(&text(b)), a.cmp(&b));
    }

    #[test]
    fn parsing_anything_ends_in_an_instant_or_an_error(text in r"[-+0-9TZtz:. ]{0,30}|\PC{0,30}") {
        if let Ok(instant) = text.parse::<Timestamp>() {
            prop_assert_eq!(instant.to_string().parse(), Ok(instant));
        }
    }

    #[test]
    fn adding_and_taking_away_undo_each_other(start in -1_i64 << 61..1 << 61, micros in 0..1_u64 << 61) {
        let (start, duration) = (Timestamp::from_micros(start), Duration::from_micros(micros));
        prop_assert_eq!(start + duration - duration, start);
        prop_assert_eq!((start + duration).since(start), duration);
        let mut moved = start;
        moved += duration;
        prop_assert_eq!(moved, start + duration);
        moved -= duration;
        prop_assert_eq!(moved, start);
    }

    #[test]
    fn a_window_holds_its_instant_and_starts_at_a_multiple(
        instant in -1_i64 << 62..1 << 62,
        unit in prop_oneof![1..1_000_u64, 1..1_u64 << 61],
    ) {
        let instant = Timestamp::from_micros(instant);
        let start = instant.truncate(Duration::from_micros(unit));
        prop_assert!(start <= instant);
        prop_assert!(instant.since(start) < Duration::from_micros(unit));
        prop_assert_eq!(start.micros() % i64::try_from(unit).expect("fits"), 0);
        prop_assert_eq!(start.truncate(Duration::from_micros(unit)), start);
    }
}

/// An instant by its parts, with its text put together from them.
fn written_out() -> impl Strategy<Value = (String, i64)> {
    let day = (1900..2100_i64, 1..=12_i64, 1..=28_i64);
    let clock = (0..24_i64, 0..60_i64, 0..60_i64, 0..1_000_000_i64);
    let offset = (-23..=23_i64, 0..60_i64);
    (day, clock, offset).prop_map(|((year, month, day), (hour, minute, second, fraction), (ahead, minutes))| {
        // Days by counting the years and months one by one.
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let years: i64 = (1900..year).map(|year| 365 + i64::from(leap(year))).sum();
        let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let months: i64 = (1..month).map(|month| lengths[usize::try_from(month - 1).expect("a month")]).sum();
        let days = years + months + day - 1 - 25_567;
        let sign = if ahead < 0 { -1 } else { 1 };
        let local = ((days * 24 + hour) * 60 + minute) * 60 + second;
        let seconds = local - sign * (ahead.abs() * 3_600 + minutes * 60);
        let text = format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}{}{:02}:{minutes:02}",
            if sign < 0 { '-' } else { '+' },
            ahead.abs(),
        );
        (text, seconds * 1_000_000 + fraction)
    })
}

#[test]
fn each_error_says_what_is_wrong_with_the_text() {
    let message = |text: &str| text.parse::<Timestamp>().expect_err("no instant").to_string();
    assert!(message("2024-05-01").ends_with("byte 10 isn't as expected"), "{}", message("2024-05-01"));
    assert_eq!(message("2024-02-30T00:00:00Z"), "no such date or time");
    assert_eq!(message("+294248-01-01T00:00:00Z"), "outside the years -290308 to 294247");
}

#[test]
fn an_offset_may_bring_an_instant_back_into_range_or_out_of_it() {
    assert_eq!(micros("+294247-01-10T05:00:54.775807+01:00"), i64::MAX);
    assert_eq!(micros("-290308-12-21T18:59:05.224192-01:00"), i64::MIN);
    for text in ["+294247-01-10T04:00:54.775807-00:01", "-290308-12-21T19:59:05.224192+00:01"] {
        assert_eq!(text.parse::<Timestamp>(), Err(TimestampError::OutOfRange), "{text}");
    }
}

proptest! {
    #[test]
    fn an_instant_is_where_counting_days_and_hours_puts_it((text, expected) in written_out()) {
        prop_assert_eq!(micros(&text), expected, "{}", text);
    }

    #[test]
    fn text_that_is_cut_off_anywhere_is_malformed_there(instant in instant(), cut: prop::sample::Index) {
        let text = instant.to_string();
        let cut = cut.index(text.len());
        prop_assert_eq!(text[..cut].parse::<Timestamp>(), Err(TimestampError::Malformed { at: cut }));
    }

    #[test]
    fn a_byte_that_fits_nowhere_is_found_where_it_is(instant in instant(), at: prop::sample::Index, junk in "[ -*,;<-SU-Y\\[-y{-~]") {
        let mut text = instant.to_string();
        let at = at.index(text.len());
        prop_assume!(!(matches!(&text[at..=at], "T" | "Z") && matches!(&*junk, " " | "t")));
        text.replace_range(at..=at, &junk);
        prop_assert_eq!(text.parse::<Timestamp>(), Err(TimestampError::Malformed { at }), "{}", text);
    }

    #[test]
    fn windows_of_one_size_follow_each_other_without_a_gap(instant in -1_i64 << 60..1 << 60, unit in 1..1_u64 << 50) {
        let (instant, unit) = (Timestamp::from_micros(instant), Duration::from_micros(unit));
        let start = instant.truncate(unit);
        prop_assert_eq!((start + unit).truncate(unit), start + unit);
        prop_assert_eq!((start + unit - Duration::from_micros(1)).truncate(unit), start);
        prop_assert_eq!((start - Duration::from_micros(1)).truncate(unit), start - unit);
    }
}
