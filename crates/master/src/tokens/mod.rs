//! Who calls, and may they: tokens, certificates, roles.
//!
//! A token is a secret of 256 random bits, shown once. The cluster keeps the SHA-256 of it and looks it up by that: what a thief could learn
//! from the time of a look-up are bits of a hash that no secret can be made of, so the look-up needs no constant time.
//!
//! Invariants: a secret is never printed, logged or stored; a caller that shows a token is judged by the token alone.

#[cfg(test)]
mod tests;
pub mod wanted;

use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};
use squall_control::{SecretHash, Token};
use squall_types::cluster::{MasterName, Role, UnixMillis, UserName, WorkerName};
use squall_types::{Code, codes};

use crate::certs::{Identity, NotAnIdentity, Shown};

const PREFIX: &str = "sqt_";
const DIGITS: usize = 64;

/// A token as its holder has it: `sqt_` and 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one, of random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        let mut text = PREFIX.to_owned();
        for byte in random {
            write!(text, "{byte:02x}").expect("a string takes all text");
        }
        Self(text)
    }

    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let legal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (digits.len() == DIGITS && digits.bytes().all(legal)).then(|| Self(text.to_owned()))
    }

    /// What the cluster keeps of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::from_bytes(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The secret itself, for the one answer that shows it and for the header of a call.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Shows nothing of it.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(sqt_…)")
    }
}

/// Why a caller may not do what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It says nothing of who it is.
    #[error("this master wants to know who calls, and there is neither a token nor a certificate")]
    NoCredentials,
    /// Its token is none, or not good any more.
    #[error("the token isn't known: it is mistyped, expired or revoked")]
    Unknown,
    /// Its certificate is the authority's, and names nobody.
    #[error("the certificate is signed by this cluster's authority, and doesn't say who calls")]
    Nameless(#[source] NotAnIdentity),
    /// What it is may not do this.
    #[error("{who} has the role {has}, and this takes {needs}")]
    TooWeak {
        /// Who calls.
        who: String,
        /// What it may.
        has: Role,
        /// What it would have to be.
        needs: Role,
    },
    /// Only a master or a worker may.
    #[error("{who} is no {needs}, and only that may do this")]
    NotA {
        /// Who calls.
        who: String,
        /// What it would have to be.
        needs: &'static str,
    },
}

impl Denied {
    /// The error's stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::NoCredentials => codes::NO_CREDENTIALS,
            Self::Unknown => codes::TOKEN_REFUSED,
            Self::Nameless(_) => codes::CERT_NAMELESS,
            Self::TooWeak { .. } | Self::NotA { .. } => codes::ROLE_TOO_WEAK,
        }
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NoCredentials => "give --token (or SQUALL_TOKEN), or --cert and --key",
            Self::Unknown => "ask an admin for another: `squall tokens create USER --role ROLE`",
            Self::Nameless(_) => {
                "make one with `squall certs issue`, which writes whose it is into it; or show a token"
            }
            Self::TooWeak { .. } => "ask an admin for a token with that role, or for the deed",
            Self::NotA { .. } => "issue a certificate of that kind: `squall certs issue`",
        }
    }

    /// Whether who calls is unknown, rather than known and not allowed: gRPC's `UNAUTHENTICATED` and `PERMISSION_DENIED`.
    pub const fn is_unknown_caller(&self) -> bool {
        matches!(self, Self::NoCredentials | Self::Unknown | Self::Nameless(_))
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody is asked here: the master is reached from its own machine alone, or insecure.
    Anyone,
    /// A person or a tool.
    User {
        /// Its name.
        name: UserName,
        /// What it may do.
        role: Role,
    },
    /// A master, by its certificate.
    Master(MasterName),
    /// A worker, by its certificate.
    Worker(WorkerName),
}

impl Caller {
    /// Finds out who calls, by the token of its call or else by the certificate of its connection. `authorization` is that header's value;
    /// `required` whether callers must say who they are.
    ///
    /// # Errors
    /// If the token isn't good at `now`, the certificate names nobody, or nothing was shown and it is required.
    pub fn identify(
        authorization: Option<&str>,
        certificate: &Shown,
        lookup: impl FnOnce(&SecretHash) -> Option<Token>,
        now: UnixMillis,
        required: bool,
    ) -> Result<Self, Denied> {
        if let Some(header) = authorization {
            let secret = bearer(header).and_then(Secret::parse).ok_or(Denied::Unknown)?;
            let token = lookup(&secret.hash()).filter(|token| token.is_good(now)).ok_or(Denied::Unknown)?;
            return Ok(Self::User { name: token.user, role: token.role });
        }
        match certificate {
            Ok(Some(Identity::Master(name))) => Ok(Self::Master(name.clone())),
            Ok(Some(Identity::Worker(name))) => Ok(Self::Worker(name.clone())),
            Ok(Some(Identity::User { name, role })) => Ok(Self::User { name: name.clone(), role: *role }),
            // Also where nobody is asked: who shows a certificate means to be somebody.
            Err(nobody) => Err(Denied::Nameless(nobody.clone())),
            Ok(None) if required => Err(Denied::NoCredentials),
            Ok(None) => Ok(Self::Anyone),
        }
    }

    /// Whether it may do what takes this role.
    ///
    /// # Errors
    /// If it may not.
    pub fn may(&self, needs: Role) -> Result<(), Denied> {
        let has = match self {
            Self::Anyone | Self::Master(_) => Role::Admin,
            Self::User { role, .. } => *role,
            Self::Worker(_) => Role::Read,
        };
        if has >= needs { Ok(()) } else { Err(Denied::TooWeak { who: self.to_string(), has, needs }) }
    }

    /// Whether it may speak as a worker of this name.
    ///
    /// # Errors
    /// If it is somebody else.
    pub fn may_be_worker(&self, worker: &WorkerName) -> Result<(), Denied> {
        match self {
            // A master carries the streams of workers to the leader.
            Self::Anyone | Self::Master(_) => Ok(()),
            Self::Worker(name) if name == worker => Ok(()),
            Self::Worker(_) | Self::User { .. } => {
                Err(Denied::NotA { who: self.to_string(), needs: "worker of that name" })
            }
        }
    }

    /// Whether it may speak as a master.
    ///
    /// # Errors
    /// If it is none.
    pub fn may_be_master(&self) -> Result<(), Denied> {
        match self {
            Self::Anyone | Self::Master(_) => Ok(()),
            Self::Worker(_) | Self::User { .. } => Err(Denied::NotA { who: self.to_string(), needs: "master" }),
        }
    }

    /// Who stands in the events for what it does; none: nobody was asked.
    pub fn actor(&self) -> Option<UserName> {
        match self {
            Self::User { name, .. } => Some(name.clone()),
            Self::Anyone | Self::Master(_) | Self::Worker(_) => None,
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::User { name, .. } => write!(f, "user {name}"),
            Self::Master(name) => write!(f, "master {name}"),
            Self::Worker(name) => write!(f, "worker {name}"),
        }
    }
}

/// What stands after `Bearer`, in any case (RFC 6750).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, rest) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
}
