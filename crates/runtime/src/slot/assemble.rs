//! From a program and a plan to lanes that can run.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use squall_engine::edges::EdgeIds;
use squall_engine::groups::{KeyGroups, PartialKey};
use squall_engine::plan::Place as LanePlace;
use squall_engine::shuffle::Dealer;
use squall_engine::state::StateStore;
use squall_types::topology::{Component, Config, Delivery, Execution, Grouping, Input};
use squall_types::{Batch, ComponentId, Schema, TaskId};
use tokio::sync::watch;

use super::lanes::{Inlet, LocalLane};
use super::life::Life;
use super::options::Options;
use super::program::{CellParts, Code, CodeKind, Program};
use super::registry::{LaneEntry, NodeEntry, Registry};
use super::start::{Prepared, StartError};
use crate::api::{SpoutWaker, TaskInfo};
use crate::clock::Clock;
use crate::inbox::Inbox;
use crate::lane::{
    AckBatch, AckOut, AsyncParts, AsyncTask, BoltLane, Chain, Control, Edge, Follower, Intake, Marks, Node, OutStream,
    Outputs, Router, Signpost, SpoutLane, Subscribed, TaskCell, Tick, Ways,
};
use crate::metrics::{NodeMetrics, UserMetrics};
use crate::token::Returns;

/// Simulated time moves only while every lane waits, so there a spout that always has more is called once a millisecond.
const SIMULATED_PACE_NS: u64 = 1_000_000;

/// A lane's work, from preparing its components to their end.
pub type LaneFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A lane, ready to be driven.
pub struct Assembled {
    pub place: LanePlace,
    pub future: LaneFuture,
}

/// What all lanes of a slot share, whenever they are made.
pub struct Assembler {
    program: Program,
    options: Options,
    clock: Clock,
    control: Arc<Control>,
    signpost: Arc<Signpost>,
    user_metrics: Vec<UserMetrics>,
    configs: Vec<Arc<Config>>,
    directory: Arc<[(ComponentId, Box<[TaskId]>)]>,
}

/// What new lanes begin with: where they report that they are ready, what their threads hold while they run, and what tells them from
/// earlier ones.
pub struct Starting {
    pub prepared: Prepared,
    pub running: watch::Receiver<()>,
    pub life: Life,
}

impl Assembler {
    /// Makes lanes of this program, which find each other by the signpost.
    pub fn new(
        program: &Program,
        options: &Options,
        clock: Clock,
        control: Arc<Control>,
        signpost: Arc<Signpost>,
    ) -> Self {
        let topology = &program.topology;
        let configs = topology.components().iter().map(|component| Arc::new(settings(program, component)));
        let tasks_of =
            |(index, component): (usize, &Component)| (component.id.clone(), topology.tasks_of(index).iter().collect());
        Self {
            directory: topology.components().iter().enumerate().map(tasks_of).collect(),
            configs: configs.collect(),
            user_metrics: topology.components().iter().map(|_| UserMetrics::default()).collect(),
            program: program.clone(),
            options: options.clone(),
            clock,
            control,
            signpost,
        }
    }

    /// A registry for the lanes that this makes.
    pub fn registry(&self) -> Registry {
        Registry::new(&self.program, self.clock, &self.user_metrics)
    }

    /// Makes lanes, and what can be read of them. The signpost knows them already.
    ///
    /// # Errors
    /// A custom grouping has no code.
    pub fn assemble(
        &self,
        lanes: &[Arc<LocalLane>],
        starting: &Starting,
    ) -> Result<Vec<(Assembled, LaneEntry)>, StartError> {
        lanes
            .iter()
            .map(|lane| {
                self.control.enlist(lane.inlet.notify());
                let (future, entry) = self.lane(lane, starting)?;
                Ok((Assembled { place: lane.plan.place, future }, entry))
            })
            .collect()
    }

    fn lane(&self, lane: &LocalLane, starting: &Starting) -> Result<(LaneFuture, LaneEntry), StartError> {
        let head = lane.head().component;
        let returns = Arc::new(Returns::new(lane.inlet.notify()));
        let (follower, ways) = Follower::new(self.signpost.clone());
        let mut nodes = Vec::new();
        let mut entries = Vec::new();
        for at in 0..lane.plan.nodes.len() {
            let (node, entry) = self.node(lane, at, &ways, starting.life)?;
            nodes.push(node);
            entries.push(entry);
        }
        let parents = lane.plan.nodes.iter().map(|node| node.parent).collect();
        let intakes = (0..lane.senders.len()).map(|input| self.intake(lane, input)).collect();
        let acks = AckOut::new(ways.acks.clone());
        let chain = Chain::new(nodes, parents, intakes, acks, returns, self.clock).following(follower);
        let ticks = self.ticks(lane);
        let prepared = starting.prepared.clone();
        let (future, inbox): (LaneFuture, _) = match (&lane.inlet, &self.program.codes[head].0) {
            (Inlet::Acks(inbox), CodeKind::Spout(make)) => {
                let cells = self.cells(lane, inbox, make.as_ref(), &entries[0].metrics, starting);
                let lane = SpoutLane::new(chain, inbox.clone(), self.control.clone(), cells, ticks);
                (Box::pin(super::start::spout_lane(lane, prepared)), LaneEntry::acks(inbox))
            }
            (Inlet::Batches(inbox), CodeKind::Bolt(_)) => {
                let (marks, feedback) = self.marks(lane);
                let lane = BoltLane::new(chain, inbox.clone(), marks, ticks, self.control.clone(), feedback);
                (Box::pin(super::start::bolt_lane(lane, prepared)), LaneEntry::batches(inbox))
            }
            (Inlet::Batches(inbox), CodeKind::Async(factory)) => {
                let parts = self.async_parts(lane, chain, inbox.clone(), factory.clone(), ticks.first().copied());
                (Box::pin(super::start::async_lane(parts, prepared)), LaneEntry::batches(inbox))
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

    fn node(&self, lane: &LocalLane, at: usize, ways: &Ways, life: Life) -> Result<(Node, NodeEntry), StartError> {
        let part = &lane.plan.nodes[at];
        let metrics = NodeMetrics::new(part.tasks.len());
        let user = self.user_metrics[part.component].clone();
        let outputs = self.outputs(lane, at, ways, life)?;
        let factory = match &self.program.codes[part.component] {
            Code(CodeKind::Bolt(factory)) => Some(factory.clone()),
            _ => None,
        };
        let groups = self.program.topology.topology().key_groups;
        let cells = factory.iter().flat_map(|factory| {
            part.tasks.iter().map(|task| {
                let state = StateStore::new(groups, mix(life.seed, u64::from(task.get())));
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

    fn outputs(&self, lane: &LocalLane, at: usize, ways: &Ways, life: Life) -> Result<Outputs, StartError> {
        let nodes = &lane.plan.nodes;
        let part = &nodes[at];
        let component = self.program.topology.component(part.component);
        let sources: Arc<[TaskId]> = part.tasks.clone().into();
        let mut streams = Vec::new();
        for (number, stream) in component.streams.iter().enumerate() {
            let takes = |node: &squall_engine::plan::LaneNode| node.parent == Some((at, number));
            let chained: Vec<usize> = (0..nodes.len()).filter(|node| takes(&nodes[*node])).collect();
            let mut edges = Vec::new();
            for consumer in self.program.topology.consumers(part.component, &stream.id) {
                if !chained.iter().any(|node| nodes[*node].component == consumer.component) {
                    edges.push(self.edge(
                        lane,
                        &sources,
                        part.component,
                        (consumer.component, consumer.input),
                        ways,
                    )?);
                }
            }
            let schema = Arc::new(Schema::new(component.id.clone(), stream.id.clone(), stream.fields.clone()));
            streams.push(OutStream::new(schema, stream.direct, edges, chained));
        }
        let key = mix(life.seed, u64::from(lane.number.0) << 32 | at as u64);
        let mut outputs = Outputs::new(streams, EdgeIds::new(key), self.tracked(), sources);
        outputs.tap = self.options.tap.clone();
        Ok(outputs)
    }

    fn edge(
        &self,
        lane: &LocalLane,
        sources: &Arc<[TaskId]>,
        source: usize,
        (component, input): (usize, usize),
        ways: &Ways,
    ) -> Result<Edge, StartError> {
        let topology = &self.program.topology;
        let declared = &topology.component(component).inputs[input];
        let tasks: Arc<[TaskId]> = topology.tasks_of(component).iter().collect();
        let router = self.router(source, component, declared, &tasks)?;
        let subscribed = Subscribed {
            component,
            input: number(input),
            grouping: declared.grouping.clone(),
            width: number(fields(topology, source, declared).len()),
            tasks,
            lane: lane.number,
            sources: sources.clone(),
            feedback: topology.closes_cycle(component, input).then(|| self.control.clone()),
        };
        Ok(Edge::new(router, subscribed, ways))
    }

    fn router(&self, source: usize, component: usize, input: &Input, tasks: &[TaskId]) -> Result<Router, StartError> {
        let topology = &self.program.topology;
        let groups = || KeyGroups::new(topology.topology().key_groups, number(tasks.len()));
        let positions = |key: &squall_types::topology::Fields| {
            let all = fields(topology, source, input);
            key.iter().map(|name| number(all.position(name).expect("validation has found the field"))).collect()
        };
        Ok(match &input.grouping {
            Grouping::Shuffle | Grouping::None | Grouping::LocalOrShuffle => Router::Shuffle(Dealer::new(tasks.len())),
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

    fn intake(&self, lane: &LocalLane, input: usize) -> Intake {
        let topology = &self.program.topology;
        let source = topology.source(lane.head().component, input);
        let from = topology.component(source.component);
        let stream = &from.streams[source.stream];
        let schema = Arc::new(Schema::new(from.id.clone(), stream.id.clone(), stream.fields.clone()));
        Intake::new(schema, lane.senders[input].clone())
    }

    fn marks(&self, lane: &LocalLane) -> (Marks, Vec<bool>) {
        let closes = |input| self.program.topology.closes_cycle(lane.head().component, input);
        (Marks::new(lane.voices.clone()), (0..lane.voices.len()).map(closes).collect())
    }

    fn ticks(&self, lane: &LocalLane) -> Vec<Tick> {
        let every = |component: usize| self.program.topology.component(component).tick;
        lane.plan
            .nodes
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
        lane: &LocalLane,
        inbox: &Arc<Inbox<AckBatch>>,
        make: &(dyn Fn(CellParts, bool) -> Box<dyn crate::lane::SpoutCell> + Send + Sync),
        metrics: &Arc<NodeMetrics>,
        starting: &Starting,
    ) -> Vec<Box<dyn crate::lane::SpoutCell>> {
        let topology = self.program.topology.topology();
        let part = lane.head();
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
                life: starting.life.of(*task),
                running: starting.running.clone(),
            };
            make(parts, own_thread)
        };
        part.tasks.iter().enumerate().map(cell).collect()
    }

    fn async_parts(
        &self,
        lane: &LocalLane,
        chain: Chain,
        inbox: Arc<Inbox<Batch>>,
        factory: crate::lane::AsyncFactory,
        tick: Option<Tick>,
    ) -> (AsyncParts, Vec<TaskInfo>) {
        let component = lane.head().component;
        let (marks, feedback) = self.marks(lane);
        let (limit, ordered) = match self.program.topology.component(component).execution {
            Execution::Async { in_flight, ordered } => (in_flight as usize, ordered),
            Execution::Sync | Execution::Blocking => (1, true),
        };
        let infos = lane.head().tasks.iter().map(|task| self.info(component, *task)).collect();
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

/// Mixes a seed with a number, so that neighbours don't resemble each other.
pub fn mix(seed: u64, number: u64) -> u64 {
    EdgeIds::new(seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93)).next().to_bits()
}
