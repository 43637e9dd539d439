use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

struct Served {
    address: SocketAddr,
    readiness: watch::Sender<Readiness>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

async fn served(guard: impl Fn(Option<&str>, &Peer) -> Result<(), Denied> + Send + Sync + 'static) -> Served {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (readiness, watched) = watch::channel(Readiness::NotReady { reason: "no leader yet".into() });
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let metrics = Arc::new(|| "squall_things_total 0\n# EOF\n".to_owned());
    let monitoring = Monitoring { metrics, refused: Arc::new(|| ()), readiness: watched, guard: Arc::new(guard) };
    tokio::spawn(serve(listener, Server::plain(), monitoring, async {
        let _ = stopped.await;
    }));
    Served { address, readiness, _stop: stop }
}

async fn get(served: &Served, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer[9..12].parse().unwrap(), answer)
}

#[tokio::test]
async fn health_says_whether_it_lives_and_readiness_whether_it_answers() {
    let served = served(|_, _| Ok(())).await;
    assert_eq!(get(&served, "GET /healthz HTTP/1.1").await.0, 200);
    let (status, answer) = get(&served, "GET /readyz HTTP/1.1").await;
    assert!(status == 503 && answer.ends_with("not ready: no leader yet\n"), "{answer}");
    served.readiness.send_replace(Readiness::Ready);
    assert_eq!(get(&served, "GET /readyz HTTP/1.1").await.0, 200);
    served.readiness.send_replace(Readiness::Failed { reason: "the disk is damaged".into() });
    for path in ["/healthz", "/readyz"] {
        let (status, answer) = get(&served, &format!("GET {path} HTTP/1.1")).await;
        assert!(status == 503 && answer.ends_with("failed: the disk is damaged\n"), "{answer}");
    }
}

#[tokio::test]
async fn metrics_are_given_to_those_who_may_read_them() {
    let served = served(|header, _| match header {
        Some("Bearer good") => Ok(()),
        Some(_) => Err(Denied { unknown: false, text: "SQ6203: no\n".to_owned() }),
        None => Err(Denied { unknown: true, text: "SQ6201: who calls?\n".to_owned() }),
    });
    let served = served.await;
    let (status, answer) = get(&served, "GET /metrics HTTP/1.1").await;
    assert!(status == 401 && answer.contains("SQ6201: who calls?"), "{answer}");
    assert_eq!(get(&served, "GET /metrics HTTP/1.1\r\nAuthorization: Bearer bad").await.0, 403);
    let (status, answer) = get(&served, "GET /metrics HTTP/1.1\r\nAuthorization: Bearer good").await;
    assert!(status == 200 && answer.contains("squall_things_total 0"), "{answer}");
    assert_eq!(get(&served, "GET /healthz HTTP/1.1").await.0, 200);
}

#[tokio::test]
async fn what_is_not_there_is_said_and_nothing_can_be_changed() {
    let served = served(|_, _| Ok(())).await;
    assert_eq!(get(&served, "GET / HTTP/1.1").await.0, 404);
    assert_eq!(get(&served, "POST /metrics HTTP/1.1").await.0, 405);
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_with_its_code() {
    let taken = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let error = bind(taken.local_addr().unwrap()).await.unwrap_err();
    assert_eq!(error.code().number(), 6401);
}
