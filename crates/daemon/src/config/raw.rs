//! Values as they were written, before it is known what they should be.

use toml::de::DeValue;

/// A value from the file, or a word from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// TOML's text.
    Text(String),
    /// TOML's whole number.
    Number(i64),
    /// TOML's `true` and `false`.
    Bool(bool),
    /// TOML's list.
    List(Vec<Raw>),
    /// Something of TOML that no setting takes.
    Other(&'static str),
    /// From the environment or the command line, where all is text.
    Word(String),
}

impl Raw {
    /// A value of the file.
    pub fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Boolean(truth) => Self::Bool(*truth),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Self::Other("a number too large"), Self::Number),
            DeValue::Array(items) => Self::List(items.iter().map(|item| Self::of(item.get_ref())).collect()),
            DeValue::Float(_) => Self::Other("a number with a fraction"),
            DeValue::Datetime(_) => Self::Other("a date"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }

    /// The text, if it is one or may stand for one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Word(text) => Some(text),
            Self::Number(_) | Self::Bool(_) | Self::List(_) | Self::Other(_) => None,
        }
    }
}
