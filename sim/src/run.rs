//! The simulation of one seed.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use squall_tests::{Rng, linear};
use turmoil::Sim;

use crate::clients::{self, Desk, Job};
use crate::invariants::{Invariants, Seen, Violation};
use crate::master::Site;
use crate::net::Breaks;
use crate::network::{self, Network};
use crate::plant::Plant;
use crate::scenario::{Fault, Kind, SPAN, Scenario};
use crate::trace::Trace;

/// How much time passes in a step.
const TICK: Duration = Duration::from_millis(5);
/// How long masters may take to be one again once nothing is wrong any more.
const HEALING: Duration = Duration::from_secs(40);
/// How often masters are looked at for the trace.
const LOOK: u128 = 1_000;
/// The most states that the search for an order may look at for one topology.
const LIMIT: usize = 300_000;
/// The fewest changes that clients must have got through.
pub const COMMANDS: usize = 200;

/// What came of a seed.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that happened.
    pub trace: String,
    /// Faults that happened.
    pub kinds: BTreeSet<Kind>,
    /// How many there were.
    pub faults: usize,
    /// Changes that were acknowledged.
    pub commands: usize,
    /// What did not hold.
    pub violation: Option<Violation>,
}

/// Simulates a seed to its end, or to the first violation, with a bug planted or none.
pub fn simulate(seed: u64, plant: Plant) -> Outcome {
    let mut world = World::new(Scenario::of(seed), plant);
    let violation = world.run().err();
    if let Some(violation) = &violation {
        world.note(format_args!("VIOLATION {violation}"));
    }
    let World { trace, kinds, faults, desk, .. } = world;
    Outcome { trace: trace.text(), kinds, faults, commands: desk.commands(), violation }
}

struct World {
    scenario: Scenario,
    sim: Sim<'static>,
    network: Network,
    sites: Vec<Site>,
    desk: Desk,
    invariants: Invariants,
    trace: Trace,
    kinds: BTreeSet<Kind>,
    faults: usize,
    /// Masters whose disk is lost and that the operator has not brought back.
    wiped: BTreeSet<usize>,
    leader: Option<(u64, usize)>,
    /// Draws who dies next, while masters die again and again.
    flicker: Option<Rng>,
}

impl World {
    fn new(scenario: Scenario, plant: Plant) -> Self {
        let breaks = Breaks::default();
        let mut sim = turmoil::Builder::new()
            .rng_seed(scenario.seed)
            .epoch(UNIX_EPOCH + Duration::from_secs(1_800_000_000))
            .tick_duration(TICK)
            .simulation_duration(SPAN * 10)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(scenario.latency)
            .tcp_capacity(1 << 16)
            .enable_random_order()
            .build();
        let desk = Desk::default();
        let sites = Site::all(&scenario, &breaks, plant);
        for site in &sites {
            let software = site.clone();
            sim.host(network::master(site.place()), move || software.clone().run());
        }
        let software = (scenario.clone(), breaks.clone(), sites.clone(), desk.clone());
        sim.host(network::CLIENTS, move || {
            let (scenario, breaks, sites, desk) = software.clone();
            clients::run(scenario, breaks, sites, desk)
        });
        Self {
            network: Network::new(&scenario, breaks),
            sim,
            sites,
            desk,
            scenario,
            invariants: Invariants::default(),
            trace: Trace::default(),
            kinds: BTreeSet::new(),
            faults: 0,
            wiped: BTreeSet::new(),
            leader: None,
            flicker: None,
        }
    }

    fn run(&mut self) -> Result<(), Violation> {
        self.note(format_args!("{:?}", self.scenario));
        let mut coming = self.scenario.faults.clone().into_iter().peekable();
        let mut lasting: Vec<(Fault, usize)> = Vec::new();
        while self.sim.elapsed() < SPAN {
            let now = self.sim.elapsed();
            let ended = lasting.extract_if(.., |(fault, _)| fault.to <= now).collect::<Vec<_>>();
            for (fault, victim) in ended {
                self.end(&fault, victim);
            }
            while let Some(fault) = coming.next_if(|fault| fault.from <= now) {
                let victim = fault.victim.or(self.leader.map(|(_, place)| place)).unwrap_or(0);
                if self.begin(&fault, victim) {
                    lasting.push((fault, victim));
                }
            }
            self.step()?;
        }
        for (fault, victim) in lasting {
            self.end(&fault, victim);
        }
        self.heal()
    }

    /// One step, and all that must hold after it.
    fn step(&mut self) -> Result<(), Violation> {
        self.network.step(&self.sim);
        self.flicker();
        self.sim.step().map_err(|error| format!("a host failed: {error}"))?;
        let now = self.sim.elapsed();
        let masters: Vec<_> = self.sites.iter().filter_map(Site::seen).collect();
        self.invariants.step(&masters)?;
        for revision in self.desk.acknowledged() {
            self.note(format_args!("acknowledged {revision}"));
            self.invariants.acknowledged(revision)?;
        }
        self.see_stops()?;
        for job in self.desk.done() {
            self.note(format_args!("done: {job:?}"));
            self.done(&job);
        }
        if let Some(trouble) = self.desk.trouble() {
            return Err(trouble);
        }
        self.look(&masters, now);
        Ok(())
    }

    /// Now the leader, so that there is an election, now one of those that have just voted.
    fn flicker(&mut self) {
        let Some(dice) = &mut self.flicker else { return };
        let leads = self.sites.iter().filter_map(Site::seen).find(|seen| seen.leads).map(|seen| seen.master);
        let place = match leads {
            Some(leader) if dice.percent(3) => leader,
            None if dice.percent(6) => dice.below(self.sites.len()),
            _ => return,
        };
        self.crash(place);
        self.restart(place);
    }

    /// A master that has ended by itself has met what can't be.
    fn see_stops(&self) -> Result<(), Violation> {
        let stopped = self.sites.iter().find_map(|site| site.stopped().map(|why| (site.place(), why)));
        stopped.map_or(Ok(()), |(place, why)| Err(format!("master {place} has stopped: {why}")))
    }

    /// Writes down who leads, and once a second how far everybody is.
    fn look(&mut self, masters: &[Seen], now: Duration) {
        let leads = masters.iter().filter(|it| it.leads).map(|it| (it.term, it.master)).max();
        if leads.is_some() && leads != self.leader {
            self.note(format_args!("leads: {leads:?}"));
        }
        self.leader = leads.or(self.leader);
        if now.as_millis().is_multiple_of(LOOK) {
            for Seen { master, life, raft_id, term, leads, commit, applied, digest, .. } in masters {
                self.note(format_args!(
                    "m{master} life {life} {raft_id:016x} term {term} {} commit {commit} applied {applied} {digest:016x}",
                    if *leads { "leads" } else { "" }
                ));
            }
        }
    }

    fn begin(&mut self, fault: &Fault, victim: usize) -> bool {
        let words = match fault.kind {
            kind if Kind::NETWORK.contains(&kind) => self.network.begin(&self.sim, fault, victim),
            // While a disk is lost the others are needed; and changes of the members come one after the other.
            Kind::Wipe | Kind::Remove if !self.desk.idle() || !self.wiped.is_empty() => {
                self.note(format_args!("{} left out", fault.kind.name()));
                return false;
            }
            Kind::Crash => self.crash(victim),
            Kind::CrashAll => (0..self.sites.len()).map(|place| self.crash(place)).collect(),
            Kind::Flicker => {
                self.flicker = Some(Rng::new(fault.dice));
                String::new()
            }
            Kind::Wipe => {
                let words = self.crash(victim);
                self.sites[victim].wipe();
                self.wiped.insert(victim);
                words
            }
            Kind::Remove => {
                self.wiped.insert(victim);
                self.desk.order(Job::Remove(victim));
                format!(" m{victim}")
            }
            Kind::Transfer => {
                self.desk.order(Job::Transfer);
                String::new()
            }
            _ => unreachable!("a fault of the network"),
        };
        self.note(format_args!("begins: {}{words}", fault.kind.name()));
        self.kinds.insert(fault.kind);
        self.faults += 1;
        true
    }

    fn end(&mut self, fault: &Fault, victim: usize) {
        match fault.kind {
            kind if Kind::NETWORK.contains(&kind) => self.network.end(&self.sim),
            Kind::Crash => self.restart(victim),
            Kind::CrashAll => (0..self.sites.len()).for_each(|place| self.restart(place)),
            Kind::Flicker => self.flicker = None,
            Kind::Wipe => {
                self.restart(victim);
                self.desk.order(Job::Replace(victim));
            }
            _ => {}
        }
        self.note(format_args!("ends: {}", fault.kind.name()));
    }

    /// What follows from what the operator has done.
    fn done(&mut self, job: &Job) {
        match *job {
            Job::Remove(place) => {
                self.crash(place);
                self.sites[place].wipe();
                self.restart(place);
                self.desk.order(Job::Add(place));
            }
            Job::Add(place) | Job::Replace(place) => {
                self.wiped.remove(&place);
            }
            Job::Transfer => {}
        }
    }

    fn crash(&mut self, place: usize) -> String {
        let host = network::master(place);
        if self.sim.is_host_running(host.as_str()) {
            self.sim.crash(host.as_str());
            self.sites[place].crash();
        }
        format!(" {host}")
    }

    fn restart(&mut self, place: usize) {
        let host = network::master(place);
        if !self.sim.is_host_running(host.as_str()) {
            self.sim.bounce(host.as_str());
        }
    }

    /// Nothing is wrong any more: all must come to the same, and nothing acknowledged may be missing.
    fn heal(&mut self) -> Result<(), Violation> {
        self.note(format_args!("healed"));
        let deadline = self.sim.elapsed() + HEALING;
        self.until(deadline, "masters that are one again", Self::converged)?;
        self.desk.close();
        let clients = self.scenario.clients;
        self.until(deadline + HEALING, "clients that have read everything", |world| world.desk.closed(clients))?;
        let commands = self.desk.commands();
        self.note(format_args!("{commands} changes acknowledged"));
        linear::check(&self.desk.recorder.history(), LIMIT)?;
        if commands < COMMANDS {
            return Err(format!("only {commands} changes were acknowledged; a seed is to have {COMMANDS}"));
        }
        Ok(())
    }

    fn until(&mut self, deadline: Duration, what: &str, holds: impl Fn(&Self) -> bool) -> Result<(), Violation> {
        while !holds(self) {
            if self.sim.elapsed() > deadline {
                let masters: Vec<_> = self.sites.iter().filter_map(Site::seen).collect();
                return Err(format!("healed, and no end: {what}; {masters:?}"));
            }
            self.step()?;
        }
        Ok(())
    }

    fn converged(&self) -> bool {
        let masters: Vec<_> = self.sites.iter().filter_map(Site::seen).collect();
        let level = masters.windows(2).all(|pair| pair[0].applied == pair[1].applied && pair[0].term == pair[1].term);
        let leaders = masters.iter().filter(|it| it.leads).count();
        self.desk.idle() && self.wiped.is_empty() && masters.len() == self.sites.len() && level && leaders == 1
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        self.trace.note(self.sim.elapsed(), what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_without_a_planted_bug_violates_nothing_and_one_with_it_does() {
        assert_eq!(simulate(4, Plant::None).violation, None);
        assert!(simulate(4, Plant::ReadWithoutQuorum).violation.is_some());
    }
}
