//! A post as a line of JSON.

use std::borrow::Cow;

use serde::Deserialize;
use squall::Timestamp;

/// A post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    pub at: Timestamp,
    pub text: String,
}

/// Why a line is no post.
#[derive(Debug, thiserror::Error)]
pub enum BadLine {
    #[error("longer than {0} bytes")]
    TooLong(usize),
    #[error("not UTF-8 from byte {} on", .0.valid_up_to() + 1)]
    NotUtf8(#[source] std::str::Utf8Error),
    #[error("not a JSON object, which a post is")]
    NotAnObject,
    #[error("not a post: {}", brief(&.0.to_string().replace(" at line 1 column ", ", column ")))]
    NotAPost(#[source] serde_json::Error),
    #[error("created_at {:?} is no time: {source}", brief(at))]
    BadTime { at: String, source: <Timestamp as std::str::FromStr>::Err },
}

/// As much of a text as is worth showing.
fn brief(text: &str) -> Cow<'_, str> {
    const SHOWN: usize = 120;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// What is read of a line; it may hold more.
#[derive(Deserialize)]
#[serde(expecting = "an object with created_at and text")]
struct Line<'a> {
    #[serde(borrow)]
    created_at: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// Reads a line. `None` if it is blank.
pub fn parse(line: &[u8]) -> Result<Option<Post>, BadLine> {
    let line = std::str::from_utf8(line).map_err(BadLine::NotUtf8)?;
    let line = line.trim_start_matches('\u{FEFF}').trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    if !line.starts_with('{') {
        return Err(BadLine::NotAnObject);
    }
    let Line { created_at, text } = serde_json::from_str(line).map_err(BadLine::NotAPost)?;
    match created_at.parse() {
        Ok(at) => Ok(Some(Post { at, text: text.into_owned() })),
        Err(source) => Err(BadLine::BadTime { at: created_at.into_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_has_a_time_and_a_text_and_whatever_else() {
        let line = br##"{"id": 7, "created_at": "2014-08-14T18:50:00+02:00", "text": "\u0023a \"b\"", "tags": ["x"]}"##;
        let at = "2014-08-14T16:50:00Z".parse().unwrap();
        assert_eq!(parse(line).unwrap(), Some(Post { at, text: "#a \"b\"".to_owned() }));
    }

    #[test]
    fn blank_lines_carriage_returns_and_a_byte_order_mark_are_skipped() {
        assert_eq!(parse(b" \r").unwrap(), None);
        let line = "\u{FEFF}{\"created_at\":\"2014-08-14T16:50:00Z\",\"text\":\"\"}\r";
        assert!(parse(line.as_bytes()).unwrap().is_some());
    }

    #[test]
    fn a_bad_line_says_what_is_wrong() {
        let cases: [(&[u8], &str); 7] = [
            (b"{", "not a post: EOF while parsing an object, column 1"),
            (b"17", "not a JSON object, which a post is"),
            (b"{\"created_at\": \"2014-08-14T16:50:00Z\"}", "not a post: missing field `text`, column 38"),
            (b"{\"text\": \"\"}", "not a post: missing field `created_at`, column 12"),
            (
                b"{\"created_at\": \"2014-02-30T16:50:00Z\", \"text\": \"\"}",
                "created_at \"2014-02-30T16:50:00Z\" is no time: no such date or time",
            ),
            (
                b"{\"created_at\": 5, \"text\": \"\"}",
                "not a post: invalid type: integer `5`, expected a string, column 16",
            ),
            (b"{\"text\": \"\xFF\"}", "not UTF-8 from byte 11 on"),
        ];
        for (line, why) in cases {
            assert_eq!(parse(line).unwrap_err().to_string(), why);
        }
    }
}
