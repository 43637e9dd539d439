//! What a component learns about itself and where it runs.

use std::sync::Arc;
use std::task::Wake;

use serde::Serialize;
use serde::de::DeserializeOwned;
use squall_engine::state::{StateError, StateHandle, StateKey, StateStore};
use squall_types::topology::{Config, Keying, StreamDecl};
use squall_types::{Code, ComponentId, TaskId, Timestamp};

use super::StreamHandle;
use crate::clock::Clock;
use crate::metrics::{Counter, Gauge, Histogram, UserMetrics};
use crate::token::Notify;

/// What is fixed for a task.
#[derive(Clone, Debug)]
pub struct TaskInfo {
    /// The component.
    pub component: ComponentId,
    /// The task.
    pub task: TaskId,
    /// The task's place among the component's tasks, from 0.
    pub index: usize,
    /// The component's tasks.
    pub tasks: usize,
    /// Every component of the topology with its tasks.
    pub directory: Arc<[(ComponentId, Box<[TaskId]>)]>,
    /// The component's settings over the topology's.
    pub config: Arc<Config>,
    /// What it emits.
    pub streams: Arc<[StreamDecl]>,
    /// Whether its inputs are keyed, so that it may keep keyed state.
    pub keying: Arc<Keying>,
    /// Whether the topology tracks roots, so that spouts hear of their rows' fate.
    pub tracked: bool,
}

/// Something asked of the context that it can't give.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The component declares no such stream.
    #[error("{component} declares no stream {stream:?}; it declares {declared}")]
    NoSuchStream {
        /// The component.
        component: ComponentId,
        /// The stream asked for.
        stream: String,
        /// What there is.
        declared: String,
    },
    /// A setting is missing.
    #[error("{component} has no setting {key:?}")]
    NoSuchSetting {
        /// The component.
        component: ComponentId,
        /// The setting.
        key: String,
    },
    /// A setting has another type than was asked for.
    #[error("setting {key:?} of {component} is not what it should be")]
    BadSetting {
        /// The component.
        component: ComponentId,
        /// The setting.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// An input isn't keyed alike.
    #[error("{component} can't keep keyed state {state:?}: {reason}")]
    NotKeyed {
        /// The component.
        component: ComponentId,
        /// The state asked for.
        state: String,
        /// Which input isn't keyed, and why that matters.
        reason: String,
    },
    /// The state can't be had.
    #[error("keyed state {state:?} of {component}")]
    State {
        /// The component.
        component: ComponentId,
        /// The state asked for.
        state: String,
        /// Why.
        #[source]
        source: StateError,
    },
}

impl ContextError {
    /// The error's stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::NoSuchStream { .. } => Code::new(2201),
            Self::NoSuchSetting { .. } => Code::new(2202),
            Self::BadSetting { .. } => Code::new(2203),
            Self::NotKeyed { .. } => Code::new(1101),
            Self::State { source, .. } => source.code(),
        }
    }
}

/// Writes to the process's log, with the component and the task in each line.
#[derive(Clone, Debug)]
pub struct Logger {
    component: ComponentId,
    task: TaskId,
}

macro_rules! levels {
    ($($level:ident),*) => {
        $(
            #[doc = concat!("Logs a message at level ", stringify!($level), ".")]
            pub fn $level(&self, message: &str) {
                tracing::$level!(component = %self.component, task = self.task.get(), "{message}");
            }
        )*
    };
}

impl Logger {
    levels!(error, warn, info, debug, trace);
}

macro_rules! common {
    () => {
        /// The component.
        pub fn component(&self) -> &ComponentId {
            &self.info.component
        }

        /// The task.
        pub fn task(&self) -> TaskId {
            self.info.task
        }

        /// The task's place among the component's tasks, from 0.
        pub fn task_index(&self) -> usize {
            self.info.index
        }

        /// How many tasks the component has.
        pub fn tasks(&self) -> usize {
            self.info.tasks
        }

        /// The tasks of a component of this topology, ascending; none if there is no such component. Receivers of a direct
        /// stream are named by them.
        pub fn tasks_of(&self, component: &str) -> &[TaskId] {
            let found = self.info.directory.iter().find(|(id, _)| id.as_str() == component);
            found.map_or(&[], |(_, tasks)| tasks)
        }

        /// Whether the topology tracks roots: at least once. Without, no spout hears of its rows' fate.
        pub fn is_tracked(&self) -> bool {
            self.info.tracked
        }

        /// The settings: the component's over the topology's.
        pub fn config(&self) -> &Config {
            &self.info.config
        }

        /// A setting, or `None` if there is none.
        ///
        /// # Errors
        /// The setting has another type.
        pub fn setting<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ContextError> {
            let Some(value) = self.info.config.get(key) else { return Ok(None) };
            serde_json::from_value(value.clone()).map(Some).map_err(|source| ContextError::BadSetting {
                component: self.info.component.clone(),
                key: key.to_owned(),
                source,
            })
        }

        /// A setting that there must be.
        ///
        /// # Errors
        /// There is no such setting, or it has another type.
        pub fn required_setting<T: DeserializeOwned>(&self, key: &str) -> Result<T, ContextError> {
            self.setting(key)?.ok_or_else(|| ContextError::NoSuchSetting {
                component: self.info.component.clone(),
                key: key.to_owned(),
            })
        }

        /// One of the component's declared streams, to emit on.
        ///
        /// # Errors
        /// The component declares no such stream.
        pub fn stream(&self, name: &str) -> Result<StreamHandle, ContextError> {
            let index = self.info.streams.iter().position(|stream| stream.id.as_str() == name);
            index.map(StreamHandle::new).ok_or_else(|| ContextError::NoSuchStream {
                component: self.info.component.clone(),
                stream: name.to_owned(),
                declared: self.info.streams.iter().map(|stream| stream.id.as_str()).collect::<Vec<_>>().join(", "),
            })
        }

        /// The time. Components take it from here, so that tests can simulate it.
        pub fn now(&self) -> Timestamp {
            self.clock.now()
        }

        /// A clock to keep, for the time later on.
        pub fn clock(&self) -> Clock {
            *self.clock
        }

        /// A counter of the component's own.
        pub fn counter(&self, name: &str) -> Counter {
            self.metrics.counter(name)
        }

        /// A gauge of the component's own.
        pub fn gauge(&self, name: &str) -> Gauge {
            self.metrics.gauge(name)
        }

        /// A histogram of the component's own.
        pub fn histogram(&self, name: &str) -> Histogram {
            self.metrics.histogram(name)
        }

        /// The component's log.
        pub fn logger(&self) -> Logger {
            Logger { component: self.info.component.clone(), task: self.info.task }
        }
    };
}

/// What a bolt is prepared with.
pub struct BoltContext<'a> {
    pub(crate) info: &'a TaskInfo,
    pub(crate) clock: &'a Clock,
    pub(crate) metrics: &'a UserMetrics,
    pub(crate) state: Option<&'a mut StateStore>,
}

impl BoltContext<'_> {
    common!();

    /// A typed map of keyed state, owned by the runtime: after a panic the task's new instance finds it as it was.
    ///
    /// # Errors
    /// An input isn't grouped by key like the others, the bolt is asynchronous, or the name is in use for other types.
    pub fn keyed_state<K: StateKey, V: Serialize + DeserializeOwned + Send + 'static>(
        &mut self,
        name: &str,
    ) -> Result<StateHandle<K, V>, ContextError> {
        let component = self.info.component.clone();
        let not_keyed =
            |reason| ContextError::NotKeyed { component: component.clone(), state: name.to_owned(), reason };
        if let Keying::No(reason) = &*self.info.keying {
            return Err(not_keyed(reason.to_string()));
        }
        let Some(store) = &mut self.state else {
            return Err(not_keyed("an asynchronous bolt works on several rows at a time".to_owned()));
        };
        let state = name.to_owned();
        store.register(name).map_err(|source| ContextError::State { component, state, source })
    }
}

/// What a spout is opened with.
pub struct SpoutContext<'a> {
    pub(crate) info: &'a TaskInfo,
    pub(crate) clock: &'a Clock,
    pub(crate) metrics: &'a UserMetrics,
    pub(crate) waker: &'a SpoutWaker,
}

impl SpoutContext<'_> {
    common!();

    /// Wakes this spout from [`Next::Wait`](super::Next::Wait), from any thread.
    pub fn waker(&self) -> SpoutWaker {
        self.waker.clone()
    }
}

/// Calls a waiting spout. A call that comes while the spout works is kept.
#[derive(Clone)]
pub struct SpoutWaker {
    pub(crate) called: Arc<std::sync::atomic::AtomicBool>,
    pub(crate) lane: Arc<dyn Notify>,
}

impl SpoutWaker {
    /// A waker for a task of this lane.
    pub(crate) fn new(lane: Arc<dyn Notify>) -> Self {
        Self { called: Arc::default(), lane }
    }

    /// There is something to emit.
    pub fn wake(&self) {
        self.called.store(true, std::sync::atomic::Ordering::Release);
        self.lane.notify();
    }

    pub(crate) fn take_call(&self) -> bool {
        self.called.swap(false, std::sync::atomic::Ordering::Acquire)
    }
}

impl Wake for SpoutWaker {
    fn wake(self: Arc<Self>) {
        Self::wake(&self);
    }
}

impl std::fmt::Debug for SpoutWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SpoutWaker")
    }
}
