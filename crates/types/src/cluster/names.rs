//! Names that people give: legal by construction, so that they fit into URLs, file names, labels and command lines as they are.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const LONGEST: usize = 128;

/// The text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} {text:?} is not legal: a name is 1 to 128 of the letters A-Z and a-z, digits, '_', '-' and '.', and starts with a letter, \
     a digit or '_'"
)]
pub struct IllegalName {
    /// What was to be named.
    what: &'static str,
    /// The text.
    text: String,
}

fn is_legal(text: &str) -> bool {
    let starts = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
    starts && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name with this text.
            ///
            /// # Errors
            /// If the text is not a legal name.
            pub fn new(text: &str) -> Result<Self, IllegalName> {
                if is_legal(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(IllegalName { what: $what, text: text.to_owned() })
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IllegalName;

            fn from_str(text: &str) -> Result<Self, IllegalName> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    };
}

name! {
    /// Names a topology within the cluster.
    TopologyName, "topology name"
}
name! {
    /// Names a worker: the daemon on a node.
    WorkerName, "worker name"
}
name! {
    /// Names a master.
    MasterName, "master name"
}
name! {
    /// Names the holder of a token: a person or a tool.
    UserName, "user name"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn legal_names_are_taken_as_they_are() {
        for text in ["a", "_x", "7up", "word-count.v2", &"x".repeat(128)] {
            assert_eq!(TopologyName::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_text_that_is_no_name_is_refused_and_shown() {
        for text in ["", "-a", ".a", "a b", "ä", "a/b", "a\n", &"x".repeat(129)] {
            let error = WorkerName::new(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("worker name {text:?} is not legal")), "{error}");
        }
    }

    #[test]
    fn what_is_read_is_checked_too() {
        assert!(serde_json::from_str::<UserName>("\"ann\"").is_ok());
        assert!(serde_json::from_str::<UserName>("\"ann lee\"").is_err());
    }

    proptest! {
        #[test]
        fn a_name_is_read_back_from_its_text(text in "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}") {
            let name: MasterName = text.parse().unwrap();
            prop_assert_eq!(name.to_string(), text);
        }
    }
}
