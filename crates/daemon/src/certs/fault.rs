//! Why two ends don't come together, said at each end.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};
use squall_types::{Code, codes};

/// Which end says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The one that was called.
    Server,
    /// The one that called.
    Client,
}

/// Why a connection isn't handed on.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// Plain text came to a port that speaks TLS.
    #[error("the client speaks plain text, and this port speaks TLS")]
    PlainClient,
    /// The server speaks TLS, and plain text was tried.
    #[error("the server speaks TLS on this port, and this client plain text")]
    TlsServer,
    /// TLS came to a port that speaks plain text.
    #[error("the client speaks TLS, and this port plain text")]
    TlsClient,
    /// The server speaks plain text, and TLS was tried.
    #[error("the server speaks plain text on this port, and this client TLS")]
    PlainServer,
    /// The other's certificate is of another time.
    #[error("the other end's certificate is expired, or not good yet")]
    PeerExpired(#[source] rustls::Error),
    /// Ours is, says the other.
    #[error("the other end says that our certificate is expired, or not good yet")]
    OwnExpired(#[source] rustls::Error),
    /// The other's certificate isn't our authority's.
    #[error("the other end's certificate isn't signed by this cluster's authority")]
    PeerUnknown(#[source] rustls::Error),
    /// Ours isn't, says the other.
    #[error("the other end doesn't know the authority that signed our certificate")]
    OwnUnknown(#[source] rustls::Error),
    /// The other's certificate is for another host.
    #[error("the other end's certificate is for another host")]
    WrongHost(#[source] rustls::Error),
    /// The other is signed for, but isn't who is wanted.
    #[error("the other end's certificate is that of {found}, and a master's is wanted")]
    WrongKind {
        /// Whose it is.
        found: String,
    },
    /// A certificate is wanted, and none was shown.
    #[error("the other end wants a certificate, and there is none")]
    NoCertificate(#[source] rustls::Error),
    /// Another thing that TLS doesn't like.
    #[error("TLS can't be agreed on")]
    Other(#[source] rustls::Error),
    /// The connection broke, or was silent too long.
    #[error("the connection broke before it was agreed on")]
    Broken(#[source] io::Error),
}

/// What a server says of a certificate that it refuses.
const REFUSALS: [AlertDescription; 4] = [
    AlertDescription::CertificateExpired,
    AlertDescription::UnknownCA,
    AlertDescription::DecryptError,
    AlertDescription::CertificateRequired,
];

impl TlsFault {
    /// The error's stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::PlainClient | Self::TlsServer => codes::PLAIN_ON_TLS,
            Self::TlsClient | Self::PlainServer => codes::TLS_ON_PLAIN,
            Self::PeerExpired(_) | Self::OwnExpired(_) => codes::CERT_EXPIRED,
            Self::PeerUnknown(_) | Self::OwnUnknown(_) => codes::CERT_UNKNOWN_CA,
            Self::WrongHost(_) => codes::CERT_WRONG_HOST,
            Self::WrongKind { .. } => codes::CERT_WRONG_KIND,
            Self::NoCertificate(_) | Self::Other(_) | Self::Broken(_) => codes::TLS_FAILED,
        }
    }

    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::PlainClient => "give that client the authority's certificate (--ca, or tls.ca)",
            Self::TlsServer => "give --ca with the authority's certificate, and --token, or --cert and --key",
            Self::TlsClient => "set tls.cert, tls.key and tls.ca here, or take the certificates from that client",
            Self::PlainServer => "leave out --ca, --cert and --key; or set tls.cert, tls.key and tls.ca at the server",
            Self::PeerExpired(_) => {
                "issue a new certificate for the other end with `squall certs issue`, and look at both clocks"
            }
            Self::OwnExpired(_) => "issue a new certificate with `squall certs issue`, and look at both clocks",
            Self::PeerUnknown(_) | Self::OwnUnknown(_) => {
                "give both ends certificates of the same authority: compare the ca.crt that each has"
            }
            Self::WrongHost(_) => "issue it with a --host for each name and address by which it is called",
            Self::WrongKind { .. } => "look where this address leads: only a master may answer there",
            Self::NoCertificate(_) => "give --cert and --key, or a token",
            Self::Other(_) | Self::Broken(_) => "look into the log of the other end, which says what it saw",
        }
    }

    /// What an error of the handshake, or of the first bytes after it, means at this end. None: it is not about TLS.
    pub fn find(error: &(dyn Error + 'static), end: End) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if end == End::Client
                && let Some(fault) = Self::in_words(&error.to_string())
            {
                return Some(fault);
            }
            if let Some(fault) = error.downcast_ref::<Self>().and_then(Self::again) {
                return Some(fault);
            }
            if let Some(tls) = error.downcast_ref::<rustls::Error>() {
                return Some(Self::of(tls.clone(), end));
            }
            next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }

    /// What a server has told this end, where HTTP/2 has kept the words alone: that it speaks TLS, or, as of TLS 1.3 only after the client's
    /// handshake is over, that it refuses the certificate.
    fn in_words(text: &str) -> Option<Self> {
        if text.contains("SQ6107") {
            return Some(Self::TlsServer);
        }
        let said = |alert: &AlertDescription| text.contains(&rustls::Error::AlertReceived(*alert).to_string());
        let alert = REFUSALS.into_iter().find(said)?;
        Some(Self::of_alert(alert, rustls::Error::AlertReceived(alert)))
    }

    /// The same once more, for those that no error of the library is behind.
    fn again(&self) -> Option<Self> {
        match self {
            Self::PlainClient => Some(Self::PlainClient),
            Self::TlsServer => Some(Self::TlsServer),
            Self::TlsClient => Some(Self::TlsClient),
            Self::PlainServer => Some(Self::PlainServer),
            Self::WrongKind { found } => Some(Self::WrongKind { found: found.clone() }),
            Self::PeerExpired(_)
            | Self::OwnExpired(_)
            | Self::PeerUnknown(_)
            | Self::OwnUnknown(_)
            | Self::WrongHost(_)
            | Self::NoCertificate(_)
            | Self::Other(_)
            | Self::Broken(_) => None,
        }
    }

    /// What an error of the handshake means at this end.
    pub(super) fn of_handshake(error: io::Error, end: End) -> Self {
        Self::find(&error, end).unwrap_or(Self::Broken(error))
    }

    fn of(error: rustls::Error, end: End) -> Self {
        match &error {
            rustls::Error::InvalidCertificate(certificate) => Self::of_certificate(certificate, error.clone()),
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => match end {
                End::Server => Self::PlainClient,
                End::Client => Self::PlainServer,
            },
            rustls::Error::AlertReceived(alert) => Self::of_alert(*alert, error),
            _ => Self::Other(error),
        }
    }

    fn of_certificate(certificate: &CertificateError, error: rustls::Error) -> Self {
        match certificate {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::PeerExpired(error),
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::PeerUnknown(error),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongHost(error)
            }
            CertificateError::Other(other) => match other.0.downcast_ref::<super::verify::NotAMaster>() {
                Some(super::verify::NotAMaster(found)) => Self::WrongKind { found: found.clone() },
                None => Self::Other(error),
            },
            _ => Self::Other(error),
        }
    }

    fn of_alert(alert: AlertDescription, error: rustls::Error) -> Self {
        match alert {
            AlertDescription::CertificateExpired => Self::OwnExpired(error),
            AlertDescription::UnknownCA | AlertDescription::DecryptError => Self::OwnUnknown(error),
            AlertDescription::CertificateRequired => Self::NoCertificate(error),
            _ => Self::Other(error),
        }
    }
}
