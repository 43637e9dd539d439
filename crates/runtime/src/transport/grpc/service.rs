//! What a slot answers to its peers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, BoxStream, StreamExt as _};
use rustls::pki_types::CertificateDer;
use squall_proto::internal::peers_server::{Peers, PeersServer};
use squall_proto::internal::tuples_server::{Tuples, TuplesServer};
use squall_proto::internal::{Frame, LaneNotice, PeerHello, PeerWelcome};
use squall_types::cluster::Refusal;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use super::receive::{Receiver, Told, receive};
use super::security::Security;
use super::{CHANNEL, convert};
use crate::transport::{Acceptor, Channel, Hello};
use crate::wire::limits;

/// A hello is a few names.
const HELLO: usize = 4 << 10;
/// A frame in its message.
const MESSAGE: usize = limits::FRAME + 16;

/// What is known of a connection.
#[derive(Default)]
pub(super) struct Caller {
    pub(super) certificate: Option<CertificateDer<'static>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What it said last, once it was let in, and whether it may compress.
    hello: Option<(Hello, bool)>,
    open: BTreeSet<Channel>,
}

impl Caller {
    pub(super) fn new(certificate: Option<CertificateDer<'static>>) -> Self {
        Self { certificate, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic can't happen while the lock is held: only the state is looked at and changed under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a slot has said hello and was let in.
    pub(super) fn is_known(&self) -> bool {
        self.state().hello.is_some()
    }
}

/// A channel that is open. Dropping it lets it be opened again.
pub(super) struct Open {
    caller: Arc<Caller>,
    channel: Channel,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.caller.state().open.remove(&self.channel);
    }
}

/// What a slot answers to its peers, to be served by [`serve`](super::serve()) with whatever else is answered on that port.
pub fn services(acceptor: Arc<dyn Acceptor>, security: Security) -> Routes {
    let service = Service { acceptor, security };
    let peers = PeersServer::new(service.clone()).max_decoding_message_size(HELLO);
    Routes::new(peers).add_service(TuplesServer::new(service).max_decoding_message_size(MESSAGE))
}

#[derive(Clone)]
struct Service {
    acceptor: Arc<dyn Acceptor>,
    security: Security,
}

fn refused(refusal: &Refusal) -> Status {
    convert::refusal(refusal, &refusal.to_string())
}

fn malformed(words: &str) -> Status {
    convert::refusal(&Refusal::Malformed, words)
}

/// Each request carries what is known of its connection.
fn caller<T>(request: &Request<T>) -> Result<Arc<Caller>, Status> {
    let caller = request.extensions().get::<Arc<Caller>>().cloned();
    caller.ok_or_else(|| Status::internal("the connection isn't known"))
}

#[tonic::async_trait]
impl Peers for Service {
    async fn greet(&self, request: Request<PeerHello>) -> Result<Response<PeerWelcome>, Status> {
        let caller = caller(&request)?;
        let said = request.into_inner();
        let pack = said.pack;
        let hello = convert::read_hello(said).map_err(|error| malformed(&error.to_string()))?;
        if !self.security.is(caller.certificate.as_ref(), &hello.from) {
            return Err(Status::permission_denied("the certificate is not that slot's"));
        }
        let before = caller.state().hello.as_ref().map(|(before, _)| (before.from.clone(), before.incarnation));
        if before.is_some_and(|before| before != (hello.from.clone(), hello.incarnation)) {
            return Err(malformed("another slot has said hello on this connection before"));
        }
        let welcome = self.acceptor.greet(&hello).map_err(|refusal| refused(&refusal))?;
        caller.state().hello = Some((hello, pack));
        Ok(Response::new(convert::welcome(&welcome, pack)))
    }
}

#[tonic::async_trait]
impl Tuples for Service {
    type SendStream = BoxStream<'static, Result<LaneNotice, Status>>;

    async fn send(&self, request: Request<Streaming<Frame>>) -> Result<Response<Self::SendStream>, Status> {
        let caller = caller(&request)?;
        let word = request.metadata().get(CHANNEL).and_then(|word| word.to_str().ok());
        let channel = word.and_then(convert::read_channel).ok_or_else(|| malformed("there is no such channel"))?;
        let (hello, packed) = caller.state().hello.clone().ok_or_else(|| malformed("nobody has said hello"))?;
        if !caller.state().open.insert(channel) {
            return Err(malformed("the channel is open already"));
        }
        let open = Open { caller, channel };
        let inbound = self.acceptor.accept(&hello, channel).map_err(|refusal| refused(&refusal))?;
        let (frames, told) = (request.into_inner(), Told::default());
        let receiver = Receiver { from: hello.from, channel, inbound, packed, frames, told, _open: open };
        // It is the answer's stream that takes what comes: it lives as long as the request's, and is dropped with it.
        let answers = stream::unfold(Some(receiver), async |receiver| receive(receiver?).await);
        Ok(Response::new(answers.boxed()))
    }
}
