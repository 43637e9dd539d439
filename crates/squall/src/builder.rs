//! Declaring a topology.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[cfg(unix)]
use squall_runtime::host::Misfit;
use squall_runtime::{AsyncBolt, Bolt, Code, CustomGrouping, Declarer, GroupingFactory, Program, Spout};
use squall_types::topology::{
    Component, Delivery, Execution, Fields, Grouping, Input, Invalid, Kind, NoSuchComponent, StreamDecl, Topology,
};
use squall_types::{ComponentId, StreamId};

/// A stream to subscribe to: a component's default stream, or one by name.
#[derive(Clone, Debug)]
pub struct Subscription {
    from: ComponentId,
    stream: StreamId,
}

impl From<&str> for Subscription {
    fn from(component: &str) -> Self {
        Self { from: component.into(), stream: StreamId::default_stream() }
    }
}

impl From<(&str, &str)> for Subscription {
    fn from((component, stream): (&str, &str)) -> Self {
        Self { from: component.into(), stream: stream.into() }
    }
}

type Groupings = BTreeMap<Arc<str>, GroupingFactory>;

/// Declares a topology: components, their parallelism, and who takes which stream.
///
/// Each component is given by a function that makes it; it is called once when the component is declared, for its streams, and
/// then for each task and each start of one.
pub struct TopologyBuilder {
    topology: Topology,
    codes: Vec<Code>,
    groupings: Groupings,
}

impl TopologyBuilder {
    /// A topology with this name, at least once, and nothing in it.
    pub fn new(name: &str) -> Self {
        Self { topology: Topology::new(name), codes: Vec::new(), groupings: Groupings::new() }
    }

    /// What the topology promises for each spout tuple.
    pub fn delivery(&mut self, delivery: Delivery) -> &mut Self {
        self.topology.delivery = delivery;
        self
    }

    /// How long a root may stay pending before it fails as timed out. 30 s unless set.
    pub fn message_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.topology.message_timeout = timeout;
        self
    }

    /// The most roots that a spout task may have pending. 65,536 unless set.
    pub fn max_spout_pending(&mut self, roots: u32) -> &mut Self {
        self.topology.max_spout_pending = roots;
        self
    }

    /// Key groups that keys are hashed into, fixed for the topology's life. 1,024 unless set.
    pub fn key_groups(&mut self, groups: u16) -> &mut Self {
        self.topology.key_groups = groups;
        self
    }

    /// A setting for all components.
    pub fn config(&mut self, key: &str, value: impl Into<serde_json::Value>) -> &mut Self {
        self.topology.config.insert(key.to_owned(), value.into());
        self
    }

    /// Adds a spout.
    pub fn spout<S: Spout>(&mut self, id: &str, make: impl Fn() -> S + Send + Sync + 'static) -> SpoutDeclarer<'_> {
        let mut streams = Declarer::new();
        make().declare(&mut streams);
        SpoutDeclarer { component: self.add(id, Kind::Spout, streams.into_streams(), Code::spout(make)) }
    }

    /// Adds a bolt that computes, or blocks if it is declared as [`blocking`](BoltDeclarer::blocking).
    pub fn bolt<B: Bolt>(&mut self, id: &str, make: impl Fn() -> B + Send + Sync + 'static) -> BoltDeclarer<'_> {
        let mut streams = Declarer::new();
        make().declare(&mut streams);
        self.add(id, Kind::Bolt, streams.into_streams(), Code::bolt(make));
        self.last()
    }

    /// Adds a bolt that awaits, with at most 1,000 tuples in flight in each executor, in any order.
    pub fn async_bolt<B: AsyncBolt>(
        &mut self,
        id: &str,
        make: impl Fn() -> B + Send + Sync + 'static,
    ) -> AsyncBoltDeclarer<'_> {
        let mut streams = Declarer::new();
        make().declare(&mut streams);
        let component = self.add(id, Kind::Bolt, streams.into_streams(), Code::async_bolt(make));
        component.execution = Execution::Async { in_flight: 1_000, ordered: false };
        AsyncBoltDeclarer { bolt: self.last() }
    }

    fn add(&mut self, id: &str, kind: Kind, streams: Vec<StreamDecl>, code: Code) -> &mut Component {
        let mut component = Component::new(id.into(), kind);
        component.streams = streams;
        self.codes.push(code);
        self.topology.components.push(component);
        self.topology.components.last_mut().expect("one was pushed")
    }

    fn last(&mut self) -> BoltDeclarer<'_> {
        let component = self.topology.components.last_mut().expect("one was pushed");
        BoltDeclarer { component, groupings: &mut self.groupings }
    }

    /// The topology as declared so far, unchecked.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Changes a component's parallelism, and its tasks if there was one for each executor.
    ///
    /// # Errors
    /// There is no such component.
    pub fn set_parallelism(&mut self, component: &str, executors: u32) -> Result<(), NoSuchComponent> {
        self.topology.set_parallelism(&component.into(), executors)
    }

    /// Changes a component's tasks.
    ///
    /// # Errors
    /// There is no such component.
    pub fn set_tasks(&mut self, component: &str, tasks: u32) -> Result<(), NoSuchComponent> {
        self.topology.set_tasks(&component.into(), tasks)
    }

    /// Changes a setting of a component, or of all.
    ///
    /// # Errors
    /// There is no such component.
    pub fn set_config(
        &mut self,
        component: Option<&str>,
        key: &str,
        value: serde_json::Value,
    ) -> Result<(), NoSuchComponent> {
        self.topology.set_config(component.map(ComponentId::from).as_ref(), key, value)
    }

    /// A component's code, to put other code in its place.
    pub(crate) fn code_mut(&mut self, component: &ComponentId) -> Result<(&Component, &mut Code), NoSuchComponent> {
        let index = self.topology.index_of(component)?;
        Ok((&self.topology.components[index], &mut self.codes[index]))
    }

    /// The program of a topology that was described by this one, perhaps with other settings and numbers of executors: it runs this code.
    ///
    /// # Errors
    /// It has other components, or can't be run.
    #[cfg(unix)]
    pub(crate) fn described(mut self, topology: Topology) -> Result<Program, Misfit> {
        let own = &self.topology.components;
        if let Some((own, other)) = own.iter().zip(&topology.components).find(|(own, other)| !is_same_code(own, other))
        {
            return Err(Misfit(format!("the program has {:?} where the topology has {:?}", own.id, other.id)));
        }
        if own.len() != topology.components.len() {
            let (own, other) = (own.len(), topology.components.len());
            return Err(Misfit(format!("the program has {own} components, and the topology {other}")));
        }
        self.topology = topology;
        self.build().map_err(|invalid| Misfit(invalid.to_string()))
    }

    /// Checks the topology. What it gives can be run.
    ///
    /// # Errors
    /// All that is wrong with the topology, at once.
    pub fn build(self) -> Result<Program, Invalid> {
        Ok(Program::new(self.topology.validate()?, self.codes, self.groupings))
    }
}

/// Whether the code of one component can run the other.
#[cfg(unix)]
fn is_same_code(own: &Component, other: &Component) -> bool {
    let is_async = |it: &Component| matches!(it.execution, Execution::Async { .. });
    (&own.id, own.kind, is_async(own), &own.streams) == (&other.id, other.kind, is_async(other), &other.streams)
}

macro_rules! component_settings {
    ($($to:tt)+) => {
        /// How many executors run it: how many of its tasks can run at a time. 1 unless set.
        pub fn parallelism(self, executors: u32) -> Self {
            let component = &mut *self.$($to)+;
            if component.tasks == component.parallelism {
                component.tasks = executors;
            }
            component.parallelism = executors;
            self
        }

        /// How many instances there are; as many as executors unless set.
        pub fn tasks(self, tasks: u32) -> Self {
            self.$($to)+.tasks = tasks;
            self
        }

        /// A setting of its own.
        pub fn config(self, key: &str, value: impl Into<serde_json::Value>) -> Self {
            self.$($to)+.config.insert(key.to_owned(), value.into());
            self
        }

        /// What each executor needs, for placement: hundredths of a core, and mebibytes.
        pub fn resources(self, cpu_percent: u32, memory_mib: u32) -> Self {
            self.$($to)+.resources = squall_types::topology::Resources { cpu_percent, memory_mib };
            self
        }

        /// What a worker must be tagged with to run it.
        pub fn tag(self, tag: &str) -> Self {
            self.$($to)+.tags.push(tag.to_owned());
            self
        }
    };
}

macro_rules! bolt_settings {
    ($($to:tt)+) => {
        component_settings!($($to)+);

        /// How often each of its tasks is given a tick.
        pub fn tick(self, every: Duration) -> Self {
            self.$($to)+.tick = Some(every);
            self
        }

        /// Takes a stream evenly, by load.
        pub fn shuffle(self, stream: impl Into<Subscription>) -> Self {
            self.subscribe(stream, Grouping::Shuffle)
        }

        /// Takes a stream by key: rows with equal values in these fields come to the same task.
        pub fn fields<N: AsRef<str>>(self, stream: impl Into<Subscription>, key: impl IntoIterator<Item = N>) -> Self {
            self.subscribe(stream, Grouping::Fields(Fields::new(key)))
        }

        /// Takes a stream by key, each key in the less used of two tasks.
        pub fn partial_key<N: AsRef<str>>(
            self,
            stream: impl Into<Subscription>,
            key: impl IntoIterator<Item = N>,
        ) -> Self {
            self.subscribe(stream, Grouping::PartialKey(Fields::new(key)))
        }

        /// Takes a stream whole, in every task.
        pub fn all(self, stream: impl Into<Subscription>) -> Self {
            self.subscribe(stream, Grouping::All)
        }

        /// Takes a stream in the task with the lowest id.
        pub fn global(self, stream: impl Into<Subscription>) -> Self {
            self.subscribe(stream, Grouping::Global)
        }

        /// Takes a stream in whatever way is best; today as `shuffle`.
        pub fn none(self, stream: impl Into<Subscription>) -> Self {
            self.subscribe(stream, Grouping::None)
        }

        /// Takes a direct stream: the emitter names the task.
        pub fn direct(self, stream: impl Into<Subscription>) -> Self {
            self.subscribe(stream, Grouping::Direct)
        }

        /// Takes a stream in the tasks of the same process, if there are any, else as `shuffle`.
        pub fn local_or_shuffle(self, stream: impl Into<Subscription>) -> Self {
            self.subscribe(stream, Grouping::LocalOrShuffle)
        }

        /// Switches chaining off for the input declared last: its batches always go through a queue.
        pub fn unchained(self) -> Self {
            if let Some(input) = self.$($to)+.inputs.last_mut() {
                input.chain = false;
            }
            self
        }

        fn subscribe(self, stream: impl Into<Subscription>, grouping: Grouping) -> Self {
            let Subscription { from, stream } = stream.into();
            self.$($to)+.inputs.push(Input::new(from, stream, grouping));
            self
        }
    };
}

/// Goes on declaring a spout.
pub struct SpoutDeclarer<'a> {
    component: &'a mut Component,
}

impl SpoutDeclarer<'_> {
    component_settings!(component);

    /// Its `next` may block: each task gets a thread.
    pub fn blocking(self) -> Self {
        self.component.execution = Execution::Blocking;
        self
    }
}

/// Goes on declaring a bolt.
pub struct BoltDeclarer<'a> {
    component: &'a mut Component,
    groupings: &'a mut Groupings,
}

impl BoltDeclarer<'_> {
    bolt_settings!(component);

    /// Its `execute` may block: each executor gets a thread.
    pub fn blocking(self) -> Self {
        self.component.execution = Execution::Blocking;
        self
    }

    /// Takes a stream as code of the author's own says. `make` is called for each sender.
    pub fn custom<G: CustomGrouping + 'static>(
        self,
        stream: impl Into<Subscription>,
        make: impl Fn() -> G + Send + Sync + 'static,
    ) -> Self {
        let name: Arc<str> = format!("{}-{}", self.component.id, self.component.inputs.len()).into();
        self.groupings.insert(name.clone(), Arc::new(move || Box::new(make())));
        self.subscribe(stream, Grouping::Custom(name))
    }
}

/// Goes on declaring a bolt that awaits.
pub struct AsyncBoltDeclarer<'a> {
    bolt: BoltDeclarer<'a>,
}

impl AsyncBoltDeclarer<'_> {
    bolt_settings!(bolt.component);

    /// The most tuples in flight, in each executor. 1,000 unless set.
    pub fn in_flight(self, tuples: u32) -> Self {
        if let Execution::Async { in_flight, .. } = &mut self.bolt.component.execution {
            *in_flight = tuples;
        }
        self
    }

    /// What is emitted keeps the order of the inputs.
    pub fn ordered(self) -> Self {
        if let Execution::Async { ordered, .. } = &mut self.bolt.component.execution {
            *ordered = true;
        }
        self
    }

    /// Takes a stream as code of the author's own says. `make` is called for each sender.
    pub fn custom<G: CustomGrouping + 'static>(
        self,
        stream: impl Into<Subscription>,
        make: impl Fn() -> G + Send + Sync + 'static,
    ) -> Self {
        Self { bolt: self.bolt.custom(stream, make) }
    }
}
