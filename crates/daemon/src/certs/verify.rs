//! A server's certificate must be of the kind that is called: a worker's, though signed by the same authority, must not pass for a master's.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

use super::identity::Identity;

/// The certificate is signed by the authority, but no master holds it.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is that of {0}, and no master's")]
pub struct NotAMaster(pub String);

/// Who may be at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A master.
    Master,
    /// A daemon: a master or a worker.
    Daemon,
}

impl Expected {
    const fn takes(self, found: &Identity) -> bool {
        matches!((self, found), (_, Identity::Master(_)) | (Self::Daemon, Identity::Worker(_)))
    }
}

/// What WebPKI checks, and that it is of the kind that is expected.
#[derive(Debug)]
pub struct KindVerifier(pub Arc<WebPkiServerVerifier>, pub Expected);

impl ServerCertVerifier for KindVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let found = match Identity::of(end_entity) {
            Ok(found) if self.1.takes(&found) => return Ok(verified),
            Ok(other) => other.to_string(),
            Err(_) => "nobody".to_owned(),
        };
        Err(CertificateError::Other(OtherError(Arc::new(NotAMaster(found)))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
