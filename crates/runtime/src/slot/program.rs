//! A topology with its code.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_types::topology::{Checked, Execution};
use tokio::sync::watch;

use super::life::SpoutLife;
use crate::api::{AsyncBolt, Bolt, DynAsyncBolt, Spout, SpoutWaker, TaskInfo};
use crate::lane::{
    AsyncFactory, BoltFactory, CustomGrouping, MakeSpout, Owner, SpoutCell, SpoutParts, SpoutTask, ThreadedSpout,
};
use crate::metrics::{NodeMetrics, UserMetrics};
use crate::tap::Tap;

/// Makes a custom grouping, for each sending lane.
pub type GroupingFactory = Arc<dyn Fn() -> Box<dyn CustomGrouping> + Send + Sync>;

/// What a spout's cell is made with, whatever its id type.
pub(crate) struct CellParts {
    pub info: TaskInfo,
    pub index: u16,
    pub tracking: Option<(u64, usize)>,
    pub waker: SpoutWaker,
    pub metrics: Arc<NodeMetrics>,
    pub user_metrics: UserMetrics,
    pub tap: Option<Arc<dyn Tap>>,
    pub pace_ns: u64,
    pub life: SpoutLife,
    /// For a thread of its own to hold until it ends.
    pub running: watch::Receiver<()>,
}

type CellFactory = Arc<dyn Fn(CellParts, bool) -> Box<dyn SpoutCell> + Send + Sync>;

/// The code of a component.
#[derive(Clone)]
pub struct Code(pub(crate) CodeKind);

#[derive(Clone)]
pub(crate) enum CodeKind {
    Spout(CellFactory),
    Bolt(BoltFactory),
    Async(AsyncFactory),
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            CodeKind::Spout(_) => "Spout",
            CodeKind::Bolt(_) => "Bolt",
            CodeKind::Async(_) => "AsyncBolt",
        })
    }
}

impl Code {
    /// A spout, made anew for each task and each start.
    pub fn spout<S: Spout>(make: impl Fn() -> S + Send + Sync + 'static) -> Self {
        let make: MakeSpout<S> = Arc::new(make);
        Self(CodeKind::Spout(Arc::new(move |parts, own_thread| {
            if own_thread {
                let user = make.clone();
                let CellParts { metrics, index, running, .. } = &parts;
                let owner = Owner { metrics: metrics.clone(), index: *index, running: running.clone() };
                let make: MakeSpout<ThreadedSpout<S>> =
                    Arc::new(move || ThreadedSpout::new(user.clone(), owner.clone()));
                Box::new(SpoutTask::new(with(parts, make)))
            } else {
                Box::new(SpoutTask::new(with(parts, make.clone())))
            }
        })))
    }

    /// A bolt that computes or blocks, made anew for each task and each start.
    pub fn bolt<B: Bolt>(make: impl Fn() -> B + Send + Sync + 'static) -> Self {
        Self(CodeKind::Bolt(Arc::new(move || Box::new(make()))))
    }

    /// A boxed bolt, made anew for each task and each start.
    pub fn boxed_bolt(make: impl Fn() -> Box<dyn Bolt> + Send + Sync + 'static) -> Self {
        Self(CodeKind::Bolt(Arc::new(make)))
    }

    /// A bolt that awaits, made anew for each task and each start.
    pub fn async_bolt<B: AsyncBolt>(make: impl Fn() -> B + Send + Sync + 'static) -> Self {
        Self(CodeKind::Async(Arc::new(move || Box::new(make()) as Box<dyn DynAsyncBolt>)))
    }
}

fn with<S: Spout>(parts: CellParts, make: MakeSpout<S>) -> SpoutParts<S> {
    let CellParts { info, index, tracking, waker, metrics, user_metrics, tap, pace_ns, life, running: _ } = parts;
    SpoutParts { info, index, make, tracking, waker, metrics, user_metrics, tap, pace_ns, life }
}

/// A checked topology with the code of each component.
#[derive(Clone)]
pub struct Program {
    pub(crate) topology: Arc<Checked>,
    pub(crate) codes: Vec<Code>,
    pub(crate) groupings: BTreeMap<Arc<str>, GroupingFactory>,
}

impl Program {
    /// A program. `codes` are in the order of the topology's components; `groupings` are the custom ones, by name.
    ///
    /// # Panics
    /// There are fewer or more codes than components, or a code is of another kind than its component: whoever builds both
    /// keeps them alike.
    pub fn new(topology: Checked, codes: Vec<Code>, groupings: BTreeMap<Arc<str>, GroupingFactory>) -> Self {
        assert_eq!(topology.components().len(), codes.len(), "every component has its code");
        for (component, code) in topology.components().iter().zip(&codes) {
            let is_async = matches!(component.execution, Execution::Async { .. });
            assert_eq!(matches!(code.0, CodeKind::Async(_)), is_async, "{} has code of its kind", component.id);
        }
        Self { topology: Arc::new(topology), codes, groupings }
    }

    /// The topology.
    pub fn topology(&self) -> &Checked {
        &self.topology
    }
}
