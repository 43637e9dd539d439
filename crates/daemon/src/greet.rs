//! Connections come in, and are found out about.

use futures_util::{Stream, StreamExt as _};

use crate::certs::{Accepted, Server, TlsFault};
use crate::{Connection, Incoming, chain};

/// Connections that say who they are at the same time.
const GREETED_AT_ONCE: usize = 256;

/// The connections of which it is known who is at their other end. `refused` is told of each that is turned away.
pub fn greeted(
    server: Server,
    incoming: Incoming,
    refused: impl Fn() + Clone + Send + 'static,
) -> impl Stream<Item = std::io::Result<Accepted<Connection>>> {
    let greeted = incoming.map(move |connection| {
        let (server, refused) = (server.clone(), refused.clone());
        async move {
            let (connection, from) =
                connection.inspect_err(|error| tracing::warn!("no connection could be taken: {error}")).ok()?;
            let accepted = server.accept(connection, Some(from)).await;
            let turned_away = |fault: &TlsFault| {
                tracing::warn!(code = %fault.code(), "{from} was turned away: {}", chain(fault));
                refused();
            };
            accepted.inspect_err(turned_away).ok()
        }
    });
    greeted.buffer_unordered(GREETED_AT_ONCE).filter_map(|accepted| async move { accepted.map(Ok) })
}
