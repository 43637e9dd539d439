//! Slots that talk over real sockets on loopback.

mod carried;
mod desk;
mod held_up;
mod hostile;
mod line;
mod lost;
mod protected;
mod refused;

use std::time::Duration;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that must come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long")
}
