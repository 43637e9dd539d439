//! What monitoring asks for, on a port of its own.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use squall_types::cluster::Role;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::certs::{Peer, Server};
use crate::core::Core;
use crate::error::NodeError;
use crate::http::{self, Monitoring, Readiness};
use crate::metrics::{Kind, Metrics};
use crate::tokens::{Caller, Denied};

/// What is to be monitored.
pub(super) struct Monitored {
    pub server: Server,
    pub metrics: Metrics,
    pub readiness: watch::Receiver<Readiness>,
    pub formed: Arc<OnceLock<Arc<Core>>>,
    /// Whether callers must say who they are.
    pub tokens: bool,
}

/// It, with a port.
pub(super) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    server: Server,
    monitoring: Monitoring,
}

impl Monitored {
    pub(super) async fn bind(self, address: Option<SocketAddr>) -> Result<Option<Bound>, NodeError> {
        let Some(address) = address else { return Ok(None) };
        let failed = |error| NodeError::Monitoring(Arc::new(error));
        let listener = http::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().unwrap_or(address);
        let Self { server, metrics, readiness, formed, tokens } = self;
        let guard = Arc::new(move |authorization: Option<&str>, peer: &Peer| {
            allow(formed.get(), authorization, peer, tokens).map_err(|denied| http::Denied {
                unknown: denied.is_unknown_caller(),
                text: format!("{}: {denied}\n{}\n", denied.code(), denied.next_step()),
            })
        });
        let refused = metrics.refused.get_or_create(&Kind { kind: "monitoring" }).clone();
        let monitoring = Monitoring {
            metrics: Arc::new(move || metrics.text()),
            refused: Arc::new(move || {
                refused.inc();
            }),
            readiness,
            guard,
        };
        Ok(Some(Bound { listener, address, server, monitoring }))
    }
}

impl Bound {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), NodeError> {
        http::serve(self.listener, self.server, self.monitoring, stop.cancelled_owned()).await;
        Ok(())
    }
}

/// As for any call that only reads. Before there is a cluster there are no tokens: then a certificate has to do.
fn allow(core: Option<&Arc<Core>>, authorization: Option<&str>, peer: &Peer, tokens: bool) -> Result<(), Denied> {
    let identity = &peer.identity;
    let caller = match core {
        Some(core) => {
            let (state, now) = (core.read(), core.env.clock.now());
            let lookup = |hash: &_| state.token(hash, now).map(|(_, token)| token.clone());
            Caller::identify(authorization, identity, lookup, now, tokens)?
        }
        None => Caller::identify(authorization, identity, |_| None, squall_types::cluster::UnixMillis::ZERO, tokens)?,
    };
    caller.may(Role::Read)
}
