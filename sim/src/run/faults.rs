//! What goes wrong in a simulation, and what is done about it.

use squall_tests::Rng;

use super::World;
use crate::clients::Job;
use crate::master::Site;
use crate::network;
use crate::scenario::{Fault, Kind};

impl World {
    /// The one that both sides hear dies when it has begun a new term, for then it may have voted; and now and then whoever leads does.
    pub(super) fn bridge(&mut self) {
        let Some((place, before)) = self.bridge else { return };
        let Some(seen) = self.sites[place].term() else { return };
        if seen > before {
            self.bridge = Some((place, seen));
            self.blink(place);
        }
    }

    /// Now the leader, so that there is an election, now one of those that have just voted.
    pub(super) fn flicker(&mut self) {
        let Some(dice) = &mut self.flicker else { return };
        let leads = self.sites.iter().filter_map(Site::glance).find(|seen| seen.leads).map(|seen| seen.master);
        let place = match leads {
            Some(leader) if dice.percent(3) => leader,
            None if dice.percent(6) => dice.below(self.sites.len()),
            _ => return,
        };
        self.blink(place);
    }

    /// Dies, and is back at once; unless it is down for longer.
    fn blink(&mut self, place: usize) {
        if self.sim.is_host_running(network::master(place).as_str()) {
            self.crash(place);
            self.restart(place);
        }
    }

    pub(super) fn begin(&mut self, fault: &Fault, victim: usize) -> bool {
        let words = match fault.kind {
            // While a disk is lost the others are needed; and changes of the members come one after the other.
            Kind::Wipe | Kind::Remove if !self.desk.idle() || !self.wiped.is_empty() || !self.formed() => {
                self.note(format_args!("{} left out", fault.kind.name()));
                return false;
            }
            kind if Kind::WORKERS.contains(&kind) => self.begin_of_workers(fault, victim),
            kind if Kind::NETWORK.contains(&kind) => {
                self.bridge = (kind == Kind::Bridge).then_some((victim, 0));
                self.flicker = (kind == Kind::Bridge).then(|| Rng::new(fault.dice)).or(self.flicker.take());
                self.network.begin(&self.sim, fault, victim)
            }
            Kind::Crash => self.crash(victim),
            Kind::CrashAll => (0..self.sites.len()).map(|place| self.crash(place)).collect(),
            Kind::Flicker => {
                self.flicker = Some(Rng::new(fault.dice));
                String::new()
            }
            Kind::SlowDisk => {
                self.sites[victim].machine().log.slow(true);
                format!(" m{victim}")
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
            _ => unreachable!("a fault of the network, or of workers"),
        };
        self.note(format_args!("begins: {}{words}", fault.kind.name()));
        self.kinds.insert(fault.kind);
        self.faults += 1;
        true
    }

    pub(super) fn end(&mut self, fault: &Fault, victim: usize) {
        match fault.kind {
            kind if Kind::WORKERS.contains(&kind) => self.end_of_workers(fault, victim),
            kind if Kind::NETWORK.contains(&kind) => {
                if kind == Kind::Bridge {
                    (self.bridge, self.flicker) = (None, None);
                }
                self.network.end(&self.sim, kind);
            }
            Kind::Crash => self.restart(victim),
            Kind::CrashAll => (0..self.sites.len()).for_each(|place| self.restart(place)),
            Kind::Flicker => self.flicker = None,
            Kind::SlowDisk => {
                // With whatever it had not written yet.
                self.crash(victim);
                self.sites[victim].machine().log.slow(false);
                self.restart(victim);
            }
            Kind::Wipe => {
                self.restart(victim);
                self.desk.order(Job::Replace(victim));
            }
            _ => {}
        }
        self.note(format_args!("ends: {}", fault.kind.name()));
    }

    fn begin_of_workers(&mut self, fault: &Fault, victim: usize) -> String {
        let number = victim % self.hands.len();
        let host = self.hands[number].host();
        match fault.kind {
            Kind::Clock => {
                let millis = i64::try_from(fault.dice % 10_000).expect("it is small") - 5_000;
                self.sites[victim].machine().watch.wrong_by(millis);
                return format!(" m{victim} {millis} ms");
            }
            Kind::WorkerCrash => self.sim.crash(host.as_str()),
            Kind::WorkerHang => self.hands[number].hang(true),
            _ => drop(self.network.begin(&self.sim, fault, victim)),
        }
        self.disturbed.insert(number, fault.kind);
        format!(" {host}")
    }

    fn end_of_workers(&mut self, fault: &Fault, victim: usize) {
        let number = victim % self.hands.len();
        match fault.kind {
            Kind::Clock => self.sites[victim].machine().watch.wrong_by(0),
            Kind::WorkerCrash => self.sim.bounce(self.hands[number].host().as_str()),
            Kind::WorkerHang => self.hands[number].hang(false),
            kind => self.network.end(&self.sim, kind),
        }
        self.disturbed.remove(&number);
    }

    /// Whether all masters are in a cluster, and one of them leads.
    fn formed(&self) -> bool {
        let masters: Vec<_> = self.sites.iter().filter_map(Site::glance).collect();
        masters.len() == self.sites.len() && masters.iter().any(|it| it.leads)
    }

    /// What follows from what the operator has done.
    pub(super) fn done(&mut self, job: &Job) {
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
}
