//! The end of a simulation: nothing is wrong any more.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_control::State;
use squall_tests::linear;

use super::{COMMANDS, World};
use crate::invariants::Violation;
use crate::master::Site;
use crate::workers::Hand;

/// How long masters may take to be one again once nothing is wrong any more.
const HEALING: Duration = Duration::from_secs(40);
/// Clients that are waited for besides those that change topologies: who uploads packages.
const OTHERS: usize = 1;
/// The most states that the search for an order may look at for one topology.
const LIMIT: usize = 300_000;

impl World {
    /// Nothing is wrong any more: all must come to the same, and nothing acknowledged may be missing.
    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        self.note(format_args!("healed"));
        let deadline = self.sim.elapsed() + HEALING;
        self.until(deadline, "masters that are one again", Self::converged)?;
        self.desk.close();
        let clients = self.scenario.clients + OTHERS;
        let deadline = deadline + HEALING;
        self.until(deadline, "clients that have read everything", |world| world.desk.closed(clients))?;
        self.until(deadline, "a watcher that has seen everything", Self::all_is_watched)?;
        self.see_watched()?;
        let commands = self.desk.commands();
        self.note(format_args!("{commands} changes acknowledged"));
        linear::check(&self.desk.recorder.history(), LIMIT)?;
        if commands < COMMANDS {
            return Err(format!("only {commands} changes were acknowledged; a seed is to have {COMMANDS}"));
        }
        Ok(())
    }

    /// Whether the watcher was sent all but what happened last, which it keeps until it is sure that it has all of it.
    fn all_is_watched(&self) -> bool {
        let last = self.invariants.events().last().map(|event| event.revision);
        let before = self.invariants.events().filter(|event| Some(event.revision) < last).count();
        self.desk.watched().len() >= before
    }

    /// The watcher has seen what has happened, in order, without a gap.
    fn see_watched(&self) -> Result<(), Violation> {
        for (event, seen) in self.invariants.events().zip(self.desk.watched()) {
            let (revision, subject) = (event.revision.get(), event.subject().to_string());
            if (revision, event.kind(), &subject) != (seen.revision, seen.kind.as_str(), &seen.subject) {
                return Err(format!("a watcher saw {seen:?}, and not {event:?}"));
            }
        }
        Ok(())
    }

    fn until(&mut self, deadline: Duration, what: &str, holds: impl Fn(&Self) -> bool) -> Result<(), Violation> {
        while !holds(self) {
            if self.sim.elapsed() > deadline {
                let masters: Vec<_> = self.sites.iter().filter_map(Site::glance).collect();
                return Err(format!("healed, and no end: {what}; {masters:?}"));
            }
            self.step()?;
        }
        Ok(())
    }

    fn converged(&self) -> bool {
        let masters: Vec<_> = self.sites.iter().filter_map(Site::glance).collect();
        let level = masters.windows(2).all(|pair| pair[0].applied == pair[1].applied && pair[0].term == pair[1].term);
        let leader: Vec<_> = masters.iter().filter(|it| it.leads).map(|it| it.master).collect();
        let all_there = masters.len() == self.sites.len() && self.desk.idle() && self.wiped.is_empty();
        let [leader] = leader[..] else { return false };
        all_there && level && self.sites[leader].finds_open(self.hands.len()) && self.carried_out(leader)
    }

    /// Whether what was decided is what is: all is planned, workers run it, and every master has every package.
    fn carried_out(&self, leader: usize) -> bool {
        let done = self.sites[leader].read(|state| {
            let planned = state.topologies().values().all(squall_control::Deployed::is_assigned_as_it_is);
            let voters = state.members().values().filter(|member| member.seat.voter).count();
            let copied = state.members().keys().all(|id| state.missing_blobs(*id).next().is_none());
            planned && copied && voters == self.sites.len() && self.hands.iter().all(|hand| obeyed(state, hand))
        });
        done.unwrap_or(false)
    }
}

/// Whether a worker runs what was decided.
fn obeyed(state: &State, hand: &Hand) -> bool {
    let version = |name| state.topology(name).and_then(|it| it.assignment()).map_or(0, |it| it.version.get());
    let worker = hand.name();
    let slots = state.slots_on(&worker);
    let decided: BTreeMap<_, _> =
        slots.map(|(slot, name)| (u32::from(slot.number), (name.to_string(), version(name)))).collect();
    decided == hand.runs()
}
