//! What Raft has ready, in the order that keeps its promises.

use raft::Ready;
use raft::eraftpb::{Entry, EntryType, Message};
use squall_types::cluster::Revision;
use tokio::sync::oneshot;

use super::{Host, change, tell};
use crate::error::StopReason;
use crate::machine::StateMachine;
use crate::store::{self, Batch, HardState};
use crate::wire::entry_to_store;

/// Something that has to wait until a write is durable.
pub(super) struct InFlight {
    write: u64,
    /// The ready that the write was made of.
    ready: Option<u64>,
    messages: Vec<Message>,
    /// Who sent the snapshot that is in the write.
    stored: Option<oneshot::Sender<bool>>,
}

impl<M: StateMachine> Host<M> {
    pub(super) fn take_ready(&mut self) -> Result<(), StopReason> {
        let mut ready = self.raw.ready();
        self.out.messages.append(&mut ready.take_messages());
        let mut batch = Batch::default();
        if !ready.snapshot().is_empty() {
            self.install(ready.snapshot(), &mut batch)?;
        }
        for state in ready.take_read_states() {
            self.read_state(&state.request_ctx, state.index);
        }
        let committed = ready.take_committed_entries();
        let entries = ready.take_entries();
        self.append(&entries, &mut batch);
        self.keep_hard_state(&ready, &mut batch);
        let (number, messages) = (ready.number(), ready.take_persisted_messages());
        self.raw.advance_append_async(ready);
        self.hand_over(batch, number, messages);
        self.apply(committed)?;
        self.tell_applied();
        Ok(())
    }

    /// Raft takes something for applied only once it is durable here; a leader's snapshot is applied before that.
    fn tell_applied(&mut self) {
        let log = &self.raw.raft.raft_log;
        let applied = self.applied.min(log.persisted);
        if applied > log.applied {
            self.raw.advance_apply_to(applied);
        }
    }

    fn append(&mut self, entries: &[Entry], batch: &mut Batch) {
        let Some(first) = entries.first() else { return };
        let from = first.index;
        batch.entries = entries.iter().map(entry_to_store).collect();
        self.raw.mut_store().append(entries);
        let log = &self.raw.raft.raft_log;
        self.proposals.replaced(from, |index| log.term(index).ok());
        self.change_replaced(from);
    }

    fn keep_hard_state(&mut self, ready: &Ready, batch: &mut Batch) {
        if let Some(hard) = ready.hs() {
            let hard = HardState { term: hard.term, vote: hard.vote, commit: hard.commit };
            let commit = hard.commit.max(self.raw.store().snapshot_index());
            self.raw.mut_store().set_hard(HardState { commit, ..hard });
            self.hard_is_dirty = true;
        }
        // How far is committed may be forgotten: that alone is no reason to wait for the disk.
        if self.hard_is_dirty && (ready.must_sync() || !batch.is_empty()) {
            batch.hard = Some(self.raw.store().hard());
            #[cfg(any(test, feature = "planted"))]
            if self.has(super::planted::Planted::VoteNotStored) {
                batch.hard = batch.hard.map(|hard| HardState { vote: 0, ..hard });
            }
            self.hard_is_dirty = false;
        }
    }

    fn hand_over(&mut self, batch: Batch, ready: u64, messages: Vec<Message>) {
        #[cfg(any(test, feature = "planted"))]
        if self.has(super::planted::Planted::SkippedFsync) && batch.snapshot.is_none() {
            self.write(batch);
            self.raw.on_persist_ready(ready);
            self.out.messages.extend(messages);
            return;
        }
        if batch.is_empty() && self.in_flight.is_empty() {
            self.raw.on_persist_ready(ready);
            self.out.messages.extend(messages);
            return;
        }
        if !batch.is_empty() {
            self.write(batch);
        }
        self.in_flight.push_back(InFlight { write: self.write, ready: Some(ready), messages, stored: None });
    }

    /// Hands a batch to the disk, behind all before.
    pub(super) fn write(&mut self, batch: Batch) {
        self.write += 1;
        self.out.batches.push((self.write, batch));
    }

    /// A snapshot was handed to Raft: its sender is told once it is durable, or at once if Raft wanted none of it.
    pub(super) fn await_snapshot(&mut self, index: u64, stored: oneshot::Sender<bool>) {
        let pending = self.raw.snap().is_some_and(|snapshot| snapshot.get_metadata().index == index);
        if pending {
            // Stands before the write that it waits for: the next one.
            self.in_flight.push_back(InFlight {
                write: self.write + 1,
                ready: None,
                messages: Vec::new(),
                stored: Some(stored),
            });
        } else {
            let has_it = self.raw.raft.raft_log.committed >= index;
            tell(stored, has_it);
        }
    }

    pub(super) fn written(&mut self, number: u64) {
        while self.in_flight.front().is_some_and(|it| it.write <= number) {
            let Some(done) = self.in_flight.pop_front() else { break };
            if let Some(ready) = done.ready {
                self.raw.on_persist_ready(ready);
            }
            self.out.messages.extend(done.messages);
            self.tell_applied();
            done.stored.into_iter().for_each(|stored| tell(stored, true));
        }
    }

    fn apply(&mut self, entries: Vec<Entry>) -> Result<(), StopReason> {
        for entry in entries {
            let (index, term) = (entry.index, entry.term);
            debug_assert_eq!(index, self.applied + 1, "entries are applied one after the other");
            // By its type first: a change of members that ends a joint configuration has no data.
            match entry.get_entry_type() {
                EntryType::EntryNormal if entry.data.is_empty() => self.proposals.covered(index),
                EntryType::EntryNormal => {
                    let reply = self.machine.apply(Revision::new(index), &entry.data).map_err(StopReason::Machine)?;
                    self.proposals.applied(index, term, reply);
                }
                EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => self.apply_change(&entry)?,
            }
            self.applied = index;
            if self.is_leader() && term == self.raw.raft.term && self.established().is_none() {
                self.established = Some((term, index));
            }
        }
        Ok(())
    }

    fn apply_change(&mut self, entry: &Entry) -> Result<(), StopReason> {
        let change = change::read(entry)?;
        let conf =
            self.raw.apply_conf_change(&change).map_err(|error| StopReason::Defect { what: error.to_string() })?;
        self.members_changed(entry, &change);
        self.applied = entry.index;
        // What Raft can't work out anew must not depend on a replay: members and who votes are in each snapshot.
        self.take_snapshot(crate::wire::conf_from_raft(&conf));
        Ok(())
    }

    fn install(&mut self, snapshot: &raft::eraftpb::Snapshot, batch: &mut Batch) -> Result<(), StopReason> {
        let meta = snapshot.get_metadata();
        let image = store::decode_image(&snapshot.data).map_err(StopReason::Storage)?;
        let index = Revision::new(meta.index);
        self.machine.restore(index, &image.state).map_err(StopReason::Machine)?;
        self.machine.members_changed(index, &image.members);
        self.removed |= image.members.was_removed(self.id);
        self.members = std::sync::Arc::new(image.members);
        self.raw.mut_store().install(snapshot);
        self.applied = meta.index;
        self.proposals.covered(meta.index);
        self.change_covered(meta.index);
        batch.snapshot = Some(store::Snapshot {
            index: meta.index,
            term: meta.term,
            conf: crate::wire::conf_from_raft(meta.get_conf_state()),
            image: snapshot.data.to_vec(),
        });
        batch.clear = true;
        batch.first = Some((meta.index + 1, meta.term));
        self.hard_is_dirty = true;
        Ok(())
    }
}
