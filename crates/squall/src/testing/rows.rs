//! Rows as they were emitted, and comparing them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use squall_engine::ledger::Outcome;
use squall_runtime::Tap;
use squall_types::{
    ComponentId, FromTuple, IntoRow, KeyGroup, RowWriter, Schema, StreamId, TaskId, Timestamp, Tuple, Value,
};

/// A row that a component emitted.
#[derive(Clone)]
pub struct CapturedRow {
    schema: Arc<Schema>,
    task: TaskId,
    values: Vec<Value>,
    at: Timestamp,
}

impl CapturedRow {
    /// The component that emitted it.
    pub fn component(&self) -> &ComponentId {
        self.schema.component()
    }

    /// The stream that it was emitted on.
    pub fn stream(&self) -> &StreamId {
        self.schema.stream()
    }

    /// The task that emitted it.
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// Its values, in the order of the stream's fields.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// When it was emitted, in simulated time.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The row as a bolt would see it.
    pub fn tuple(&self) -> Tuple<'_> {
        Tuple::new(&self.values, &self.schema, self.task, KeyGroup::NONE)
    }

    /// The row as a struct that derives `Tuple`.
    ///
    /// # Panics
    /// The row isn't one of those.
    #[track_caller]
    pub fn read<'a, T: FromTuple<'a>>(&'a self) -> T {
        self.tuple().read().unwrap_or_else(|error| panic!("{self:?} can't be read: {error}"))
    }
}

impl fmt::Debug for CapturedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} task {} at {}: ", self.component(), self.stream(), self.task.get(), self.at)?;
        f.debug_list().entries(&self.values).finish()
    }
}

/// Equal if component, stream, task, values and time are.
impl PartialEq for CapturedRow {
    fn eq(&self, other: &Self) -> bool {
        let whence = |row: &Self| (row.component().clone(), row.stream().clone(), row.task, row.at);
        whence(self) == whence(other) && self.values == other.values
    }
}

impl IntoRow for &CapturedRow {
    fn fields() -> Option<&'static [&'static str]> {
        None
    }

    fn write(self, row: &mut RowWriter<'_>) {
        row.extend(self.values.iter().cloned());
    }
}

/// Rows in the order in which they were emitted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows(Vec<CapturedRow>);

impl Rows {
    /// Each row as a struct that derives `Tuple`.
    ///
    /// # Panics
    /// A row isn't one of those.
    #[track_caller]
    pub fn read<'a, T: FromTuple<'a>>(&'a self) -> Vec<T> {
        self.0.iter().map(CapturedRow::read).collect()
    }

    /// The rows of one stream.
    pub fn on(&self, stream: &str) -> Self {
        Self(self.0.iter().filter(|row| row.stream().as_str() == stream).cloned().collect())
    }
}

impl Deref for Rows {
    type Target = [CapturedRow];

    fn deref(&self) -> &[CapturedRow] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = &'a CapturedRow;
    type IntoIter = std::slice::Iter<'a, CapturedRow>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// The tap that copies.
#[derive(Debug, Default)]
pub(super) struct Capture {
    epoch: Timestamp,
    seen: Mutex<Seen>,
}

/// What a tap has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub rows: Rows,
    /// Roots by spout task, in the order in which they ended: when they were emitted, and how they ended.
    pub settled: BTreeMap<TaskId, Vec<(u64, Outcome)>>,
}

impl Capture {
    pub(super) fn new(epoch: Timestamp) -> Self {
        Self { epoch, seen: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> Seen {
        std::mem::take(&mut self.lock())
    }

    /// The rows of all streams, each stream's in order.
    pub(super) fn by_stream(rows: Rows) -> BTreeMap<(ComponentId, StreamId), Rows> {
        let mut streams = BTreeMap::<_, Rows>::new();
        for row in rows.0 {
            streams.entry((row.component().clone(), row.stream().clone())).or_default().0.push(row);
        }
        streams
    }
}

impl Tap for Capture {
    fn emitted(&self, task: TaskId, schema: &Arc<Schema>, values: &[Value], at_ns: u64) {
        let at = self.epoch + std::time::Duration::from_nanos(at_ns);
        self.lock().rows.0.push(CapturedRow { schema: schema.clone(), task, values: values.to_vec(), at });
    }

    fn settled(&self, task: TaskId, outcome: Outcome, emitted_ns: u64) {
        self.lock().settled.entry(task).or_default().push((emitted_ns, outcome));
    }
}

pub(super) fn values(row: impl IntoRow) -> Vec<Value> {
    let mut values = Vec::new();
    row.write(&mut RowWriter::new(&mut values, &mut 0));
    values
}

/// Asserts that two lots of rows are the same, in whatever order: each row as often here as there.
///
/// Either side can be captured rows, structs that derive `Tuple`, or Rust tuples.
///
/// ```
/// squall::testing::assert_same_rows([("the", 2), ("cow", 1)], [("cow", 1), ("the", 2)]);
/// ```
///
/// # Panics
/// They are not the same; the message lists what is missing and what is too many.
#[track_caller]
pub fn assert_same_rows<A: IntoRow, B: IntoRow>(
    actual: impl IntoIterator<Item = A>,
    expected: impl IntoIterator<Item = B>,
) {
    let mut surplus = BTreeMap::<Vec<Value>, i64>::new();
    let (mut had, mut wanted) = (0, 0);
    for row in actual {
        had += 1;
        *surplus.entry(values(row)).or_default() += 1;
    }
    for row in expected {
        wanted += 1;
        *surplus.entry(values(row)).or_default() -= 1;
    }
    let lines: Vec<String> =
        surplus.iter().filter(|(_, more)| **more != 0).map(|(row, more)| line(row, *more)).collect();
    if !lines.is_empty() {
        panic!("the rows differ ({had} rows, {wanted} expected; - is missing, + is too many):\n{}", lines.join("\n"));
    }
}

fn line(row: &[Value], more: i64) -> String {
    let sign = if more < 0 { '-' } else { '+' };
    match more.abs() {
        1 => format!("  {sign} {row:?}"),
        times => format!("  {sign} {row:?}  {times} times"),
    }
}
