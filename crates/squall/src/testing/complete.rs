//! Running a topology to its end.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use squall_engine::ledger::{FailureKind, Outcome};
use squall_runtime::metrics::Snapshot;
use squall_runtime::{Books, Code, Options, Program, Slot};
use squall_types::topology::{Component, Delivery, Kind};
use squall_types::{ComponentId, FromTuple, StreamId, Timestamp};

use super::error::CompleteError;
use super::mock::{Mock, MockRow, Shared};
use super::rows::{Capture, Rows};
use super::{EPOCH, Faults, simulate};
use crate::TopologyBuilder;

/// How a topology is completed.
#[derive(Clone, Debug)]
pub struct CompleteOptions {
    mocks: Vec<(ComponentId, Mock)>,
    faults: Faults,
    seed: u64,
    epoch: Timestamp,
    linger: Duration,
    limit: Duration,
}

impl Default for CompleteOptions {
    fn default() -> Self {
        Self {
            mocks: Vec::new(),
            faults: Faults::default(),
            seed: 0,
            epoch: EPOCH,
            linger: Duration::ZERO,
            limit: Duration::from_secs(24 * 3_600),
        }
    }
}

impl CompleteOptions {
    /// Every spout as it is, no faults, seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts given rows in the place of a spout.
    #[must_use]
    pub fn mock(mut self, spout: &str, rows: impl Into<Mock>) -> Self {
        self.mocks.push((spout.into(), rows.into()));
        self
    }

    /// Injects faults.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// What edge ids and hash maps are seeded with. The same seed gives the same rows in the same order.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What the clock shows at the start; [`EPOCH`] unless set.
    #[must_use]
    pub fn epoch(mut self, epoch: Timestamp) -> Self {
        self.epoch = epoch;
        self
    }

    /// How long, in simulated time, the topology goes on once all is done: for bolts that emit on a tick.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// The most simulated time that it may take; a day unless set.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

/// How a root ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Everything made of it was acked.
    Acked,
    /// It failed, and wasn't emitted again.
    Failed(FailureKind),
    /// The topology is at most once: nobody knows.
    Untracked,
}

/// A root and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The mock row, from 0; `None` for a spout that wasn't mocked.
    pub row: Option<usize>,
    /// How it ended.
    pub fate: Fate,
    /// How often it was emitted; more than once only with [`Mock::replay`].
    pub attempts: u32,
}

/// A topology that has run to its end, and all that it did.
#[derive(Clone, Debug)]
pub struct Completed {
    rows: BTreeMap<(ComponentId, StreamId), Rows>,
    roots: BTreeMap<ComponentId, Vec<Root>>,
    metrics: Snapshot,
    books: Books,
    elapsed: Duration,
}

impl Completed {
    /// What a component emitted on a stream, in order.
    ///
    /// # Panics
    /// There is no such component, or it declares no such stream.
    #[track_caller]
    pub fn rows(&self, component: &str, stream: &str) -> &Rows {
        self.rows.get(&(component.into(), stream.into())).unwrap_or_else(|| {
            let known: Vec<_> = self.rows.keys().map(|(component, stream)| format!("{component}/{stream}")).collect();
            panic!("nothing is called {component}/{stream}; there are {}", known.join(", "))
        })
    }

    /// What a component emitted on its default stream, as structs that derive `Tuple`.
    ///
    /// # Panics
    /// There is no such component, it declares no default stream, or its rows aren't those.
    #[track_caller]
    pub fn read<'a, T: FromTuple<'a>>(&'a self, component: &str) -> Vec<T> {
        self.rows(component, StreamId::default_stream().as_str()).read()
    }

    /// What every stream got, in the order of the names.
    pub fn streams(&self) -> impl Iterator<Item = (&ComponentId, &StreamId, &Rows)> {
        self.rows.iter().map(|((component, stream), rows)| (component, stream, rows))
    }

    /// The roots of a spout: in the order of a mock's rows, else of their emission, task by task. A spout that wasn't mocked
    /// has none in an at-most-once topology.
    ///
    /// # Panics
    /// There is no such spout.
    #[track_caller]
    pub fn roots(&self, spout: &str) -> &[Root] {
        self.roots.get(&ComponentId::from(spout)).unwrap_or_else(|| {
            let known: Vec<_> = self.roots.keys().map(ComponentId::as_str).collect();
            panic!("no spout is called {spout}; there are {}", known.join(", "))
        })
    }

    /// All components' figures at the end.
    pub fn metrics(&self) -> &Snapshot {
        &self.metrics
    }

    /// What became of the tracked roots, over all spouts. Each emission of a replayed row counts.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// How much simulated time it took.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Asserts that every root of every spout was acked in the end.
    ///
    /// # Panics
    /// One wasn't; the message names it.
    #[track_caller]
    pub fn assert_all_acked(&self) {
        for (spout, roots) in &self.roots {
            if let Some(root) = roots.iter().find(|root| root.fate != Fate::Acked) {
                panic!("a root of {spout} wasn't acked: {root:?}");
            }
        }
    }
}

/// Runs a topology under simulated time until every spout is done and every tracked root has been acked or has failed.
///
/// Spouts that aren't mocked must be finite. See the [module's guide](crate::testing).
///
/// # Errors
/// The topology is wrong, a mock doesn't fit it, a component can't be prepared, or the limit of simulated time has passed.
pub fn complete_topology(mut builder: TopologyBuilder, options: CompleteOptions) -> Result<Completed, CompleteError> {
    let mocks = put_mocks(&mut builder, &options)?;
    options.faults.inject(&mut builder, true)?;
    let program = builder.build()?;
    let capture = Arc::new(Capture::new(options.epoch));
    let slot_options = Options {
        one_thread: true,
        seed: Some(options.seed),
        epoch: Some(options.epoch),
        tap: Some(capture.clone()),
        ..Options::default()
    };
    let (metrics, books, elapsed) = simulate(|| run(&program, &slot_options, &options))?;
    let seen = capture.take();
    let mut rows = Capture::by_stream(seen.rows);
    let mut roots = BTreeMap::new();
    for (index, component) in program.topology().components().iter().enumerate() {
        for stream in &component.streams {
            rows.entry((component.id.clone(), stream.id.clone())).or_default();
        }
        if component.kind == Kind::Spout {
            let of_spout = match mocks.get(&component.id) {
                Some(mock) => mock.roots(),
                None => {
                    let tasks = program.topology().tasks_of(index);
                    tasks.iter().filter_map(|task| seen.settled.get(&task)).flat_map(|task| as_roots(task)).collect()
                }
            };
            roots.insert(component.id.clone(), of_spout);
        }
    }
    Ok(Completed { rows, roots, metrics, books, elapsed })
}

/// A task's roots in the order in which they were emitted; those emitted together, in that in which they ended.
fn as_roots(settled: &[(u64, Outcome)]) -> Vec<Root> {
    let mut settled = settled.to_vec();
    settled.sort_by_key(|(emitted_ns, _)| *emitted_ns);
    let fate = |outcome| match outcome {
        Outcome::Acked => Fate::Acked,
        Outcome::Failed(kind) => Fate::Failed(kind),
    };
    settled.into_iter().map(|(_, outcome)| Root { row: None, fate: fate(outcome), attempts: 1 }).collect()
}

fn put_mocks(
    builder: &mut TopologyBuilder,
    options: &CompleteOptions,
) -> Result<BTreeMap<ComponentId, Shared>, CompleteError> {
    let tracked = builder.topology().delivery == Delivery::AtLeastOnce;
    let mut mocks = BTreeMap::new();
    for (spout, mock) in &options.mocks {
        let (component, code) = builder.code_mut(spout)?;
        if component.kind != Kind::Spout {
            return Err(CompleteError::NotASpout { component: spout.clone() });
        }
        check(component, mock)?;
        let shared = Shared::new(mock.clone(), tracked);
        mocks.insert(spout.clone(), shared.clone());
        *code = Code::spout(move || shared.spout());
    }
    Ok(mocks)
}

/// Rows that don't fit would be refused one by one, again and again.
fn check(spout: &Component, mock: &Mock) -> Result<(), CompleteError> {
    for (row, MockRow { stream, to, values }) in mock.rows.iter().enumerate() {
        let declared = spout.streams.iter().find(|declared| declared.id == *stream);
        let component = || spout.id.clone();
        let Some(declared) = declared else {
            let known = spout.streams.iter().map(|stream| stream.id.as_str()).collect::<Vec<_>>().join(", ");
            return Err(CompleteError::MockStream { component: component(), row, stream: stream.clone(), known });
        };
        if declared.direct != to.is_some() {
            let (stream, direct) = (stream.clone(), declared.direct);
            return Err(CompleteError::MockDirect { component: component(), row, stream, direct });
        }
        if declared.fields.len() != values.len() {
            let fields = declared.fields.iter().collect::<Vec<_>>().join(", ");
            let (stream, values) = (stream.clone(), values.len());
            return Err(CompleteError::MockRow { component: component(), row, stream, values, fields });
        }
    }
    Ok(())
}

async fn run(
    program: &Program,
    slot_options: &Options,
    options: &CompleteOptions,
) -> Result<(Snapshot, Books, Duration), CompleteError> {
    let slot = Slot::start(program, slot_options).await?;
    let killing = async {
        options.faults.kill_tasks(&slot).await;
        pending::<()>().await;
    };
    let ending = async {
        slot.ended().await;
        if !options.linger.is_zero() {
            tokio::time::sleep(options.linger).await;
            slot.ended().await;
        }
    };
    let all = async {
        tokio::select! {
            biased;
            () = killing => {}
            () = ending => {}
        }
    };
    let in_time = tokio::time::timeout(options.limit, all).await.is_ok();
    let elapsed = Duration::from_nanos(slot.clock().now_ns());
    let monitor = slot.monitor();
    if !in_time {
        let books = slot.kill().await;
        return Err(CompleteError::Unfinished { limit: options.limit, pending: books.left });
    }
    let books = slot.drain(Duration::from_secs(1)).await;
    Ok((monitor.snapshot(), books, elapsed))
}
