//! Edges that leave a chain: which of the consumer's tasks is reached through which target, and how that changes.

use std::sync::Arc;

use squall_engine::nearness::dealt_to;
use squall_engine::shuffle::{Dealer, Load};
use squall_types::topology::Grouping;
use squall_types::{Batch, KeyGroup, Mark, Route, TaskId, Timestamp, Value};

use super::control::Control;
use super::moving::Chosen;
use super::router::Router;
use super::target::Target;
use super::ways::Ways;
use crate::transport::LaneNumber;

/// A task of the consumer: in which of the edge's targets, and which task there.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub target: u16,
    pub task: u16,
}

/// What of a subscription doesn't change while the sending lane lives.
pub struct Subscribed {
    /// The consumer, and which of its inputs.
    pub component: usize,
    pub input: u16,
    pub grouping: Grouping,
    /// Values a row.
    pub width: u16,
    /// The consumer's tasks.
    pub tasks: Arc<[TaskId]>,
    /// The sending lane, and the tasks there that emit.
    pub lane: LaneNumber,
    pub sources: Arc<[TaskId]>,
    /// For an edge that closes a cycle: whom to tell how full it is. Such an edge is unbounded, and marks don't cross it.
    pub feedback: Option<Arc<Control>>,
}

/// A subscription, seen from the sending lane.
pub struct Edge {
    pub router: Router,
    pub targets: Vec<Target>,
    /// By the consumer's tasks; where the grouping leaves the task open, by those that rows are dealt to.
    pub places: Vec<Place>,
    /// By key group, where the edge is keyed: the place of the task that owns it, as rows are dealt there.
    pub by_group: Box<[Chosen]>,
    /// The consumer's tasks.
    pub tasks: Arc<[TaskId]>,
    /// The edge closes a cycle.
    pub feedback: bool,
    /// Rows carry a route: a receiving lane has several tasks, the edge is keyed, or the sending lane has several tasks.
    pub routed: bool,
    subscribed: Subscribed,
}

impl Edge {
    /// An edge with its targets, as the ways are now.
    pub fn new(router: Router, subscribed: Subscribed, ways: &Ways) -> Self {
        let mut edge = Self {
            router,
            targets: Vec::new(),
            places: Vec::new(),
            by_group: Box::default(),
            tasks: subscribed.tasks.clone(),
            feedback: subscribed.feedback.is_some(),
            routed: false,
            subscribed,
        };
        edge.lay(ways);
        edge
    }

    /// All rows go to one task, and carry no route.
    pub fn takes_all(&self) -> bool {
        self.places.len() == 1 && !self.routed && !matches!(self.router, Router::Direct | Router::Custom(_))
    }

    /// The load of a consumer's task, for shuffles.
    pub fn load(targets: &[Target], place: Place) -> Load {
        let target = &targets[usize::from(place.target)];
        let queued_rows = target.inbox.queued_rows().saturating_add(target.batch.rows);
        Load { queued_rows, row_cost_ns: target.inbox.row_cost_ns(), full: queued_rows >= target.inbox.bound_rows() }
    }

    /// The consumer's tasks that rows go to, as places among them.
    fn receivers(&self, ways: &Ways) -> Vec<u16> {
        let Subscribed { component, grouping, tasks, .. } = &self.subscribed;
        if !matches!(self.router, Router::Shuffle(_)) {
            return (0..number(tasks.len())).collect();
        }
        let near: Vec<_> = tasks.iter().map(|task| ways.to(*task).map(|way| way.nearness)).collect();
        let among = dealt_to(grouping, ways.is_local(*component), &near);
        // Nobody is to be found: rows wait until somebody is.
        if among.is_empty() { vec![0] } else { among }
    }

    /// Lays all targets anew, empty, along these ways.
    fn lay(&mut self, ways: &Ways) {
        let receivers = self.receivers(ways);
        self.targets.clear();
        self.places.clear();
        let mut shared = false;
        for &receiver in &receivers {
            let way = ways.to(self.tasks[usize::from(receiver)]);
            let inbox = way.map_or(&ways.nowhere, |way| &way.inbox);
            let known = self.targets.iter().position(|target| Arc::ptr_eq(&target.inbox, inbox));
            let target = known.unwrap_or_else(|| {
                let Subscribed { input, lane, sources, width, feedback, .. } = &self.subscribed;
                let sender = way.map_or(0, |way| way.sender(*input, *lane, sources));
                let target = Target::new(inbox.clone(), *input, sender, *width, feedback.clone());
                self.targets.push(Target { held: way.is_none(), ..target });
                self.targets.len() - 1
            });
            shared |= way.map_or(receivers.len() > 1, |way| way.shared);
            self.places.push(Place { target: number(target), task: way.map_or(receiver, |way| way.at) });
        }
        // What is filled already may have no routes; that there are some is never wrong.
        self.routed |= self.router.is_keyed() || self.subscribed.sources.len() > 1 || shared;
        if let Router::Shuffle(dealer) = &mut self.router {
            *dealer = Dealer::starting_at(receivers.len(), usize::from(self.subscribed.lane.0) % receivers.len());
        }
        self.by_group = self.router.groups().map_or_else(Box::default, |groups| {
            let chosen = |group| {
                let Place { target, task } = self.places[usize::from(groups.task_of(group))];
                Chosen { target, route: Route { task, group, source: 0 } }
            };
            (0..groups.groups()).map(|group| chosen(KeyGroup::new(group))).collect()
        });
    }

    /// Takes other ways. What is filled for targets that stay, stays; what is filled for others is dealt to where its tasks are now. Targets
    /// that are new are told the watermark.
    pub fn reroute(&mut self, ways: &Ways, width: usize, watermark: Option<Timestamp>, now_ns: u64) {
        let (before, places) = (std::mem::take(&mut self.targets), self.places.clone());
        let was_routed = self.routed;
        self.lay(ways);
        let mut fresh = vec![true; self.targets.len()];
        let mut left = Vec::new();
        for (index, target) in before.into_iter().enumerate() {
            match self.targets.iter().position(|to| Arc::ptr_eq(&to.inbox, &target.inbox)) {
                Some(to) => {
                    let Target { batch, since_ns, .. } = target;
                    fresh[to] = false;
                    (self.targets[to].batch, self.targets[to].since_ns) = (batch, since_ns);
                    if self.routed && !was_routed {
                        let rows = self.targets[to].batch.rows as usize;
                        self.targets[to].batch.routes.resize(rows, Route::FIRST);
                    }
                }
                None => left.push((number(index), target)),
            }
        }
        for (index, target) in left {
            self.deal_anew(index, target.batch, &places, width, now_ns);
        }
        let marked = watermark.filter(|_| !self.feedback).map(Mark::Watermark);
        for (target, _) in self.targets.iter_mut().zip(&fresh).filter(|(target, fresh)| **fresh && !target.held) {
            target.batch.mark = marked;
        }
    }

    /// Deals what was filled for a target that is no more. Its mark goes: who is new is told it, and who isn't knows it or gets it from
    /// the target that it has now.
    fn deal_anew(&mut self, index: u16, mut batch: Batch, places: &[Place], width: usize, now_ns: u64) {
        let mut values = std::mem::take(&mut batch.values).into_iter();
        batch.more_anchors.sort_by_key(|(row, _)| *row);
        let mut further = std::mem::take(&mut batch.more_anchors).into_iter().peekable();
        for row in 0..batch.rows {
            let route = batch.route(row as usize);
            let to = match &mut self.router {
                Router::Shuffle(_) => row as usize % self.places.len(),
                _ => {
                    let was = |place: &Place| place.target == index && place.task == route.task;
                    places.iter().position(was).expect("a row was filled for a task of the consumer")
                }
            };
            let place = self.places[to];
            let target = &mut self.targets[usize::from(place.target)];
            target.open(now_ns);
            let row_values: Vec<Value> = values.by_ref().take(width).collect();
            target.batch.heap_bytes += row_values.iter().map(Value::heap_bytes).sum::<usize>();
            target.batch.values.extend(row_values);
            let at = target.batch.rows;
            let anchor = batch.anchors.get(row as usize).copied();
            target.push(anchor, self.routed.then_some(Route { task: place.task, ..route }));
            while let Some((_, anchor)) = further.next_if(|(of, _)| *of == row) {
                target.batch.more_anchors.push((at, anchor));
            }
        }
    }
}

fn number(n: usize) -> u16 {
    u16::try_from(n).expect("validation bounds tasks, and so lanes, to 65,535")
}
