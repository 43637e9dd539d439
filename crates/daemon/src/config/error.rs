//! What is wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

use squall_types::{Code, codes};

use super::layers::Origin;
use super::rules::Broken;
use super::take::NotTaken;

/// One thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the configuration {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{origin}: this is no TOML: {message}")]
    Syntax {
        /// Where.
        origin: Origin,
        /// What the parser says.
        message: String,
    },
    /// There is no such setting.
    #[error("{origin}: there is no setting {key}")]
    Unknown {
        /// Where it was set.
        origin: Origin,
        /// As it was written.
        key: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// The value is not what the setting takes.
    #[error("{origin}: {key} can't be this")]
    Malformed {
        /// Where it was set.
        origin: Origin,
        /// Which setting.
        key: &'static str,
        /// Why not.
        source: NotTaken,
    },
    /// Settings don't go together.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// There is no place for data.
    #[error("nothing says where the data goes: data_dir isn't set, and there is no HOME")]
    Homeless,
}

impl ConfigError {
    /// The error's stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } => codes::CONFIG_UNREADABLE,
            Self::Syntax { .. } => codes::CONFIG_SYNTAX,
            Self::Unknown { .. } => codes::CONFIG_UNKNOWN,
            Self::Malformed { .. } => codes::CONFIG_MALFORMED,
            Self::Broken(broken) => broken.code(),
            Self::Homeless => codes::CONFIG_HOMELESS,
        }
    }

    /// What to do next.
    pub fn next_step(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check the file's name and who may read it".to_owned(),
            Self::Syntax { .. } => "mend that line, then `squall config check FILE`".to_owned(),
            Self::Unknown { nearest: Some(nearest), .. } => format!("did you mean {nearest}?"),
            Self::Unknown { nearest: None, .. } => "`squall config show` lists all settings".to_owned(),
            Self::Malformed { key, .. } => {
                format!("`squall config show` has the default of {key}; docs/configuration.md says what it takes")
            }
            Self::Broken(broken) => broken.next_step().to_owned(),
            Self::Homeless => "set data_dir, or --data-dir".to_owned(),
        }
    }
}

/// All that is wrong; never empty.
#[derive(Debug)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// These, if there are any.
    pub(super) fn check(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// Each of them, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => one.fmt(f),
            more => write!(f, "{} things are wrong with the configuration, the first: {}", more.len(), more[0]),
        }
    }
}

impl std::error::Error for ConfigErrors {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.first().and_then(std::error::Error::source)
    }
}
