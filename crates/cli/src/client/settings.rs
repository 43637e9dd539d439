//! How a cluster is called: flags over the environment over a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use squall_daemon::certs::{self, DefaultTimeProvider, Material};
use squall_daemon::config::{HostPort, NotAHostPort, TlsFiles};
use squall_types::duration::{self, NotADuration};
use squall_types::nearest;

use crate::client::now;
use crate::error::CliError;

const KEYS: [&str; 7] = ["connect", "token", "ca", "cert", "key", "timeout", "output"];

/// How answers are written to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table for people
    #[default]
    Table,
    /// A table with all columns
    Wide,
    /// JSON, for programs
    Json,
}

/// The flags that every verb takes.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "How the cluster is called")]
pub struct SettingsFlags {
    /// How answers are written [default: table]
    #[arg(short, long, value_enum, global = true, value_name = "FORM")]
    pub output: Option<Output>,
    /// Masters to call, with commas between [default: 127.0.0.1:7400]
    #[arg(long, global = true, value_name = "HOST:PORT,…")]
    pub connect: Option<String>,
    /// The token to show (`sqt_…`); better in SQUALL_TOKEN, where other users don't see it
    #[arg(long, global = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The cluster's authority in PEM: TLS is spoken
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// A certificate to show, in PEM
    #[arg(long, global = true, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, global = true, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// How long a call may take, all attempts together [default: 15s]
    #[arg(long, global = true, value_name = "DURATION")]
    pub timeout: Option<String>,
}

/// How a cluster is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How answers are written.
    pub output: Output,
    /// Masters to call, in this order.
    pub connect: Vec<HostPort>,
    /// The token to show.
    pub token: Option<String>,
    /// The authority's certificate.
    pub ca: Option<PathBuf>,
    /// A certificate and its key.
    pub pair: Option<(PathBuf, PathBuf)>,
    /// How long a call may take.
    pub timeout: Duration,
}

/// The settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file can't be read.
    #[error("can't read the client's settings {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{} is no TOML", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// What the reader said.
        source: Box<toml::de::Error>,
    },
    /// There is no such setting.
    #[error("{}: there is no setting {key}", path.display())]
    Unknown {
        /// Which file.
        path: PathBuf,
        /// As it was written.
        key: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// A setting is no text.
    #[error("{}: {key} takes a text in quotes", path.display())]
    NotText {
        /// Which file.
        path: PathBuf,
        /// Which setting.
        key: String,
    },
    /// An address is none.
    #[error("connect: there is something wrong with an address")]
    Address(#[source] NotAHostPort),
    /// There is no master to call.
    #[error("connect names no master")]
    Nobody,
    /// The timeout is none.
    #[error("timeout: there is something wrong with the duration")]
    Timeout(#[source] NotADuration),
    /// A certificate without a key, or the other way round, or both without an authority.
    #[error("a certificate takes ca, cert and key together")]
    Partial,
    /// The form of the output is none.
    #[error("output is one of table, wide, json")]
    Output,
    /// The token can't be sent.
    #[error("the token is none: it is sqt_ and 64 hexadecimal digits")]
    Token,
}

impl SettingsError {
    /// What to do next.
    pub fn next_step(&self) -> String {
        match self {
            Self::Unknown { nearest: Some(nearest), .. } => format!("did you mean {nearest}?"),
            Self::Unknown { nearest: None, .. } => format!("there are {}", KEYS.join(", ")),
            Self::Unreadable { .. } | Self::Syntax { .. } | Self::NotText { .. } => {
                "mend the file, or name another in SQUALL_CLIENT_CONFIG".to_owned()
            }
            Self::Address(_) | Self::Nobody => "give --connect master-1:7400,master-2:7400".to_owned(),
            Self::Timeout(_) => "give --timeout 15s".to_owned(),
            Self::Partial => "give all three, or --ca with a token".to_owned(),
            Self::Output => "give -o json".to_owned(),
            Self::Token => "copy it whole; an admin makes one with `squall tokens create`".to_owned(),
        }
    }
}

impl Settings {
    /// Puts flags over the environment over the file. `lookup` finds variables, `read` reads a file (none: it isn't there).
    ///
    /// # Errors
    /// If one of them can't be used.
    pub fn load(
        flags: &SettingsFlags,
        lookup: impl Fn(&str) -> Option<String>,
        read: impl Fn(&PathBuf) -> std::io::Result<Option<String>>,
    ) -> Result<Self, SettingsError> {
        let file = match settings_file(&lookup) {
            Some(path) => values(&path, read(&path))?,
            None => toml::Table::new(),
        };
        let of = |key: &str| {
            let variable = lookup(&format!("SQUALL_{}", key.to_uppercase())).filter(|value| !value.is_empty());
            variable.or_else(|| file.get(key)?.as_str().map(str::to_owned))
        };
        let path = |flag: &Option<PathBuf>, key| flag.clone().or_else(|| of(key).map(PathBuf::from));
        let output = match (flags.output, of("output")) {
            (Some(output), _) => output,
            (None, Some(text)) => Output::from_str(&text, false).map_err(|_| SettingsError::Output)?,
            (None, None) => Output::default(),
        };
        let connect = flags.connect.clone().or_else(|| of("connect")).unwrap_or_else(|| "127.0.0.1:7400".to_owned());
        let timeout = flags.timeout.clone().or_else(|| of("timeout")).unwrap_or_else(|| "15s".to_owned());
        let ca = path(&flags.ca, "ca");
        let pair = match (path(&flags.cert, "cert"), path(&flags.key, "key")) {
            (Some(cert), Some(key)) if ca.is_some() => Some((cert, key)),
            (None, None) => None,
            _ => return Err(SettingsError::Partial),
        };
        let token = flags.token.clone().or_else(|| of("token"));
        if token.as_ref().is_some_and(|token| squall_master::tokens::Secret::parse(token).is_none()) {
            return Err(SettingsError::Token);
        }
        Ok(Self {
            output,
            connect: addresses(&connect)?,
            token,
            ca,
            pair,
            timeout: duration::parse(&timeout).map_err(SettingsError::Timeout)?,
        })
    }

    /// How masters are called.
    pub fn tls(&self) -> Result<certs::Client, CliError> {
        let time = Arc::new(DefaultTimeProvider);
        Ok(match (&self.ca, &self.pair) {
            (None, _) => certs::Client::plain(),
            (Some(ca), None) => certs::Client::with_authority(ca, time)?,
            (Some(ca), Some((cert, key))) => {
                let files = TlsFiles { cert: cert.clone(), key: key.clone(), ca: ca.clone() };
                certs::Client::with_certificate(&Material::read(&files, now(), "user")?, time)
            }
        })
    }
}

fn addresses(text: &str) -> Result<Vec<HostPort>, SettingsError> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let addresses = items.map(str::parse).collect::<Result<Vec<_>, _>>().map_err(SettingsError::Address)?;
    if addresses.is_empty() { Err(SettingsError::Nobody) } else { Ok(addresses) }
}

fn settings_file(lookup: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let named = |name| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || named("XDG_CONFIG_HOME").or_else(|| Some(named("HOME")?.join(".config")));
    named("SQUALL_CLIENT_CONFIG").or_else(|| Some(home()?.join("squall/client.toml")))
}

fn values(path: &Path, text: std::io::Result<Option<String>>) -> Result<toml::Table, SettingsError> {
    let text = text.map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
    let table: toml::Table = toml::from_str(&text.unwrap_or_default())
        .map_err(|source| SettingsError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
    for (key, value) in &table {
        if !KEYS.contains(&key.as_str()) {
            return Err(SettingsError::Unknown {
                path: path.to_owned(),
                key: key.clone(),
                nearest: nearest(key, KEYS),
            });
        }
        if !value.is_str() {
            return Err(SettingsError::NotText { path: path.to_owned(), key: key.clone() });
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "sqt_0000000000000000000000000000000000000000000000000000000000000000";

    fn load(flags: &SettingsFlags, variables: &[(&str, &str)], file: Option<&str>) -> Result<Settings, String> {
        let lookup = |name: &str| {
            let home = (name == "HOME").then(|| "/h".to_owned());
            variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned()).or(home)
        };
        Settings::load(flags, lookup, |path| {
            assert_eq!(path.display().to_string(), "/h/.config/squall/client.toml");
            Ok(file.map(str::to_owned))
        })
        .map_err(|error| format!("{error}; {}", error.next_step()))
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = Some("connect = \"a:1\"\ntimeout = \"1s\"\noutput = \"wide\"\nca = \"/ca\"\n");
        let none = SettingsFlags::default();
        let settings = load(&none, &[("SQUALL_TIMEOUT", "2s"), ("SQUALL_TOKEN", TOKEN)], file).unwrap();
        assert_eq!((settings.connect[0].to_string().as_str(), settings.timeout), ("a:1", Duration::from_secs(2)));
        assert_eq!(
            (settings.output, settings.token.as_deref(), settings.ca),
            (Output::Wide, Some(TOKEN), Some("/ca".into()))
        );
        let flags = SettingsFlags { connect: Some("b:2, c:3".into()), output: Some(Output::Json), ..none };
        let settings = load(&flags, &[("SQUALL_CONNECT", "x:1")], file).unwrap();
        assert_eq!(settings.connect.iter().map(ToString::to_string).collect::<Vec<_>>(), ["b:2", "c:3"]);
        assert_eq!(settings.output, Output::Json);
    }

    #[test]
    fn nothing_has_to_be_set() {
        let settings = load(&SettingsFlags::default(), &[], None).unwrap();
        assert_eq!(
            (settings.connect[0].to_string().as_str(), settings.timeout),
            ("127.0.0.1:7400", Duration::from_secs(15))
        );
        assert_eq!((settings.ca, settings.pair, settings.token), (None, None, None));
    }

    #[test]
    fn what_can_not_be_used_is_said_with_what_would_be_right() {
        let none = SettingsFlags::default();
        for (variables, file, hint) in [
            (&[][..], "conect = \"a:1\"", "did you mean connect?"),
            (&[], "quux = 1", "there are connect, token"),
            (&[], "timeout = 5", "takes a text in quotes"),
            (&[], "timeout =", "is no TOML"),
            (&[], "timeout = \"soon\"", "give --timeout 15s"),
            (&[], "output = \"xml\"", "table, wide, json"),
            (&[("SQUALL_CONNECT", "a")], "", "give --connect"),
            (&[("SQUALL_CONNECT", ",")], "", "names no master"),
            (&[("SQUALL_CERT", "c")], "", "ca, cert and key together"),
            (&[("SQUALL_CERT", "c"), ("SQUALL_KEY", "k")], "", "ca, cert and key together"),
            (&[("SQUALL_TOKEN", "sqt_abc")], "", "copy it whole"),
        ] {
            let error = load(&none, variables, Some(file)).unwrap_err();
            assert!(error.contains(hint), "{file} {variables:?}: {error}");
        }
    }
}
