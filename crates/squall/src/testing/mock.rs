//! A spout that emits rows given beforehand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use squall_engine::ledger::FailureKind;
use squall_runtime::{Declarer, Next, Result, Spout, SpoutCollector, SpoutContext, SpoutWaker, StreamHandle};
use squall_types::{IntoRow, StreamId, TaskId, Timestamp, Value};

use super::complete::{Fate, Root};
use super::rows::values;

#[derive(Clone, Debug)]
enum Step {
    Row(usize),
    Watermark(Timestamp),
    Wait(Duration),
}

/// A row that a mock emits.
#[derive(Clone, Debug)]
pub(super) struct MockRow {
    pub stream: StreamId,
    /// The receiver that is named for it.
    pub to: Option<TaskId>,
    pub values: Vec<Value>,
}

/// What takes a spout's place: rows to emit in this order, with pauses of simulated time and watermarks between them.
///
/// Rows are emitted tracked, if the topology tracks. If the spout has several tasks, the rows are dealt to them one by one;
/// pauses and watermarks hold for all.
///
/// ```
/// use std::time::Duration;
/// use squall::testing::Mock;
///
/// let sentences = Mock::rows([("the cow jumped",), ("over the moon",)]).wait(Duration::from_secs(60)).row(("the end",));
/// assert_eq!(sentences.len(), 3);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Mock {
    pub(super) rows: Vec<MockRow>,
    steps: Vec<Step>,
    every: Duration,
    replay: bool,
}

impl Mock {
    /// A spout that emits nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A spout that emits these rows on its default stream.
    pub fn rows<R: IntoRow>(rows: impl IntoIterator<Item = R>) -> Self {
        rows.into_iter().fold(Self::new(), Self::row)
    }

    /// Then a row on the default stream.
    #[must_use]
    pub fn row(self, row: impl IntoRow) -> Self {
        self.row_on(StreamId::default_stream().as_str(), row)
    }

    /// Then a row on another stream.
    #[must_use]
    pub fn row_on(self, stream: &str, row: impl IntoRow) -> Self {
        self.add(stream, None, row)
    }

    /// Then a row on a direct stream, to this task. Tasks are numbered from 1 over the whole topology, in declared order.
    #[must_use]
    pub fn row_to(self, stream: &str, to: TaskId, row: impl IntoRow) -> Self {
        self.add(stream, Some(to), row)
    }

    fn add(mut self, stream: &str, to: Option<TaskId>, row: impl IntoRow) -> Self {
        self.steps.push(Step::Row(self.rows.len()));
        self.rows.push(MockRow { stream: stream.into(), to, values: values(row) });
        self
    }

    /// Then a pause in simulated time.
    #[must_use]
    pub fn wait(mut self, pause: Duration) -> Self {
        self.steps.push(Step::Wait(pause));
        self
    }

    /// Then a watermark: no row with an earlier event time follows.
    #[must_use]
    pub fn watermark(mut self, to: Timestamp) -> Self {
        self.steps.push(Step::Watermark(to));
        self
    }

    /// A pause in simulated time after every row.
    #[must_use]
    pub fn every(mut self, pause: Duration) -> Self {
        self.every = pause;
        self
    }

    /// Whether rows that fail are emitted again until they are acked. The input ends only then, so a bolt must not hold
    /// tuples until the end of the input.
    #[must_use]
    pub fn replay(mut self, replay: bool) -> Self {
        self.replay = replay;
        self
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl<R: IntoRow, I: IntoIterator<Item = R>> From<I> for Mock {
    fn from(rows: I) -> Self {
        Self::rows(rows)
    }
}

/// What became of a row so far.
#[derive(Clone, Debug, Default)]
struct RowState {
    attempts: u32,
    fate: Option<Fate>,
}

/// One task's part of the steps.
#[derive(Debug, Default)]
struct TaskSteps {
    steps: VecDeque<Step>,
    again: VecDeque<usize>,
    in_flight: BTreeSet<usize>,
    /// When the pause under way ends.
    resume_at: Option<Timestamp>,
}

#[derive(Debug)]
struct State {
    mock: Mock,
    rows: Vec<RowState>,
    /// Dealt when the first task opens.
    tasks: Vec<TaskSteps>,
}

impl State {
    fn deal(&mut self, tasks: usize) {
        self.tasks.resize_with(tasks, TaskSteps::default);
        for step in &self.mock.steps {
            if let Step::Row(row) = step {
                let steps = &mut self.tasks[row % tasks].steps;
                steps.push_back(step.clone());
                if !self.mock.every.is_zero() {
                    steps.push_back(Step::Wait(self.mock.every));
                }
            } else {
                self.tasks.iter_mut().for_each(|task| task.steps.push_back(step.clone()));
            }
        }
    }

    fn failed(&mut self, task: usize, row: usize, kind: FailureKind) {
        self.tasks[task].in_flight.remove(&row);
        if self.mock.replay {
            self.tasks[task].again.push_back(row);
        } else {
            self.rows[row].fate = Some(Fate::Failed(kind));
        }
    }
}

/// What the instances of a mocked spout share, and what outlives them.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    state: Arc<Mutex<State>>,
    tracked: bool,
}

impl Shared {
    pub(super) fn new(mock: Mock, tracked: bool) -> Self {
        let rows = vec![RowState::default(); mock.len()];
        Self { state: Arc::new(Mutex::new(State { mock, rows, tasks: Vec::new() })), tracked }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn spout(&self) -> MockSpout {
        MockSpout { shared: self.clone(), task: 0, streams: BTreeMap::new(), waker: None }
    }

    /// The fate of every row that was emitted, in the order of the rows.
    pub(super) fn roots(&self) -> Vec<Root> {
        let state = self.lock();
        let rows = state.rows.iter().enumerate();
        let emitted = rows.filter_map(|(row, state)| state.fate.map(|fate| (row, state.attempts, fate)));
        emitted.map(|(row, attempts, fate)| Root { row: Some(row), fate, attempts }).collect()
    }
}

/// A task of a mocked spout.
pub(super) struct MockSpout {
    shared: Shared,
    task: usize,
    streams: BTreeMap<StreamId, StreamHandle>,
    waker: Option<SpoutWaker>,
}

impl Spout for MockSpout {
    type Id = usize;

    fn declare(&self, _: &mut Declarer) {}

    fn open(&mut self, context: &mut SpoutContext<'_>) -> Result {
        self.task = context.task_index();
        self.waker = Some(context.waker());
        let mut state = self.shared.lock();
        for MockRow { stream, .. } in &state.mock.rows {
            self.streams.insert(stream.clone(), context.stream(stream.as_str())?);
        }
        if state.tasks.is_empty() {
            state.deal(context.tasks());
        }
        // What an instance before this one had in flight is lost with it.
        for row in std::mem::take(&mut state.tasks[self.task].in_flight) {
            state.failed(self.task, row, FailureKind::Lost);
        }
        Ok(())
    }

    fn next(&mut self, out: &mut SpoutCollector<'_, usize>) -> Result<Next> {
        let now = out.now();
        let mut state = self.shared.lock();
        let State { mock, rows, tasks } = &mut *state;
        let task = &mut tasks[self.task];
        while out.room() > 0 {
            let pause = task.resume_at.map(|at| at.since(now)).filter(|pause| !pause.is_zero());
            let row = match task.again.pop_front() {
                Some(row) => row,
                None if pause.is_some() => return Ok(Next::WaitFor(pause.unwrap_or_default())),
                None => match task.steps.pop_front() {
                    Some(Step::Row(row)) => row,
                    Some(Step::Watermark(to)) => {
                        out.watermark(to);
                        // It takes effect behind the rows of this call, so that the next rows are for the next.
                        return Ok(Next::More);
                    }
                    Some(Step::Wait(pause)) => {
                        task.resume_at = Some(now + pause);
                        continue;
                    }
                    None if mock.replay && !task.in_flight.is_empty() => return Ok(Next::Wait),
                    None => return Ok(Next::Done),
                },
            };
            let MockRow { stream, to, values } = &mock.rows[row];
            let stream = self.streams[stream];
            rows[row].attempts += 1;
            if self.shared.tracked {
                task.in_flight.insert(row);
            } else {
                rows[row].fate = Some(Fate::Untracked);
            }
            // Where nothing is tracked the id says nothing.
            match to {
                Some(to) => out.emit_direct_with(stream, *to, row, values.clone()),
                None => out.emit_on_with(stream, row, values.clone()),
            }
        }
        Ok(Next::More)
    }

    fn ack(&mut self, row: usize) {
        let mut state = self.shared.lock();
        state.tasks[self.task].in_flight.remove(&row);
        state.rows[row].fate = Some(Fate::Acked);
        self.wake();
    }

    fn fail(&mut self, row: usize, kind: FailureKind) {
        self.shared.lock().failed(self.task, row, kind);
        self.wake();
    }
}

impl MockSpout {
    /// There may be rows to emit again, or nothing left to wait for.
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake();
        }
    }
}
