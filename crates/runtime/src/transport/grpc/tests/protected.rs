//! With TLS, slots know each other by their certificates.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::runtime::Handle;

use super::desk::{LANES, Slot, open, rows, send, slot, transport, try_connect};
use crate::transport::ConnectError;
use crate::transport::grpc::{GrpcTransport, Security, Settings, Tls};

/// An authority that signs for slots: the certificate of slot `n` is for the name `slot-n` and for loopback.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), root }
    }

    fn security(&self, number: u16) -> Security {
        let names = vec![format!("slot-{number}"), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let chain = vec![certificate.der().clone()];
        let key = || PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let (roots, provider) = (Arc::new(roots), Arc::new(rustls::crypto::ring::default_provider()));
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone()).build().unwrap();
        let client =
            ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let client = client.with_webpki_verifier(verifier).with_client_auth_cert(chain.clone(), key()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build().unwrap();
        let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let server = server.with_client_cert_verifier(verifier).with_single_cert(chain, key()).unwrap();
        Security::Tls(Tls {
            client: Arc::new(client),
            server: Arc::new(server),
            belongs: Arc::new(|certificate, slot| {
                let name = format!("slot-{}", slot.number);
                certificate.windows(name.len()).any(|part| part == name.as_bytes())
            }),
        })
    }
}

fn transport_of(security: Security) -> GrpcTransport {
    let settings = Settings { reach: std::time::Duration::from_millis(500), ..Settings::DEFAULT };
    GrpcTransport::new(settings, security, Handle::current())
}

#[tokio::test]
async fn slots_of_one_authority_talk_and_nobody_else() {
    let ours = Authority::new();
    let mut peer = Slot::with(ours.security(1), Settings::DEFAULT).await;
    let (connection, _) = try_connect(&transport_of(ours.security(0)), peer.address).await.unwrap();
    let mut lane = open(&connection, LANES[0]).await;
    for _ in 0..100 {
        send(&mut lane, &rows(500, 100)).await;
        peer.comes(LANES[0]).await;
    }
    for stranger in [transport(), transport_of(Authority::new().security(0))] {
        assert!(matches!(try_connect(&stranger, peer.address).await, Err(ConnectError::Unreachable(_))));
    }
}

#[tokio::test]
async fn a_slot_is_not_taken_for_another() {
    let ours = Authority::new();
    // It says that it is slot 0.
    let peer = Slot::with(ours.security(1), Settings::DEFAULT).await;
    assert!(try_connect(&transport_of(ours.security(3)), peer.address).await.is_err());
    // Slot 1 is called.
    let other = Slot::with(ours.security(2), Settings::DEFAULT).await;
    assert!(try_connect(&transport_of(ours.security(0)), other.address).await.is_err());
    assert_eq!(slot(1), super::desk::hello().to);
}
