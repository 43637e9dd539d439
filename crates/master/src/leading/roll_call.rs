//! Asks each member who it is and what it understands, and puts on record what has changed: how masters of two releases get along. With it
//! comes what members have for the leader to decide.

use std::sync::Arc;
use std::time::Duration;

use squall_control::{Audit, Command, Line, Member, NewToken, SecretHash, State, TokenId};
use squall_proto::internal;
use squall_proto::internal::formation_client::FormationClient;
use squall_types::cluster::{RaftId, Role};
use tokio::time::MissedTickBehavior;

use crate::bootstrap::{self, Identity};
use crate::core::{Core, Wish};

/// How often all are asked.
const ROUND: Duration = Duration::from_secs(1);
/// How long one may take to answer.
const ANSWER: Duration = Duration::from_millis(500);

/// The most that are put on record for one member in one round.
const MOST_DENIALS: usize = 8;

/// Calls the roll until it is dropped.
pub(crate) async fn run(core: Arc<Core>) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let members: Vec<_> =
            core.read().members().iter().map(|(id, member)| (*id, member.seat.address.to_string())).collect();
        let asked = members.into_iter().map(|(id, address)| ask(&core, id, address));
        let answers = futures_util::future::join_all(asked).await;
        for Present { id, identity, denials, wanted } in answers.into_iter().flatten() {
            let report = report(&core.read(), id, &identity).map(|command| (core.own(), command));
            let denied = denials.into_iter().take(MOST_DENIALS).filter_map(|it| denied(&core, it));
            let token = wanted.and_then(|wanted| token(&core, &identity, wanted));
            for (wish, command) in report.into_iter().chain(denied).chain(token) {
                if let Err(fault) = core.decide(wish, command).await {
                    tracing::debug!(code = %fault.code(), "what {id} reports is put off");
                }
            }
        }
    }
}

/// A member that has answered.
struct Present {
    id: RaftId,
    identity: Identity,
    denials: Vec<internal::Denial>,
    wanted: Option<internal::WantedToken>,
}

async fn ask(core: &Core, id: RaftId, address: String) -> Option<Present> {
    let mut client = FormationClient::new(core.peers.channel(&address));
    let answer = tokio::time::timeout(ANSWER, client.identify(core.me.asks())).await.ok()?.ok()?;
    let mut answer = answer.into_inner();
    let (denials, wanted) = (std::mem::take(&mut answer.denials), answer.wanted_token.take());
    let identity = bootstrap::identity(answer).ok()?;
    // Another disk may be there now under the same address.
    (identity.id == id).then_some(Present { id, identity, denials, wanted })
}

/// What is to be put on record of a call that a member has turned away.
fn denied(core: &Core, denial: internal::Denial) -> Option<(Wish, Command)> {
    let actor = Some(denial.actor).filter(|actor| !actor.is_empty());
    let wish = Wish {
        request: denial.request_id.parse().ok()?,
        at: Some(core.own_time()),
        expected: None,
        actor: actor.map(|actor| actor.parse()).transpose().ok()?,
        origin: Some(Line::lossy(&denial.origin)),
    };
    Some((wish, Command::Audit(Audit::AccessDenied { call: Line::lossy(&denial.call) })))
}

/// The token that a member's data directory asks for, unless it is there.
fn token(core: &Core, of: &Identity, wanted: internal::WantedToken) -> Option<(Wish, Command)> {
    let id = TokenId::new(wanted.id);
    if core.read().tokens().any(|(known, _)| known == id) {
        return None;
    }
    let hash = SecretHash::from_bytes(<[u8; 32]>::try_from(&*wanted.hash).ok()?);
    let token = NewToken { id, user: wanted.user.parse().ok()?, role: Role::Admin, hash, expires_at: None };
    let origin = Some(Line::lossy(&format!("data directory of {}", of.name)));
    Some((Wish { origin, ..core.own() }, Command::CreateToken(token)))
}

/// What is to be put on record, if a member isn't what is known of it.
fn report(state: &State, id: RaftId, identity: &Identity) -> Option<Command> {
    let Member { seat, level } = state.members().get(&id)?;
    if seat.name == identity.name && *level == identity.level {
        return None;
    }
    let address = Line::lossy(seat.address.as_str());
    Some(Command::ReportMember { raft_id: id, name: identity.name.clone(), address, level: identity.level })
}
