//! Durations as text: a whole number and a unit, as `30s` or `1500ms`. For `#[serde(with = "…")]` too.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// Units and their nanoseconds, those that are written first, coarse before fine.
const UNITS: [(&str, u128); 6] = [
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADuration {
    /// It is not a whole number with a unit.
    #[error("{0:?} is no duration; write a whole number and one of ns, us, ms, s, m, h, as in 30s or 1500ms")]
    Malformed(String),
    /// It is longer than a duration can be.
    #[error("{0:?} is too long for a duration")]
    TooLong(String),
}

/// The duration in its coarsest unit, seconds at most, that loses nothing.
pub fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let (unit, size) = UNITS.into_iter().find(|(_, size)| nanos.is_multiple_of(*size)).unwrap_or(UNITS[3]);
    format!("{}{unit}", nanos / size)
}

/// Reads a duration.
///
/// # Errors
/// If the text is not a whole number with a unit, or more than a duration can hold.
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    let malformed = || NotADuration::Malformed(text.to_owned());
    let too_long = || NotADuration::TooLong(text.to_owned());
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(malformed());
    }
    let (_, size) = UNITS.into_iter().find(|&(name, _)| name == unit).ok_or_else(malformed)?;
    let nanos = number.parse::<u128>().ok().and_then(|number| number.checked_mul(size)).ok_or_else(too_long)?;
    let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| too_long())?;
    let rest = u32::try_from(nanos % 1_000_000_000).map_err(|_| too_long())?;
    Ok(Duration::new(seconds, rest))
}

/// Writes a duration as text.
///
/// # Errors
/// If the serializer fails.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// Reads a duration from text.
///
/// # Errors
/// If there is no text, or it is not a duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// The same for a duration that may be missing.
pub mod option {
    use super::{Deserialize, Deserializer, Duration, Serializer, parse};

    /// Writes a duration as text, or nothing.
    ///
    /// # Errors
    /// If the serializer fails.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.serialize_some(&super::format(*duration)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a duration from text, or nothing.
    ///
    /// # Errors
    /// If there is text that is not a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| parse(&text)).transpose().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;

    #[test]
    fn the_coarsest_unit_that_loses_nothing_is_written() {
        let known = [
            (Duration::ZERO, "0s"),
            (Duration::from_secs(30), "30s"),
            (Duration::from_secs(3_600), "3600s"),
            (Duration::from_millis(1_500), "1500ms"),
            (Duration::from_micros(1_001), "1001us"),
            (Duration::from_nanos(1), "1ns"),
        ];
        for (duration, text) in known {
            assert_eq!(format(duration), text);
        }
    }

    #[test]
    fn minutes_and_hours_are_read() {
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse("1h"), Ok(Duration::from_secs(3_600)));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "30", "1.5s", "-1s", "+1s", "30 s", "30sec", "30S", "s30"] {
            assert_eq!(parse(text), Err(NotADuration::Malformed(text.to_owned())));
        }
        for text in ["18446744073709551616s", "340282366920938463463374607431768211456ns"] {
            assert_eq!(parse(text), Err(NotADuration::TooLong(text.to_owned())));
        }
    }

    #[test]
    fn the_longest_duration_is_read_in_each_unit_and_one_more_is_too_long() {
        let most = Duration::MAX.as_nanos();
        for (unit, size) in UNITS {
            let whole = most / size;
            assert_eq!(parse(&format!("{whole}{unit}")).unwrap().as_nanos(), whole * size);
            let text = format!("{}{unit}", whole + 1);
            assert_eq!(parse(&text), Err(NotADuration::TooLong(text)));
        }
    }

    #[test]
    fn zeros_in_front_change_nothing() {
        assert_eq!(parse("007s"), Ok(Duration::from_secs(7)));
        assert_eq!(parse("0h"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_duration_in_a_field_may_be_missing_if_it_is_optional() {
        #[derive(Serialize, Deserialize, Debug, PartialEq)]
        struct Times {
            #[serde(with = "super")]
            timeout: Duration,
            #[serde(default, with = "option")]
            tick: Option<Duration>,
        }
        let read = |json: &str| serde_json::from_str::<Times>(json);
        let both = Times { timeout: Duration::from_millis(1), tick: Some(Duration::from_secs(60)) };
        let json = serde_json::to_string(&both).unwrap();
        assert_eq!(json, r#"{"timeout":"1ms","tick":"60s"}"#);
        assert_eq!(read(&json).unwrap(), both);
        assert_eq!(read(r#"{"timeout":"1ms","tick":"1m"}"#).unwrap(), both);
        for without in [r#"{"timeout":"1ms"}"#, r#"{"timeout":"1ms","tick":null}"#] {
            assert_eq!(read(without).unwrap().tick, None);
        }
        for broken in [r#"{"tick":"1s"}"#, r#"{"timeout":null}"#, r#"{"timeout":1}"#] {
            assert!(read(broken).is_err(), "{broken}");
        }
        let error = read(r#"{"timeout":"1s","tick":"soon"}"#).unwrap_err().to_string();
        assert!(error.starts_with("\"soon\" is no duration; write a whole number"), "{error}");
    }

    proptest! {
        #[test]
        fn a_number_and_a_unit_are_read_as_their_product(number in 0..1_000_000_u32, which in 0..UNITS.len()) {
            let (unit, size) = UNITS[which];
            let duration = parse(&format!("{number}{unit}")).unwrap();
            prop_assert_eq!(duration.as_nanos(), u128::from(number) * size);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn every_duration_survives_being_written_and_read(seconds: u64, nanos in 0u32..1_000_000_000) {
            let duration = Duration::new(seconds, nanos);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics_the_reader(text in "[0-9]{0,45}\\PC{0,3}") {
            let _ = parse(&text);
        }
    }
}
