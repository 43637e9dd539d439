//! Channels to other daemons, one for each address, made when first needed and kept.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint};

use crate::certs::{Client, Secured};
use crate::config::HostPort;
use crate::{Connection, Network};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(1);
/// After what silence a connection is asked whether it lives, and how long it may take to say so.
const KEEPALIVE: Duration = Duration::from_secs(1);

/// Channels by address. Cheap to clone.
#[derive(Clone)]
pub struct Peers {
    network: Arc<dyn Network>,
    client: Client,
    channels: Arc<Mutex<BTreeMap<String, Channel>>>,
}

/// Channels that are kept. Whoever needs more has them made anew.
const MOST: usize = 64;

impl Peers {
    /// No channel yet; each is secured by `client`.
    pub fn new(network: Arc<dyn Network>, client: Client) -> Self {
        Self { network, client, channels: Arc::default() }
    }

    /// The same, over connections of their own: what goes over these never stands before what goes over those.
    pub fn apart(&self) -> Self {
        Self { channels: Arc::default(), ..self.clone() }
    }

    /// The channel to this `host:port`. It connects when it is used, and again when that is needed.
    pub fn channel(&self, address: &str) -> Channel {
        let mut channels = self.channels.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(channel) = channels.get(address) {
            return channel.clone();
        }
        if channels.len() >= MOST {
            channels.clear();
        }
        let channel = self.lazy(address);
        channels.insert(address.to_owned(), channel.clone());
        channel
    }

    fn lazy(&self, address: &str) -> Channel {
        let (network, client, address) = (self.network.clone(), self.client.clone(), address.to_owned());
        let connector = tower::service_fn(move |_| {
            let (network, client, address) = (network.clone(), client.clone(), address.clone());
            async move {
                let connecting = connect(&*network, &client, address);
                let connected = tokio::time::timeout(CONNECT, connecting).await;
                connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(TokioIo::new)
            }
        });
        // The name is of no consequence: the connector knows where to go, and TLS whom to expect there.
        Endpoint::from_static("http://squall")
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(connector)
    }
}

async fn connect(network: &dyn Network, client: &Client, address: String) -> io::Result<Secured<Connection>> {
    let host: HostPort = address.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let plain = network.connect(address).await?;
    client.secure(plain, &host).await.map_err(io::Error::other)
}
