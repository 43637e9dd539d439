//! What every call passes before a service sees it: who calls and may they, and which master answers.

#[cfg(test)]
mod admission;
pub(crate) mod caller;
mod count;
pub(crate) mod denials;
mod forward;
mod layer;
pub(crate) mod table;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Request, Response};
use squall_control::Line;
use squall_types::cluster::{UnixMillis, UserName};
use squall_types::codes;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;

use crate::certs::{Identity, Peer};
use crate::core::Core;
use crate::fault::{Answer, Fault};
use crate::http::Readiness;
use crate::metrics::Metrics;
use crate::tokens::Caller;
pub(crate) use caller::Security;
use caller::{Asked, Behind, TurnedAway, admit, origin};
use denials::{Denial, Denials};
pub(crate) use layer::GateLayer;
use table::{Access, Call, Place};

/// The master that another forwards a call for says so, and where the call came from first.
pub(crate) const FORWARDED: &str = "squall-forwarded-from";
/// Whose wish a forwarded call is.
const ON_BEHALF_OF: &str = "squall-on-behalf-of";
/// How long a call may take whose caller doesn't say.
const DEADLINE: Duration = Duration::from_secs(10);

/// What stands between the network and the services. One for each master.
pub(crate) struct Gate {
    /// There once the master has a cluster.
    formed: OnceLock<(Arc<Core>, Routes)>,
    /// What it waits for until then.
    readiness: watch::Receiver<Readiness>,
    security: Security,
    in_flight: Arc<Semaphore>,
    metrics: Metrics,
    longest_message: usize,
    denials: Arc<Denials>,
}

/// What one client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Requests under way at once, of all clients.
    pub in_flight: usize,
    /// Bytes in a message.
    pub message: usize,
}

/// What a service is told of a call besides its message. In the extensions of each request.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    pub caller: Caller,
    /// Who stands in the events for what the call does; none: nobody was asked who they are.
    pub actor: Option<UserName>,
    /// Where the call came from.
    pub origin: Line,
    /// Set if the answer is to be from what this master knows, without a leader.
    pub stale: bool,
}

impl Gate {
    pub(crate) fn new(
        readiness: watch::Receiver<Readiness>,
        security: Security,
        limits: Limits,
        metrics: Metrics,
    ) -> Self {
        let in_flight = Arc::new(Semaphore::new(limits.in_flight));
        let denials = Arc::default();
        Self {
            formed: OnceLock::new(),
            readiness,
            security,
            in_flight,
            metrics,
            longest_message: limits.message,
            denials,
        }
    }

    /// Calls that were turned away, and aren't on record yet.
    pub(crate) fn denials(&self) -> Arc<Denials> {
        self.denials.clone()
    }

    /// From now on there is a cluster, and these services.
    pub(crate) fn open(&self, core: Arc<Core>, routes: Routes) {
        // Opened twice it stays as it was: a master has one cluster.
        let _ = self.formed.set((core, routes));
    }

    /// Brings a call to who answers it, and counts it.
    pub(crate) async fn pass(&self, request: Request<Body>, forming: Routes) -> Response<Body> {
        let call = table::call(request.uri().path());
        let counted = count::Counted::new(&self.metrics, call);
        let answer = match call {
            Some(call) => self.bring(call, request, forming).await,
            None => served(&mut forming.clone(), request).await,
        };
        let response = answer.unwrap_or_else(|fault| Status::from(fault).into_http());
        counted.answered(&response);
        response
    }

    async fn bring(&self, call: &Call, mut request: Request<Body>, mut forming: Routes) -> Answer<Response<Body>> {
        let formed = self.formed.get();
        if call.place == Place::Always {
            self.admit(call, &request, formed.map(|(core, _)| &**core))?;
            return served(&mut forming, request).await;
        }
        let (core, routes) = formed.ok_or_else(|| self.no_cluster())?;
        let permit = self.in_flight.clone().try_acquire_owned().map_err(|_| too_many());
        // Masters among themselves are few, and must be heard above all else.
        let _permit = if call.access == Access::Master { None } else { Some(permit?) };
        let passage = self.admit(call, &request, Some(core))?;
        request.extensions_mut().insert(passage);
        let routes = routes.clone();
        match call.place {
            Place::Always | Place::Here => served(&mut routes.clone(), request).await,
            Place::Leader | Place::LeaderOrStale => {
                let until = Instant::now() + deadline(&request);
                forward::Forwarding { core, call, until, routes, longest_message: self.longest_message }
                    .run(request)
                    .await
            }
        }
    }

    fn admit(&self, call: &Call, request: &Request<Body>, core: Option<&Core>) -> Answer<Passage> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let peer = request.extensions().get::<Peer>();
        let identity = peer.map_or(&Ok(None), |peer| &peer.identity);
        let asked = Asked {
            call,
            authorization: header(http::header::AUTHORIZATION.as_str()),
            identity,
            on_behalf_of: header(ON_BEHALF_OF),
            security: self.security,
        };
        // Only a master is believed where a call came from first.
        let believed = !self.security.tls || matches!(identity, Ok(Some(Identity::Master(_))));
        let first = header(FORWARDED).filter(|_| believed).map(str::to_owned);
        let address = peer.and_then(|peer| peer.address).map(|address| address.to_string());
        let origin = origin(first.or(address));
        let admitted = match core {
            Some(core) => admit(&asked, Some(&core.read()), core.env.clock.now()),
            None => admit(&asked, None, UnixMillis::ZERO),
        };
        let Behind { caller, actor } = admitted.map_err(|turned| self.turned_away(call, turned, &origin, core))?;
        Ok(Passage { caller, actor, origin, stale: false })
    }

    /// Has it put on record that a call was turned away, once there is a cluster to do so.
    fn turned_away(&self, call: &Call, turned: TurnedAway, origin: &Line, core: Option<&Core>) -> Fault {
        let TurnedAway { denied, actor } = turned;
        if let Some(core) = core {
            let path = call.path.trim_start_matches("/squall.").trim_start_matches("v1.");
            let call = Line::lossy(&format!("{path} ({})", denied.code()));
            let now = core.own_time();
            let denial = Denial { request: core.own_request(now), call, actor, origin: origin.clone() };
            self.denials.take(now, denial);
        }
        denied.into()
    }

    fn no_cluster(&self) -> Fault {
        let reason = match &*self.readiness.borrow() {
            Readiness::NotReady { reason } | Readiness::Failed { reason } => reason.clone(),
            Readiness::Ready => "it has found its cluster this moment".to_owned(),
        };
        let next_step = "do what it waits for; its log says more";
        Fault::new(
            tonic::Code::Unavailable,
            codes::NO_CLUSTER,
            format!("this master doesn't answer calls yet: {reason}"),
            next_step,
        )
    }
}

fn too_many() -> Fault {
    let next_step = "try again after a pause, or ask another master";
    Fault::new(
        tonic::Code::ResourceExhausted,
        codes::TOO_MANY_REQUESTS,
        "too many requests are under way on this master",
        next_step,
    )
}

async fn served(routes: &mut Routes, request: Request<Body>) -> Answer<Response<Body>> {
    match routes.call(request).await {
        Ok(response) => Ok(response),
    }
}

/// How long the caller waits, as it says by gRPC's header.
fn deadline(request: &Request<Body>) -> Duration {
    let text = request.headers().get("grpc-timeout").and_then(|value| value.to_str().ok());
    text.and_then(timeout).unwrap_or(DEADLINE)
}

/// A `grpc-timeout`: at most eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number =
        Some(digits).filter(|it| it.len() <= 8 && it.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_s_deadline_is_read_in_each_unit_and_nonsense_is_none() {
        for (text, wanted) in [
            ("2H", Some(Duration::from_secs(7_200))),
            ("3M", Some(Duration::from_secs(180))),
            ("4S", Some(Duration::from_secs(4))),
            ("500m", Some(Duration::from_millis(500))),
            ("7u", Some(Duration::from_micros(7))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("", None),
            ("S", None),
            ("-1S", None),
            ("999999999S", None),
            ("5é", None),
        ] {
            assert_eq!(timeout(text), wanted, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_deadline_panics_its_reader(text in "\\PC{0,10}|[0-9]{0,9}[HMSmun]") {
            let _ = timeout(&text);
        }
    }
}
