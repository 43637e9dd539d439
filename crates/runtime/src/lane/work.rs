//! The rows that a bolt is given in one go.
//!
//! The loop over them is compiled for each bolt (a provided method of its trait), so that `execute` is inlined into it: a row costs no
//! indirect call, and what doesn't change from row to row stays in registers.

use std::sync::Arc;

use squall_types::{EdgeId, KeyGroup, Route, Schema, TaskId, Tuple, Value};

use super::heads::NO_HEAD;
use crate::api::{Collector, Failure};

/// Where a row belongs.
#[derive(Clone, Copy)]
pub struct At {
    pub task: u16,
    pub group: KeyGroup,
    pub source: TaskId,
    pub head: u32,
}

/// Where rows belong, by their number.
pub enum Places<'a> {
    /// Rows of a batch without routes: all are the first task's, from one task.
    One(TaskId),
    /// Rows of a batch with routes, from these tasks.
    Routed(&'a [Route], &'a [TaskId]),
    /// Rows handed over within the chain to a task: their heads, where tuples are tracked; the emitting task of each, where there are
    /// several; and these.
    Chained(u16, &'a [u32], &'a [u16], &'a [TaskId]),
}

impl Places<'_> {
    /// Where a row belongs.
    #[inline]
    pub fn at(&self, row: usize) -> At {
        match self {
            Self::One(source) => At { task: 0, group: KeyGroup::NONE, source: *source, head: row as u32 },
            Self::Routed(routes, sources) => {
                let route = routes[row];
                let source = sources[usize::from(route.source)];
                At { task: route.task, group: route.group, source, head: row as u32 }
            }
            Self::Chained(task, heads, emitters, sources) => At {
                task: *task,
                group: KeyGroup::NONE,
                source: sources[emitters.get(row).map_or(0, |index| usize::from(*index))],
                head: heads.get(row).copied().unwrap_or(NO_HEAD),
            },
        }
    }
}

impl Places<'_> {
    /// How far the rows from `row` on, up to `end`, are for the same task.
    pub fn run_end(&self, row: usize, end: usize) -> usize {
        match self {
            Self::One(_) | Self::Chained(..) => end,
            Self::Routed(routes, _) => {
                let task = routes[row].task;
                row + routes[row..end].iter().take_while(|route| route.task == task).count()
            }
        }
    }
}

/// The rows that a node works on.
pub struct Rows<'a> {
    pub values: &'a [Value],
    pub schema: &'a Arc<Schema>,
    pub rows: usize,
    pub places: Places<'a>,
}

/// What a task did in the stretch under way.
#[derive(Default)]
pub struct RunCounts {
    pub rows: u64,
    pub emitted: u64,
    pub transferred: u64,
    pub acked: u64,
    pub failed: u64,
}

/// Rows for one task: as many as come one after another, and no more than the stretch.
pub struct Work<'a> {
    rows: &'a Rows<'a>,
    /// The row under way, or the next: kept outside, to be known after a panic.
    cursor: &'a mut usize,
    /// Rows from here on aren't for this, or wait until the node has seen to a failed call.
    end: usize,
    width: usize,
    tracked: bool,
    /// What was appended when a call last began: as long as that is all, nothing is to be looked at before the next.
    seen: usize,
    collector: Collector<'a>,
    counts: &'a mut RunCounts,
    /// The call that has failed: the node sees to it before it goes on.
    failed: Option<Failed>,
}

/// A call that failed, or emitted what doesn't fit.
pub struct Failed {
    /// The head that its tuple belongs to.
    pub head: u32,
    /// What it returned, if that was an error.
    pub failure: Option<Failure>,
}

impl<'a> Work<'a> {
    /// Rows from the cursor on, up to `end`, which are all for the same task.
    pub fn new(
        rows: &'a Rows<'a>,
        (cursor, end): (&'a mut usize, usize),
        collector: Collector<'a>,
        counts: &'a mut RunCounts,
    ) -> Self {
        let tracked = !collector.run.heads.anchors.is_empty();
        let width = rows.schema.fields().len();
        Self { rows, cursor, end, width, tracked, seen: usize::MAX, collector, counts, failed: None }
    }

    /// The next row, and what it is executed with.
    #[inline(always)]
    pub fn next_row(&mut self) -> Option<(Tuple<'a>, &mut Collector<'a>)> {
        let row = *self.cursor;
        if row >= self.end {
            return None;
        }
        let outputs = &mut *self.collector.outputs;
        if outputs.appended != self.seen {
            if outputs.is_full() {
                return None;
            }
            outputs.begin();
            self.seen = outputs.appended;
        }
        let at = self.rows.places.at(row);
        // Field by field: the rest stays as it is from row to row, and a whole one would be copied through memory.
        let Collector { run, row: current, .. } = &mut self.collector;
        current.head = at.head;
        current.group = at.group;
        if self.tracked {
            (current.anchor, current.sum) = (run.begin(at.head), EdgeId::ZERO);
        }
        (current.kept, current.failed) = (false, false);
        let values = &self.rows.values[row * self.width..][..self.width];
        Some((Tuple::new(values, self.rows.schema, at.source, at.group), &mut self.collector))
    }

    /// The row has been executed.
    #[inline(always)]
    pub fn done(&mut self, result: Result<(), Failure>) {
        let Collector { outputs, run, row, .. } = &mut self.collector;
        *self.cursor += 1;
        // Nothing to add for a call that has made no edge below its roots.
        if self.tracked && !(row.sum.is_zero() && run.more.is_empty()) {
            run.end(row.head, row.sum);
        }
        if result.is_err() || row.failed || outputs.error.is_some() {
            // A tuple that was kept is counted by its token, which goes with the call or comes later.
            self.counts.failed += u64::from(!row.kept || !row.anchor.root.is_some());
            self.end = 0;
            self.failed = Some(Failed { head: row.head, failure: result.err() });
        } else if self.tracked {
            self.counts.acked += u64::from(!row.kept && row.anchor.root.is_some());
        }
    }

    /// The call that failed, if one did: the rows up to it are done.
    pub fn into_failed(self) -> Option<Failed> {
        self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_where_another_tasks_row_comes() {
        let routes = [3, 3, 5, 5, 5, 3].map(|task| Route { task, ..Route::FIRST });
        let places = Places::Routed(&routes, &[]);
        assert_eq!([0, 1, 2, 4, 5].map(|row| places.run_end(row, 6)), [2, 2, 5, 5, 6]);
        assert_eq!(places.run_end(2, 4), 4, "no further than asked");
        assert_eq!(Places::One(TaskId::new(1)).run_end(2, 9), 9);
        assert_eq!(Places::Chained(0, &[], &[], &[]).run_end(2, 9), 9);
    }
}
