//! Where a topology's tasks are to be found, as it is now: in lanes of this slot, in others, or nowhere yet.
//!
//! Ways are made whole and never changed; lanes look for newer ones between two stretches, and while they wait for room.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use squall_engine::nearness::Nearness;
use squall_types::{Batch, TaskId};

use super::acks::AckRoutes;
use super::senders::Senders;
use crate::inbox::Inbox;
use crate::transport::LaneNumber;

/// The way to a task.
#[derive(Clone)]
pub struct Way {
    /// The inbox of its lane, or of the link that leads there.
    pub inbox: Arc<Inbox<Batch>>,
    /// Its place among the tasks of its lane.
    pub at: u16,
    /// Whether its lane has others.
    pub shared: bool,
    /// How far it is.
    pub nearness: Nearness,
    /// How its lane numbers its senders, by input; `None` in another slot, where lanes are known by their own number.
    pub senders: Option<Arc<[Arc<Senders>]>>,
}

impl Way {
    /// What a lane with these tasks is called by the task's lane.
    pub fn sender(&self, input: u16, lane: LaneNumber, tasks: &[TaskId]) -> u16 {
        match &self.senders {
            None => lane.0,
            Some(senders) => {
                let number = senders[usize::from(input)].number(None, lane, tasks);
                number.expect("lanes here and elsewhere are fewer than tasks, and those fit u16")
            }
        }
    }
}

/// The ways to all tasks of a topology.
#[derive(Clone)]
pub struct Ways {
    by_task: Vec<Option<Way>>,
    /// By component: whether its rows stay in the slot that they are made in.
    local: Arc<[bool]>,
    /// What is for a task that isn't to be found waits for this.
    pub nowhere: Arc<Inbox<Batch>>,
    /// Where ledgers are.
    pub acks: AckRoutes,
}

impl Ways {
    /// Ways to tasks that are numbered up to `tasks`.
    pub fn new(tasks: u16, local: Arc<[bool]>, acks: AckRoutes) -> Self {
        Self { by_task: vec![None; usize::from(tasks) + 1], local, nowhere: Arc::new(Inbox::held()), acks }
    }

    /// The way to a task.
    pub fn set(&mut self, task: TaskId, way: Way) {
        self.by_task[task.index()] = Some(way);
    }

    /// The way to a task, if it is to be found.
    pub fn to(&self, task: TaskId) -> Option<&Way> {
        self.by_task.get(task.index()).and_then(Option::as_ref)
    }

    /// Whether a component's rows stay in the slot that they are made in.
    pub fn is_local(&self, component: usize) -> bool {
        self.local[component]
    }
}

/// The ways that hold now, for all lanes of a slot.
pub struct Signpost {
    version: AtomicU64,
    ways: Mutex<Arc<Ways>>,
}

impl Signpost {
    /// The first ways.
    pub fn new(ways: Ways) -> Self {
        Self { version: AtomicU64::new(0), ways: Mutex::new(Arc::new(ways)) }
    }

    /// The ways that hold now.
    pub fn now(&self) -> Arc<Ways> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has lanes take other ways, and lets those go that wait for somebody to be found. Others notice when they are woken.
    pub fn turn(&self, ways: Ways) {
        let before = std::mem::replace(&mut *self.ways.lock().unwrap_or_else(PoisonError::into_inner), Arc::new(ways));
        self.version.fetch_add(1, Ordering::Release);
        before.nowhere.leave();
    }
}

/// A lane's look at the signpost.
pub struct Follower {
    signpost: Arc<Signpost>,
    seen: u64,
}

impl Follower {
    /// Of a lane that was made with the ways that hold now. Returns these too.
    pub fn new(signpost: Arc<Signpost>) -> (Self, Arc<Ways>) {
        // The version first: ways that are newer than it are taken again.
        let seen = signpost.version.load(Ordering::Acquire);
        let ways = signpost.now();
        (Self { signpost, seen }, ways)
    }

    /// The ways that hold now, if they are others than before.
    #[inline]
    pub fn newer(&mut self) -> Option<Arc<Ways>> {
        let version = self.signpost.version.load(Ordering::Acquire);
        if version == self.seen {
            return None;
        }
        self.seen = version;
        Some(self.signpost.now())
    }
}
