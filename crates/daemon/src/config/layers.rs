//! One configuration of several layers: the later wins, and each value remembers where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use squall_types::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, ConfigErrors};
use super::raw::Raw;
use super::settings::{Configured, Setting};

const PREFIX: &str = "SQUALL_";

/// Variables that clients and slots read, and no daemon.
const ELSEWHERE: [&str; 8] = ["CONNECT", "TOKEN", "CA", "CERT", "KEY", "TIMEOUT", "OUTPUT", "SLOT"];

/// What configures a daemon, the weakest first. Nothing is read here but these.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The file's name and its text.
    pub file: Option<(PathBuf, String)>,
    /// The environment: those that start with `SQUALL_` count.
    pub environment: Vec<(String, String)>,
    /// Keys of settings and their values, as the command line gave them.
    pub flags: Vec<(String, String)>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said otherwise.
    Default,
    /// A line of the file.
    File(PathBuf, usize),
    /// A variable of the environment.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A configuration that keeps all rules, and where its values come from.
#[derive(Clone, Debug)]
pub struct Effective<C> {
    /// The configuration.
    pub config: C,
    origins: BTreeMap<&'static str, Origin>,
}

/// A setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which setting.
    pub key: &'static str,
    /// Its value as TOML writes it; none: it is unset.
    pub value: Option<String>,
    /// Where that comes from.
    pub origin: Origin,
}

impl<C: Configured> Effective<C> {
    /// Every setting, in their order.
    pub fn shown(&self) -> impl Iterator<Item = Shown> {
        C::settings().iter().map(|setting| Shown {
            key: setting.key,
            value: (setting.show)(&self.config),
            origin: self.origins.get(setting.key).cloned().unwrap_or(Origin::Default),
        })
    }
}

/// A setting's variable in the environment.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

/// Where a daemon of this kind keeps its data unless told, given how the environment's variables are looked up and whether it runs as root.
pub fn default_data_dir(kind: &str, root: bool, lookup: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let named = |name| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = match named("STATE_DIRECTORY") {
        Some(given) => return Some(given),
        None if root => PathBuf::from("/var/lib"),
        None => named("XDG_DATA_HOME").or_else(|| Some(named("HOME")?.join(".local/share")))?,
    };
    Some(base.join("squall").join(kind))
}

/// Puts the layers over the defaults. `data_dir` is where data goes if no layer says so.
///
/// # Errors
/// All that is wrong: unknown settings, malformed values, broken rules.
pub fn load<C: Configured>(layers: &Layers, data_dir: Option<PathBuf>) -> Result<Effective<C>, ConfigErrors> {
    let homeless = data_dir.is_none();
    let mut loading = Loading {
        effective: Effective { config: C::defaults(data_dir.unwrap_or_default()), origins: BTreeMap::new() },
        errors: Vec::new(),
    };
    if let Some((path, text)) = &layers.file {
        loading.file(path, text);
    }
    for (name, value) in &layers.environment {
        loading.variable(name, value);
    }
    for (key, value) in &layers.flags {
        loading.set(Origin::Flag(key.replace(['.', '_'], "-")), key, &Raw::Word(value.clone()));
    }
    // Rules are for what could be read: a typing error would break them too.
    if loading.errors.is_empty() {
        if homeless && !loading.effective.origins.contains_key("data_dir") {
            loading.errors.push(ConfigError::Homeless);
        }
        loading.errors.extend(loading.effective.config.broken().into_iter().map(ConfigError::Broken));
    }
    ConfigErrors::check(loading.errors)?;
    Ok(loading.effective)
}

struct Loading<C> {
    effective: Effective<C>,
    errors: Vec<ConfigError>,
}

impl<C: Configured> Loading<C> {
    fn set(&mut self, origin: Origin, key: &str, raw: &Raw) {
        let Some(setting) = Setting::<C>::find(key) else {
            let nearest = nearest(key, C::settings().iter().map(|setting| setting.key)).map(str::to_owned);
            self.errors.push(ConfigError::Unknown { origin, key: key.to_owned(), nearest });
            return;
        };
        match (setting.set)(&mut self.effective.config, raw) {
            Ok(()) => {
                self.effective.origins.insert(setting.key, origin);
            }
            Err(source) => self.errors.push(ConfigError::Malformed { origin, key: setting.key, source }),
        }
    }

    fn file(&mut self, path: &std::path::Path, text: &str) {
        let line = |at: usize| text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1;
        let origin = |at: usize| Origin::File(path.to_owned(), line(at));
        match DeTable::parse(text) {
            Ok(table) => self.table("", table.get_ref(), &origin),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                self.errors.push(ConfigError::Syntax { origin: origin(at), message: error.message().to_owned() });
            }
        }
    }

    fn table(&mut self, before: &str, table: &DeTable<'_>, origin: &impl Fn(usize) -> Origin) {
        for (name, value) in table {
            let key =
                if before.is_empty() { name.get_ref().to_string() } else { format!("{before}.{}", name.get_ref()) };
            self.entry(&key, value, origin, name.span().start);
        }
    }

    fn entry(&mut self, key: &str, value: &Spanned<DeValue<'_>>, origin: &impl Fn(usize) -> Origin, at: usize) {
        let is_table =
            C::settings().iter().any(|it| it.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')));
        match value.get_ref() {
            DeValue::Table(inner) if is_table => self.table(key, inner, origin),
            _ if is_table => {
                let nearest = C::settings().iter().find(|it| it.key.starts_with(key)).map(|it| it.key.to_owned());
                self.errors.push(ConfigError::Unknown { origin: origin(at), key: key.to_owned(), nearest });
            }
            value => self.set(origin(at), key, &Raw::of(value)),
        }
    }

    /// A variable that is like none of ours is somebody else's: whoever starts daemons sets `SQUALL_PORT` and such for a service of this
    /// name.
    fn variable(&mut self, name: &str, value: &str) {
        let Some(rest) = name.strip_prefix(PREFIX) else { return };
        let origin = Origin::Variable(name.to_owned());
        if let Some(setting) = C::settings().iter().find(|setting| setting.variable() == name) {
            self.set(origin, setting.key, &Raw::Word(value.to_owned()));
        } else if !ELSEWHERE.contains(&rest) {
            let variables: Vec<_> = C::settings().iter().map(Setting::<C>::variable).collect();
            let known = variables.iter().filter_map(|variable| variable.strip_prefix(PREFIX));
            if let Some(nearest) = nearest(rest, known) {
                let nearest = Some(format!("{PREFIX}{nearest}"));
                self.errors.push(ConfigError::Unknown { origin, key: name.to_owned(), nearest });
            }
        }
    }
}
