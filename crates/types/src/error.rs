//! Error codes: every error that an operator sees carries one, and each has a page in `docs/errors/`.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codes;

/// A stable error code, as `SQ1001`. What each means is in `docs/errors/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl Code {
    /// The code with this number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Every code that [`codes`] names, in rising order.
    pub const fn all() -> &'static [Self] {
        codes::ALL
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQ{:04}", self.0)
    }
}

/// The text is not an error code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no error code; a code is written SQ1001")]
pub struct NotACode(String);

impl FromStr for Code {
    type Err = NotACode;

    /// Reads `SQ1001`, in either case.
    ///
    /// # Errors
    /// If the text is not how a code is written.
    fn from_str(text: &str) -> Result<Self, NotACode> {
        text.get(2..)
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            // Only one spelling of a number is a code: no sign, no missing or extra zeros.
            .filter(|code| code.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| NotACode(text.to_owned()))
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Whether the same thing may work when tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It won't; something has to be changed first.
    No,
    /// It may, after a pause.
    Later,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_written_with_four_digits() {
        assert_eq!(codes::ILLEGAL_NAME.to_string(), "SQ1001");
        assert_eq!("SQ0007".parse::<Code>().unwrap().to_string(), "SQ0007");
    }

    #[test]
    fn a_code_is_read_in_either_case() {
        assert_eq!("SQ1001".parse(), Ok(codes::ILLEGAL_NAME));
        assert_eq!("sq1001".parse(), Ok(codes::ILLEGAL_NAME));
    }

    #[test]
    fn what_is_no_code_is_refused_with_the_text() {
        for text in ["", "S", "SQ", "1001", "SQ7", "SQ01001", "SQ+100", "SQ 100", "XX1001", "SQ99999", "é1001"] {
            let error = text.parse::<Code>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn a_code_is_text_in_json_both_ways() {
        assert_eq!(serde_json::to_string(&codes::ILLEGAL_NAME).unwrap(), "\"SQ1001\"");
        assert_eq!(serde_json::from_str::<Code>("\"sq1001\"").unwrap(), codes::ILLEGAL_NAME);
        assert!(serde_json::from_str::<Code>("\"1001\"").is_err());
    }

    #[test]
    fn the_named_codes_rise_so_none_is_taken_twice() {
        assert!(Code::all().windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn the_highest_code_is_read_and_the_next_is_none() {
        assert_eq!("SQ65535".parse(), Ok(Code(65_535)));
        assert_eq!(
            "SQ65536".parse::<Code>().unwrap_err().to_string(),
            "\"SQ65536\" is no error code; a code is written SQ1001"
        );
    }

    proptest! {
        #[test]
        fn a_code_is_read_from_no_other_text_than_its_own(text in "[Ss][Qq]0?[0-9]{1,6}") {
            if let Ok(code) = text.parse::<Code>() {
                prop_assert_eq!(code.to_string(), text.to_uppercase());
            } else {
                prop_assert!(!(text.len() == 6 || text.len() == 7 && text[2..].parse::<u16>().is_ok_and(|number| number >= 10_000)));
            }
        }

        #[test]
        fn every_number_survives_being_written_and_read(number: u16) {
            let code = Code(number);
            prop_assert_eq!(code.to_string().parse(), Ok(code));
            prop_assert_eq!(code.number(), number);
        }

        #[test]
        fn no_text_panics_the_reader(text: String) {
            let _ = text.parse::<Code>();
        }
    }
}
