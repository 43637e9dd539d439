//! The shipped replicated state, as Raft's host drives it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use squall_control::{Envelope, Line, Outcome, Seat, State, Supported};
use squall_raft::{Fatal, Member, Members, Standing, StateMachine};
use squall_types::cluster::{RaftId, Revision};

use crate::clients;
use crate::plant::Plant;

/// A state that a host applies to, and others read.
#[derive(Clone)]
pub struct Machine {
    state: Arc<Mutex<State>>,
    plant: Plant,
}

impl Machine {
    /// With this state at first.
    pub fn new(state: State, plant: Plant) -> Self {
        Self { state: Arc::new(Mutex::new(state)), plant }
    }

    /// The state now.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateMachine for Machine {
    type Reply = Outcome;

    fn apply(&mut self, index: Revision, command: &[u8]) -> Result<Outcome, Fatal> {
        let mut envelope = Envelope::decode(command, Supported::newest()).map_err(fatal)?;
        match self.plant {
            Plant::ClockInApply => envelope.at = clients::now(),
            Plant::StaleVersionAccepted => envelope.expected = None,
            _ => {}
        }
        Ok(self.state().apply(index, &envelope))
    }

    fn snapshot(&self) -> Vec<u8> {
        self.state().encode()
    }

    fn restore(&mut self, _: Revision, bytes: &[u8]) -> Result<(), Fatal> {
        *self.state() = State::decode(bytes, Supported::newest()).map_err(fatal)?;
        Ok(())
    }

    fn members_changed(&mut self, index: Revision, members: &Members) {
        let seats: BTreeMap<RaftId, Seat> = members.iter().map(|(it, standing)| (it.id, seat(it, standing))).collect();
        self.state().members_changed(index, &seats);
    }
}

/// A member as the state lists it.
pub fn seat(member: &Member, standing: Standing) -> Seat {
    let address = Line::lossy(&member.address);
    Seat { name: member.name.clone(), address, voter: standing == Standing::Voter }
}

fn fatal(error: squall_control::DecodeError) -> Fatal {
    Fatal { code: error.code(), next_step: error.next_step().to_owned(), source: Box::new(error) }
}
