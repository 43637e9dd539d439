//! Certificates and keys as they lie in files.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use squall_types::cluster::UnixMillis;
use squall_types::{Code, codes};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use super::identity::{Identity, NotAnIdentity};
use crate::config::TlsFiles;

/// A certificate with its key, and the authority that peers must be signed by.
#[derive(Debug)]
pub struct Material {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) roots: RootCertStore,
    identity: Identity,
}

/// Why certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// A file can't be read.
    #[error("can't read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file doesn't have what it should.
    #[error("{} has no {what} in PEM", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The certificate doesn't say whose it is.
    #[error("{} is no certificate that `squall certs` made", path.display())]
    Nobody {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: NotAnIdentity,
    },
    /// The key is another's.
    #[error("{} is not the key of {}", key.display(), cert.display())]
    KeyMismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        cert: PathBuf,
    },
    /// It is too late, or too early.
    #[error("{} is good from {from} to {to}, and not now", path.display())]
    Expired {
        /// Which file.
        path: PathBuf,
        /// Its first moment.
        from: String,
        /// Its last.
        to: String,
    },
    /// It is for somebody else.
    #[error("{} is the certificate of a {found}, and a {wanted}'s is wanted", path.display())]
    WrongKind {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        found: &'static str,
        /// Whose it should be.
        wanted: &'static str,
    },
}

impl MaterialError {
    /// The error's stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } => codes::CERT_UNREADABLE,
            Self::Malformed { .. } | Self::Nobody { .. } => codes::CERT_MALFORMED,
            Self::KeyMismatch { .. } => codes::CERT_KEY_MISMATCH,
            Self::Expired { .. } => codes::CERT_EXPIRED,
            Self::WrongKind { .. } => codes::CERT_WRONG_KIND,
        }
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check the file's name and who may read it",
            Self::Malformed { .. } => {
                "look whether certificate, key and authority were taken for each other: cert, key and ca are three files"
            }
            Self::Nobody { .. } => "make one with `squall certs issue`",
            Self::KeyMismatch { .. } => "take the key that was written beside the certificate",
            Self::Expired { .. } => "issue a new one with `squall certs issue`, or set this machine's clock",
            Self::WrongKind { .. } => "issue one of the right kind: `squall certs issue master`, `worker` or `user`",
        }
    }
}

impl Material {
    /// Reads certificate, key and authority; `now` is the wall time, by which the certificate must be good. `kinds` are those whose
    /// certificate it may be, as [`Identity::kind`] names them.
    ///
    /// # Errors
    /// If a file can't be read or isn't what it should be, if they don't belong together, or the certificate's time is over.
    pub fn read(files: &TlsFiles, now: UnixMillis, wanted: &'static str) -> Result<Self, MaterialError> {
        let chain = certificates(&files.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&bytes(&files.key)?)
            .map_err(|_| MaterialError::Malformed { path: files.key.clone(), what: "private key" })?;
        let identity =
            Identity::of(&chain[0]).map_err(|source| MaterialError::Nobody { path: files.cert.clone(), source })?;
        if identity.kind() != wanted {
            return Err(MaterialError::WrongKind { path: files.cert.clone(), found: identity.kind(), wanted });
        }
        matches(&chain[0], &key, files)?;
        timely(&chain[0], now, &files.cert)?;
        let roots = roots(&files.ca)?;
        Ok(Self { chain, key, roots, identity })
    }

    /// Who holds it.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// The authority's certificate alone: all that a client with a token needs.
pub fn roots(path: &Path) -> Result<RootCertStore, MaterialError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|_| MaterialError::Malformed { path: path.to_owned(), what: "authority's certificate" })?;
    }
    Ok(roots)
}

fn bytes(path: &Path) -> Result<Vec<u8>, MaterialError> {
    std::fs::read(path).map_err(|source| MaterialError::Unreadable { path: path.to_owned(), source })
}

/// At least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    let malformed = || MaterialError::Malformed { path: path.to_owned(), what: "certificate" };
    let all = CertificateDer::pem_slice_iter(&bytes(path)?).collect::<Result<Vec<_>, _>>().map_err(|_| malformed())?;
    if all.is_empty() { Err(malformed()) } else { Ok(all) }
}

fn matches(cert: &CertificateDer<'_>, key: &PrivateKeyDer<'_>, files: &TlsFiles) -> Result<(), MaterialError> {
    let malformed = || MaterialError::Malformed { path: files.key.clone(), what: "private key" };
    let signing = rustls::crypto::ring::sign::any_supported_type(key).map_err(|_| malformed())?;
    let certified = rustls::sign::CertifiedKey::new(vec![cert.clone().into_owned()], signing);
    certified.keys_match().map_err(|_| MaterialError::KeyMismatch { key: files.key.clone(), cert: files.cert.clone() })
}

fn timely(cert: &CertificateDer<'_>, now: UnixMillis, path: &Path) -> Result<(), MaterialError> {
    let malformed = || MaterialError::Malformed { path: path.to_owned(), what: "certificate" };
    let (_, parsed) = X509Certificate::from_der(cert).map_err(|_| malformed())?;
    let seconds = i64::try_from(now.get() / 1_000).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if ASN1Time::from_timestamp(seconds).is_ok_and(|now| validity.is_valid_at(now)) {
        return Ok(());
    }
    let (from, to) = (validity.not_before.to_string(), validity.not_after.to_string());
    Err(MaterialError::Expired { path: path.to_owned(), from, to })
}
