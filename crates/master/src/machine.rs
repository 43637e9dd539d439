//! The replicated state, as Raft's host drives it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use squall_control::{Author, Envelope, Line, Outcome, Seat, State, Supported};
use squall_raft::{Fatal, Members, Standing, StateMachine};
use squall_types::cluster::{ClusterId, RaftId, Revision, UnixMillis};
use tokio::sync::watch;

/// The state that all parts of a master read. Only Raft's host changes it.
#[derive(Clone)]
pub(crate) struct Shared {
    state: Arc<RwLock<State>>,
    applied: watch::Receiver<Revision>,
}

impl Shared {
    /// The state now. Never held across an await.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The revision of the state, to wait for the next.
    pub(crate) fn applied(&self) -> watch::Receiver<Revision> {
        self.applied.clone()
    }
}

/// What Raft's host applies commands to.
pub(crate) struct Machine {
    state: Arc<RwLock<State>>,
    applied: watch::Sender<Revision>,
    supported: Supported,
    #[cfg(feature = "simulation")]
    crooked: Option<crate::planted::Crooked>,
}

impl Machine {
    pub(crate) fn new(state: State, supported: Supported) -> (Self, Shared) {
        let (sender, applied) = watch::channel(state.revision());
        let state = Arc::new(RwLock::new(state));
        let machine = Self {
            state: state.clone(),
            applied: sender,
            supported,
            #[cfg(feature = "simulation")]
            crooked: None,
        };
        (machine, Shared { state, applied })
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn with_planted(self, env: &crate::env::Env) -> Self {
        Self { crooked: Some(crate::planted::Crooked::of(env)), ..self }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (revision, done) = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            let done = change(&mut state);
            (state.revision(), done)
        };
        self.applied.send_replace(revision);
        done
    }
}

impl StateMachine for Machine {
    type Reply = Outcome;

    fn apply(&mut self, index: Revision, command: &[u8]) -> Result<Outcome, Fatal> {
        let envelope = Envelope::decode(command, self.supported).map_err(fatal)?;
        #[cfg(feature = "simulation")]
        let envelope = match &self.crooked {
            Some(crooked) => crooked.applied(envelope),
            None => envelope,
        };
        Ok(self.change(|state| state.apply(index, &envelope)))
    }

    fn snapshot(&self) -> Vec<u8> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "simulation")]
        if let Some(bytes) = self.crooked.as_ref().and_then(|crooked| crooked.snapshot(&state)) {
            return bytes;
        }
        state.encode()
    }

    fn restore(&mut self, _: Revision, bytes: &[u8]) -> Result<(), Fatal> {
        let restored = State::decode(bytes, self.supported).map_err(fatal)?;
        self.change(|state| *state = restored);
        Ok(())
    }

    fn members_changed(&mut self, index: Revision, members: &Members) {
        self.members_changed_by(index, members, &[]);
    }

    fn members_changed_by(&mut self, index: Revision, members: &Members, note: &[u8]) {
        let (seats, author) = (seats(members), Author::decode(note));
        self.change(|state| state.members_changed_by(index, &seats, author.as_ref()));
    }
}

/// What a log is applied to: nothing, since each begins with a snapshot of everything.
pub(crate) fn empty(cluster: ClusterId) -> State {
    let members = BTreeMap::new();
    State::new(squall_control::Seed { cluster, at: UnixMillis::ZERO, level: Supported::OLDEST, members })
}

/// The members as the replicated state lists them.
pub(crate) fn seats(members: &Members) -> BTreeMap<RaftId, Seat> {
    let seat = |(member, standing): (&squall_raft::Member, Standing)| {
        let address = Line::lossy(&member.address);
        (member.id, Seat { name: member.name.clone(), address, voter: standing == Standing::Voter })
    };
    members.iter().map(seat).collect()
}

fn fatal(error: squall_control::DecodeError) -> Fatal {
    Fatal { code: error.code(), next_step: error.next_step().to_owned(), source: Box::new(error) }
}
