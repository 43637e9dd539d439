//! A cluster's authority: it signs certificates for masters, workers and people.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use squall_types::cluster::UnixMillis;
use squall_types::{Code, codes};
use time::OffsetDateTime;

use super::identity::Identity;

/// 24 hours.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How much earlier than now a certificate begins: clocks differ.
const SLACK: Duration = Duration::from_secs(5 * 60);

/// A certificate and its key, both in PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub cert: String,
    /// Its private key.
    pub key: String,
}

/// What a certificate is wanted for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who will hold it.
    pub identity: Identity,
    /// Names and addresses of the hosts where its holder is reached; a person has none.
    pub hosts: Vec<String>,
    /// Now, in wall time.
    pub now: UnixMillis,
    /// For how long it is good.
    pub valid_for: Duration,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    /// The authority's files aren't one.
    #[error("this is no authority's certificate and key")]
    NoAuthority(#[source] rcgen::Error),
    /// It can't be signed.
    #[error("the certificate can't be signed")]
    NotSigned(#[source] rcgen::Error),
    /// Somebody is to be reached where nobody can be.
    #[error("{0:?} is neither a host's name nor an IP address")]
    NotAHost(String),
    /// It ends after the year 9999, or begins before time.
    #[error("a certificate can't be good for so long")]
    TooLong,
}

impl CertError {
    /// The error's stable code.
    pub const fn code(&self) -> Code {
        codes::CERT_NOT_MADE
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NoAuthority(_) => "name the folder that `squall certs init` filled: it has ca.crt and ca.key",
            Self::NotSigned(_) => "make another authority with `squall certs init`; this one's key can't sign",
            Self::NotAHost(_) => "write --host as master-1.example.org or 10.0.0.1, without a port",
            Self::TooLong => "give a shorter --valid-for",
        }
    }
}

/// Signs for one cluster. Whoever has its key can let anyone in: it belongs on no daemon's machine.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority, good from now on for so long.
    ///
    /// # Errors
    /// If that is too long, or the system has no randomness.
    pub fn generate(name: &str, now: UnixMillis, valid_for: Duration) -> Result<Issued, CertError> {
        let mut params = dated(now, valid_for)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(CertError::NotSigned)?;
        let cert = params.self_signed(&key).map_err(CertError::NotSigned)?;
        Ok(Issued { cert: cert.pem(), key: key.serialize_pem() })
    }

    /// The authority with this certificate and key, in PEM.
    ///
    /// # Errors
    /// If they are none.
    pub fn from_pem(cert: &str, key: &str) -> Result<Self, CertError> {
        let key = KeyPair::from_pem(key).map_err(CertError::NoAuthority)?;
        Ok(Self { issuer: Issuer::from_ca_cert_pem(cert, key).map_err(CertError::NoAuthority)? })
    }

    /// Makes a certificate, and a key for it.
    ///
    /// # Errors
    /// If a host is none, it would be good for too long, or it can't be signed.
    pub fn issue(&self, request: &Request) -> Result<Issued, CertError> {
        let mut params = dated(request.now, request.valid_for)?;
        params.distinguished_name.push(DnType::CommonName, request.identity.name());
        params.distinguished_name.push(DnType::OrganizationalUnitName, request.identity.kind());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !matches!(request.identity, Identity::User { .. }) {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        params.use_authority_key_identifier_extension = true;
        let uri = request.identity.to_string().try_into().map_err(CertError::NotSigned)?;
        params.subject_alt_names.push(SanType::URI(uri));
        for host in &request.hosts {
            params.subject_alt_names.push(san(host)?);
        }
        let key = KeyPair::generate().map_err(CertError::NotSigned)?;
        let cert = params.signed_by(&key, &self.issuer).map_err(CertError::NotSigned)?;
        Ok(Issued { cert: cert.pem(), key: key.serialize_pem() })
    }
}

fn dated(now: UnixMillis, valid_for: Duration) -> Result<CertificateParams, CertError> {
    let at = |millis: UnixMillis| {
        let seconds = i64::try_from(millis.get() / 1_000).ok();
        seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()).ok_or(CertError::TooLong)
    };
    let begin = UnixMillis::new(now.get().saturating_sub(u64::try_from(SLACK.as_millis()).unwrap_or(0)));
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = at(begin)?;
    params.not_after = at(now.plus(valid_for))?;
    Ok(params)
}

fn san(host: &str) -> Result<SanType, CertError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(ip));
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let name = Some(host).filter(|host| !host.is_empty() && host.bytes().all(legal));
    let name = name.and_then(|host| host.try_into().ok()).ok_or_else(|| CertError::NotAHost(host.to_owned()))?;
    Ok(SanType::DnsName(name))
}
