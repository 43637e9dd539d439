//! How each type of the configuration is read from a value and shown again.

use std::net::{AddrParseError, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use squall_types::cluster::{IllegalName, MasterName, WorkerName};
use squall_types::duration::{self, NotADuration};

use super::host::{HostPort, NotAHostPort};
use super::parts::{LogFormat, LogLevel};
use super::raw::Raw;
use super::size::{NotASize, Size};

/// Why a value isn't what its setting takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It is of another type.
    #[error("{0} is wanted here")]
    Type(&'static str),
    /// It is none of those there are.
    #[error("it is one of {0}")]
    Choice(&'static str),
    /// It is no duration.
    #[error(transparent)]
    Duration(#[from] NotADuration),
    /// It is no size.
    #[error(transparent)]
    Size(#[from] NotASize),
    /// It is no legal name.
    #[error(transparent)]
    Name(#[from] IllegalName),
    /// It is no host with a port.
    #[error(transparent)]
    Host(#[from] NotAHostPort),
    /// It is no address with a port.
    #[error("an IP address and a port is wanted here, as in 127.0.0.1:7400")]
    Address(#[from] AddrParseError),
}

/// A type of the configuration.
pub trait Take: Sized {
    /// What is written for it, in words.
    const KIND: &'static str;

    /// Reads a value.
    ///
    /// # Errors
    /// If it is none of this type.
    fn take(raw: &Raw) -> Result<Self, NotTaken>;

    /// How it is written in TOML; none: it is unset.
    fn show(&self) -> Option<String>;
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn word<T: Take>(raw: &Raw) -> Result<&str, NotTaken> {
    raw.text().ok_or(NotTaken::Type(T::KIND))
}

impl Take for bool {
    const KIND: &'static str = "true or false";

    fn take(raw: &Raw) -> Result<Self, NotTaken> {
        match raw {
            Raw::Bool(truth) => Ok(*truth),
            Raw::Word(word) => word.parse().map_err(|_| NotTaken::Type(Self::KIND)),
            Raw::Text(_) | Raw::Number(_) | Raw::List(_) | Raw::Other(_) => Err(NotTaken::Type(Self::KIND)),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// Zero is none: no limit of 0 makes sense.
impl Take for u32 {
    const KIND: &'static str = "a whole number from 1";

    fn take(raw: &Raw) -> Result<Self, NotTaken> {
        let number = match raw {
            Raw::Number(number) => Self::try_from(*number).ok(),
            Raw::Word(word) => word.parse().ok(),
            Raw::Text(_) | Raw::Bool(_) | Raw::List(_) | Raw::Other(_) => None,
        };
        number.filter(|&number| number > 0).ok_or(NotTaken::Type(Self::KIND))
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Take for Duration {
    const KIND: &'static str = "a duration such as \"500ms\"";

    fn take(raw: &Raw) -> Result<Self, NotTaken> {
        Ok(duration::parse(word::<Self>(raw)?)?)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&duration::format(*self)))
    }
}

impl Take for PathBuf {
    const KIND: &'static str = "a path";

    fn take(raw: &Raw) -> Result<Self, NotTaken> {
        Some(word::<Self>(raw)?).filter(|path| !path.is_empty()).map(Self::from).ok_or(NotTaken::Type(Self::KIND))
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string_lossy()))
    }
}

macro_rules! take_parsed {
    ($($type:ty, $kind:literal;)*) => {$(
        impl Take for $type {
            const KIND: &'static str = $kind;

            fn take(raw: &Raw) -> Result<Self, NotTaken> {
                Ok(word::<Self>(raw)?.parse::<Self>()?)
            }

            fn show(&self) -> Option<String> {
                Some(quoted(&self.to_string()))
            }
        }
    )*};
}

take_parsed! {
    Size, "a size such as \"64MiB\"";
    SocketAddr, "an IP address and a port";
    HostPort, "a host and a port";
    MasterName, "a name";
    WorkerName, "a name";
}

macro_rules! take_choice {
    ($type:ty, $kind:literal, $($word:literal => $value:path),*) => {
        impl Take for $type {
            const KIND: &'static str = $kind;

            fn take(raw: &Raw) -> Result<Self, NotTaken> {
                match word::<Self>(raw)? {
                    $($word => Ok($value),)*
                    _ => Err(NotTaken::Choice($kind)),
                }
            }

            fn show(&self) -> Option<String> {
                Some(match self {
                    $($value => quoted($word),)*
                })
            }
        }
    };
}

take_choice!(LogFormat, "`text`, `json`", "text" => Self::Text, "json" => Self::Json);
take_choice!(
    LogLevel, "`off`, `error`, `warn`, `info`, `debug`, `trace`",
    "off" => Self::Off, "error" => Self::Error, "warn" => Self::Warn, "info" => Self::Info, "debug" => Self::Debug,
    "trace" => Self::Trace
);

/// An empty text unsets it.
impl<T: Take> Take for Option<T> {
    const KIND: &'static str = T::KIND;

    fn take(raw: &Raw) -> Result<Self, NotTaken> {
        if raw.text() == Some("") { Ok(None) } else { T::take(raw).map(Some) }
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }
}

/// Where all is text, commas stand between the items.
impl Take for Vec<HostPort> {
    const KIND: &'static str = "a list of hosts with ports";

    fn take(raw: &Raw) -> Result<Self, NotTaken> {
        match raw {
            Raw::List(items) => items.iter().map(HostPort::take).collect(),
            Raw::Word(word) => {
                word.split(',').map(str::trim).filter(|item| !item.is_empty()).map(|item| Ok(item.parse()?)).collect()
            }
            Raw::Text(_) | Raw::Number(_) | Raw::Bool(_) | Raw::Other(_) => Err(NotTaken::Type(Self::KIND)),
        }
    }

    fn show(&self) -> Option<String> {
        let items: Vec<_> = self.iter().filter_map(Take::show).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

/// Where all is text, commas stand between the items.
impl Take for Vec<String> {
    const KIND: &'static str = "a list of words";

    fn take(raw: &Raw) -> Result<Self, NotTaken> {
        match raw {
            Raw::List(items) => {
                items.iter().map(|item| item.text().map(str::to_owned).ok_or(NotTaken::Type(Self::KIND))).collect()
            }
            Raw::Word(word) => {
                Ok(word.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
            }
            Raw::Text(_) | Raw::Number(_) | Raw::Bool(_) | Raw::Other(_) => Err(NotTaken::Type(Self::KIND)),
        }
    }

    fn show(&self) -> Option<String> {
        let items: Vec<_> = self.iter().map(|item| quoted(item)).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

/// A text that may be empty.
impl Take for String {
    const KIND: &'static str = "a text";

    fn take(raw: &Raw) -> Result<Self, NotTaken> {
        Ok(word::<Self>(raw)?.to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self))
    }
}
