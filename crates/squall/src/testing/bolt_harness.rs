//! One bolt alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use squall_engine::groups::KeyGroups;
use squall_engine::hash::key_hash;
use squall_engine::ledger::Outcome;
use squall_engine::state::StateKey;
use squall_runtime::harness::BoltDriver;
use squall_runtime::metrics::UserSnapshot;
use squall_runtime::{Bolt, Declarer, Failure, TaskInfo};
use squall_types::topology::{Config, Fields, Keying, NotKeyed, Subscription};
use squall_types::{ComponentId, FromTuple, IntoRow, KeyGroup, Schema, StreamId, TaskId, Timestamp, Value};

use super::EPOCH;
use super::rows::{Capture, Rows, values};
use super::time::StoppedTime;

/// Key groups, as a topology has them unless it says otherwise.
const GROUPS: u16 = 1_024;
/// The bolt's task; 1 is the one that its rows come from.
const TASK: TaskId = TaskId::new(2);

/// What became of a row that a bolt was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowFate {
    /// It was acked, and so was everything the bolt held for it.
    Acked,
    /// It failed; with what was said, if anything.
    Failed(Option<String>),
    /// The bolt keeps it.
    Kept,
}

/// A row's number, to ask for its fate later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowNumber(u64);

/// What a bolt did with a row.
#[derive(Clone, Debug)]
pub struct Executed {
    /// The row.
    pub number: RowNumber,
    /// What the bolt emitted.
    pub rows: Rows,
    /// What became of the row so far.
    pub fate: RowFate,
}

impl Executed {
    /// What the bolt emitted on its only stream, as structs that derive `Tuple`.
    ///
    /// # Panics
    /// A row isn't one of those.
    #[track_caller]
    pub fn read<'a, T: FromTuple<'a>>(&'a self) -> Vec<T> {
        self.rows.read()
    }
}

/// What a bolt did at a tick or a watermark.
#[derive(Clone, Debug)]
pub struct Reacted {
    /// What the bolt emitted.
    pub rows: Rows,
    /// What it said, if it failed or panicked.
    pub failure: Option<String>,
}

struct InputStream {
    schema: Arc<Schema>,
    key: Vec<u16>,
}

/// A bolt alone: given rows, ticks, watermarks and time one by one, on the code that runs it in a topology.
///
/// It is prepared at the first call, or by [`prepare`](Self::prepare) where that is what is tested. What is set, is set before.
///
/// ```
/// use squall::testing::{BoltHarness, RowFate};
/// use squall::{Bolt, Collector, Declarer, Result, Tuple};
///
/// struct Double;
///
/// impl Bolt for Double {
///     fn declare(&self, streams: &mut Declarer) {
///         streams.stream("default", ["n"]);
///     }
///
///     fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Collector<'_>) -> Result {
///         let n: i64 = tuple.get(0)?;
///         out.emit((n.checked_mul(2).ok_or("too large")?,));
///         Ok(())
///     }
/// }
///
/// let mut bolt = BoltHarness::new(|| Double).input(["n"]);
/// let done = bolt.execute((21,));
/// assert_eq!(done.rows[0].values(), [42.into()]);
/// assert_eq!(done.fate, RowFate::Acked);
/// assert_eq!(bolt.execute((i64::MAX,)).fate, RowFate::Failed(Some("too large".to_owned())));
/// ```
pub struct BoltHarness {
    make: Arc<dyn Fn() -> Box<dyn Bolt> + Send + Sync>,
    inputs: Vec<InputStream>,
    config: Config,
    capture: Arc<Capture>,
    time: StoppedTime,
    running: Option<BoltDriver>,
    fates: BTreeMap<u64, RowFate>,
}

impl BoltHarness {
    /// A bolt that `make` makes, and makes again after a panic. It needs an [`input`](Self::input).
    pub fn new<B: Bolt>(make: impl Fn() -> B + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(move || Box::new(make())),
            inputs: Vec::new(),
            config: Config::new(),
            capture: Arc::new(Capture::new(EPOCH)),
            time: StoppedTime::new(EPOCH),
            running: None,
            fates: BTreeMap::new(),
        }
    }

    /// Takes a stream with these fields, as the default stream of a component called `input`.
    #[must_use]
    pub fn input<N: AsRef<str>>(self, fields: impl IntoIterator<Item = N>) -> Self {
        self.input_from("input", StreamId::default_stream().as_str(), fields)
    }

    /// Takes a stream of a component, with these fields.
    #[must_use]
    pub fn input_from<N: AsRef<str>>(
        mut self,
        component: &str,
        stream: &str,
        fields: impl IntoIterator<Item = N>,
    ) -> Self {
        let schema = Schema::new(component.into(), stream.into(), Fields::new(fields));
        self.inputs.push(InputStream { schema: Arc::new(schema), key: Vec::new() });
        self
    }

    /// Keys the input added last by these fields, as a fields grouping does, so that the bolt can keep keyed state.
    ///
    /// # Panics
    /// There is no input, or it has no such field.
    #[must_use]
    #[track_caller]
    pub fn keyed<N: AsRef<str>>(mut self, key: impl IntoIterator<Item = N>) -> Self {
        let input = self.inputs.last_mut().expect("an input is added before it is keyed");
        let position = |name: N| {
            let position = input.schema.fields().position(name.as_ref());
            let position = position.unwrap_or_else(|| panic!("the input has no field {:?}", name.as_ref()));
            u16::try_from(position).expect("fields fit u16")
        };
        input.key = key.into_iter().map(position).collect();
        self
    }

    /// A setting, as the topology would give it.
    #[must_use]
    pub fn config(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.config.insert(key.to_owned(), value.into());
        self
    }

    fn keying(&self, bolt: &ComponentId) -> Keying {
        let unkeyed = self.inputs.iter().find(|input| input.key.is_empty());
        match (unkeyed, self.inputs.first()) {
            (None, Some(first)) => Keying::Keyed { fields: first.key.len() },
            (Some(InputStream { schema, .. }), _) => {
                let (from, stream) = (schema.component().clone(), schema.stream().clone());
                let at = Subscription { component: bolt.clone(), from, stream };
                Keying::No(NotKeyed::NoKey { at, grouping: "shuffle" })
            }
            (None, None) => Keying::No(NotKeyed::Spout { component: bolt.clone() }),
        }
    }

    fn info(&self) -> TaskInfo {
        let mut streams = Declarer::new();
        (self.make)().declare(&mut streams);
        let component = ComponentId::from("bolt");
        let keying = self.keying(&component);
        TaskInfo {
            directory: [].into(),
            keying: Arc::new(keying),
            component,
            task: TASK,
            index: 0,
            tasks: 1,
            config: Arc::new(self.config.clone()),
            streams: streams.into_streams().into(),
            tracked: true,
        }
    }

    /// Prepares the bolt.
    ///
    /// # Errors
    /// What its `prepare` said.
    pub fn prepare(&mut self) -> Result<(), Failure> {
        let schemas = self.inputs.iter().map(|input| input.schema.clone()).collect();
        let make = self.make.clone();
        let (clock, tap) = (self.time.clock, self.capture.clone());
        let mut driver = BoltDriver::new(move || make(), self.info(), schemas, (GROUPS, 0), clock, tap);
        self.time.inside(|| driver.prepare())?;
        self.running = Some(driver);
        Ok(())
    }

    #[track_caller]
    fn drive<T>(&mut self, work: impl FnOnce(&mut BoltDriver) -> T) -> T {
        if self.running.is_none()
            && let Err(failure) = self.prepare()
        {
            panic!("the bolt can't be prepared: {failure:?}");
        }
        let driver = self.running.as_mut().expect("it was just prepared");
        self.time.inside(|| work(driver))
    }

    /// Gives the bolt a row of its first input.
    ///
    /// # Panics
    /// The row doesn't fit the input, there is none, or the bolt can't be prepared.
    #[track_caller]
    pub fn execute(&mut self, row: impl IntoRow) -> Executed {
        self.give(0, values(row))
    }

    /// Gives the bolt a row of the input from this component and stream.
    ///
    /// # Panics
    /// There is no such input, the row doesn't fit it, or the bolt can't be prepared.
    #[track_caller]
    pub fn execute_from(&mut self, component: &str, stream: &str, row: impl IntoRow) -> Executed {
        let is = |schema: &Schema| schema.component().as_str() == component && schema.stream().as_str() == stream;
        let input = self.inputs.iter().position(|input| is(&input.schema));
        self.give(input.unwrap_or_else(|| panic!("there is no input from {component}/{stream}")), values(row))
    }

    #[track_caller]
    fn give(&mut self, input: usize, values: Vec<Value>) -> Executed {
        let Some(stream) = self.inputs.get(input) else { panic!("the bolt has no input: add one with `input`") };
        let fields = stream.schema.fields();
        assert_eq!(
            values.len(),
            fields.len(),
            "the input's fields are {}",
            fields.iter().collect::<Vec<_>>().join(", ")
        );
        let group = if stream.key.is_empty() {
            KeyGroup::NONE
        } else {
            KeyGroups::new(GROUPS, 1).group_of(key_hash(&values, &stream.key))
        };
        let before = self.errors();
        let number = RowNumber(self.drive(|bolt| bolt.execute(input, group, values)));
        self.take_fates(before);
        Executed { number, rows: self.capture.take().rows, fate: self.fate(number) }
    }

    /// Calls that failed so far.
    fn errors(&self) -> u64 {
        self.running.as_ref().map_or(0, |bolt| bolt.metrics().errors.failures + bolt.metrics().errors.panics)
    }

    /// What the last call said if it failed, given the failures before it.
    fn said_since(&self, before: u64) -> Option<String> {
        let last = self.running.as_ref().and_then(|bolt| bolt.metrics().errors.last);
        last.filter(|_| self.errors() > before)
    }

    fn take_fates(&mut self, errors_before: u64) {
        let said = self.said_since(errors_before);
        for (row, outcome) in self.running.iter_mut().flat_map(BoltDriver::take_settled) {
            let fate = match outcome {
                Outcome::Acked => RowFate::Acked,
                Outcome::Failed(_) => RowFate::Failed(said.clone()),
            };
            self.fates.insert(row, fate);
        }
    }

    /// What became of a row so far: tokens that came back since are taken into account.
    pub fn fate(&mut self, row: RowNumber) -> RowFate {
        let errors = self.errors();
        self.drive(BoltDriver::settle);
        self.take_fates(errors);
        self.fates.get(&row.0).cloned().unwrap_or(RowFate::Kept)
    }

    #[track_caller]
    fn react(&mut self, call: impl FnOnce(&mut BoltDriver)) -> Reacted {
        let before = self.errors();
        self.drive(call);
        self.take_fates(self.errors());
        Reacted { rows: self.capture.take().rows, failure: self.said_since(before) }
    }

    /// Gives the bolt a tick.
    ///
    /// # Panics
    /// The bolt can't be prepared.
    #[track_caller]
    pub fn tick(&mut self) -> Reacted {
        self.react(BoltDriver::tick)
    }

    /// Tells the bolt that the watermark has risen; [`Timestamp::MAX`] ends the input.
    ///
    /// # Panics
    /// The bolt can't be prepared.
    #[track_caller]
    pub fn watermark(&mut self, to: Timestamp) -> Reacted {
        self.react(|bolt| bolt.watermark(to))
    }

    /// Stops the bolt as if it had panicked between two rows, and starts it anew: what it kept fails, keyed state stays.
    ///
    /// # Panics
    /// The bolt can't be prepared.
    #[track_caller]
    pub fn kill(&mut self) -> Reacted {
        self.react(BoltDriver::kill)
    }

    /// Ends the bolt in an orderly way.
    ///
    /// # Panics
    /// The bolt can't be prepared.
    #[track_caller]
    pub fn cleanup(&mut self) {
        self.drive(BoltDriver::cleanup);
    }

    /// Moves the clock. It doesn't move by itself.
    pub fn advance(&mut self, by: Duration) {
        self.time.advance(by);
    }

    /// The time that the bolt sees.
    pub fn now(&self) -> Timestamp {
        self.time.inside(|| self.time.clock.now())
    }

    /// All entries of the bolt's keyed state of this name.
    ///
    /// # Panics
    /// The state has other types, or the bolt can't be prepared.
    #[track_caller]
    pub fn state<K: StateKey + Ord, V: serde::Serialize + serde::de::DeserializeOwned + Clone + Send + 'static>(
        &mut self,
        name: &str,
    ) -> BTreeMap<K, V> {
        self.drive(|bolt| {
            let store = bolt.state();
            let handle = store.register::<K, V>(name).unwrap_or_else(|error| panic!("{error}"));
            let mut entries = BTreeMap::new();
            store.for_each(&handle, |_, key, value| {
                entries.insert(key.clone(), value.clone());
            });
            entries
        })
    }

    /// The bolt's own counters, gauges and histograms.
    pub fn metrics(&self) -> UserSnapshot {
        self.running.as_ref().map(BoltDriver::user_metrics).unwrap_or_default()
    }
}
