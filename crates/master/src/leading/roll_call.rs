//! Asks each member who it is and what it understands, and puts on record what has changed: how masters of two releases get along.

use std::sync::Arc;
use std::time::Duration;

use squall_control::{Command, Line, Member, State};
use squall_proto::internal::formation_client::FormationClient;
use squall_types::cluster::RaftId;
use tokio::time::MissedTickBehavior;

use crate::bootstrap::{self, Identity};
use crate::core::Core;

/// How often all are asked.
const ROUND: Duration = Duration::from_secs(1);
/// How long one may take to answer.
const ANSWER: Duration = Duration::from_millis(500);

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
        for (id, identity) in answers.into_iter().flatten() {
            let report = report(&core.read(), id, &identity);
            if let Some(command) = report
                && let Err(fault) = core.decide(core.own(), command).await
            {
                tracing::debug!(code = %fault.code(), "what {id} reports is put off");
            }
        }
    }
}

async fn ask(core: &Core, id: RaftId, address: String) -> Option<(RaftId, Identity)> {
    let mut client = FormationClient::new(core.peers.channel(&address));
    let answer = tokio::time::timeout(ANSWER, client.identify(core.me.asks())).await.ok()?.ok()?;
    let identity = bootstrap::identity(answer.into_inner()).ok()?;
    // Another disk may be there now under the same address.
    (identity.id == id).then_some((id, identity))
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
