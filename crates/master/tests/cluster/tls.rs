//! Whole masters that speak TLS with certificates of one authority, and whoever has none, or another's.

use std::sync::Arc;

use squall_daemon::certs::{Authority, Client, DAY, DefaultTimeProvider, End, Identity, Material, Request, TlsFault};
use squall_daemon::config::{HostPort, TlsFiles};
use squall_master::config::MasterConfig;
use squall_master::{Env, Node, Secured};
use squall_proto::v1::cluster_client::ClusterClient;
use squall_proto::v1::topologies_client::TopologiesClient;
use squall_proto::{Failure, v1};
use squall_types::cluster::UnixMillis;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{config, header, mutation, now, submission, within};

/// An authority, and what it has made.
struct Pki {
    dir: TempDir,
    authority: Authority,
    cert: String,
    key: String,
}

impl Pki {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = Authority::generate("test", now(), 10 * DAY).unwrap();
        std::fs::write(dir.path().join("ca.crt"), &ca.cert).unwrap();
        Self { authority: Authority::from_pem(&ca.cert, &ca.key).unwrap(), cert: ca.cert, key: ca.key, dir }
    }

    fn files(&self, name: &str) -> TlsFiles {
        let at = |name: &str| self.dir.path().join(name);
        TlsFiles { cert: at(&format!("{name}.crt")), key: at(&format!("{name}.key")), ca: at("ca.crt") }
    }

    fn issue_at(&self, identity: &str, now: UnixMillis) -> TlsFiles {
        let identity: Identity = identity.parse().unwrap();
        let files = self.files(identity.name());
        let hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let issued = self.authority.issue(&Request { identity, hosts, now, valid_for: DAY }).unwrap();
        std::fs::write(&files.cert, issued.cert).unwrap();
        std::fs::write(&files.key, issued.key).unwrap();
        files
    }

    fn client(&self, identity: &str) -> Client {
        self.client_at(identity, now())
    }

    fn client_at(&self, identity: &str, at: UnixMillis) -> Client {
        let kind = identity.parse::<Identity>().unwrap().kind();
        let material = Material::read(&self.issue_at(identity, at), at, kind).unwrap();
        Client::with_certificate(&material, Arc::new(DefaultTimeProvider))
    }

    /// A client with a certificate of this authority in which no name of Squall's stands: as another tool makes them.
    fn nameless(&self) -> (rcgen::Certificate, rcgen::KeyPair) {
        let issuer = rcgen::Issuer::from_ca_cert_pem(&self.cert, rcgen::KeyPair::from_pem(&self.key).unwrap()).unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["tool.example.org".to_owned()]).unwrap();
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = rcgen::KeyPair::generate().unwrap();
        (params.signed_by(&key, &issuer).unwrap(), key)
    }

    /// Tells a master to speak TLS, under this name.
    fn protect(&self, config: &mut MasterConfig, name: &str) {
        let files = self.issue_at(&format!("squall:master:{name}"), now());
        config.name = Some(name.parse().unwrap());
        (config.tls.cert, config.tls.key, config.tls.ca) = (Some(files.cert), Some(files.key), Some(files.ca));
    }
}

async fn start(config: MasterConfig) -> Node {
    let env = Env::machine();
    let secured = Secured::of(&config, &env).unwrap();
    Node::start(config, secured, env).await.unwrap()
}

async fn connect(client: &Client, node: &Node) -> Result<Channel, tonic::transport::Error> {
    let address: HostPort = node.address().to_string().parse().unwrap();
    let client = client.clone();
    let connector = tower::service_fn(move |_| {
        let (client, address) = (client.clone(), address.clone());
        async move {
            let stream = TcpStream::connect((address.host(), address.port())).await?;
            let secured = client.secure(stream, &address).await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(secured))
        }
    });
    within(Endpoint::from_static("http://master").connect_with_connector(connector)).await
}

/// What an attempt to ask for the status comes to, as the caller's end sees it.
async fn turned_away(client: &Client, node: &Node) -> String {
    let error: Box<dyn std::error::Error> = match connect(client, node).await {
        Err(error) => Box::new(error),
        Ok(channel) => {
            Box::new(within(ClusterClient::new(channel).status(v1::StatusRequest {})).await.expect_err("it is let in"))
        }
    };
    match TlsFault::find(&*error, End::Client) {
        Some(fault) => fault.code().to_string(),
        None => format!("{error:?}"),
    }
}

async fn three(pki: &Pki) -> (Vec<Node>, Vec<TempDir>) {
    let held: Vec<_> = (0..3).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = held.iter().map(|it| it.local_addr().unwrap()).collect();
    drop(held);
    let (mut nodes, mut disks) = (Vec::new(), Vec::new());
    for (number, address) in addresses.iter().enumerate() {
        let disk = tempfile::tempdir().unwrap();
        let mut config = config(&disk);
        config.listen = *address;
        config.masters = addresses.iter().map(|it| it.to_string().parse().unwrap()).collect();
        config.tokens.required = Some(true);
        pki.protect(&mut config, &format!("m{number}"));
        nodes.push(start(config).await);
        disks.push(disk);
    }
    (nodes, disks)
}

#[tokio::test]
async fn three_masters_form_over_mutual_tls_and_know_who_calls_through_whichever_it_is() {
    let pki = Pki::new();
    let (nodes, _disks) = three(&pki).await;
    for node in &nodes {
        within(node.ready()).await;
    }
    let follower = nodes.iter().find(|node| !node.leads()).unwrap();
    let ann = connect(&pki.client("squall:user:operate:ann"), follower).await.unwrap();
    within(TopologiesClient::new(ann.clone()).submit(submission(header("words", 1)))).await.unwrap();
    let watch = v1::WatchRequest {
        from_revision: 1,
        subjects: vec!["topology words".to_owned()],
        ..v1::WatchRequest::default()
    };
    let mut events = within(ClusterClient::new(ann.clone()).watch(watch)).await.unwrap().into_inner();
    let event = within(events.message()).await.unwrap().unwrap();
    assert_eq!((event.kind.as_str(), event.actor.as_str()), ("topology-submitted", "ann"));
    assert!(event.origin.starts_with("127.0.0.1:"), "{event:?}");

    let remove = v1::RemoveMasterRequest { mutation: mutation(), name: "m0".to_owned() };
    let status = within(ClusterClient::new(ann).remove_master(remove)).await.unwrap_err();
    assert_eq!(Failure::from_status(&status).unwrap().code.to_string(), "SQ6203");
    let nobody = Client::with_authority(&pki.files("x").ca, Arc::new(DefaultTimeProvider)).unwrap();
    let nobody = connect(&nobody, follower).await.unwrap();
    let status = within(ClusterClient::new(nobody).status(v1::StatusRequest {})).await.unwrap_err();
    assert_eq!(Failure::from_status(&status).unwrap().code.to_string(), "SQ6201");
}

#[tokio::test]
async fn whoever_does_not_belong_is_told_why_by_a_whole_master() {
    let (pki, other) = (Pki::new(), Pki::new());
    let disk = tempfile::tempdir().unwrap();
    let mut secured = config(&disk);
    pki.protect(&mut secured, "m0");
    let node = start(secured).await;
    within(node.ready()).await;
    assert_eq!(turned_away(&other.client("squall:user:admin:eve"), &node).await, "SQ6106");
    let late = UnixMillis::new(now().get() - 20 * 24 * 3_600_000);
    assert_eq!(turned_away(&pki.client_at("squall:user:admin:old", late), &node).await, "SQ6104");
    assert_eq!(turned_away(&Client::plain(), &node).await, "SQ6107");
    assert!(connect(&pki.client("squall:user:admin:ann"), &node).await.is_ok(), "it harms nobody else");

    let plain_disk = tempfile::tempdir().unwrap();
    let plain = start(config(&plain_disk)).await;
    assert_eq!(turned_away(&pki.client("squall:user:admin:ann"), &plain).await, "SQ6108");
}

#[tokio::test]
async fn a_certificate_without_a_name_may_do_nothing_though_nobody_is_asked() {
    let pki = Pki::new();
    let disk = tempfile::tempdir().unwrap();
    let mut secured = config(&disk);
    pki.protect(&mut secured, "m0");
    secured.tokens.required = Some(false);
    let node = start(secured).await;
    within(node.ready()).await;
    let (cert, key) = pki.nameless();
    let identity = connector(&pki, &cert, &key);
    let channel = connect_raw(identity, &node).await;
    let status = within(ClusterClient::new(channel.clone()).status(v1::StatusRequest {})).await.unwrap_err();
    let failure = Failure::from_status(&status).unwrap();
    assert_eq!((status.code(), failure.code.to_string().as_str()), (tonic::Code::Unauthenticated, "SQ6204"));
    assert!(failure.cause.contains("no squall: name"), "{failure:?}");
    assert!(within(HealthClient::new(channel).check(HealthCheckRequest::default())).await.is_ok());
}

/// What shows a certificate that is none of Squall's, which Squall's own client never would.
fn connector(pki: &Pki, cert: &rcgen::Certificate, key: &rcgen::KeyPair) -> tokio_rustls::TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    let ca = std::fs::read(pki.files("x").ca).unwrap();
    use rustls::pki_types::pem::PemObject as _;
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let mut config =
        builder.with_root_certificates(roots).with_client_auth_cert(vec![cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

async fn connect_raw(connector: tokio_rustls::TlsConnector, node: &Node) -> Channel {
    let address = node.address();
    let connector = tower::service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
            let secured = connector.connect(name, stream).await?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(secured))
        }
    });
    within(Endpoint::from_static("http://master").connect_with_connector(connector)).await.unwrap()
}

#[tokio::test]
async fn a_master_with_another_authority_s_certificate_forms_nothing_and_both_say_why() {
    let (pki, other) = (Pki::new(), Pki::new());
    let held: Vec<_> = (0..2).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = held.iter().map(|it| it.local_addr().unwrap()).collect();
    drop(held);
    let mut nodes = Vec::new();
    for (number, authority) in [&pki, &other].into_iter().enumerate() {
        let disk = tempfile::tempdir().unwrap();
        let mut config = config(&disk);
        config.listen = addresses[number];
        config.masters = addresses.iter().map(|it| it.to_string().parse().unwrap()).collect();
        authority.protect(&mut config, &format!("m{number}"));
        nodes.push((start(config).await, disk));
    }
    for (node, _) in &nodes {
        let mut readiness = node.readiness();
        let says = |it: &squall_daemon::http::Readiness| format!("{it:?}").contains("SQ6106: ");
        within(readiness.wait_for(says)).await.unwrap();
    }
}
