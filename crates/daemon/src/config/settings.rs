//! One row for everything that can be set.

use std::path::PathBuf;

use super::raw::Raw;
use super::rules::{Broken, Warning};
use super::take::{NotTaken, Take};

/// One thing that can be set, of a configuration `C`.
pub struct Setting<C: 'static> {
    /// Its key, with its table before a dot, as in `log.format`.
    pub key: &'static str,
    /// What it takes, in words.
    pub kind: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// What could stand there, for a setting that is unset unless given.
    pub example: Option<&'static str>,
    /// Sets it.
    pub set: fn(&mut C, &Raw) -> Result<(), NotTaken>,
    /// Its value as TOML writes it; none: it is unset.
    pub show: fn(&C) -> Option<String>,
}

/// What a kind of daemon is told.
pub trait Configured: Clone + Sized + 'static {
    /// The kind of daemon, as its verb and its file are called.
    const ROLE: &'static str;

    /// The defaults, with this place for data.
    fn defaults(data_dir: PathBuf) -> Self;

    /// All settings, in the order in which they are written down.
    fn settings() -> &'static [Setting<Self>];

    /// All rules that it breaks.
    fn broken(&self) -> Vec<Broken>;

    /// What has to be said at each start.
    fn warnings(&self) -> Vec<Warning>;
}

impl<C: Configured> Setting<C> {
    /// The one with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        C::settings().iter().find(|setting| setting.key == key)
    }

    /// Its variable in the environment, as `SQUALL_LOG_FORMAT`.
    pub fn variable(&self) -> String {
        super::variable(self.key)
    }

    /// Its flag without the hyphens in front, as `log-format`.
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }
}

/// What a field of this type takes, in words.
pub fn kind_of<C, T: Take>(_: fn(&C) -> &T) -> &'static str {
    T::KIND
}

/// Makes the rows of a configuration: `settings!(Config; "key", field, example, "help"; …)`.
#[macro_export]
macro_rules! settings {
    ($config:ty; $($key:literal, $($field:ident).+, $example:expr, $help:literal;)*) => {
        static SETTINGS: ::std::sync::LazyLock<Vec<$crate::config::Setting<$config>>> =
            ::std::sync::LazyLock::new(|| vec![$($crate::config::Setting {
                key: $key,
                kind: $crate::config::kind_of(|config: &$config| &config.$($field).+),
                help: $help,
                example: $example,
                set: |config, raw| {
                    config.$($field).+ = $crate::config::Take::take(raw)?;
                    Ok(())
                },
                show: |config| $crate::config::Take::show(&config.$($field).+),
            },)*]);
    };
}
