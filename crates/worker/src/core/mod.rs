//! What a worker does about what masters want and what its processes do. Pure: time, randomness and all that happens come in as
//! arguments; what is to be done comes out as effects.
//!
//! Invariants: a slot never has two processes; a state of another cluster, or one older than the last obeyed, changes nothing; a process is
//! ended only if the state obeyed is of the same cluster and life whose orders the process had, and lacks it; whatever order things happen
//! in, the slots come to what the newest state wants (level-triggered).

mod desired;
mod failures;
mod link;
mod memory;
mod packages;
mod process;
mod reconcile;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall_types::cluster::{BlobId, ClusterId, Epoch, SlotIncarnation};

pub use desired::{Age, Desired, Program, Wanted};
pub use link::{Masters, Next};
pub use memory::Memory;
pub use process::{Beat, Doing, Exit, Identity};
pub use report::{Concern, Report, State};

use failures::Failures;
use packages::Packages;
use process::{Life, Process};

/// How patient a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long a process may take to say hello.
    pub hello: Duration,
    /// How long it may be silent then.
    pub silence: Duration,
    /// How long what is in flight may take to finish when it is asked to end.
    pub drain: Duration,
    /// The same, when another process waits for its place.
    pub replaced: Duration,
    /// How long a worker waits for a master's word at its start before it goes by what it remembers.
    pub word: Duration,
    /// How often [`Event::Tick`] comes.
    pub tick: Duration,
}

impl Patience {
    /// What workers have.
    pub const DEFAULT: Self = Self {
        hello: Duration::from_secs(10),
        silence: Duration::from_secs(3),
        drain: Duration::from_secs(3),
        replaced: Duration::from_millis(250),
        word: Duration::from_secs(2),
        tick: Duration::from_millis(100),
    };
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A master has said what is to run.
    Desired(Desired),
    /// A look into a slot's folder, at the daemon's start: who lives there, if anybody does.
    Found {
        /// Which slot.
        number: u16,
        /// Its process and who it says it is.
        found: Option<(u32, Identity)>,
    },
    /// A package was fetched, or can't be had and why.
    Fetched {
        /// Which.
        package: BlobId,
        /// Whether it is there.
        result: Result<(), String>,
    },
    /// A process was started, or couldn't be.
    Started {
        /// Which slot.
        number: u16,
        /// Which of its lives.
        incarnation: SlotIncarnation,
        /// The process.
        result: Result<u32, NotStarted>,
    },
    /// A process that was started has said hello.
    Greeted {
        /// Which slot.
        number: u16,
        /// Which of its lives.
        incarnation: SlotIncarnation,
    },
    /// A process is heard.
    Beat {
        /// Which slot.
        number: u16,
        /// Which of its lives.
        incarnation: SlotIncarnation,
        /// What it says.
        beat: Beat,
    },
    /// A process is gone.
    Exited {
        /// Which slot.
        number: u16,
        /// Which of its lives.
        incarnation: SlotIncarnation,
        /// How it ended.
        exit: Exit,
    },
    /// The worker leaves its cluster for now: nothing is to run any more.
    Leave,
    /// Time has passed.
    Tick,
}

/// Why a process couldn't be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// Its package isn't as it should be: it has to be fetched again.
    Package(String),
    /// The system refuses.
    System(String),
}

/// Something is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A package is to be fetched.
    Fetch(BlobId),
    /// A process is to be started.
    Start {
        /// In which slot.
        number: u16,
        /// Which of its lives.
        incarnation: SlotIncarnation,
        /// Its program.
        package: BlobId,
    },
    /// A process is to be told what to run.
    Order {
        /// In which slot.
        number: u16,
        /// What, and who it is.
        orders: Box<Orders>,
    },
    /// A process is to be asked to end.
    Stop {
        /// In which slot.
        number: u16,
        /// How long what is in flight may take.
        drain: Duration,
    },
    /// A process is to be killed.
    Kill {
        /// In which slot.
        number: u16,
    },
}

/// What a process is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    /// Who it is.
    pub identity: Identity,
    /// What it runs.
    pub wanted: Wanted,
    /// The port that it had; 0: any.
    pub port: u16,
}

/// One of a worker's slots.
#[derive(Clone, Debug)]
struct Slot {
    life: Life,
    failures: Failures,
    /// Since the worker's start.
    restarts: u32,
}

/// A worker's decisions.
#[derive(Clone, Debug)]
pub struct Core {
    patience: Patience,
    memory: Memory,
    slots: BTreeMap<u16, Slot>,
    packages: Packages,
    /// Until this time a worker that was started anew waits for a master's word.
    word_by: Duration,
    last_tick: Duration,
    refused: Option<String>,
    leaving: bool,
    dirty: bool,
}

impl Core {
    /// A worker that remembers this, and has these slots' folders to look into. It begins a new life.
    pub fn new(patience: Patience, now: Duration, now_ms: u64, mut memory: Memory, folders: BTreeSet<u16>) -> Self {
        memory.revive(now_ms);
        let unknown = |number| (number, Slot { life: Life::Unknown, failures: Failures::default(), restarts: 0 });
        Self {
            patience,
            memory,
            slots: folders.into_iter().map(unknown).collect(),
            packages: Packages::default(),
            word_by: now + patience.word,
            last_tick: now,
            refused: None,
            leaving: false,
            dirty: true,
        }
    }

    /// Something happened at this time. `random` decides nothing but how long exactly a crashed process waits.
    pub fn handle(&mut self, now: Duration, random: u64, event: Event) -> Vec<Effect> {
        match event {
            Event::Desired(desired) => self.obey(desired),
            Event::Found { number, found } => self.found(now, number, found),
            Event::Fetched { package, result } => self.packages.fetched(package, result, now),
            Event::Started { number, incarnation, result } => self.started(now, random, number, incarnation, result),
            Event::Greeted { number, incarnation } => self.greeted(now, number, incarnation),
            Event::Beat { number, incarnation, beat } => self.heard(now, number, incarnation, beat),
            Event::Exited { number, incarnation, exit } => self.exited(now, random, number, incarnation, exit),
            Event::Leave => self.leave(),
            Event::Tick => self.forgive_own_stall(now),
        }
        self.reconcile(now)
    }

    /// What is to survive this daemon.
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether that has changed since this was last asked.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// It couldn't be written: it has to be, later.
    pub fn not_written(&mut self) {
        self.dirty = true;
    }

    /// Masters' addresses, as a master has told them.
    pub fn met_masters(&mut self, masters: Vec<String>) {
        self.dirty |= self.memory.masters != masters;
        self.memory.masters = masters;
    }

    /// Whether no process of this worker's cluster is left.
    pub fn is_empty(&self) -> bool {
        let (cluster, epoch) = (self.memory.cluster, self.memory.age.epoch);
        let done = |slot: &Slot| match &slot.life {
            Life::Unknown => false,
            Life::Empty { .. } => true,
            Life::Alive(process) => !process.belongs(cluster, epoch),
        };
        self.slots.values().all(done)
    }

    /// The packages that may be needed.
    pub fn packages(&self) -> BTreeSet<BlobId> {
        let wanted = self.memory.wanted.values().filter_map(|wanted| wanted.program.package);
        let alive = self.slots.values().filter_map(|slot| match &slot.life {
            Life::Alive(process) => process.identity.program.package,
            Life::Unknown | Life::Empty { .. } => None,
        });
        wanted.chain(alive).collect()
    }

    /// What stays of a slot when nothing is known of it.
    fn slot(&mut self, number: u16, now: Duration) -> &mut Slot {
        let empty = || Slot { life: Life::Empty { not_before: now }, failures: Failures::default(), restarts: 0 };
        self.slots.entry(number).or_insert_with(empty)
    }

    fn process(&mut self, number: u16, incarnation: SlotIncarnation) -> Option<&mut Process> {
        match &mut self.slots.get_mut(&number)?.life {
            Life::Alive(process) if process.identity.incarnation == incarnation => Some(process),
            Life::Unknown | Life::Empty { .. } | Life::Alive(_) => None,
        }
    }

    fn obey(&mut self, mut desired: Desired) {
        if let Some(why) = refusal(&self.memory, &desired) {
            self.refused = Some(why);
            return;
        }
        self.refused = None;
        for (number, wanted) in &mut desired.slots {
            if let Some(before) = self.memory.wanted.get(number) {
                wanted.remember(before);
            }
        }
        // What it is told of the processes that it has is all that it needs to wait for.
        self.word_by = Duration::ZERO;
        let Desired { cluster, age, slots } = desired;
        let known = (self.memory.cluster, self.memory.age, &self.memory.wanted) == (Some(cluster), age, &slots);
        self.dirty |= !known;
        (self.memory.cluster, self.memory.age) = (Some(cluster), age);
        self.memory.wanted = if self.leaving { BTreeMap::new() } else { slots };
    }

    fn leave(&mut self) {
        self.leaving = true;
        self.dirty |= !self.memory.wanted.is_empty();
        self.memory.wanted.clear();
    }
}

/// Why a state isn't obeyed, if it isn't.
fn refusal(memory: &Memory, desired: &Desired) -> Option<String> {
    let name = |cluster: ClusterId| cluster.to_string();
    match memory.cluster {
        Some(own) if own != desired.cluster => {
            Some(format!("it belongs to the cluster {}, and a master of {} gave it orders", own, name(desired.cluster)))
        }
        _ if desired.age < memory.age => {
            let at = |age: Age| format!("epoch {}, revision {}", age.epoch, age.revision);
            Some(format!("a master's state ({}) is older than the one obeyed ({})", at(desired.age), at(memory.age)))
        }
        _ => None,
    }
}

/// The cluster's life and the slots that are wanted, for what decides over one slot.
struct Word<'a> {
    cluster: Option<ClusterId>,
    epoch: Epoch,
    wanted: Option<&'a Wanted>,
}
