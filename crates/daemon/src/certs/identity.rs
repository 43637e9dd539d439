//! What a certificate is for.

use std::fmt;
use std::str::FromStr;

use squall_types::cluster::{MasterName, Role, UserName, WorkerName};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Who holds a certificate. It stands there as a URI: `squall:master:NAME`, `squall:worker:NAME`, `squall:user:ROLE:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A master.
    Master(MasterName),
    /// A worker.
    Worker(WorkerName),
    /// A person or a tool, and what it may do.
    User {
        /// Its name.
        name: UserName,
        /// What it may do.
        role: Role,
    },
}

/// Who is at the other end of a connection by its certificate: none, if it showed none; an error, if it showed one that the authority has
/// signed, and that doesn't say whose it is.
pub type Shown = Result<Option<Identity>, NotAnIdentity>;

impl Identity {
    /// What a certificate says of its holder. Who signed it has to be known before.
    ///
    /// # Errors
    /// It is no certificate, or none of Squall's: it says nothing, or two things.
    pub fn of(der: &[u8]) -> Result<Self, NotAnIdentity> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| NotAnIdentity::Unreadable)?;
        let names = certificate.subject_alternative_name().map_err(|_| NotAnIdentity::Unreadable)?;
        let names = names.map_or(&[][..], |names| &names.value.general_names);
        let ours = names.iter().filter_map(|name| match name {
            GeneralName::URI(uri) if uri.starts_with("squall:") => Some(*uri),
            _ => None,
        });
        match ours.collect::<Vec<_>>().as_slice() {
            [one] => one.parse(),
            [] => Err(NotAnIdentity::Unsaid),
            _ => Err(NotAnIdentity::Ambiguous),
        }
    }

    /// The kind of peer, in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Master(_) => "master",
            Self::Worker(_) => "worker",
            Self::User { .. } => "user",
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Master(name) => name.as_str(),
            Self::Worker(name) => name.as_str(),
            Self::User { name, .. } => name.as_str(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Master(name) => write!(f, "squall:master:{name}"),
            Self::Worker(name) => write!(f, "squall:worker:{name}"),
            Self::User { name, role } => write!(f, "squall:user:{role}:{name}"),
        }
    }
}

/// A certificate doesn't say whose it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnIdentity {
    /// It is no certificate.
    #[error("it can't be read as an X.509 certificate")]
    Unreadable,
    /// It has no name of Squall's.
    #[error("it has no squall: name among its subject alternative names")]
    Unsaid,
    /// It has several.
    #[error("it has more than one squall: name among its subject alternative names")]
    Ambiguous,
    /// Its name says nothing that is known.
    #[error("its name {0:?} is no squall:master:NAME, squall:worker:NAME or squall:user:ROLE:NAME")]
    Malformed(String),
}

impl FromStr for Identity {
    type Err = NotAnIdentity;

    fn from_str(text: &str) -> Result<Self, NotAnIdentity> {
        let malformed = || NotAnIdentity::Malformed(text.to_owned());
        let parts: Vec<_> = text.split(':').collect();
        match parts.as_slice() {
            ["squall", "master", name] => name.parse().map(Self::Master).map_err(|_| malformed()),
            ["squall", "worker", name] => name.parse().map(Self::Worker).map_err(|_| malformed()),
            ["squall", "user", role, name] => {
                let (role, name) = (role.parse().map_err(|_| malformed())?, name.parse().map_err(|_| malformed())?);
                Ok(Self::User { name, role })
            }
            _ => Err(malformed()),
        }
    }
}
