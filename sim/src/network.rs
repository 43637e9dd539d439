//! Faults of the simulated network, one at a time.

use std::time::Duration;

use squall_tests::Rng;
use turmoil::Sim;

use crate::net::Breaks;
use crate::scenario::{Fault, Kind, Scenario};

/// The name of a master's host.
pub fn master(place: usize) -> String {
    format!("m{place}")
}

/// The name of a worker's host.
pub fn worker(number: usize) -> String {
    format!("w{number}")
}

/// Where something listens on a host.
pub fn address(host: &str, port: u16) -> String {
    format!("{host}:{port}")
}

/// The host of all clients.
pub const CLIENTS: &str = "clients";

/// The faults of the network that there are now: at most one of a kind.
pub struct Network {
    masters: usize,
    workers: usize,
    latency: Duration,
    breaks: Breaks,
    now: Vec<Active>,
}

/// A fault, and whom it is between.
struct Active {
    kind: Kind,
    pairs: Vec<(String, String)>,
    dice: Rng,
    /// For [`Kind::Loss`]: the pair that can't be used right now.
    lost: Option<(String, String)>,
}

impl Network {
    /// A whole network.
    pub fn new(scenario: &Scenario, breaks: Breaks) -> Self {
        let Scenario { masters, workers, latency, .. } = *scenario;
        Self { masters, workers, latency, breaks, now: Vec::new() }
    }

    /// A fault begins, with this master as its first victim. Returns what it is, in words.
    pub fn begin(&mut self, sim: &Sim<'_>, fault: &Fault, victim: usize) -> String {
        let mut dice = Rng::new(fault.dice);
        let pairs = self.pairs(fault.kind, victim, &mut dice);
        for (from, to) in &pairs {
            match fault.kind {
                Kind::Partition | Kind::Bridge | Kind::CutOff | Kind::WorkerCut | Kind::WorkerGone => {
                    sim.partition(from.as_str(), to.as_str());
                }
                Kind::OneWay => sim.partition_oneway(from.as_str(), to.as_str()),
                Kind::Hold => sim.hold(from.as_str(), to.as_str()),
                Kind::Slow => sim.set_link_max_message_latency(from.as_str(), to.as_str(), SLOW),
                _ => {}
            }
        }
        let words = pairs.iter().map(|(from, to)| format!(" {from}-{to}")).collect();
        self.now.push(Active { kind: fault.kind, pairs, dice, lost: None });
        words
    }

    /// The fault of this kind ends.
    pub fn end(&mut self, sim: &Sim<'_>, kind: Kind) {
        let Some(at) = self.now.iter().position(|fault| fault.kind == kind) else { return };
        let fault = self.now.swap_remove(at);
        for (from, to) in fault.pairs.iter().chain(&fault.lost) {
            match fault.kind {
                Kind::Hold => sim.release(from.as_str(), to.as_str()),
                Kind::Slow => sim.set_link_max_message_latency(from.as_str(), to.as_str(), self.latency),
                Kind::OneWay => {
                    sim.repair_oneway(from.as_str(), to.as_str());
                    self.reset(sim, from, to);
                }
                _ => {
                    sim.repair(from.as_str(), to.as_str());
                    self.reset(sim, from, to);
                }
            }
        }
    }

    /// Between steps: where connections break here and there, one more may.
    pub fn step(&mut self, sim: &Sim<'_>) {
        let Some(fault) = self.now.iter_mut().find(|fault| fault.kind == Kind::Loss) else { return };
        if let Some((from, to)) = &fault.lost {
            if fault.dice.percent(90) {
                return;
            }
            sim.repair(from.as_str(), to.as_str());
            let (one, other) = (sim.lookup(from.as_str()), sim.lookup(to.as_str()));
            self.breaks.between(one, other);
            fault.lost = None;
        } else if fault.dice.percent(10) {
            let (from, to) = fault.dice.pick(&fault.pairs).clone();
            sim.partition(from.as_str(), to.as_str());
            fault.lost = Some((from, to));
        }
    }

    fn reset(&self, sim: &Sim<'_>, one: &str, other: &str) {
        self.breaks.between(sim.lookup(one), sim.lookup(other));
    }

    /// A worker and all masters, and as many of the other workers.
    fn apart(&self, one: &str, workers: usize) -> Vec<(String, String)> {
        let others = (0..self.masters).map(master).chain((0..workers).map(worker));
        others.filter(|other| other != one).map(|other| (one.to_owned(), other)).collect()
    }

    fn pairs(&self, kind: Kind, victim: usize, dice: &mut Rng) -> Vec<(String, String)> {
        let victim_host = master(victim);
        let other = || (victim + 1) % self.masters;
        match kind {
            Kind::Partition => {
                let side = 1 + dice.below(self.masters - 1);
                let inside = |place: usize| (place + self.masters - victim) % self.masters < side;
                cross((0..self.masters).filter(|it| inside(*it)), (0..self.masters).filter(|it| !inside(*it)))
            }
            Kind::OneWay if dice.percent(50) => vec![(victim_host, master(other()))],
            Kind::OneWay => {
                let others = (0..self.masters).filter(|it| *it != victim);
                let towards = dice.percent(50);
                let ordered =
                    |it: usize| if towards { (master(it), master(victim)) } else { (master(victim), master(it)) };
                others.map(ordered).collect()
            }
            Kind::Hold => vec![(victim_host, master(other()))],
            Kind::CutOff => vec![(CLIENTS.to_owned(), victim_host)],
            Kind::Bridge => {
                let side = |place: usize| (place + self.masters - victim) % self.masters * 2 > self.masters;
                let others = (0..self.masters).filter(|it| *it != victim);
                cross(others.clone().filter(|it| side(*it)), others.filter(|it| !side(*it)))
            }
            Kind::WorkerCut => self.apart(&worker(victim % self.workers), 0),
            Kind::WorkerGone => self.apart(&worker(victim % self.workers), self.workers),
            _ => (1..self.masters).flat_map(|one| (0..one).map(move |other| (master(other), master(one)))).collect(),
        }
    }
}

/// The longest that a message takes on a slow network.
const SLOW: Duration = Duration::from_millis(250);

fn cross(some: impl Iterator<Item = usize>, others: impl Iterator<Item = usize> + Clone) -> Vec<(String, String)> {
    some.flat_map(|one| others.clone().map(move |other| (master(one), master(other)))).collect()
}
