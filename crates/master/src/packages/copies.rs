//! Copies of packages: on a majority's disks before an upload is answered, on all disks soon after, on none when nothing needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use squall_control::{Command, State};
use squall_proto::internal::FetchRequest;
use squall_proto::internal::packages_client::PackagesClient;
use squall_proto::v1;
use squall_proto::v1::blobs_client::BlobsClient;
use squall_types::cluster::{BlobId, RaftId};
use squall_types::codes;
use tokio::time::{Instant, MissedTickBehavior};

use crate::blobs::BlobError;
use crate::core::{Core, Wish};
use crate::fault::{Answer, Fault};
use crate::gate::FORWARDED;

/// How long the others may take to fetch what was uploaded.
const SPREAD: Duration = Duration::from_secs(60);
/// How often the leader looks for copies that are missing.
const CHASE: Duration = Duration::from_millis(500);
/// How often a master looks for packages on its disk that nothing needs, and how long it keeps such.
const SWEEP: Duration = Duration::from_secs(60);
const KEPT: Duration = Duration::from_secs(3_600);

/// How long a package is that the cluster has. It is kept for longer then: who brings it again is about to refer to it. One that is on no
/// master's disk any more has to be brought.
pub(super) async fn known(core: &Arc<Core>, id: BlobId) -> Answer<Option<u64>> {
    let size = core.read().blobs().get(&id).filter(|blob| !blob.held_by.is_empty()).map(|blob| blob.size);
    let Some(size) = size else { return Ok(None) };
    let command = Command::StoreBlob { id, size, held_by: BTreeSet::new() };
    core.decide(core.own(), command).await.map(|_| Some(size))
}

/// Brings a package that is here onto a majority's disks, and into the index.
pub(super) async fn spread(core: &Arc<Core>, by: Wish, id: BlobId, size: u64) -> Answer<()> {
    let (others, voters) = {
        let state = core.read();
        let voters: Vec<_> =
            state.members().iter().filter(|(_, member)| member.seat.voter).map(|(id, _)| *id).collect();
        (voters.iter().copied().filter(|member| *member != core.me.id).collect::<Vec<_>>(), voters.len())
    };
    let needed = voters / 2 + 1;
    let mut held_by = BTreeSet::from([core.me.id]);
    let mut asked: FuturesUnordered<_> =
        others.into_iter().map(|member| async move { (member, ask(core, member, id, size).await) }).collect();
    let gathered = async {
        while held_by.len() < needed {
            match asked.next().await {
                Some((member, Ok(()))) => drop(held_by.insert(member)),
                Some((member, Err(fault))) => {
                    tracing::warn!("{member} did not fetch package {}: {}", id.short(), fault.failure().cause);
                }
                None => break,
            }
        }
    };
    // Whoever is late is counted out; the chase goes on later.
    let _ = tokio::time::timeout(SPREAD, gathered).await;
    if held_by.len() < needed {
        return Err(too_few(id, held_by.len(), needed));
    }
    let command = Command::StoreBlob { id, size, held_by };
    core.decide(by, command).await.map(|_| ())
}

/// Has a member fetch a package from here.
async fn ask(core: &Core, member: RaftId, id: BlobId, size: u64) -> Answer<()> {
    let address = core.address_of(member).ok_or_else(|| Fault::field("member", "it is none any more"))?;
    let request = FetchRequest { id: id.to_string(), size, from: core.me.address.clone() };
    let fetched = PackagesClient::new(core.peers.channel(&address)).fetch(request).await;
    fetched.map(|_| ()).map_err(|status| {
        let cause = status.message().to_owned();
        Fault::new(status.code(), codes::BLOB_ON_TOO_FEW_DISKS, cause, "see that master's log")
    })
}

fn too_few(id: BlobId, held: usize, needed: usize) -> Fault {
    let cause = format!("package {} is on {held} disks, and has to be on {needed}", id.short());
    let next_step = "see squall masters: a majority has to run, and to have room on their disks; then try again";
    Fault::new(tonic::Code::Unavailable, codes::BLOB_ON_TOO_FEW_DISKS, cause, next_step)
}

/// Fetches a package from another master onto this one's disk; goes on where an earlier attempt broke off.
pub(super) async fn fetch(core: &Core, id: BlobId, size: u64, from: &str) -> Answer<()> {
    if core.blobs.size(id) == Some(size) {
        return Ok(());
    }
    let offset = core.blobs.received(id);
    let request = v1::GetBlobRequest { id: id.to_string(), offset };
    let broken = |status: tonic::Status| broken(id, from, &status);
    let mut chunks = BlobsClient::new(core.peers.channel(from)).get(request).await.map_err(broken)?.into_inner();
    let mut upload = core.blobs.upload(id, size, offset).await?;
    while let Some(chunk) = chunks.message().await.map_err(broken)? {
        upload.write(chunk.data).await?;
    }
    upload.finish().await?;
    Ok(())
}

fn broken(id: BlobId, from: &str, status: &tonic::Status) -> Fault {
    let cause = format!("package {} can't be fetched from {from}: {}", id.short(), status.message());
    Fault::new(tonic::Code::Unavailable, codes::BLOB_MISSING, cause, "see that master's log and its disk")
}

/// A package that is on other masters' disks and not on this one's yet, straight from one of them.
pub(super) async fn elsewhere(core: &Core, id: BlobId, offset: u64) -> Answer<tonic::Streaming<v1::BlobChunk>> {
    core.barrier().await?;
    let holders: Vec<_> = {
        let state = core.read();
        let holders = state.blobs().get(&id).into_iter().flat_map(|blob| blob.held_by.clone());
        holders.filter(|holder| *holder != core.me.id).collect()
    };
    let mut failed = Fault::from(BlobError::Missing(id));
    for from in holders.into_iter().filter_map(|holder| core.address_of(holder)) {
        let mut request = tonic::Request::new(v1::GetBlobRequest { id: id.to_string(), offset });
        // One that has lost it doesn't ask on.
        request.metadata_mut().insert(FORWARDED, tonic::metadata::MetadataValue::from_static("another master"));
        match BlobsClient::new(core.peers.channel(&from)).get(request).await {
            Ok(chunks) => return Ok(chunks.into_inner()),
            Err(status) => failed = broken(id, &from, &status),
        }
    }
    Err(failed)
}

/// A copy that is missing: who lacks it, and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Missing {
    member: RaftId,
    id: BlobId,
    size: u64,
    held_by: BTreeSet<RaftId>,
}

/// One missing copy for each member, so that none is swamped.
fn missing(state: &State) -> Vec<Missing> {
    let first = |member: RaftId| {
        let (id, blob) = state.missing_blobs(member).next()?;
        Some(Missing { member, id, size: blob.size, held_by: blob.held_by.clone() })
    };
    state.members().keys().filter_map(|member| first(*member)).collect()
}

/// Sees to it that every member has every package, while this master leads.
pub(crate) async fn chase(core: Arc<Core>) {
    let mut rounds = tokio::time::interval(CHASE);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        loop {
            let missing = missing(&core.read());
            let made = futures_util::future::join_all(missing.into_iter().map(|it| copy(&core, it))).await;
            if !made.contains(&true) {
                break;
            }
        }
    }
}

/// Makes one copy. Whether it is there now.
async fn copy(core: &Core, missing: Missing) -> bool {
    let Missing { member, id, size, held_by } = missing;
    let copied = if member == core.me.id {
        let holder = held_by.iter().find(|it| **it != member).and_then(|it| core.address_of(*it));
        match holder {
            Some(from) => fetch(core, id, size, &from).await,
            None => return false,
        }
    } else {
        ask(core, member, id, size).await
    };
    let held = match copied {
        Ok(()) => core
            .decide(core.own(), Command::StoreBlob { id, size, held_by: BTreeSet::from([member]) })
            .await
            .map(|_| ()),
        Err(fault) => Err(fault),
    };
    if let Err(fault) = &held {
        tracing::debug!("{member} still lacks package {}: {}", id.short(), fault.failure().cause);
    }
    held.is_ok()
}

/// Removes packages from this master's disk that the index hasn't named for long.
pub(crate) async fn sweep(core: Arc<Core>) {
    let mut rounds = tokio::time::interval(SWEEP);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unnamed: BTreeMap<BlobId, Instant> = BTreeMap::new();
    loop {
        rounds.tick().await;
        let here = core.blobs.list();
        let now = Instant::now();
        {
            let state = core.read();
            unnamed.retain(|id, _| here.iter().any(|kept| kept.id == *id) && !state.blobs().contains_key(id));
            for kept in here.iter().filter(|kept| !state.blobs().contains_key(&kept.id)) {
                unnamed.entry(kept.id).or_insert(now);
            }
        }
        let old: Vec<_> =
            unnamed.iter().filter(|(_, since)| now.duration_since(**since) >= KEPT).map(|(id, _)| *id).collect();
        for id in old {
            match core.blobs.remove(id).await {
                Ok(()) => tracing::info!("package {} is no longer needed, and was removed", id.short()),
                Err(error) => tracing::warn!(code = %error.code(), "package {} can't be removed: {error}", id.short()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{History, blob, id};

    #[test]
    fn each_member_is_sent_one_missing_package_at_a_time_and_none_that_nobody_has() {
        let mut history = History::new(3);
        history.stores(blob(1), &[1, 2]);
        history.stores(blob(2), &[3]);
        history.stores(blob(3), &[]);
        let found: Vec<_> = missing(&history.state).into_iter().map(|it| (it.member, it.id, it.held_by)).collect();
        let held = |numbers: &[u64]| numbers.iter().map(|number| id(*number)).collect::<BTreeSet<_>>();
        assert_eq!(
            found,
            [(id(1), blob(2), held(&[3])), (id(2), blob(2), held(&[3])), (id(3), blob(1), held(&[1, 2]))]
        );
        history.stores(blob(1), &[3]);
        history.stores(blob(2), &[1, 2]);
        assert_eq!(missing(&history.state), []);
    }
}
