//! What a disk's log comes to without a majority's word: for the one survivor of a cluster that has lost its others.

use raft::eraftpb::EntryType;
use squall_types::cluster::{Revision, Term};

use crate::error::StopReason;
use crate::host::change;
use crate::machine::StateMachine;
use crate::members::Members;
use crate::store::{self, Contents, Flaw, StorageError};
use crate::wire::entry_from_store;

/// Where a log ends, and who the members are then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The members.
    pub members: Members,
    /// The last entry.
    pub last: Revision,
    /// Its term, or that of a vote given later.
    pub term: Term,
    /// Up to where the disk knows entries to be committed. Whether those behind it are, no disk alone can tell.
    pub committed: Revision,
}

/// Applies a log to a state machine, to its end: an entry that was acknowledged is in the logs of a majority, and may be known to be committed
/// by those alone that are lost. One that was not is an outcome that nobody was told. None, if the disk has no log.
///
/// # Errors
/// If the log can't be trusted, or an entry can't be applied by this build.
pub fn replay<M: StateMachine>(contents: &Contents, machine: &mut M) -> Result<Option<Replayed>, StopReason> {
    let Some(log) = &contents.log else { return Ok(None) };
    log.validate().map_err(StopReason::Storage)?;
    let image = store::decode_image(&log.snapshot.image).map_err(StopReason::Storage)?;
    let start = Revision::new(log.snapshot.index);
    machine.restore(start, &image.state).map_err(StopReason::Machine)?;
    machine.members_changed(start, &image.members);
    let mut members = image.members;
    let mut last = start;
    for entry in log.entries.iter().filter(|entry| entry.index > start.get()) {
        let damaged = || StopReason::Storage(StorageError::Damaged { what: "the log", flaw: Flaw::Content });
        let entry = entry_from_store(entry.clone()).ok_or_else(damaged)?;
        last = Revision::new(entry.index);
        match entry.get_entry_type() {
            EntryType::EntryNormal if entry.data.is_empty() => {}
            EntryType::EntryNormal => drop(machine.apply(last, &entry.data).map_err(StopReason::Machine)?),
            EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => {
                let change = change::read(&entry)?;
                change::carry_out(&mut members, &entry, &change);
                machine.members_changed_by(last, &members, &change.context);
            }
        }
    }
    let committed = Revision::new(log.hard.commit);
    Ok(Some(Replayed { members, last, term: Term::new(log.hard.term), committed }))
}
