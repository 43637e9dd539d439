//! One line of text from outside: bounded, so that no caller can swell the log with it, and printable, so that it can't upset a terminal.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most bytes in a [`Line`].
pub const LONGEST_LINE: usize = 256;

/// A text of at most [`LONGEST_LINE`] bytes without control characters: an address, a zone, a tag, where a call came from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(Arc<str>);

/// The text is too long, or has a control character.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text has {bytes} bytes, or a control character; it may have {LONGEST_LINE} bytes, all printable")]
pub struct NotALine {
    bytes: usize,
}

impl Line {
    /// The line with this text.
    ///
    /// # Errors
    /// If it is too long or has control characters.
    pub fn new(text: &str) -> Result<Self, NotALine> {
        if text.len() <= LONGEST_LINE && !text.chars().any(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(NotALine { bytes: text.len() })
        }
    }

    /// As much of the text as a line holds, without control characters: for what is only told to people.
    pub fn lossy(text: &str) -> Self {
        let mut kept = String::new();
        for character in text.chars().filter(|character| !character.is_control()) {
            if kept.len() + character.len_utf8() > LONGEST_LINE {
                break;
            }
            kept.push(character);
        }
        Self(kept.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Line {
    type Err = NotALine;

    fn from_str(text: &str) -> Result<Self, NotALine> {
        Self::new(text)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_too_long_or_with_a_control_character_is_refused() {
        assert!(Line::new(&"x".repeat(256)).is_ok());
        for text in ["x".repeat(257), "a\nb".to_owned(), "\u{1b}[31m".to_owned()] {
            assert_eq!(Line::new(&text), Err(NotALine { bytes: text.len() }));
            assert!(postcard::from_bytes::<Line>(&postcard::to_stdvec(&text).unwrap()).is_err());
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_of_any_text_is_a_line(text: String) {
            let kept = Line::lossy(&text);
            prop_assert_eq!(Line::new(kept.as_str()), Ok(kept.clone()));
            prop_assert!(Line::new(&text).is_err() || kept.as_str() == text);
        }

        #[test]
        fn a_character_is_never_cut_in_two(text in "[é€𝄞]{130,200}") {
            prop_assert!(text.starts_with(Line::lossy(&text).as_str()));
            prop_assert!(Line::lossy(&text).as_str().len() > LONGEST_LINE - 4);
        }
    }
}
