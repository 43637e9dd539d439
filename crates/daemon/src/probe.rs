//! Whether a daemon or a slot is there.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::certs::Client;
use crate::{Network, Peers};

/// Probes daemons and slots. Cheap to clone.
#[derive(Clone)]
pub struct Prober {
    ways: Vec<Peers>,
}

impl Prober {
    /// Probes daemons as `client` says. Slots speak plain text whatever daemons do, and who is asked to probe an address isn't told whose
    /// it is: so both ways are tried at once.
    pub fn new(network: &Arc<dyn Network>, client: Client) -> Self {
        let plain = client.speaks_tls().then(Client::plain);
        let ways = [Some(client), plain].into_iter().flatten();
        Self { ways: ways.map(|client| Peers::new(network.clone(), client)).collect() }
    }

    /// Whether a program answers there, whatever it answers: a kernel alone speaks no HTTP/2.
    pub async fn answers(&self, address: &str, within: Duration) -> bool {
        let mut asked: FuturesUnordered<_> = self.ways.iter().map(|peers| answers(peers, address)).collect();
        let any = async {
            while let Some(answered) = asked.next().await {
                if answered {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(within, any).await.unwrap_or(false)
    }
}

async fn answers(peers: &Peers, address: &str) -> bool {
    let mut client = HealthClient::new(peers.channel(address));
    match client.check(HealthCheckRequest::default()).await {
        Ok(_) => true,
        Err(refused) => !matches!(refused.code(), tonic::Code::Unavailable | tonic::Code::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::Machine;

    #[tokio::test]
    async fn a_program_answers_and_a_kernel_alone_does_not() {
        let network: Arc<dyn Network> = Arc::new(Machine);
        let prober = Prober::new(&network, Client::plain());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        // Connections come about, and nobody takes them.
        assert!(!prober.answers(&address, Duration::from_millis(200)).await);
        let (_, service) = tonic_health::server::health_reporter();
        let incoming = futures_util::stream::unfold(listener, |listener| async move {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        let serving = tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming);
        tokio::select! {
            served = serving => panic!("it ended: {served:?}"),
            answered = prober.answers(&address, Duration::from_secs(20)) => assert!(answered),
        }
    }
}
