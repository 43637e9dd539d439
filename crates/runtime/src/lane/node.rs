//! The tasks of one bolt in one lane, and what they emit.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use squall_engine::backoff::RestartPolicy;
use squall_engine::ledger::FailureKind;
use squall_engine::state::StateStore;
use squall_types::{ComponentId, Timestamp};

use super::acks::AckOut;
use super::outputs::{BATCH, Outputs};
use super::run::Run;
use super::target::{Blocked, FlushPolicy};
use super::work::{Failed, Rows, RunCounts, Work};
use crate::api::{Bolt, BoltContext, Collector, Failure, Row, TaskInfo};
use crate::clock::Clock;
use crate::metrics::{NodeMetrics, UserMetrics};

/// Makes a bolt, for each task and for each start.
pub type BoltFactory = Arc<dyn Fn() -> Box<dyn Bolt> + Send + Sync>;

/// One task: its code, its state, and the counts of the run under way.
pub struct TaskCell {
    pub info: TaskInfo,
    bolt: Box<dyn Bolt>,
    state: StateStore,
    restart: RestartPolicy,
    /// The instance isn't prepared: it is to be, no earlier than this, in nanoseconds.
    restart_at: Option<u64>,
    run: RunCounts,
}

impl TaskCell {
    /// A task that isn't prepared yet.
    pub fn new(info: TaskInfo, bolt: Box<dyn Bolt>, state: StateStore) -> Self {
        Self { info, bolt, state, restart: RestartPolicy::default(), restart_at: None, run: RunCounts::default() }
    }

    /// The task's keyed state.
    pub fn state_mut(&mut self) -> &mut StateStore {
        &mut self.state
    }
}

/// How a stretch of rows ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// All rows that were asked for are done.
    Done,
    /// Enough was emitted to be routed first.
    Full,
    /// A task has panicked and starts again no earlier than this, in nanoseconds.
    Restarting(u64),
}

/// Whether a task's failure is one that its operator is to see: the first, and then few enough for a log to bear however
/// many there are.
fn is_said(failures: u64) -> bool {
    const EVERY: u64 = 1_000;
    failures == 1 || failures.is_multiple_of(EVERY)
}

/// A bolt in a lane.
pub struct Node {
    component: ComponentId,
    pub tasks: Vec<TaskCell>,
    pub outputs: Outputs,
    pub metrics: Arc<NodeMetrics>,
    pub user_metrics: UserMetrics,
    factory: Option<BoltFactory>,
    index: u16,
    /// The next row to do, of the rows under way.
    pub cursor: usize,
    /// Tasks that panicked and don't run again yet.
    restarting: usize,
    /// What a row costs, in nanoseconds: a moving average, 0 while unknown.
    pub row_cost_ns: u64,
}

impl Node {
    /// A component's tasks and outputs, as the `index`th node of its chain. A spout's or an asynchronous bolt's outputs are a
    /// node without tasks.
    pub fn new(
        (component, index): (ComponentId, u16),
        tasks: Vec<TaskCell>,
        outputs: Outputs,
        factory: Option<BoltFactory>,
        (metrics, user_metrics): (Arc<NodeMetrics>, UserMetrics),
    ) -> Self {
        Self {
            component,
            tasks,
            outputs,
            metrics,
            user_metrics,
            factory,
            index,
            cursor: 0,
            restarting: 0,
            row_cost_ns: 0,
        }
    }

    /// Prepares all tasks.
    ///
    /// # Errors
    /// The first task that can't be, with what it said.
    pub fn prepare(&mut self, clock: &Clock) -> Result<(), (TaskInfo, Failure)> {
        for task in 0..self.tasks.len() {
            self.prepare_one(task, clock).map_err(|failure| (self.tasks[task].info.clone(), failure))?;
        }
        Ok(())
    }

    fn prepare_one(&mut self, task: usize, clock: &Clock) -> Result<(), Failure> {
        let cell = &mut self.tasks[task];
        let mut context =
            BoltContext { info: &cell.info, clock, metrics: &self.user_metrics, state: Some(&mut cell.state) };
        let bolt = &mut cell.bolt;
        catch_unwind(AssertUnwindSafe(|| bolt.prepare(&mut context)))
            .unwrap_or_else(|panic| Err(crate::panics::take_failure(&*panic)))
    }

    /// Rows that fit into a stretch of 100 µs.
    pub fn stretch_rows(&self) -> usize {
        const STRETCH_NS: u64 = 100_000;
        match self.row_cost_ns {
            0 => 1,
            cost => usize::try_from(STRETCH_NS / cost).unwrap_or(BATCH).clamp(1, BATCH),
        }
    }

    /// Does rows from the cursor on, a stretch at the most.
    pub fn run(&mut self, rows: &Rows<'_>, run: &mut Run, acks: &mut AckOut) -> Stretch {
        if let Some(until) = self.restart(&run.clock, run.began_ns) {
            return Stretch::Restarting(until);
        }
        let end = rows.rows.min(self.cursor + self.stretch_rows());
        run.node = self.index;
        run.more.clear();
        while self.cursor < end {
            if self.outputs.is_full() {
                return Stretch::Full;
            }
            let at = rows.places.at(self.cursor);
            let task = usize::from(at.task);
            let (done, appended) = (self.cursor, self.outputs.appended);
            let worked = self.work(task, rows, end, run);
            let panic = match worked {
                Ok(failed) => {
                    if let Some(failed) = failed {
                        self.failed(task, failed, run, acks);
                    }
                    None
                }
                Err(panic) => {
                    run.heads.fail(rows.places.at(self.cursor).head, FailureKind::Failed);
                    self.outputs.withdraw(acks);
                    self.tasks[task].run.failed += 1;
                    self.cursor += 1;
                    Some(panic)
                }
            };
            let counts = &mut self.tasks[task].run;
            counts.rows += (self.cursor - done) as u64;
            // What a failed call appended is withdrawn by now.
            counts.emitted += (self.outputs.appended - appended) as u64;
            if let Some(until) = panic.and_then(|panic| self.panicked(task, &*panic, &run.clock)) {
                return Stretch::Restarting(until);
            }
        }
        Stretch::Done
    }

    /// Gives a task the rows from the cursor on that are its own, up to `end`, a full batch, or a call that fails.
    fn work(
        &mut self,
        task: usize,
        rows: &Rows<'_>,
        end: usize,
        run: &mut Run,
    ) -> Result<Option<Failed>, Box<dyn Any + Send>> {
        // Looked for only where there are others.
        let end = if self.tasks.len() > 1 { rows.places.run_end(self.cursor, end) } else { end };
        let TaskCell { bolt, state, run: counts, .. } = &mut self.tasks[task];
        let number = u16::try_from(task).expect("tasks fit u16");
        let collector = Collector { outputs: &mut self.outputs, state, run, row: Row::none(number) };
        let mut work = Work::new(rows, (&mut self.cursor, end), collector, counts);
        catch_unwind(AssertUnwindSafe(|| {
            bolt.execute_rows(&mut work);
            work.into_failed()
        }))
    }

    /// A call failed: withdraws what it emitted, fails its head, keeps the error.
    #[cold]
    fn failed(&mut self, task: usize, failed: Failed, run: &mut Run, acks: &mut AckOut) {
        let emitted = self.outputs.error.take().map(|error| Failure::from(*error));
        self.outputs.withdraw(acks);
        run.heads.fail(failed.head, FailureKind::Failed);
        if let Some(failure) = failed.failure.or(emitted) {
            self.keep_error_aside(task, &failure, false, &run.clock);
        }
    }

    /// Keeps an error of the run under way, which isn't blamed for the time that it takes to write down a backtrace.
    fn keep_error_aside(&self, task: usize, failure: &Failure, panic: bool, clock: &Clock) {
        let in_run = self.metrics.running_since().is_some();
        self.metrics.run_ends(clock.now_ns());
        self.keep_error(task, failure, panic);
        if in_run {
            self.metrics.run_begins(clock.now_ns());
        }
    }

    /// Counts an error of a task, and keeps it.
    pub fn keep_error(&self, task: usize, failure: &Failure, panic: bool) {
        let (what, backtrace) = (failure.said(), failure.backtrace());
        let failures = {
            let mut metrics = self.metrics.tasks();
            let errors = &mut metrics[task].errors;
            if panic {
                errors.panics += 1;
            } else {
                errors.failures += 1;
            }
            errors.last = Some(what.clone());
            errors.backtrace = backtrace;
            errors.failures
        };
        let (component, task) = (&self.component, self.outputs.task_ids[task].get());
        if panic {
            tracing::error!(%component, task, error = what, "a task panicked");
        } else if is_said(failures) {
            tracing::warn!(%component, task, error = what, failures, "a tuple failed");
        } else {
            tracing::debug!(%component, task, error = what, failures, "a tuple failed");
        }
    }

    /// A task panicked: it starts again, at once or after a while. Returns when, in that case.
    #[cold]
    fn panicked(&mut self, task: usize, panic: &(dyn Any + Send), clock: &Clock) -> Option<u64> {
        self.keep_error_aside(task, &crate::panics::take_failure(panic), true, clock);
        self.start_anew(task);
        let now_ns = clock.now_ns();
        let cell = &mut self.tasks[task];
        cell.restart_at = Some(now_ns + cell.restart.after_panic(now_ns));
        self.restart(clock, now_ns)
    }

    fn start_anew(&mut self, task: usize) {
        if let Some(factory) = &self.factory {
            // Dropping the broken instance, or making the new one, may panic too: both are the user's code.
            let made = catch_unwind(AssertUnwindSafe(|| self.tasks[task].bolt = factory()));
            if let Err(panic) = made {
                self.keep_error(task, &crate::panics::take_failure(&*panic), true);
            }
        }
        let cell = &mut self.tasks[task];
        self.restarting += usize::from(cell.restart_at.is_none());
        cell.restart_at = Some(0);
        self.metrics.tasks()[task].restarts += 1;
    }

    /// Prepares the tasks whose time to start again has come. Returns when to call again, if there are others.
    pub fn restart(&mut self, clock: &Clock, now_ns: u64) -> Option<u64> {
        if self.restarting == 0 {
            return None;
        }
        for task in 0..self.tasks.len() {
            if self.tasks[task].restart_at.is_none_or(|at| at > now_ns) {
                continue;
            }
            let prepared = self.prepare_one(task, clock);
            let cell = &mut self.tasks[task];
            cell.restart_at =
                prepared.is_err().then(|| now_ns + cell.restart.after_panic(now_ns).max(RestartPolicy::FIRST_NS));
            match prepared {
                Ok(()) => self.restarting -= 1,
                Err(failure) => self.keep_error(task, &failure, false),
            }
        }
        self.tasks.iter().filter_map(|cell| cell.restart_at).min()
    }

    /// Stops a task between two rows as if it had panicked. A start that fails is tried again by the next run.
    pub fn kill(&mut self, task: usize, clock: &Clock) {
        self.start_anew(task);
        let _ = self.restart(clock, clock.now_ns());
    }

    /// Gives every task a tick.
    pub fn tick(&mut self, run: &mut Run, acks: &mut AckOut) {
        self.call_all(run, acks, Bolt::tick);
    }

    /// Tells every task that the watermark has risen.
    pub fn watermark(&mut self, to: Timestamp, run: &mut Run, acks: &mut AckOut) {
        self.call_all(run, acks, |bolt, out| bolt.watermark(to, out));
    }

    fn call_all(
        &mut self,
        run: &mut Run,
        acks: &mut AckOut,
        call: impl Fn(&mut dyn Bolt, &mut Collector<'_>) -> Result<(), Failure>,
    ) {
        run.node = self.index;
        for task in 0..self.tasks.len() {
            self.metrics.run_begins(run.clock.now_ns());
            let cell = &mut self.tasks[task];
            self.outputs.begin();
            run.more.clear();
            let before = self.outputs.appended;
            let row = Row::none(u16::try_from(task).expect("tasks fit u16"));
            let mut collector = Collector { outputs: &mut self.outputs, state: &mut cell.state, run, row };
            let bolt = &mut *cell.bolt;
            match catch_unwind(AssertUnwindSafe(|| call(bolt, &mut collector))) {
                Ok(result) => {
                    let emitted = self.outputs.error.take().map(|error| Failure::from(*error));
                    if let Some(failure) = result.err().or(emitted) {
                        self.outputs.withdraw(acks);
                        self.keep_error(task, &failure, false);
                        self.metrics.tasks()[task].errors.outside += 1;
                    } else {
                        self.tasks[task].run.emitted += (self.outputs.appended - before) as u64;
                    }
                }
                Err(panic) => {
                    self.outputs.withdraw(acks);
                    // A start that must wait is taken up by the next run.
                    let _ = self.panicked(task, &*panic, &run.clock);
                    self.metrics.tasks()[task].errors.outside += 1;
                }
            }
            self.metrics.run_ends(run.clock.now_ns());
        }
    }

    /// Routes what was emitted on streams that leave the chain at once, or on all.
    pub fn route(&mut self, now_ns: u64, acks: &mut AckOut, chained_too: bool) {
        let tasks = &mut self.tasks;
        if tasks.is_empty() {
            // A spout's or an asynchronous bolt's tasks are not cells of this node.
            let mut metrics = self.metrics.tasks();
            let count = |task: u16, copies| metrics[usize::from(task)].transferred += copies;
            self.outputs.route(now_ns, acks, chained_too, count);
        } else {
            let count = |task: u16, copies| tasks[usize::from(task)].run.transferred += copies;
            self.outputs.route(now_ns, acks, chained_too, count);
        }
        if self.outputs.has_misrouted() {
            self.keep_misrouted();
        }
    }

    /// Keeps what was wrong with rows that a grouping has failed.
    #[cold]
    fn keep_misrouted(&mut self) {
        let streams = self.outputs.streams.iter_mut();
        let misrouted: Vec<_> = streams.flat_map(|stream| std::mem::take(&mut stream.misrouted)).collect();
        for (task, error) in misrouted {
            self.keep_error(usize::from(task), &Failure::from(error), false);
        }
    }

    /// Books a stretch that took `spent_ns`; the rows' batch was handed over at `sent_ns`.
    pub fn book(&mut self, spent_ns: u64, sent_ns: Option<u64>, now_ns: u64) {
        let rows: u64 = self.tasks.iter().map(|cell| cell.run.rows).sum();
        let per_row = spent_ns / rows.max(1);
        if rows > 0 {
            self.row_cost_ns = average(self.row_cost_ns, per_row.max(1));
        }
        let mut metrics = self.metrics.tasks();
        for (cell, task) in self.tasks.iter_mut().zip(metrics.iter_mut()) {
            let run = std::mem::take(&mut cell.run);
            task.emitted += run.emitted;
            task.transferred += run.transferred;
            if run.rows == 0 {
                continue;
            }
            task.executed += run.rows;
            task.acked += run.acked;
            task.failed += run.failed;
            task.busy_ns += per_row * run.rows;
            task.execute.record(per_row, run.rows);
            if let Some(sent) = sent_ns {
                task.process.record(now_ns.saturating_sub(sent), run.rows);
            }
        }
    }

    /// Ends all tasks in an orderly way.
    pub fn cleanup(&mut self) {
        for task in 0..self.tasks.len() {
            let bolt = &mut *self.tasks[task].bolt;
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| bolt.cleanup())) {
                self.keep_error(task, &crate::panics::take_failure(&*panic), true);
            }
        }
    }
}

/// A moving average that forgets half within about six values.
fn average(old: u64, new: u64) -> u64 {
    if old == 0 { new } else { (old * 7 + new) / 8 }
}

impl Node {
    /// Sends what the policy asks for. Says whom it couldn't send to.
    pub fn flush(&mut self, now_ns: u64, policy: FlushPolicy) -> Option<Blocked> {
        let mut transferred = 0;
        let blocked = self.outputs.flush(now_ns, policy, |_, copies| transferred += copies);
        if transferred > 0 {
            // Only streams of a single task wait until they are flushed.
            self.metrics.tasks()[0].transferred += transferred;
        }
        blocked
    }
}
