//! The lanes of a slot: how others find them, and whom they take from.

use std::sync::Arc;

use squall_engine::nearness::Nearness;
use squall_engine::plan::{Lane, LaneNode, Plan};
use squall_types::topology::{Checked, Kind};
use squall_types::{Batch, TaskId};

use crate::inbox::{Bound, Inbox};
use crate::lane::{AckBatch, AckRoutes, Senders, Voices, Way, Ways};
use crate::token::Notify;
use crate::transport::LaneNumber;

/// The inbox of a lane.
#[derive(Clone)]
pub enum Inlet {
    /// A bolt's.
    Batches(Arc<Inbox<Batch>>),
    /// A spout's.
    Acks(Arc<Inbox<AckBatch>>),
}

impl Inlet {
    /// Wakes the lane.
    pub fn notify(&self) -> Arc<dyn Notify> {
        match self {
            Self::Batches(inbox) => inbox.clone(),
            Self::Acks(inbox) => inbox.clone(),
        }
    }
}

/// A lane, as the rest of its slot knows it.
pub struct LocalLane {
    /// Its number, for good.
    pub number: LaneNumber,
    /// What it runs.
    pub plan: Lane,
    /// Its inbox.
    pub inlet: Inlet,
    /// By the head's inputs: who sends.
    pub senders: Arc<[Arc<Senders>]>,
    /// By the head's inputs: whose marks count; `None` where the edge closes a cycle.
    pub voices: Vec<Option<Voices>>,
}

impl LocalLane {
    /// What takes batches, and of it what runs here.
    pub fn head(&self) -> &LaneNode {
        &self.plan.nodes[0]
    }

    /// A component's part in it.
    pub fn node_of(&self, component: usize) -> Option<&LaneNode> {
        self.plan.nodes.iter().find(|node| node.component == component)
    }

    fn has_several_tasks(&self) -> bool {
        self.head().tasks.len() > 1
    }
}

/// All lanes of a slot, by their numbers.
#[derive(Clone, Default)]
pub struct Lanes {
    lanes: Vec<Arc<LocalLane>>,
}

impl Lanes {
    /// Makes the lanes of a plan, besides those that there are. `local` says of each component whether its rows stay in the slot.
    pub fn add(&mut self, topology: &Checked, plan: &Plan, local: &[bool], bound: Bound) -> Vec<Arc<LocalLane>> {
        let first = self.lanes.len();
        let number = |at: usize| LaneNumber(u16::try_from(first + at).expect("lanes are no more than tasks"));
        // All that send here are known before the first is made: they are counted, and numbered alike by all.
        let known = self.lanes.iter().map(|lane| (lane.number, &lane.plan));
        let all: Vec<(LaneNumber, &Lane)> =
            known.chain(plan.lanes().iter().enumerate().map(|(at, lane)| (number(at), lane))).collect();
        let made: Vec<Arc<LocalLane>> = plan
            .lanes()
            .iter()
            .enumerate()
            .map(|(at, lane)| Arc::new(make(topology, (number(at), lane), &all, local, bound)))
            .collect();
        self.lanes.extend(made.iter().cloned());
        made
    }

    /// The lanes, by their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<LocalLane>> {
        self.lanes.iter()
    }

    /// All tasks that run here.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.lanes.iter().flat_map(|lane| &lane.plan.nodes).flat_map(|node| node.tasks.iter().copied())
    }

    /// A lane.
    pub fn get(&self, number: LaneNumber) -> Option<&Arc<LocalLane>> {
        self.lanes.get(usize::from(number.0))
    }

    /// Where the ledgers of spouts here are.
    pub fn ledgers(&self) -> Vec<(Arc<Inbox<AckBatch>>, Vec<u16>)> {
        let ledger = |lane: &Arc<LocalLane>| match &lane.inlet {
            Inlet::Acks(inbox) => Some((inbox.clone(), lane.head().tasks.iter().map(|task| task.get()).collect())),
            Inlet::Batches(_) => None,
        };
        self.lanes.iter().filter_map(ledger).collect()
    }

    /// The ways to all tasks here, and to the ledgers that are given.
    pub fn ways(&self, topology: &Checked, local: Arc<[bool]>, ledgers: Vec<(Arc<Inbox<AckBatch>>, Vec<u16>)>) -> Ways {
        let tasks = topology.task_count();
        let mut ways = Ways::new(tasks, local, AckRoutes::new(ledgers, usize::from(tasks)));
        for lane in &self.lanes {
            let Inlet::Batches(inbox) = &lane.inlet else { continue };
            for (at, task) in (0..).zip(&lane.head().tasks) {
                let way = Way {
                    inbox: inbox.clone(),
                    at,
                    shared: lane.has_several_tasks(),
                    nearness: Nearness::Slot,
                    senders: Some(lane.senders.clone()),
                };
                ways.set(*task, way);
            }
        }
        ways
    }
}

fn make(
    topology: &Checked,
    (number, plan): (LaneNumber, &Lane),
    all: &[(LaneNumber, &Lane)],
    local: &[bool],
    bound: Bound,
) -> LocalLane {
    let head = plan.nodes[0].component;
    let inlet = match topology.component(head).kind {
        Kind::Spout => Inlet::Acks(Arc::new(Inbox::new(bound))),
        Kind::Bolt => Inlet::Batches(Arc::new(Inbox::new(bound))),
    };
    let mut senders = Vec::new();
    let mut voices = Vec::new();
    for input in 0..topology.component(head).inputs.len() {
        let source = topology.source(head, input).component;
        let part = |(number, lane): &(LaneNumber, &Lane)| {
            let node = lane.nodes.iter().find(|node| node.component == source)?;
            Some((*number, Arc::from(&*node.tasks)))
        };
        let here: Vec<(LaneNumber, Arc<[TaskId]>)> = all.iter().filter_map(part).collect();
        let runs_here = |task: &TaskId| here.iter().any(|(_, tasks)| tasks.contains(task));
        let elsewhere = topology.tasks_of(source).iter().filter(|task| !local[head] && !runs_here(task)).collect();
        let counted = Voices { lanes: here.len(), tasks: elsewhere };
        voices.push((!topology.closes_cycle(head, input)).then_some(counted));
        senders.push(Arc::new(Senders::new(here)));
    }
    LocalLane { number, plan: plan.clone(), inlet, senders: senders.into(), voices }
}
