//! From a program and a plan to lanes that can run.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use squall_engine::edges::EdgeIds;
use squall_engine::groups::{KeyGroups, PartialKey};
use squall_engine::plan::{Lane, Place as LanePlace, Plan};
use squall_engine::shuffle::Dealer;
use squall_engine::state::StateStore;
use squall_types::topology::{Component, Config, Delivery, Execution, Grouping, Input, Kind};
use squall_types::{Batch, ComponentId, Schema, TaskId};
use tokio::sync::watch;

use super::options::Options;
use super::program::{CellParts, Code, CodeKind, Program};
use super::registry::{LaneEntry, NodeEntry, Registry};
use super::start::{Prepared, StartError};
use crate::api::{SpoutWaker, TaskInfo};
use crate::clock::Clock;
use crate::inbox::Inbox;
use crate::lane::{
    AckBatch, AckOut, AckRoutes, AsyncParts, AsyncTask, BoltLane, Chain, Control, Edge, Intake, Marks, Node, OutStream,
    Outputs, Place, Router, SpoutLane, Target, TaskCell, Tick,
};
use crate::metrics::{NodeMetrics, UserMetrics};
use crate::token::{Notify, Returns};

/// Simulated time moves only while every lane waits, so there a spout that always has more is called once a millisecond.
const SIMULATED_PACE_NS: u64 = 1_000_000;

/// A lane's work, from preparing its components to their end.
pub type LaneFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A lane, ready to be driven.
pub struct Assembled {
    pub place: LanePlace,
    pub future: LaneFuture,
}

/// The inbox of a lane.
#[derive(Clone)]
enum Inlet {
    Batches(Arc<Inbox<Batch>>),
    Acks(Arc<Inbox<AckBatch>>),
}

impl Inlet {
    fn notify(&self) -> Arc<dyn Notify> {
        match self {
            Self::Batches(inbox) => inbox.clone(),
            Self::Acks(inbox) => inbox.clone(),
        }
    }
}

/// What all lanes of a slot share.
pub struct Assembler<'a> {
    program: &'a Program,
    options: &'a Options,
    plan: &'a Plan,
    clock: Clock,
    control: Arc<Control>,
    prepared: Prepared,
    inlets: Vec<Inlet>,
    acks: AckRoutes,
    places: BTreeMap<TaskId, (usize, usize, usize)>,
    user_metrics: Vec<UserMetrics>,
    configs: Vec<Arc<Config>>,
    directory: Arc<[(ComponentId, Box<[TaskId]>)]>,
    seed: u64,
    running: watch::Receiver<()>,
}

impl<'a> Assembler<'a> {
    /// Makes the inboxes of all lanes.
    pub fn new(
        program: &'a Program,
        options: &'a Options,
        plan: &'a Plan,
        (clock, control, prepared): (Clock, Arc<Control>, Prepared),
        (seed, running): (u64, watch::Receiver<()>),
    ) -> Self {
        let topology = &program.topology;
        let inlets: Vec<Inlet> = plan
            .lanes()
            .iter()
            .map(|lane| match topology.component(lane.nodes[0].component).kind {
                Kind::Spout => Inlet::Acks(Arc::new(Inbox::new(options.bound))),
                Kind::Bolt => Inlet::Batches(Arc::new(Inbox::new(options.bound))),
            })
            .collect();
        inlets.iter().for_each(|inlet| control.enlist(inlet.notify()));
        let acks = ack_routes(plan, &inlets, usize::from(topology.task_count()));
        let configs = topology.components().iter().map(|component| Arc::new(settings(program, component)));
        let tasks_of =
            |(index, component): (usize, &Component)| (component.id.clone(), topology.tasks_of(index).iter().collect());
        Self {
            directory: topology.components().iter().enumerate().map(tasks_of).collect(),
            configs: configs.collect(),
            user_metrics: topology.components().iter().map(|_| UserMetrics::default()).collect(),
            places: plan.places(),
            program,
            options,
            plan,
            clock,
            control,
            prepared,
            inlets,
            acks,
            seed,
            running,
        }
    }

    /// Makes all lanes, and the registry of what can be read of them.
    ///
    /// # Errors
    /// A custom grouping has no code.
    pub fn assemble(&self) -> Result<(Vec<Assembled>, Registry), StartError> {
        let mut lanes = Vec::new();
        let mut registry = Registry::new(self.program, self.clock, &self.user_metrics);
        for (index, lane) in self.plan.lanes().iter().enumerate() {
            let (future, entry) = self.lane(index, lane)?;
            registry.add(entry);
            lanes.push(Assembled { place: lane.place, future });
        }
        Ok((lanes, registry))
    }

    fn lane(&self, index: usize, lane: &Lane) -> Result<(LaneFuture, LaneEntry), StartError> {
        let head = self.program.topology.component(lane.nodes[0].component);
        let returns = Arc::new(Returns::new(self.inlets[index].notify()));
        let mut nodes = Vec::new();
        let mut entries = Vec::new();
        for at in 0..lane.nodes.len() {
            let (node, entry) = self.node(index, lane, at)?;
            nodes.push(node);
            entries.push(entry);
        }
        let parents = lane.nodes.iter().map(|node| node.parent).collect();
        let intakes = (0..head.inputs.len()).map(|input| self.intake(lane.nodes[0].component, input)).collect();
        let acks = AckOut::new(self.acks.clone());
        let chain = Chain::new(nodes, parents, intakes, acks, returns, self.clock);
        let ticks = self.ticks(lane);
        let first = lane.nodes[0].component;
        let (future, inbox): (LaneFuture, _) = match (&self.inlets[index], &self.program.codes[first].0) {
            (Inlet::Acks(inbox), CodeKind::Spout(make)) => {
                let cells = self.cells(lane, inbox, make.as_ref(), &entries[0].metrics);
                let lane = SpoutLane::new(chain, inbox.clone(), self.control.clone(), cells, ticks);
                (Box::pin(super::start::spout_lane(lane, self.prepared.clone())), LaneEntry::acks(inbox))
            }
            (Inlet::Batches(inbox), CodeKind::Bolt(_)) => {
                let (marks, feedback) = self.marks(first);
                let lane = BoltLane::new(chain, inbox.clone(), marks, ticks, self.control.clone(), feedback);
                (Box::pin(super::start::bolt_lane(lane, self.prepared.clone())), LaneEntry::batches(inbox))
            }
            (Inlet::Batches(inbox), CodeKind::Async(factory)) => {
                let parts = self.async_parts(lane, chain, inbox.clone(), factory.clone(), ticks.first().copied());
                (Box::pin(super::start::async_lane(parts, self.prepared.clone())), LaneEntry::batches(inbox))
            }
            _ => unreachable!("a lane's inbox is made by its component's kind"),
        };
        Ok((future, LaneEntry { nodes: entries, ..inbox }))
    }

    fn info(&self, component: usize, task: TaskId) -> TaskInfo {
        let topology = &self.program.topology;
        let tasks = topology.tasks_of(component);
        TaskInfo {
            component: topology.component(component).id.clone(),
            task,
            index: tasks.position(task).map_or(0, usize::from),
            tasks: usize::from(tasks.count()),
            directory: self.directory.clone(),
            config: self.configs[component].clone(),
            streams: topology.component(component).streams.clone().into(),
            keying: Arc::new(topology.keying(component)),
            tracked: self.tracked(),
        }
    }

    fn node(&self, index: usize, lane: &Lane, at: usize) -> Result<(Node, NodeEntry), StartError> {
        let part = &lane.nodes[at];
        let metrics = NodeMetrics::new(part.tasks.len());
        let user = self.user_metrics[part.component].clone();
        let outputs = self.outputs(index, lane, at)?;
        let factory = match &self.program.codes[part.component] {
            Code(CodeKind::Bolt(factory)) => Some(factory.clone()),
            _ => None,
        };
        let groups = self.program.topology.topology().key_groups;
        let cells = factory.iter().flat_map(|factory| {
            part.tasks.iter().map(|task| {
                let state = StateStore::new(groups, mix(self.seed, u64::from(task.get())));
                TaskCell::new(self.info(part.component, *task), factory(), state)
            })
        });
        let number = u16::try_from(at).expect("a lane has fewer nodes than the topology components");
        let id = self.program.topology.component(part.component).id.clone();
        let node = Node::new((id, number), cells.collect(), outputs, factory.clone(), (metrics.clone(), user));
        Ok((node, NodeEntry { component: part.component, tasks: part.tasks.clone(), metrics, chained: at > 0 }))
    }

    fn tracked(&self) -> bool {
        self.program.topology.topology().delivery == Delivery::AtLeastOnce
    }

    fn outputs(&self, index: usize, lane: &Lane, at: usize) -> Result<Outputs, StartError> {
        let part = &lane.nodes[at];
        let component = self.program.topology.component(part.component);
        let mut streams = Vec::new();
        for (number, stream) in component.streams.iter().enumerate() {
            let mut edges = Vec::new();
            for consumer in self.program.topology.consumers(part.component, &stream.id) {
                if !self.plan.is_chained(consumer.component) {
                    edges.push(self.edge(
                        index,
                        part.component,
                        consumer.component,
                        consumer.input,
                        part.tasks.len(),
                    )?);
                }
            }
            let takes = |node: &squall_engine::plan::LaneNode| node.parent == Some((at, number));
            let chained = (0..lane.nodes.len()).filter(|node| takes(&lane.nodes[*node])).collect();
            let schema = Arc::new(Schema::new(component.id.clone(), stream.id.clone(), stream.fields.clone()));
            streams.push(OutStream::new(schema, stream.direct, edges, chained));
        }
        let key = mix(self.seed, (index as u64) << 32 | at as u64);
        let mut outputs = Outputs::new(streams, EdgeIds::new(key), self.tracked(), part.tasks.clone().into());
        outputs.tap = self.options.tap.clone();
        Ok(outputs)
    }

    fn edge(
        &self,
        lane: usize,
        source: usize,
        component: usize,
        input: usize,
        source_tasks: usize,
    ) -> Result<Edge, StartError> {
        let topology = &self.program.topology;
        let declared = &topology.component(component).inputs[input];
        let feedback = topology.closes_cycle(component, input);
        let sender =
            self.lanes_of(source).position(|of| of == lane).expect("a lane that emits is one of its component's");
        let tasks: Arc<[TaskId]> = topology.tasks_of(component).iter().collect();
        let mut targets: Vec<(usize, Target)> = Vec::new();
        let mut places = Vec::new();
        for task in &*tasks {
            let (to, _, at) = self.places[task];
            let target = targets.iter().position(|(lane, _)| *lane == to).unwrap_or_else(|| {
                let Inlet::Batches(inbox) = &self.inlets[to] else { unreachable!("consumers are bolts") };
                let width = fields(topology, source, declared).len();
                let target = Target::new(
                    inbox.clone(),
                    number(input),
                    number(sender),
                    number(width),
                    feedback.then(|| self.control.clone()),
                );
                targets.push((to, target));
                targets.len() - 1
            });
            places.push(Place { target: number(target), task: number(at) });
        }
        let router = self.router(source, component, declared, &tasks, lane)?;
        let routed = router.is_keyed() || source_tasks > 1 || targets.len() < places.len();
        let targets = targets.into_iter().map(|(_, target)| target).collect();
        Ok(Edge::new(router, targets, places, tasks, feedback, routed))
    }

    fn router(
        &self,
        source: usize,
        component: usize,
        input: &Input,
        tasks: &[TaskId],
        lane: usize,
    ) -> Result<Router, StartError> {
        let topology = &self.program.topology;
        let groups = || KeyGroups::new(topology.topology().key_groups, number(tasks.len()));
        let positions = |key: &squall_types::topology::Fields| {
            let all = fields(topology, source, input);
            key.iter().map(|name| number(all.position(name).expect("validation has found the field"))).collect()
        };
        Ok(match &input.grouping {
            // In one process every task is local.
            Grouping::Shuffle | Grouping::None | Grouping::LocalOrShuffle => {
                Router::Shuffle(Dealer::starting_at(tasks.len(), lane % tasks.len()))
            }
            Grouping::Fields(key) => Router::Fields { positions: positions(key), groups: groups() },
            Grouping::PartialKey(key) => {
                Router::PartialKey { positions: positions(key), choice: PartialKey::new(groups()) }
            }
            Grouping::All => Router::All,
            Grouping::Global => Router::Global,
            Grouping::Direct => Router::Direct,
            Grouping::Custom(name) => {
                let make = self.program.groupings.get(name).ok_or_else(|| StartError::NoGrouping {
                    component: topology.component(component).id.clone(),
                    name: name.to_string(),
                })?;
                let mut grouping = make();
                grouping.prepare(tasks);
                Router::Custom(grouping)
            }
        })
    }

    /// The lanes that a component runs in, as numbered for those who take from it.
    fn lanes_of(&self, component: usize) -> impl Iterator<Item = usize> {
        let runs = move |lane: &Lane| lane.nodes.iter().any(|node| node.component == component);
        self.plan.lanes().iter().enumerate().filter(move |(_, lane)| runs(lane)).map(|(index, _)| index)
    }

    fn intake(&self, component: usize, input: usize) -> Intake {
        let topology = &self.program.topology;
        let source = topology.source(component, input);
        let from = topology.component(source.component);
        let stream = &from.streams[source.stream];
        let schema = Arc::new(Schema::new(from.id.clone(), stream.id.clone(), stream.fields.clone()));
        let of_source = |lane: usize| {
            let nodes = &self.plan.lanes()[lane].nodes;
            let node = nodes.iter().find(|node| node.component == source.component);
            node.map(|node| node.tasks.clone().into()).unwrap_or_default()
        };
        Intake { schema, senders: self.lanes_of(source.component).map(of_source).collect() }
    }

    fn marks(&self, component: usize) -> (Marks, Vec<bool>) {
        let topology = &self.program.topology;
        let inputs = topology.component(component).inputs.len();
        let feedback: Vec<bool> = (0..inputs).map(|input| topology.closes_cycle(component, input)).collect();
        let senders = |input: usize| {
            (!feedback[input]).then(|| self.lanes_of(topology.source(component, input).component).count())
        };
        (Marks::new(&(0..inputs).map(senders).collect::<Vec<_>>()), feedback)
    }

    fn ticks(&self, lane: &Lane) -> Vec<Tick> {
        let every = |component: usize| self.program.topology.component(component).tick;
        lane.nodes
            .iter()
            .enumerate()
            .filter_map(|(node, part)| every(part.component).map(|every| (node, every)))
            .map(|(node, every)| {
                let every_ns = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1);
                Tick { node, every_ns, next_ns: every_ns }
            })
            .collect()
    }

    fn cells(
        &self,
        lane: &Lane,
        inbox: &Arc<Inbox<AckBatch>>,
        make: &(dyn Fn(CellParts, bool) -> Box<dyn crate::lane::SpoutCell> + Send + Sync),
        metrics: &Arc<NodeMetrics>,
    ) -> Vec<Box<dyn crate::lane::SpoutCell>> {
        let topology = self.program.topology.topology();
        let part = &lane.nodes[0];
        let own_thread =
            topology.components[part.component].execution == Execution::Blocking && !self.options.one_thread;
        let timeout_ns = u64::try_from(topology.message_timeout.as_nanos()).unwrap_or(u64::MAX);
        let tracking = self.tracked().then_some((timeout_ns, topology.max_spout_pending as usize));
        let cell = |(index, task): (usize, &TaskId)| {
            let parts = CellParts {
                info: self.info(part.component, *task),
                index: number(index),
                tracking,
                waker: SpoutWaker::new(inbox.clone()),
                metrics: metrics.clone(),
                user_metrics: self.user_metrics[part.component].clone(),
                tap: self.options.tap.clone(),
                pace_ns: if self.options.one_thread { SIMULATED_PACE_NS } else { 0 },
                running: self.running.clone(),
            };
            make(parts, own_thread)
        };
        part.tasks.iter().enumerate().map(cell).collect()
    }

    fn async_parts(
        &self,
        lane: &Lane,
        chain: Chain,
        inbox: Arc<Inbox<Batch>>,
        factory: crate::lane::AsyncFactory,
        tick: Option<Tick>,
    ) -> (AsyncParts, Vec<TaskInfo>) {
        let component = lane.nodes[0].component;
        let (marks, feedback) = self.marks(component);
        let (limit, ordered) = match self.program.topology.component(component).execution {
            Execution::Async { in_flight, ordered } => (in_flight as usize, ordered),
            Execution::Sync | Execution::Blocking => (1, true),
        };
        let infos = lane.nodes[0].tasks.iter().map(|task| self.info(component, *task)).collect();
        let parts = AsyncParts {
            chain,
            inbox,
            marks,
            tick,
            control: self.control.clone(),
            feedback,
            tasks: Vec::<AsyncTask>::new(),
            factory,
            user_metrics: self.user_metrics[component].clone(),
            limit,
            ordered,
        };
        (parts, infos)
    }
}

fn number(n: usize) -> u16 {
    u16::try_from(n).expect("validation bounds tasks, and so lanes, inputs and fields, to 65,535")
}

fn fields<'t>(
    topology: &'t squall_types::topology::Checked,
    source: usize,
    input: &Input,
) -> &'t squall_types::topology::Fields {
    let streams = &topology.component(source).streams;
    &streams.iter().find(|stream| stream.id == input.stream).expect("validation has found the stream").fields
}

fn settings(program: &Program, component: &Component) -> Config {
    let mut config = program.topology.topology().config.clone();
    config.extend(component.config.clone());
    config
}

fn ack_routes(plan: &Plan, inlets: &[Inlet], tasks: usize) -> AckRoutes {
    let lanes = plan.lanes().iter().zip(inlets).filter_map(|(lane, inlet)| match inlet {
        Inlet::Acks(inbox) => Some((inbox.clone(), lane.nodes[0].tasks.iter().map(|task| task.get()).collect())),
        Inlet::Batches(_) => None,
    });
    AckRoutes::new(lanes.collect(), tasks)
}

/// Mixes a seed with a number, so that neighbours don't resemble each other.
pub fn mix(seed: u64, number: u64) -> u64 {
    EdgeIds::new(seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93)).next().to_bits()
}
