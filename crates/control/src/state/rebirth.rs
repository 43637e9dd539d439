//! A cluster's new life, from a backup or from one survivor's disk: what it must not have in common with the life before.
//!
//! Whoever still obeys the old life has to know each decision of the new one for newer, and nothing of the one may be taken for something
//! of the other. What was decided after the backup was taken, or by masters that are lost, is not known here. So every number that orders
//! decisions makes a jump that no life is long enough to make by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use squall_types::cluster::{AssignmentVersion, BlobId, Epoch, RaftId, RequestId, Revision, UnixMillis, UserName};

use super::{Seat, State};
use crate::command::{Command, Envelope};
use crate::{Assignment, Line, Rebirth};

/// How far numbers jump between two lives: more than four years of 8,000 decisions a second.
pub(crate) const BETWEEN_LIVES: u64 = 1_000_000_000_000;

/// What a cluster's new life begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// What it comes from.
    pub by: Rebirth,
    /// The wall time.
    pub at: UnixMillis,
    /// Random bits that no other request has.
    pub random: u128,
    /// Who wants it, if that is known.
    pub actor: Option<UserName>,
    /// Where it was done.
    pub origin: Line,
    /// The one master that it begins with: its disk's new life, and its seat.
    pub master: (RaftId, Seat),
    /// The packages that this master has on its disk.
    pub packages: BTreeSet<BlobId>,
}

impl State {
    /// The same cluster in its next life: a new epoch, one master, and revisions and assignments that no earlier life can have had.
    ///
    /// The epoch is the one after the last, or the number of seconds since 1970 if that is higher. So a backup that is older than the last
    /// rebirth begins a newer epoch all the same.
    #[must_use]
    pub fn reborn(mut self, birth: Birth) -> Self {
        let Birth { by, at, random, actor, origin, master: (id, seat), packages } = birth;
        self.now = self.now.max(at);
        self.members_changed(
            Revision::new(self.revision.get().saturating_add(BETWEEN_LIVES)),
            &BTreeMap::from([(id, seat)]),
        );
        for package in packages {
            if let Some(blob) = self.blobs.get_mut(&package) {
                blob.held_by.insert(id);
            }
        }
        self.retire_assignments();
        let last = Epoch::new((self.now.get() / 1_000).saturating_sub(1));
        self.epoch = self.epoch.max(last);
        let envelope = Envelope {
            request: RequestId::new(self.now, random),
            at: self.now,
            actor,
            origin: Some(origin),
            expected: None,
            command: Command::BeginEpoch(by),
        };
        self.apply(self.revision.next(), &envelope);
        self
    }

    /// Takes assignments over as new ones: with the same content, and versions above all that there can have been.
    fn retire_assignments(&mut self) {
        let beyond = |version: AssignmentVersion| AssignmentVersion::new(version.get().saturating_add(BETWEEN_LIVES));
        self.retired = beyond(self.retired);
        for deployed in self.topologies.values_mut() {
            deployed.born_after = beyond(deployed.born_after);
            deployed.assignment = deployed.assignment.take().map(|it| {
                let parent = it.version;
                Arc::new(Assignment { version: beyond(parent), parent, ..Arc::unwrap_or_clone(it) })
            });
        }
    }
}
