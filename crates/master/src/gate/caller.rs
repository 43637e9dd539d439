//! Who calls, and whether they may.

use squall_control::{Line, State};
use squall_types::cluster::{UnixMillis, UserName};

use super::table::{Access, Call};
use crate::certs::Shown;
use crate::fault::Fault;
use crate::tokens::{Caller, Denied};

/// What is asked for by a call, with what is known of who asks.
pub(crate) struct Asked<'a> {
    pub call: &'a Call,
    /// The value of the `authorization` header.
    pub authorization: Option<&'a str>,
    /// Who is at the other end of the connection by its certificate.
    pub identity: &'a Shown,
    /// Whom a master forwards the call for, as it says.
    pub on_behalf_of: Option<&'a str>,
    pub security: Security,
}

/// What has to be shown before calls are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Security {
    /// Whether connections are encrypted: then daemons have certificates.
    pub tls: bool,
    /// Whether people have to show a token or a certificate.
    pub tokens: bool,
}

/// Who stands behind a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Behind {
    pub caller: Caller,
    /// Who stands in the events for what the call does.
    pub actor: Option<UserName>,
}

/// A call that isn't let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TurnedAway {
    pub denied: Denied,
    /// Who called, if that is known.
    pub actor: Option<UserName>,
}

/// Lets a call in, or not. Before there is a cluster there is no state, and no token is good.
pub(crate) fn admit(asked: &Asked<'_>, state: Option<&State>, now: UnixMillis) -> Result<Behind, TurnedAway> {
    let is_daemons = matches!(asked.call.access, Access::Open | Access::Master | Access::Worker);
    // Without encryption there are no certificates: daemons are trusted as far as the network is.
    let required =
        if is_daemons { asked.security.tls && asked.call.access != Access::Open } else { asked.security.tokens };
    let lookup = |hash: &_| state.and_then(|state| state.token(hash, now)).map(|(_, token)| token.clone());
    // What is open to anyone is open to who shows too little as well.
    let shown = if asked.call.access == Access::Open { &Ok(None) } else { asked.identity };
    let caller = Caller::identify(asked.authorization, shown, lookup, now, required)
        .map_err(|denied| TurnedAway { denied, actor: None })?;
    let allowed = match asked.call.access {
        Access::Open => Ok(()),
        Access::Master => caller.may_be_master(),
        // Which worker it says it is comes with its first word.
        Access::Worker if matches!(caller, Caller::User { .. }) => {
            Err(Denied::NotA { who: caller.to_string(), needs: "worker" })
        }
        Access::Worker => Ok(()),
        Access::Role(role) => caller.may(role),
    };
    allowed.map_err(|denied| TurnedAway { denied, actor: caller.actor() })?;
    // A master lets nobody forward who may not, so its word is taken for whose wish it is.
    let forwarded = asked.on_behalf_of.filter(|_| matches!(caller, Caller::Master(_)));
    let actor = forwarded.and_then(|name| name.parse().ok()).or_else(|| caller.actor());
    Ok(Behind { caller, actor })
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        let grpc =
            if denied.is_unknown_caller() { tonic::Code::Unauthenticated } else { tonic::Code::PermissionDenied };
        Self::new(grpc, denied.code(), crate::error::chain(&denied), denied.next_step())
    }
}

/// Where a call came from, in a line.
pub(crate) fn origin(text: Option<String>) -> Line {
    text.map_or_else(|| Line::lossy("unknown"), |text| Line::lossy(&text))
}
