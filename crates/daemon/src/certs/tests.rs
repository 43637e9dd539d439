use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use squall_types::cluster::{Role, UnixMillis};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::config::{HostPort, TlsFiles};

/// 2026-06-01.
const NOW: UnixMillis = UnixMillis::new(1_780_272_000_000);

#[derive(Debug)]
struct At(UnixMillis);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.get())))
    }
}

struct Pki {
    dir: TempDir,
    authority: Authority,
}

impl Pki {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = Authority::generate("test", NOW, 10 * DAY).unwrap();
        std::fs::write(dir.path().join("ca.crt"), &ca.cert).unwrap();
        Self { authority: Authority::from_pem(&ca.cert, &ca.key).unwrap(), dir }
    }

    fn files(&self, name: &str) -> TlsFiles {
        let at = |name: &str| self.dir.path().join(name);
        TlsFiles { cert: at(&format!("{name}.crt")), key: at(&format!("{name}.key")), ca: at("ca.crt") }
    }

    fn issue(&self, identity: &str, now: UnixMillis) -> TlsFiles {
        let identity: Identity = identity.parse().unwrap();
        let files = self.files(identity.name());
        let hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let issued = self.authority.issue(&Request { identity, hosts, now, valid_for: DAY }).unwrap();
        std::fs::write(&files.cert, issued.cert).unwrap();
        std::fs::write(&files.key, issued.key).unwrap();
        files
    }

    fn material(&self, identity: &str) -> Material {
        let kind = identity.parse::<Identity>().unwrap().kind();
        Material::read(&self.issue(identity, NOW), NOW, kind).unwrap()
    }

    fn master(&self) -> Server {
        Server::with_certificate(&self.material("squall:master:m-1"), Arc::new(At(NOW)))
    }

    fn ann(&self) -> Client {
        Client::with_certificate(&self.material("squall:user:admin:ann"), Arc::new(At(NOW)))
    }
}

/// What the client and the server say of each other.
async fn meet(server: &Server, client: &Client) -> (Result<(), TlsFault>, Result<Option<Identity>, TlsFault>) {
    meet_at(server, client, "localhost:1").await
}

async fn meet_at(
    server: &Server,
    client: &Client,
    host: &str,
) -> (Result<(), TlsFault>, Result<Option<Identity>, TlsFault>) {
    let (near, far) = duplex(64 << 10);
    let host: HostPort = host.parse().unwrap();
    let called = async {
        let mut stream = client.secure(near, &host).await?;
        // As of TLS 1.3 a client hears of its own certificate's refusal when it reads.
        let mut echo = [0; 4];
        let talked = async {
            stream.write_all(b"ping").await?;
            stream.read_exact(&mut echo).await
        };
        let talked = talked.await;
        talked.map(|_| ()).map_err(|error| TlsFault::find(&error, End::Client).unwrap_or(TlsFault::Broken(error)))
    };
    let taken = async {
        let mut stream = server.accept(far, None).await?;
        let mut words = [0; 4];
        stream.read_exact(&mut words).await.map_err(TlsFault::Broken)?;
        stream.write_all(&words).await.map_err(TlsFault::Broken)?;
        Ok(stream.peer().identity.clone().unwrap())
    };
    tokio::join!(called, taken)
}

fn codes<A: std::fmt::Debug, B: std::fmt::Debug>(
    (client, server): (Result<A, TlsFault>, Result<B, TlsFault>),
) -> (u16, u16) {
    (client.unwrap_err().code().number(), server.unwrap_err().code().number())
}

#[test]
fn an_identity_is_read_back_from_its_certificate() {
    let pki = Pki::new();
    for text in ["squall:master:m-1", "squall:worker:node-7", "squall:user:operate:ann"] {
        let material = pki.material(text);
        assert_eq!(material.identity().to_string(), text);
        assert_eq!(Identity::of(&material.chain[0]), Ok(text.parse().unwrap()));
    }
    for text in [
        "",
        "squall:boss:a",
        "squall:master:",
        "squall:user:ann",
        "squall:user:root:ann",
        "squall:master:a:b",
        "x:master:a",
    ] {
        assert_eq!(text.parse::<Identity>(), Err(NotAnIdentity::Malformed(text.to_owned())));
    }
    assert_eq!(Identity::of(b"\x30\x80no"), Err(NotAnIdentity::Unreadable));
}

#[tokio::test]
async fn a_server_knows_by_the_certificate_who_calls() {
    let pki = Pki::new();
    for text in ["squall:master:m-2", "squall:worker:node-7", "squall:user:operate:ann"] {
        let client = Client::with_certificate(&pki.material(text), Arc::new(At(NOW)));
        let (client, server) = meet(&pki.master(), &client).await;
        client.unwrap();
        assert_eq!(server.unwrap(), Some(text.parse().unwrap()));
    }
}

#[tokio::test]
async fn who_shows_no_certificate_is_let_in_as_nobody() {
    let pki = Pki::new();
    let client = Client::with_authority(&pki.files("x").ca, Arc::new(At(NOW))).unwrap();
    let (client, server) = meet(&pki.master(), &client).await;
    client.unwrap();
    assert_eq!(server.unwrap(), None);
}

#[tokio::test]
async fn plain_text_on_both_ends_is_handed_on_whole() {
    let (client, server) = meet(&Server::plain(), &Client::plain()).await;
    client.unwrap();
    assert_eq!(server.unwrap(), None);
}

#[tokio::test]
async fn tls_on_a_plain_port_is_said_at_both_ends() {
    let pki = Pki::new();
    assert_eq!(codes(meet(&Server::plain(), &pki.ann()).await), (6108, 6108));
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_said_at_both_ends() {
    let (ours, theirs) = (Pki::new(), Pki::new());
    // Each refuses the other; the client is the first to see.
    let (client, server) = meet(&ours.master(), &theirs.ann()).await;
    assert!(matches!(client, Err(TlsFault::PeerUnknown(_))), "{client:?}");
    assert!(matches!(server, Err(TlsFault::OwnUnknown(_))), "{server:?}");

    // A client that knows the server's authority, but has a certificate of another.
    let mut mixed = theirs.material("squall:user:admin:ann");
    mixed.roots = ours.material("squall:user:admin:ann").roots;
    let client = Client::with_certificate(&mixed, Arc::new(At(NOW)));
    let (client, server) = meet(&ours.master(), &client).await;
    assert!(matches!(server, Err(TlsFault::PeerUnknown(_))), "{server:?}");
    assert_eq!(client.unwrap_err().code().number(), 6106);
}

#[tokio::test]
async fn a_certificate_whose_time_is_over_is_said_at_both_ends() {
    let pki = Pki::new();
    let later = UnixMillis::new(NOW.get()).plus(2 * DAY);
    let late = |identity| Client::with_certificate(&pki.material(identity), Arc::new(At(later)));
    let (client, server) = meet(&pki.master(), &late("squall:user:admin:ann")).await;
    assert!(matches!(client, Err(TlsFault::PeerExpired(_))), "{client:?}");
    assert!(matches!(server, Err(TlsFault::OwnExpired(_))), "{server:?}");

    let server = Server::with_certificate(&pki.material("squall:master:m-1"), Arc::new(At(later)));
    let (client, server) = meet(&server, &pki.ann()).await;
    assert!(matches!(server, Err(TlsFault::PeerExpired(_))), "{server:?}");
    assert!(matches!(client, Err(TlsFault::OwnExpired(_))), "{client:?}");
}

#[tokio::test]
async fn a_worker_cannot_pass_for_a_master_nor_one_host_for_another() {
    let pki = Pki::new();
    let worker = Server::with_certificate(&pki.material("squall:worker:node-7"), Arc::new(At(NOW)));
    let (client, _) = meet(&worker, &pki.ann()).await;
    let fault = client.unwrap_err();
    assert_eq!(fault.code().number(), 6105);
    assert!(fault.to_string().contains("squall:worker:node-7"), "{fault}");
    let (client, _) = meet_at(&pki.master(), &pki.ann(), "elsewhere.example:1").await;
    assert_eq!(client.unwrap_err().code().number(), 6109);
}

#[tokio::test]
async fn a_person_cannot_serve_at_all() {
    let pki = Pki::new();
    let person = Server::with_certificate(&pki.material("squall:user:admin:eve"), Arc::new(At(NOW)));
    assert!(meet(&person, &pki.ann()).await.0.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_let_go_after_a_while() {
    let pki = Pki::new();
    for server in [Server::plain(), pki.master()] {
        let (_near, far): (DuplexStream, _) = duplex(1_024);
        let fault = server.accept(far, None).await.unwrap_err();
        assert!(matches!(&fault, TlsFault::Broken(error) if error.kind() == std::io::ErrorKind::TimedOut), "{fault:?}");
    }
}

#[tokio::test]
async fn a_plain_grpc_client_is_told_that_the_port_speaks_tls() {
    let pki = Pki::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = pki.master();
    let serving = tokio::spawn(async move {
        loop {
            let (stream, from) = listener.accept().await.unwrap();
            let fault = server.accept(stream, Some(from)).await.unwrap_err();
            assert!(matches!(fault, TlsFault::PlainClient), "{fault:?}");
        }
    });
    let called = async {
        let channel = tonic::transport::Endpoint::try_from(format!("http://{address}")).unwrap().connect().await?;
        let mut client = squall_proto::v1::cluster_client::ClusterClient::new(channel);
        let status = client.status(squall_proto::v1::StatusRequest {}).await.unwrap_err();
        Ok::<_, tonic::transport::Error>(status)
    };
    let said = match called.await {
        Ok(status) => chain(&status),
        Err(error) => chain(&error),
    };
    assert!(said.contains("SQ6107: this port speaks TLS"), "{said}");
    assert!(!serving.is_finished(), "the server saw something else");
    serving.abort();
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text += &format!(": {error}");
        next = error.source();
    }
    text
}

#[test]
fn files_that_are_not_what_they_should_be_are_refused_with_their_names() {
    let pki = Pki::new();
    let good = pki.issue("squall:master:m-1", NOW);
    let other = pki.issue("squall:master:m-2", NOW);
    let read = |files: &TlsFiles| Material::read(files, NOW, "master");
    let refused = |files: &TlsFiles| {
        let error = read(files).unwrap_err();
        assert!(!error.next_step().is_empty());
        (error.code().number(), error.to_string())
    };
    assert!(read(&good).is_ok());

    let missing = TlsFiles { cert: PathBuf::from("nowhere/a.crt"), ..good.clone() };
    assert_eq!(refused(&missing), (6101, "can't read nowhere/a.crt".to_owned()));
    let swapped = TlsFiles { cert: good.key.clone(), key: good.cert.clone(), ..good.clone() };
    assert!(refused(&swapped).1.ends_with("m-1.key has no certificate in PEM"));
    let mismatch = TlsFiles { key: other.key, ..good.clone() };
    assert_eq!(refused(&mismatch).0, 6103);
    let authority = TlsFiles { cert: good.ca.clone(), ..good.clone() };
    assert_eq!(refused(&authority).0, 6102);
    let garbage = pki.dir.path().join("garbage.crt");
    std::fs::write(&garbage, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert_eq!(refused(&TlsFiles { ca: garbage.clone(), ..good.clone() }).0, 6102);
    assert_eq!(refused(&TlsFiles { cert: garbage, ..good.clone() }).0, 6102);

    assert_eq!(Material::read(&good, NOW, "worker").unwrap_err().code().number(), 6105);
    for other_time in [NOW.plus(2 * DAY), UnixMillis::new(0)] {
        assert_eq!(Material::read(&good, other_time, "master").unwrap_err().code().number(), 6104);
    }
}

#[test]
fn an_authority_refuses_what_it_cannot_sign() {
    let pki = Pki::new();
    let identity = Identity::User { name: "ann".parse().unwrap(), role: Role::Read };
    let request = |hosts: &[&str], valid_for| {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        pki.authority
            .issue(&Request { identity: identity.clone(), hosts, now: NOW, valid_for })
            .map(|_| ())
            .unwrap_err()
    };
    for host in ["", "a:7400", "a b", "ä", "http://a"] {
        assert!(matches!(request(&[host], DAY), CertError::NotAHost(_)), "{host}");
    }
    assert!(matches!(request(&[], Duration::MAX), CertError::TooLong));
    assert!(Authority::from_pem("no", "no").is_err_and(|error| error.source().is_some()));
    assert!(Material::read(&pki.files("never"), NOW, "master").is_err());
    assert!(Client::with_authority(Path::new("nowhere"), Arc::new(At(NOW))).is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(200))]

    #[test]
    fn no_bytes_panic_what_reads_certificates_and_their_files(bytes: Vec<u8>, at: usize, changed: u8) {
        let _ = Identity::of(&bytes);
        let ca = Authority::generate("test", NOW, DAY).unwrap();
        let mut pem = ca.cert.into_bytes();
        let at = at % pem.len();
        pem[at] = changed;
        let dir = tempfile::tempdir().unwrap();
        for bytes in [pem, bytes] {
            let file = dir.path().join("any.pem");
            std::fs::write(&file, &bytes).unwrap();
            let files = TlsFiles { cert: file.clone(), key: file.clone(), ca: file.clone() };
            let _ = Material::read(&files, NOW, "master");
            let _ = Client::with_authority(&file, Arc::new(At(NOW)));
        }
    }
}
