//! The simulation of one seed.

mod faults;
mod healing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use squall_control::State;
use squall_tests::Rng;
use squall_types::cluster::{BlobId, RaftId};
use tokio::sync::watch;
use turmoil::Sim;

use crate::clients::{self, Desk};
use crate::invariants::{self, Durable, Invariants, Seen, Violation};
use crate::master::Site;
use crate::net::Breaks;
use crate::network::{self, Network};
use crate::plant::Plant;
use crate::scenario::{Fault, Kind, SPAN, Scenario};
use crate::trace::Trace;
use crate::workers::Hand;

/// How much time passes in a step.
const TICK: Duration = Duration::from_millis(5);
/// How often masters are looked at for the trace.
const LOOK: u128 = 1_000;
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
    hands: Vec<Hand>,
    /// In which term somebody leads, if nobody else claims to.
    reigns: watch::Sender<Option<u64>>,
    desk: Desk,
    invariants: Invariants,
    durable: Durable,
    trace: Trace,
    kinds: BTreeSet<Kind>,
    faults: usize,
    /// Masters whose disk is lost and that the operator has not brought back.
    wiped: BTreeSet<usize>,
    leader: Option<(u64, usize)>,
    /// Draws who dies next, while masters die again and again.
    flicker: Option<Rng>,
    /// Who dies whenever its term rises, and the last that it was seen in.
    bridge: Option<(usize, u64)>,
    /// Workers with which something is wrong.
    disturbed: BTreeMap<usize, Kind>,
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
        let (reigns, reigning) = watch::channel(None);
        let hands = Hand::all(&scenario, &breaks, &reigning);
        for hand in &hands {
            let software = hand.clone();
            sim.host(hand.host(), move || software.clone().run());
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
            hands,
            reigns,
            desk,
            scenario,
            invariants: Invariants::default(),
            durable: Durable::default(),
            trace: Trace::default(),
            kinds: BTreeSet::new(),
            faults: 0,
            wiped: BTreeSet::new(),
            leader: None,
            flicker: None,
            bridge: None,
            disturbed: BTreeMap::new(),
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
        self.bridge();
        self.sim.step().map_err(|error| format!("a host failed: {error}"))?;
        let now = self.sim.elapsed();
        for number in self.disturbed.keys() {
            self.invariants.disturbed(now, &self.hands[*number].name());
        }
        self.hands.iter().flat_map(Hand::told).for_each(|told| self.invariants.told(told));
        let masters: Vec<_> = self.sites.iter().filter_map(Site::seen).collect();
        self.invariants.step(now, &masters)?;
        self.see_disks(&masters)?;
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

    /// What is committed is on most disks; and who is said to have a package has it.
    fn see_disks(&mut self, masters: &[Seen]) -> Result<(), Violation> {
        let sites = &self.sites;
        let term_at = |disk: u64, index: u64| {
            let site = sites.iter().find(|site| site.disk() == Some(disk))?;
            site.machine().log.term_at(index)
        };
        masters.iter().try_for_each(|seen| self.durable.see(seen, term_at))?;
        let keeps = |id: RaftId, package: BlobId| {
            let site = self.sites.iter().find(|site| site.disk() == Some(id.get()))?;
            Some(site.machine().packages.keeps(&package.to_string()))
        };
        let mut fresh = masters.iter().filter_map(|seen| seen.fresh.as_ref());
        fresh.try_for_each(|fresh| invariants::packages(&fresh.packages, keeps))
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
        let mut reigning = masters.iter().filter(|it| it.leads).map(|it| it.term);
        let reign = reigning.next().filter(|_| reigning.next().is_none());
        self.reigns.send_if_modified(|known| std::mem::replace(known, reign) != reign);
        if now.as_millis().is_multiple_of(LOOK) {
            for Seen { master, life, raft_id, term, leads, commit, applied, workers, .. } in masters {
                let digest = self.sites[*master].read(State::digest).unwrap_or_default();
                let workers = workers.iter().flatten().map(|(name, is)| format!(" {name} {is:?}")).collect::<String>();
                self.note(format_args!(
                    "m{master} life {life} {raft_id:016x} term {term} {} commit {commit} applied {applied} {digest:016x}{workers}",
                    if *leads { "leads" } else { "" }
                ));
            }
        }
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
        assert!(simulate(4, Plant::ClockInApply).violation.is_some());
    }
}
