//! Changing who the masters are.

use std::sync::Arc;
use std::time::Duration;

use squall_control::{Author, State};
use squall_proto::internal::{self, formation_client::FormationClient};
use squall_proto::v1;
use squall_raft::{ChangeError, Member, Members, Terms, TransferError};
use squall_types::cluster::{MasterName, RaftId, Revision};
use squall_types::{Code, Retry, codes, nearest};

use crate::bootstrap;
use crate::core::{Core, Leader, Wish};
use crate::fault::{Answer, Fault};

/// How long a master may take to say who it is.
const IDENTIFY: Duration = Duration::from_secs(2);
/// How long a new leader may take to be known.
const TAKEOVER: Duration = Duration::from_secs(2);

/// The member of this name.
pub(crate) fn named(state: &State, name: &MasterName) -> Answer<RaftId> {
    let found = state.members().iter().find(|(_, member)| member.seat.name == *name).map(|(id, _)| *id);
    found.ok_or_else(|| {
        let known = state.members().values().map(|member| member.seat.name.as_str());
        let meant = nearest(name.as_str(), known).map_or_else(String::new, |near| format!("; did you mean {near}?"));
        let cause = format!("there is no master {name}{meant}");
        Fault::new(tonic::Code::NotFound, codes::NO_SUCH_MASTER, cause, "squall masters lists them")
    })
}

/// What is left to do of a wish.
enum Begun {
    /// It was done before, there.
    Done(Revision),
    /// The change, if the members are still those.
    ToDo(Arc<Members>),
}

/// Looks whether a wish was fulfilled before, and whether the members are as its maker has seen them.
async fn begin(core: &Core, wish: &Wish) -> Answer<Begun> {
    core.barrier().await?;
    // Seen before the state is: a change in between makes the members others than these.
    let members = core.log.status().borrow().members.clone();
    let state = core.read();
    if let Some(revision) = state.answered(wish.request, core.env.clock.now())? {
        return Ok(Begun::Done(revision));
    }
    wish.expected.map_or(Ok(()), |expected| state.members_as_at(expected))?;
    Ok(Begun::ToDo(members))
}

/// What a change of the members is bound to; its note says whose it is, once all masters can read that.
fn terms(core: &Core, wish: &Wish, members: Arc<Members>) -> Terms {
    let Wish { request, actor, origin, .. } = wish.clone();
    let author = Author { request, at: core.env.clock.now(), actor, origin };
    let note = if core.read().level() >= Author::LEVEL { author.encode() } else { Vec::new() };
    Terms { seen: Some(members), note }
}

/// Lets a master with an empty disk in, as a learner.
pub(crate) async fn add(core: &Arc<Core>, wish: &Wish, address: &str) -> Answer<v1::Applied> {
    let members = match begin(core, wish).await? {
        Begun::Done(revision) => return Ok(repeated(revision)),
        Begun::ToDo(members) => members,
    };
    let newcomer = newcomer(core, address).await?;
    applied(core, core.log.on_terms(terms(core, wish, members)).add_learner(newcomer).await)
}

/// Takes a master out.
pub(crate) async fn remove(core: &Arc<Core>, wish: &Wish, name: &MasterName) -> Answer<v1::Applied> {
    let members = match begin(core, wish).await? {
        Begun::Done(revision) => return Ok(repeated(revision)),
        Begun::ToDo(members) => members,
    };
    let id = named(&core.read(), name)?;
    applied(core, core.log.on_terms(terms(core, wish, members)).remove(id).await)
}

/// Takes the lost disk of a master out, and its new one in. The wish is fulfilled by the second step.
pub(crate) async fn replace(core: &Arc<Core>, wish: &Wish, name: &MasterName) -> Answer<v1::Applied> {
    let members = match begin(core, wish).await? {
        Begun::Done(revision) => return Ok(repeated(revision)),
        Begun::ToDo(members) => members,
    };
    let old = named(&core.read(), name)?;
    let address = core.address_of(old).ok_or_else(|| changed(core, ChangeError::UnknownMember { id: old }))?;
    let newcomer = newcomer(core, &address).await?;
    let out = Wish { request: core.own().request, ..wish.clone() };
    applied(core, core.log.on_terms(terms(core, &out, members)).remove(old).await)?;
    let left = without(core, old).await;
    let added = core.log.on_terms(terms(core, wish, left)).add_learner(newcomer).await;
    applied(core, added).map_err(|fault| {
        let cause = format!("{name} is out, and was not let in with its new disk: {}", fault.failure().cause);
        let next_step = format!("squall masters add {address}");
        Fault::new(fault.failure().grpc, fault.code(), cause, next_step)
    })
}

/// The members once they are known to be without this one, whose removal has been committed: the status follows what is answered.
async fn without(core: &Core, removed: RaftId) -> Arc<Members> {
    let mut status = core.log.status();
    // If the log has ended, or is that slow, the next step finds out.
    let known = status.wait_for(|status| status.members.was_removed(removed));
    let _ = tokio::time::timeout(TAKEOVER, known).await;
    status.borrow().members.clone()
}

async fn newcomer(core: &Arc<Core>, address: &str) -> Answer<Member> {
    if address.is_empty() || address.len() > 256 || !address.contains(':') {
        return Err(Fault::field("address", "it is a host and a port, as master-4:7400"));
    }
    let answer = match identify(core, address).await {
        // The connection to the master that was there before breaks with the first call; the next makes a new one.
        Err(_) => identify(core, address).await,
        answered => answered,
    };
    let answer = answer.map_err(|status| unreachable(address, status.message()))?;
    let identity = bootstrap::identity(answer).map_err(|why| unreachable(address, &why.to_string()))?;
    if let Some(cluster) = identity.cluster {
        let cause = format!("the master at {address} ({}) belongs to the cluster {cluster} already", identity.name);
        let next_step = "if its data can go: stop it, and start it on an empty data directory";
        return Err(Fault::new(tonic::Code::FailedPrecondition, codes::MASTER_NOT_EMPTY, cause, next_step));
    }
    Ok(Member { id: identity.id, name: identity.name, address: address.to_owned() })
}

async fn identify(core: &Core, address: &str) -> Result<internal::Identity, tonic::Status> {
    let mut request = tonic::Request::new(core.me.asks());
    request.set_timeout(IDENTIFY);
    Ok(FormationClient::new(core.peers.channel(address)).identify(request).await?.into_inner())
}

fn unreachable(address: &str, why: &str) -> Fault {
    let cause = format!("the master at {address} did not say who it is: {why}");
    let next_step = "start it there with an empty data directory, and with the others in its list of masters";
    Fault::new(tonic::Code::Unavailable, codes::MASTER_UNREACHABLE, cause, next_step)
}

fn applied(core: &Core, result: Result<Revision, ChangeError>) -> Answer<v1::Applied> {
    let revision = result.map_err(|error| changed(core, error))?;
    Ok(v1::Applied { revision: revision.get(), repeated: false })
}

const fn repeated(revision: Revision) -> v1::Applied {
    v1::Applied { revision: revision.get(), repeated: true }
}

fn changed(core: &Core, error: ChangeError) -> Fault {
    let grpc = match error {
        ChangeError::NotLeader { .. } | ChangeError::Unknown | ChangeError::Stopped => tonic::Code::Unavailable,
        ChangeError::InProgress | ChangeError::Changed => tonic::Code::Aborted,
        ChangeError::UnknownMember { .. } => tonic::Code::NotFound,
        ChangeError::AlreadyMember { .. } => tonic::Code::AlreadyExists,
        _ => tonic::Code::FailedPrecondition,
    };
    let leader = match error {
        ChangeError::NotLeader { leader } => leader.and_then(|id| core.address_of(id)),
        _ => None,
    };
    raft_fault(grpc, error.code(), &error, error.next_step(), error.retry()).with_leader(leader)
}

fn raft_fault(grpc: tonic::Code, code: Code, cause: &dyn std::error::Error, next_step: &str, retry: Retry) -> Fault {
    Fault::new(grpc, code, cause, next_step).with_retry(retry)
}

/// Who is to lead next: the one that is wanted, or the voter that has most of the log.
pub(crate) fn transfer_target(core: &Core, wanted: Option<RaftId>) -> Answer<RaftId> {
    let status = core.log.status().borrow().clone();
    let voter = |id: RaftId| core.read().members().get(&id).is_some_and(|member| member.seat.voter);
    let alive = status.progress.iter().filter(|it| it.recent_active && voter(it.id));
    let target = match wanted {
        Some(wanted) if wanted == core.me.id => Some(wanted),
        Some(wanted) => alive.map(|it| it.id).find(|id| *id == wanted),
        None => alive.max_by_key(|it| it.matched).map(|it| it.id),
    };
    target.ok_or_else(|| transferred(core, TransferError::NoTarget))
}

/// Whether the members are as who makes a wish has seen them.
pub(crate) fn as_seen(core: &Core, wish: &Wish) -> Answer<()> {
    Ok(wish.expected.map_or(Ok(()), |expected| core.read().members_as_at(expected))?)
}

/// Hands leadership over. Says who leads then.
pub(crate) async fn transfer(core: &Arc<Core>, to: RaftId) -> Answer<String> {
    if to != core.me.id {
        core.log.transfer(Some(to)).await.map_err(|error| transferred(core, error))?;
        let mut leader = core.leader.clone();
        // Whether the other one is known to lead yet changes nothing of the answer.
        let _ = tokio::time::timeout(TAKEOVER, leader.wait_for(|leader| matches!(leader, Leader::There { .. }))).await;
    }
    let state = core.read();
    Ok(state.members().get(&to).map_or_else(|| to.to_string(), |member| member.seat.name.to_string()))
}

fn transferred(core: &Core, error: TransferError) -> Fault {
    let (grpc, leader) = match error {
        TransferError::NotLeader { leader } => (tonic::Code::Unavailable, leader),
        TransferError::NoTarget => (tonic::Code::FailedPrecondition, None),
        TransferError::TimedOut { .. } | TransferError::Stopped => (tonic::Code::Unavailable, None),
    };
    let leader = leader.and_then(|id| core.address_of(id));
    raft_fault(grpc, error.code(), &error, error.next_step(), error.retry()).with_leader(leader)
}
