//! A server's certificate must be a master's: a worker's, though signed by the same authority, must not pass for one.

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

/// What WebPKI checks, and that it is a master's.
#[derive(Debug)]
pub struct MasterVerifier(pub Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for MasterVerifier {
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
            Ok(Identity::Master(_)) => return Ok(verified),
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
