//! Planted bugs, for the simulation to find. None is in a build that isn't made for that.

use std::sync::Arc;

use squall_control::{Envelope, State};
use squall_types::cluster::{MasterName, RaftId};

use crate::env::{Clock, Env};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// One of the log's own.
    Log(squall_raft::Planted),
    /// A change is made though what it changes is not as the caller has seen it.
    StaleVersionAccepted,
    /// A snapshot leaves out which requests were run.
    SnapshotWithoutRequests,
    /// Applying a command looks at the clock.
    ClockInApply,
}

/// The bugs of the state machine.
pub(crate) struct Crooked {
    bug: Option<Planted>,
    clock: Arc<dyn Clock>,
}

impl Crooked {
    pub(crate) fn of(env: &Env) -> Self {
        Self { bug: env.planted, clock: env.clock.clone() }
    }

    pub(crate) fn applied(&self, mut envelope: Envelope) -> Envelope {
        match self.bug {
            Some(Planted::ClockInApply) => envelope.at = self.clock.now(),
            Some(Planted::StaleVersionAccepted) => envelope.expected = None,
            _ => {}
        }
        envelope
    }

    pub(crate) fn snapshot(&self, state: &State) -> Option<Vec<u8>> {
        (self.bug == Some(Planted::SnapshotWithoutRequests)).then(|| {
            let mut state = state.clone();
            state.forget_requests();
            state.encode()
        })
    }
}

/// The id of a disk that has been there before, as its master sees it.
pub(crate) fn used_id(env: &Env, name: &MasterName) -> Option<RaftId> {
    let votes = env.planted == Some(Planted::Log(squall_raft::Planted::WipedDiskVotes));
    votes.then(|| name.as_str().bytes().fold(1, |sum: u64, byte| (sum << 8) | u64::from(byte))).and_then(RaftId::new)
}
