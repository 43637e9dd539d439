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

/// The host of all clients.
pub const CLIENTS: &str = "clients";

/// The fault of the network that there is now.
pub struct Network {
    masters: usize,
    latency: Duration,
    breaks: Breaks,
    now: Option<Active>,
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
        let Scenario { masters, latency, .. } = *scenario;
        Self { masters, latency, breaks, now: None }
    }

    /// A fault begins, with this master as its first victim. Returns what it is, in words.
    pub fn begin(&mut self, sim: &Sim<'_>, fault: &Fault, victim: usize) -> String {
        let mut dice = Rng::new(fault.dice);
        let pairs = self.pairs(fault.kind, victim, &mut dice);
        for (from, to) in &pairs {
            match fault.kind {
                Kind::Partition | Kind::CutOff => sim.partition(from.as_str(), to.as_str()),
                Kind::OneWay => sim.partition_oneway(from.as_str(), to.as_str()),
                Kind::Hold => sim.hold(from.as_str(), to.as_str()),
                Kind::Slow => sim.set_link_max_message_latency(from.as_str(), to.as_str(), SLOW),
                _ => {}
            }
        }
        let words = pairs.iter().map(|(from, to)| format!(" {from}-{to}")).collect();
        self.now = Some(Active { kind: fault.kind, pairs, dice, lost: None });
        words
    }

    /// The fault that there is ends.
    pub fn end(&mut self, sim: &Sim<'_>) {
        let Some(fault) = self.now.take() else { return };
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
        let Some(fault) = self.now.as_mut().filter(|fault| fault.kind == Kind::Loss) else { return };
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
            _ => (1..self.masters).flat_map(|one| (0..one).map(move |other| (master(other), master(one)))).collect(),
        }
    }
}

/// The longest that a message takes on a slow network.
const SLOW: Duration = Duration::from_millis(250);

fn cross(some: impl Iterator<Item = usize>, others: impl Iterator<Item = usize> + Clone) -> Vec<(String, String)> {
    some.flat_map(|one| others.clone().map(move |other| (master(one), master(other)))).collect()
}
