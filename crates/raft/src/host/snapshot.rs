//! Snapshots: when they are taken, and what becomes of the log then.

use bytes::Bytes;
use raft::{SnapshotStatus, Storage as _};
use squall_types::cluster::RaftId;

use super::Host;
use crate::machine::StateMachine;
use crate::store::{self, Batch, ConfState, Image};
use crate::wire::conf_from_raft;

impl<M: StateMachine> Host<M> {
    pub(super) fn snapshot_if_due(&mut self) {
        let since = self.applied - self.raw.store().snapshot_index();
        let wanted = self.raw.store().take_wanted() && since > 0;
        if wanted || since >= self.keeping.snapshot_every.max(1) {
            let conf = self.raw.raft.prs().conf().to_conf_state();
            self.take_snapshot(conf_from_raft(&conf));
        }
    }

    /// Takes a snapshot of what is applied, and forgets entries that no follower is likely to need.
    pub(super) fn take_snapshot(&mut self, conf: ConfState) {
        #[cfg(any(test, feature = "planted"))]
        let conf = if self.has(super::planted::Planted::SnapshotWithoutConf) {
            conf_from_raft(&self.raw.store().initial_state().expect("it is in memory").conf_state)
        } else {
            conf
        };
        let index = self.applied;
        let term = self.raw.store().term(index).expect("what is applied is in the log, or the snapshot's own index");
        let image = Image { members: (*self.members).clone(), state: self.machine.snapshot() };
        let image = Bytes::from(store::encode_image(&image));
        #[cfg(any(test, feature = "planted"))]
        let past_followers = self.has(super::planted::Planted::LogCutPastFollower);
        let log = self.raw.mut_store();
        log.set_snapshot(index, term, conf.clone(), image.clone());
        let first = log.compact(index.saturating_sub(self.keeping.tail));
        #[cfg(any(test, feature = "planted"))]
        let first = if past_followers { log.cut(index + 3) } else { first };
        let mut hard = log.hard();
        hard.commit = hard.commit.max(index);
        log.set_hard(hard);
        let snapshot = store::Snapshot { index, term, conf, image: image.to_vec() };
        self.write(Batch { snapshot: Some(snapshot), first: Some(first), hard: Some(hard), ..Batch::default() });
    }

    pub(super) fn snapshot_sent(&mut self, to: RaftId, stored: bool) {
        let status = if stored { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raw.report_snapshot(to.get(), status);
    }
}
