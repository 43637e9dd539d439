//! What a worker says of its slots.

use std::time::Duration;

use squall_types::cluster::{AssignmentVersion, SlotIncarnation};
use squall_types::{Code, codes};

use super::desired::{Program, Wanted};
use super::process::{Doing, Life, Phase, Process};
use super::{Core, Slot};

/// How a slot does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No process is there yet.
    Waiting,
    /// Its process doesn't run the topology yet.
    Starting,
    /// It runs.
    Running,
    /// It ends.
    Stopping,
    /// It has a process that no state decides over.
    Kept,
}

/// What is said of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which slot.
    pub number: u16,
    /// What runs there, or is to.
    pub program: Program,
    /// The assignment that it runs by, or is to.
    pub version: AssignmentVersion,
    /// Which of its lives; none: no process was started yet.
    pub incarnation: Option<SlotIncarnation>,
    /// How it does.
    pub state: State,
    /// Where its process takes tuples and probes; empty: nowhere.
    pub address: String,
    /// Its process.
    pub pid: Option<u32>,
    /// How often in a row it has failed.
    pub failures: u32,
    /// What there is to say.
    pub text: String,
}

/// Something that isn't as it should be on the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// Its code.
    pub code: Code,
    /// What is wrong.
    pub cause: String,
    /// What mends it.
    pub next_step: String,
}

impl Core {
    /// What is to be said of all slots now.
    pub fn reports(&self, now: Duration) -> Vec<Report> {
        let of = |(number, slot): (&u16, &Slot)| {
            let wanted = self.memory.wanted.get(number);
            match &slot.life {
                Life::Alive(process) => Some(self.of_process(*number, slot, process, wanted)),
                Life::Empty { not_before } => Some(self.of_none(*number, slot, wanted?, not_before.checked_sub(now))),
                Life::Unknown => {
                    Some(Report { text: "its process is being looked for".to_owned(), ..bare(*number, slot, wanted?) })
                }
            }
        };
        self.slots.iter().filter_map(of).collect()
    }

    fn of_none(&self, number: u16, slot: &Slot, wanted: &Wanted, wait: Option<Duration>) -> Report {
        let text = match wanted.program.package {
            None => "its topology was submitted without a program".to_owned(),
            Some(package) => {
                let failed = slot.failures.text(wait);
                let lacks = self.packages.text(package).map(str::to_owned);
                lacks.unwrap_or(failed)
            }
        };
        Report { text, ..bare(number, slot, wanted) }
    }

    fn of_process(&self, number: u16, slot: &Slot, process: &Process, wanted: Option<&Wanted>) -> Report {
        let is_wanted = wanted.is_some_and(|wanted| process.identity.program.may_become(&wanted.program));
        let kept = !is_wanted && process.is_well() && !process.belongs(self.memory.cluster, self.memory.age.epoch);
        let beat = process.beat.as_ref();
        let state = match (process.phase, beat.map(|beat| beat.doing)) {
            _ if kept => State::Kept,
            (Phase::Stopping { .. } | Phase::Killing { .. }, _) | (_, Some(Doing::Stopping)) => State::Stopping,
            (Phase::Heard, Some(Doing::Running | Doing::Finished)) => State::Running,
            (Phase::Started | Phase::Heard, _) => State::Starting,
        };
        let mut text = beat.map(|beat| beat.text.clone()).filter(|text| !text.is_empty());
        if kept {
            text = Some(kept_text(process, wanted));
        }
        let failed = || slot.failures.text(None);
        let version = beat.map(|beat| beat.version).or_else(|| wanted.map(Wanted::assignment)).unwrap_or_default();
        Report {
            number,
            program: process.identity.program.clone(),
            version,
            incarnation: Some(process.identity.incarnation),
            state,
            address: beat.map(|beat| beat.address.clone()).unwrap_or_default(),
            pid: process.pid,
            failures: slot.failures.count(),
            text: text.unwrap_or_else(failed),
        }
    }

    /// What isn't as it should be, slots aside.
    pub fn concerns(&self) -> Vec<Concern> {
        let refused = self.refused.iter().map(|cause| Concern {
            code: codes::STATE_REFUSED,
            cause: cause.clone(),
            next_step: "give the worker the masters of its own cluster; if they were restored from a backup, a restore begins a new epoch, \
                        which workers obey"
                .to_owned(),
        });
        let packages = self.packages.troubles().map(|(_, why)| Concern {
            code: codes::PACKAGE_NOT_HAD,
            cause: why.to_owned(),
            next_step: "make room on the worker's disk, or see whether its masters can be reached".to_owned(),
        });
        refused.chain(packages).collect()
    }
}

fn bare(number: u16, slot: &Slot, wanted: &Wanted) -> Report {
    Report {
        number,
        program: wanted.program.clone(),
        version: wanted.assignment(),
        incarnation: None,
        state: State::Waiting,
        address: String::new(),
        pid: None,
        failures: slot.failures.count(),
        text: String::new(),
    }
}

fn kept_text(process: &Process, wanted: Option<&Wanted>) -> String {
    let whose = format!("it runs on from epoch {} of {}", process.identity.epoch, process.identity.cluster);
    let pid = process.pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
    match wanted {
        None => format!("{whose}; submit its topology again to take it over, or end it{pid}"),
        Some(wanted) => format!("{whose}; {} waits for its place: end it{pid}", wanted.program.topology),
    }
}
