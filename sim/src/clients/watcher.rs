//! Who watches events from the first on, at one master after the other: none may be missing, and none come twice.

use std::time::Duration;

use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;
use squall_tests::Rng;
use tonic::Status;
use tonic::transport::Channel;

use super::Desk;

/// How long it stays at one master, and how long it waits for a word.
const STAY: Duration = Duration::from_secs(7);
const PAUSE: Duration = Duration::from_millis(300);

/// Watches for ever.
pub async fn run(masters: Vec<Channel>, mut rng: Rng, desk: Desk) {
    // Events of one revision come together, but a stream may break between them.
    let mut together: Vec<v1::Event> = Vec::new();
    let mut next = 1;
    loop {
        let master = rng.pick(&masters).clone();
        together.clear();
        let watching = watch(master, next, |event| {
            if together.first().is_some_and(|first| first.revision != event.revision) {
                next = event.revision;
                together.drain(..).for_each(|event| desk.watch(event));
            }
            together.push(event);
        });
        // However it ends, it goes on elsewhere.
        let _ = tokio::time::timeout(STAY, watching).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn watch(master: Channel, from_revision: u64, mut seen: impl FnMut(v1::Event)) -> Result<(), Status> {
    let request = v1::WatchRequest { from_revision, ..v1::WatchRequest::default() };
    let mut events = ClusterClient::new(master).watch(request).await?.into_inner();
    while let Some(event) = events.message().await? {
        seen(event);
    }
    Ok(())
}
