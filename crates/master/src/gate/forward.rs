//! Brings a call to the leader: from here if this is the leader, over the network if another is. While there is none it waits, as long as the
//! caller does.
//!
//! A call of one message is kept and brought to the next leader if the first is lost on the way: a mutation's request id makes that safe. A
//! call whose caller streams is brought once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use squall_proto::Failure;
use squall_types::{Code, codes};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;

use super::table::{Call, Place, Sends};
use super::{FORWARDED, ON_BEHALF_OF, Passage, served};
use crate::core::{Core, Leader};
use crate::fault::{Answer, Fault};

/// What is kept back of the deadline, so that the answer still gets to the caller.
const TO_ANSWER: Duration = Duration::from_millis(50);
/// How long to wait before the same leader is tried again.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a call that can be answered without a leader waits for one.
const STALE_AFTER: Duration = Duration::from_millis(1_500);

/// One call on its way.
pub(super) struct Forwarding<'a> {
    pub core: &'a Arc<Core>,
    pub call: &'a Call,
    pub until: Instant,
    pub routes: Routes,
    pub longest_message: usize,
}

impl Forwarding<'_> {
    pub(super) async fn run(mut self, request: Request<Body>) -> Answer<Response<Body>> {
        let forwarded = request.headers().contains_key(FORWARDED);
        match self.call.sends {
            Sends::Many => self.once(request, forwarded).await,
            Sends::One => self.until_answered(request, forwarded).await,
        }
    }

    async fn once(&mut self, request: Request<Body>, forwarded: bool) -> Answer<Response<Body>> {
        let until = self.until - TO_ANSWER;
        match self.leader(until, forwarded).await? {
            Leader::Here => served(&mut self.routes, request).await,
            Leader::There { address, .. } => Ok(self.there(&address, request).await.unwrap_or_else(Status::into_http)),
            Leader::Nobody => Err(self.nobody()),
        }
    }

    async fn until_answered(&mut self, request: Request<Body>, forwarded: bool) -> Answer<Response<Body>> {
        let (head, body) = request.into_parts();
        // Five bytes are gRPC's own, before each message.
        let kept = axum::body::to_bytes(axum::body::Body::new(body), self.longest_message + 5).await;
        let kept = kept.map_err(|_| self.too_long())?;
        let stale = self.call.place == Place::LeaderOrStale && !forwarded;
        let until = if stale { self.until.min(Instant::now() + STALE_AFTER) } else { self.until } - TO_ANSWER;
        let mut last = None;
        loop {
            let leader = match self.leader(until, forwarded).await {
                Ok(Leader::Nobody) => break,
                Ok(leader) => leader,
                Err(fault) => return Err(fault),
            };
            match self.attempt(&leader, copy(&head, &kept, false), until).await {
                Some(response) if !may_be_tried_again(&response) => return Ok(response),
                response => last = response.or(last),
            }
            if Instant::now() + PAUSE >= until {
                break;
            }
            self.changed_or_paused().await;
        }
        if stale {
            return served(&mut self.routes, copy(&head, &kept, true)).await;
        }
        last.map_or_else(|| Err(self.nobody()), Ok)
    }

    /// The leader's answer; none, if another one leads before it comes.
    async fn attempt(&mut self, leader: &Leader, request: Request<Body>, until: Instant) -> Option<Response<Body>> {
        let mut watch = self.core.leader.clone();
        let changed = watch.wait_for(|now| now != leader);
        let answered = async {
            match leader {
                Leader::Here => {
                    served(&mut self.routes.clone(), request).await.unwrap_or_else(|it| Status::from(it).into_http())
                }
                Leader::There { address, .. } => self.there(address, request).await.unwrap_or_else(Status::into_http),
                Leader::Nobody => Status::from(self.nobody()).into_http(),
            }
        };
        tokio::select! {
            biased;
            response = answered => Some(response),
            // What this master itself has begun is answered, whatever comes of it.
            _ = changed, if *leader != Leader::Here => None,
            () = tokio::time::sleep_until(until) => None,
        }
    }

    async fn changed_or_paused(&self) {
        let mut watch = self.core.leader.clone();
        watch.mark_unchanged();
        let _ = tokio::time::timeout(PAUSE, watch.changed()).await;
    }

    /// Waits for a leader. A call that was forwarded already goes no further than here.
    async fn leader(&self, until: Instant, forwarded: bool) -> Answer<Leader> {
        let mut watch = self.core.leader.clone();
        let known = |leader: &Leader| match leader {
            Leader::Here => true,
            Leader::There { .. } => !forwarded,
            Leader::Nobody => false,
        };
        let until = if forwarded { until.min(Instant::now() + PAUSE) } else { until };
        match timeout_at(until, watch.wait_for(known)).await {
            Ok(Ok(leader)) => Ok(leader.clone()),
            _ if forwarded => Err(self.in_a_circle()),
            _ => Ok(Leader::Nobody),
        }
    }

    async fn there(&self, address: &str, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let passage = request.extensions_mut().remove::<Passage>();
        let headers = request.headers_mut();
        let origin = passage.as_ref().and_then(|it| HeaderValue::from_str(it.origin.as_str()).ok());
        headers.insert(FORWARDED, origin.unwrap_or(HeaderValue::from_static("unknown")));
        headers.remove(ON_BEHALF_OF);
        let actor = passage.and_then(|it| it.actor).and_then(|name| HeaderValue::from_str(name.as_str()).ok());
        headers.extend(actor.map(|name| (http::HeaderName::from_static(ON_BEHALF_OF), name)));
        if self.call.sends == Sends::One {
            let left = self.until.saturating_duration_since(Instant::now()).saturating_sub(TO_ANSWER);
            // Eight digits of milliseconds are a day.
            let text = format!("{}m", left.as_millis().min(99_999_999));
            headers.insert("grpc-timeout", HeaderValue::from_str(&text).expect("digits and a letter"));
        }
        let mut channel = self.core.peers.channel(address);
        let lost = |error: tonic::transport::Error| Status::from(self.lost(address, &error));
        std::future::poll_fn(|context| channel.poll_ready(context)).await.map_err(lost)?;
        channel.call(request).await.map_err(lost)
    }

    fn lost(&self, address: &str, error: &dyn std::error::Error) -> Fault {
        let cause = format!("the leader at {address} can't be reached: {}", innermost(error));
        let next_step = "try again; another master takes over within a second";
        Fault::new(tonic::Code::Unavailable, codes::NO_LEADER_IN_TIME, cause, next_step)
    }

    fn nobody(&self) -> Fault {
        let cause = "no leader took the call within its deadline";
        let next_step = "see squall masters: a majority of the masters has to run and reach each other";
        Fault::new(tonic::Code::Unavailable, codes::NO_LEADER_IN_TIME, cause, next_step)
    }

    fn in_a_circle(&self) -> Fault {
        let cause = "this master was forwarded a call for the leader, and doesn't lead";
        let leader = match &*self.core.leader.borrow() {
            Leader::There { address, .. } => Some(address.clone()),
            Leader::Here | Leader::Nobody => None,
        };
        Fault::new(tonic::Code::Unavailable, codes::FORWARDED_IN_A_CIRCLE, cause, "try again").with_leader(leader)
    }

    fn too_long(&self) -> Fault {
        Fault::field("message", format!("it is broken off, or longer than {} bytes", self.longest_message))
    }
}

fn copy(head: &http::request::Parts, kept: &Bytes, stale: bool) -> Request<Body> {
    let mut head = head.clone();
    if stale && let Some(passage) = head.extensions.get_mut::<Passage>() {
        passage.stale = true;
    }
    Request::from_parts(head, Body::new(axum::body::Body::from(kept.clone())))
}

/// Whether an answer says that this was not the leader, or that the leader was lost: the next may do better.
fn may_be_tried_again(response: &Response<Body>) -> bool {
    const AGAIN: [Code; 5] = [
        codes::NOT_LEADER,
        codes::NO_LEADER,
        codes::OUTCOME_UNKNOWN,
        codes::NO_LEADER_IN_TIME,
        codes::FORWARDED_IN_A_CIRCLE,
    ];
    let status = Status::from_header_map(response.headers());
    status.and_then(|status| Failure::from_status(&status)).is_some_and(|failure| AGAIN.contains(&failure.code))
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
