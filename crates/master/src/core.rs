//! What all parts of a master share once it has a cluster.

use std::sync::{Arc, RwLockReadGuard};

use bytes::Bytes;
use squall_control::{Command, Envelope, Line, Outcome, State};
use squall_proto::internal::IdentifyRequest;
use squall_raft::{ProposeError, Raft, ReadError};
use squall_types::cluster::{ClusterId, MasterName, RaftId, RequestId, Revision, UnixMillis, UserName};
use squall_types::codes;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::blobs::BlobStore;
use crate::env::Env;
use crate::fault::{Answer, Fault};
use crate::gate::Passage;
use crate::leading::Leading;
use crate::machine::Shared;
use crate::metrics::Metrics;
use crate::own_time::OwnTime;
use squall_daemon::{Peers, Prober};

/// Which master this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Me {
    pub id: RaftId,
    pub name: MasterName,
    /// Where the others reach it.
    pub address: String,
    pub cluster: ClusterId,
}

impl Me {
    /// Asks another master who it is.
    pub(crate) fn asks(&self) -> IdentifyRequest {
        IdentifyRequest { address: self.address.clone(), raft_id: self.id.get() }
    }
}

/// Where the leader is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leader {
    /// This master leads, and knows all that was ever committed.
    Here,
    /// Another does.
    There { id: RaftId, address: String },
    /// Nobody does, as far as this master knows.
    Nobody,
}

/// What all parts of a master share.
pub(crate) struct Core {
    pub me: Me,
    pub env: Env,
    pub log: Raft<Outcome>,
    pub shared: Shared,
    pub leader: watch::Receiver<Leader>,
    /// There while this master leads.
    pub leading: watch::Receiver<Option<Arc<Leading>>>,
    pub peers: Peers,
    /// Sees whether workers and their slots are there.
    pub prober: Prober,
    pub blobs: BlobStore,
    pub metrics: Metrics,
    pub time: OwnTime,
}

/// What is asked of a change of the state, besides the command.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub request: RequestId,
    /// When, by the cluster's own time; none: a caller wants it, and the leader's clock says.
    pub at: Option<UnixMillis>,
    pub expected: Option<Revision>,
    /// Who wants it; none: nobody was asked who they are, or the cluster itself wants it.
    pub actor: Option<UserName>,
    /// Where it came from; none: the cluster itself wants it.
    pub origin: Option<Line>,
}

impl Core {
    /// The state now. Never held across an await.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.shared.read()
    }

    /// Has a command decided and applied. The answer is the state machine's; a refusal is a fault.
    pub(crate) async fn decide(&self, wish: Wish, command: Command) -> Answer<Outcome> {
        if !self.read().may_propose(&command) {
            let next_step = "upgrade all masters; the leader raises the level by itself";
            let cause = "not all masters understand this yet";
            return Err(Fault::new(tonic::Code::FailedPrecondition, codes::LEVEL_OUT_OF_REACH, cause, next_step));
        }
        let Wish { request, at, expected, actor, origin } = wish;
        let at = at.unwrap_or_else(|| self.env.clock.now());
        let envelope = Envelope { request, at, actor, origin, expected, command };
        let bytes = Bytes::from(envelope.encode()?);
        let outcome = self.log.propose(bytes).await.map_err(|error| self.not_proposed(&error))?.reply;
        match outcome.reply {
            Ok(_) => Ok(outcome),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// The cluster's own wish.
    pub(crate) fn own(&self) -> Wish {
        let at = self.own_time();
        Wish { request: self.own_request(at), at: Some(at), expected: None, actor: None, origin: None }
    }

    /// What time it is for what the cluster itself wants.
    pub(crate) fn own_time(&self) -> UnixMillis {
        self.time.read(self.read().now(), Instant::now())
    }

    /// A request id of the cluster's own.
    pub(crate) fn own_request(&self, at: UnixMillis) -> RequestId {
        RequestId::new(at, u128::from_le_bytes(self.env.random.bytes()))
    }

    /// A caller's wish that has no request id of its own.
    pub(crate) fn on_behalf_of(&self, passage: Passage) -> Wish {
        Wish { actor: passage.actor, origin: Some(passage.origin), ..self.own() }
    }

    /// From here on the state is at least what it was when this was asked, on any master.
    pub(crate) async fn barrier(&self) -> Answer<Revision> {
        self.log.read_barrier().await.map_err(|error| {
            let grpc = match error {
                ReadError::NoLeader | ReadError::Stopped => tonic::Code::Unavailable,
                ReadError::Overloaded => tonic::Code::ResourceExhausted,
            };
            Fault::new(grpc, error.code(), error, error.next_step()).with_retry(error.retry())
        })
    }

    /// What there is while this master leads.
    pub(crate) fn leading(&self) -> Answer<Arc<Leading>> {
        self.leading.borrow().clone().ok_or_else(|| self.not_proposed(&ProposeError::NotLeader { leader: None }))
    }

    /// Whether this one leads, as far as this master knows.
    pub(crate) fn is_led_by(&self, id: Option<RaftId>) -> bool {
        id.is_some() && self.log.status().borrow().leader == id
    }

    /// Where a master is reached.
    pub(crate) fn address_of(&self, id: RaftId) -> Option<String> {
        self.read().members().get(&id).map(|member| member.seat.address.to_string())
    }

    fn not_proposed(&self, error: &ProposeError) -> Fault {
        let (grpc, leader) = match error {
            ProposeError::NotLeader { leader } => (tonic::Code::Unavailable, *leader),
            ProposeError::Unknown | ProposeError::Stopped => (tonic::Code::Unavailable, None),
            ProposeError::Overloaded | ProposeError::TooLarge { .. } => (tonic::Code::ResourceExhausted, None),
        };
        let fault = Fault::new(grpc, error.code(), error, error.next_step()).with_retry(error.retry());
        fault.with_leader(leader.and_then(|id| self.address_of(id)))
    }
}
