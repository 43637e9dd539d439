//! What can be read of a running slot.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use squall_types::topology::{Checked, Execution, Kind};
use squall_types::{Batch, ComponentId, TaskId};

use super::program::Program;
use crate::clock::Clock;
use crate::inbox::{Inbox, Parcel, Rest};
use crate::lane::AckBatch;
use crate::metrics::{ComponentSnapshot, LaneSnapshot, NodeMetrics, Snapshot, TaskMetrics, TaskSnapshot, UserMetrics};

/// An inbox, whatever it carries.
pub trait AnyInbox: Send + Sync {
    fn rest(&self) -> Rest;
    fn queued_rows(&self) -> u32;
    fn bound_rows(&self) -> u32;
    fn blocked_ns(&self) -> u64;
    fn close(&self);
}

impl<T: Parcel + Send> AnyInbox for Inbox<T> {
    fn rest(&self) -> Rest {
        Self::rest(self)
    }
    fn queued_rows(&self) -> u32 {
        Self::queued_rows(self)
    }
    fn bound_rows(&self) -> u32 {
        Self::bound_rows(self)
    }
    fn blocked_ns(&self) -> u64 {
        Self::blocked_ns(self)
    }
    fn close(&self) {
        Self::close(self);
    }
}

/// One component's part in a lane.
pub struct NodeEntry {
    pub component: usize,
    pub tasks: Vec<TaskId>,
    pub metrics: Arc<NodeMetrics>,
    pub chained: bool,
}

/// A lane.
pub struct LaneEntry {
    pub inbox: Arc<dyn AnyInbox>,
    pub nodes: Vec<NodeEntry>,
}

impl LaneEntry {
    /// A lane that takes batches.
    pub fn batches(inbox: &Arc<Inbox<Batch>>) -> Self {
        Self { inbox: inbox.clone(), nodes: Vec::new() }
    }

    /// A lane that takes acks.
    pub fn acks(inbox: &Arc<Inbox<AckBatch>>) -> Self {
        Self { inbox: inbox.clone(), nodes: Vec::new() }
    }
}

/// All lanes' figures.
pub struct Registry {
    topology: Arc<Checked>,
    clock: Clock,
    user: Vec<UserMetrics>,
    /// Lanes are added while others read.
    lanes: RwLock<Vec<Arc<LaneEntry>>>,
}

impl Registry {
    /// A registry without lanes.
    pub fn new(program: &Program, clock: Clock, user: &[UserMetrics]) -> Self {
        Self { topology: program.topology.clone(), clock, user: user.to_vec(), lanes: RwLock::default() }
    }

    /// Adds a lane.
    pub fn add(&self, lane: LaneEntry) {
        self.lanes.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(lane));
    }

    fn lanes(&self) -> Vec<Arc<LaneEntry>> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether every lane rests, and a number that changes with every parcel sent.
    pub fn rest(&self) -> Option<u64> {
        let mut pushed = 0u64;
        for lane in &self.lanes() {
            let rest = lane.inbox.rest();
            if !rest.idle {
                return None;
            }
            pushed = pushed.wrapping_add(rest.pushed);
        }
        Some(pushed)
    }

    /// Roots that are pending, over all spouts.
    pub fn pending(&self) -> u64 {
        let lanes = self.lanes();
        let nodes = lanes.iter().flat_map(|lane| &lane.nodes);
        nodes.map(|node| node.metrics.tasks().iter().map(|task| task.pending).sum::<u64>()).sum()
    }

    /// Lets every sender pass and drops what it sends: lanes are about to end.
    pub fn close(&self) {
        self.lanes().iter().for_each(|lane| lane.inbox.close());
    }

    /// Components whose code is being run, once each.
    pub fn running(&self) -> Vec<ComponentId> {
        let lanes = self.lanes();
        let nodes = lanes.iter().flat_map(|lane| &lane.nodes).filter(|node| node.metrics.is_running());
        let components: BTreeSet<usize> = nodes.map(|node| node.component).collect();
        components.into_iter().map(|component| self.topology.component(component).id.clone()).collect()
    }

    /// The same without spouts: one that blocks in `next` holds nothing that is in flight.
    pub fn running_bolts(&self) -> Vec<ComponentId> {
        let is_bolt = |id: &ComponentId| {
            self.topology.index_of(id).is_some_and(|index| self.topology.component(index).kind == Kind::Bolt)
        };
        self.running().into_iter().filter(is_bolt).collect()
    }

    /// Components that share a core and have held it for longer than this, in nanoseconds, since this was last asked: which,
    /// and for how long.
    pub fn take_stuck(&self, longer_than_ns: u64) -> Vec<(ComponentId, u64)> {
        let now_ns = self.clock.now_ns();
        let lanes = self.lanes();
        let nodes = lanes.iter().flat_map(|lane| &lane.nodes);
        let shares = |node: &&NodeEntry| self.topology.component(node.component).execution != Execution::Blocking;
        nodes
            .filter(shares)
            .map(|node| (node.component, node.metrics.take_held_ns(now_ns)))
            .filter(|(_, ns)| *ns > longer_than_ns)
            .map(|(component, ns)| (self.topology.component(component).id.clone(), ns))
            .collect()
    }

    /// A component's tasks.
    pub fn tasks_of(&self, component: &str) -> Vec<TaskId> {
        let index = self.topology.index_of(&component.into());
        index.map(|index| self.topology.tasks_of(index).iter().collect()).unwrap_or_default()
    }

    /// All figures as they are now.
    pub fn snapshot(&self) -> Snapshot {
        let now_ns = self.clock.now_ns();
        let mut components: Vec<ComponentSnapshot> = self
            .topology
            .components()
            .iter()
            .zip(&self.user)
            .map(|(component, user)| ComponentSnapshot {
                id: component.id.clone(),
                is_spout: component.kind == Kind::Spout,
                total: TaskMetrics::default(),
                tasks: Vec::new(),
                lanes: Vec::new(),
                user: user.snapshot(),
            })
            .collect();
        for lane in &self.lanes() {
            for node in &lane.nodes {
                let component = &mut components[node.component];
                for (id, task) in node.tasks.iter().zip(node.metrics.tasks().iter()) {
                    component.total.add(task);
                    component.tasks.push(TaskSnapshot { task: *id, metrics: task.clone() });
                }
                component.lanes.push(LaneSnapshot {
                    tasks: node.tasks.clone(),
                    chained: node.chained,
                    queued_rows: if node.chained { 0 } else { lane.inbox.queued_rows() },
                    bound_rows: lane.inbox.bound_rows(),
                    senders_blocked_ns: if node.chained { 0 } else { lane.inbox.blocked_ns() },
                    blocked_ns: node.metrics.blocked_ns(),
                });
            }
        }
        Snapshot { at_ns: now_ns, components }
    }
}
