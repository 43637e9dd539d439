//! Which names are legal.

use std::fmt;

/// The form that names have, for messages.
pub(super) const LEGAL: &str =
    "a name is 1 to 128 of the letters A-Z and a-z, digits, '_', '-' and '.', and starts with a letter, a digit or '_'";

const LONGEST: usize = 128;
const RESERVED: &str = "__";

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A topology.
    Topology,
    /// A spout or a bolt.
    Component,
    /// An output stream.
    Stream,
    /// A field of a stream.
    Field,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topology => "topology name",
            Self::Component => "component id",
            Self::Stream => "stream id",
            Self::Field => "field name",
        })
    }
}

/// Whether a name has the form that names have. All of it is safe in a URL, a file name and a metric label.
pub(super) fn is_legal(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    name.len() <= LONGEST && !name.starts_with(['-', '.']) && !name.is_empty() && name.bytes().all(inner)
}

/// Whether a name is kept for Squall's own components and streams. Fields are never Squall's own.
pub(super) fn is_reserved(what: Named, name: &str) -> bool {
    what != Named::Field && name.starts_with(RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_storm_topologies_are_legal() {
        for name in ["default", "split-2", "word_count", "v1.2", "_private", "9lives", "A"] {
            assert!(is_legal(name), "{name}");
        }
        assert!(is_legal(&"a".repeat(128)));
    }

    #[test]
    fn what_would_need_quoting_somewhere_is_not() {
        for name in ["", " ", "a b", "a/b", "-a", ".", "..", ".a", "a\n", "é", "a:b", "a\"b", "\0"] {
            assert!(!is_legal(name), "{name:?}");
        }
        assert!(!is_legal(&"a".repeat(129)));
    }

    #[test]
    fn two_underscores_are_reserved_but_not_in_fields() {
        assert!(is_reserved(Named::Topology, "__squall"));
        assert!(is_reserved(Named::Component, "__system"));
        assert!(is_reserved(Named::Stream, "__tick"));
        assert!(!is_reserved(Named::Stream, "_tick"));
        assert!(!is_reserved(Named::Field, "__key"));
    }
}
